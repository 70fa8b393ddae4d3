/* Arithmetic that works: of all pairs of classes, the one where an image moved by the difference of their mean codes is
 * most surely an image of the other class. */
#ifndef ELBO_CLASS_SHIFT_H
#define ELBO_CLASS_SHIFT_H

#include "data/data.h"
#include "elbo/elbo.h"

typedef struct elbo_class_shift {
    int from, to;      // classes; -1: fewer than two have test images, or codes alone cannot be decoded
    int pairs;         // that were tried
    double share, all; // of moved images, those whose decoded image is encoded nearest to the mean code of the other
                       // class: of this pair, of all pairs
} elbo_class_shift;

/* Decodes z + mean(to) - mean(from) for some test images of each class, and encodes what came of it again. */
elbo_status elbo_class_shift_find(elbo_class_shift *s, elbo_model *m, const elbo_dataset *d, elbo_error *err);

#endif
