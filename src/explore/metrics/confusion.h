/* Which classes are taken for which: by the vote of the 5 nearest training codes, and by a linear probe. */
#ifndef ELBO_CONFUSION_H
#define ELBO_CONFUSION_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct elbo_confusion {
    int classes;           // 0: not measured
    char **name;           // (classes)
    uint32_t *knn, *probe; // (classes, classes): images of class row that were told to be of class column
} elbo_confusion;

/* told: (n) of each kind, labels: (n), all below `classes`. */
elbo_status elbo_confusion_count(elbo_confusion *c, char *const *names, int classes, const uint8_t *labels,
                                 const uint8_t *told[2], size_t n, elbo_error *err);
void elbo_confusion_free(elbo_confusion *c);

/* Of one class in a table (classes, classes): the share that was told right, NaN of a class without images, and the class
 * that it was most often taken for, -1 where it never was taken for another. */
typedef struct elbo_confused {
    double right, share; // share: of the images, taken for `other`
    int other;
} elbo_confused;
elbo_confused elbo_confusion_of(const uint32_t *table, int classes, int row);

/* {"classes": [name], "knn": [[count]], "probe": [[count]]} */
json_t *elbo_confusion_json(const elbo_confusion *c);

#endif
