/* Augmentation: training images changed a little, differently in each epoch, so that a model learns what does not
 * depend on it.
 *
 * A function of (seed, epoch, image) alone: the same bits for any number of threads, and in a run that was resumed.
 * Only training sees it; tests, codes and figures are of the images as they are. Each kind is a file here and a row in
 * augment.c; what they do is what torchvision's transforms of float images do, where their comments say nothing
 * else. */
#ifndef ELBO_AUGMENT_H
#define ELBO_AUGMENT_H

#include "base/random.h"
#include "data/data.h"
#include "base/arguments.h"

enum { ELBO_AUGMENT_VALUES = 6, ELBO_AUGMENT_DRAWS = 16, ELBO_MAX_AUGMENTATIONS = 16 };

typedef struct elbo_augmentation {
    const char *name, *usage;
    elbo_value_spec values[ELBO_AUGMENT_VALUES];
    const char *const *words;
    int p; // which value is the probability
    /* x, y: (C, H, W) in [0, 1], not overlapping; draw: (ELBO_AUGMENT_DRAWS - 1) uniform in [0, 1). True: the result is
     * in y; false: in x. */
    bool (*apply)(const double *value, const float *draw, elbo_image_shape shape, float *x, float *y);
} elbo_augmentation;

extern const elbo_augmentation *const elbo_augmentations[]; // ended by NULL

/* What a recipe's `augment:` says, checked. */
typedef struct elbo_augment {
    int count;
    struct {
        const elbo_augmentation *kind;
        double value[ELBO_AUGMENT_VALUES];
    } step[ELBO_MAX_AUGMENTATIONS];
} elbo_augment;

elbo_status elbo_augment_read(elbo_augment *a, const elbo_layers *layers, elbo_error *err);

/* image: (C, H, W) from `low` to `high`, changed in place; scratch: as much again. `stream` has seed, epoch and
 * image. */
void elbo_augment_run(const elbo_augment *a, elbo_stream stream, elbo_image_shape shape, float low, float high,
                      float *image, float *scratch);

/* What is seen where the image ends: `fill=edge`, the colour there; `fill=reflect`, the image mirrored; `fill=black`. */
enum { ELBO_FILL_EDGE, ELBO_FILL_REFLECT, ELBO_FILL_BLACK };
extern const char *const elbo_fills[]; // in this order, ended by NULL

/* The row (or column) of 0..n-1 that is seen at `i`, which may lie beyond; -1: none, it is black. */
static inline int elbo_fill_from(int i, int n, int fill) {
    if (i >= 0 && i < n) return i;
    if (fill == ELBO_FILL_BLACK) return -1;
    if (fill == ELBO_FILL_EDGE || n == 1) return i < 0 ? 0 : n - 1;
    int period = 2 * (n - 1), k = ((i % period) + period) % period; // there and back again, the edge seen once
    return k < n ? k : period - k;
}

#endif
