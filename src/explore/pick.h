/* Choosing images of a data set by a word: `17` or `test:17`, `train:5`, `class:3`, `class:Bag`. */
#ifndef ELBO_PICK_H
#define ELBO_PICK_H

#include "data/data.h"
#include "elbo/elbo.h"

/* Which image a word means. For a class it is the most typical one: whose code lies nearest to the class's mean code
 * among the test images. Only the splits that are open can be named. */
typedef struct elbo_choice {
    const elbo_images *images;
    uint32_t index;
} elbo_choice;
elbo_status elbo_pick(elbo_choice *c, elbo_model *m, const elbo_dataset *d, const char *word, elbo_error *err);

typedef struct elbo_picked {
    const elbo_images *images; // the split that all of them are of
    uint32_t *index;           // (n), the caller's, with room for `most`
    int n, most;
} elbo_picked;
/* "3,17,class:8". `what` names the list in messages. */
elbo_status elbo_pick_list(elbo_picked *p, elbo_model *m, const elbo_dataset *d, const char *list, const char *what,
                           elbo_error *err);

/* The number of a class by its name or number; an error lists what there is. */
elbo_status elbo_pick_class(int *class_number, const elbo_dataset *d, const char *word, elbo_error *err);

/* Whether `word`, a bare number, is the name of a class of which there is a test image: of digits `3` is, of clothes it is
 * not. */
bool elbo_pick_is_class_name(const elbo_dataset *d, const char *word);

/* Up to n images that show the variety: one of each class in turn where there are labels, else the first ones. Returns how
 * many.  index: (n) */
int elbo_pick_variety(const elbo_images *images, int classes, int n, uint32_t *index);

/* The ends of an interpolation that nobody named: from a 3 to an 8, as the tutorials do, where there are test images of
 * these classes (true); else between the first two test images. */
bool elbo_pick_ends(const elbo_dataset *d, const char **from, const char **to);

#endif
