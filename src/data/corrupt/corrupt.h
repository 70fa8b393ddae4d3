/* Corruption: what a denoising model's encoder is given in place of the image that its reconstruction is compared with.
 *
 * A function of (seed, epoch, image) alone, as augmentation is: the same bits for any number of threads, and in a run
 * that was resumed; test images are corrupted in the same way each time. Each kind is a file here and a row in
 * corrupt.c. Vincent et al., "Stacked denoising autoencoders", 2010. */
#ifndef ELBO_CORRUPT_H
#define ELBO_CORRUPT_H

#include "base/arguments.h"
#include "base/random.h"
#include "data/data.h"

enum { ELBO_CORRUPTION_VALUES = 4, ELBO_MAX_CORRUPTIONS = 16 };

/* What one image is corrupted with. */
typedef struct elbo_corruption_job {
    elbo_stream stream; // seed, purpose, epoch and image; each corruption of the list gets numbers of its own
    elbo_image_shape shape;
    float low, high; // black and white
    float *room;     // (C, H, W), for random numbers
    /* Elements 0 .. n-1 of a stream, as elbo_random_uniform and elbo_random_normal (base/random.h). */
    void (*uniform)(float *out, size_t n, elbo_stream s);
    void (*normal)(float *out, size_t n, elbo_stream s);
} elbo_corruption_job;

typedef struct elbo_corruption {
    const char *name, *usage;
    elbo_value_spec values[ELBO_CORRUPTION_VALUES];
    /* Changes x in place.  x: (C, H, W) */
    void (*apply)(const double *value, const elbo_corruption_job *job, float *x);
    /* Whether it can be done to images of a shape; NULL: to any. Fails at the place. */
    elbo_status (*check)(const double *value, elbo_image_shape shape, elbo_place place, elbo_error *err);
} elbo_corruption;

extern const elbo_corruption *const elbo_corruptions[]; // ended by NULL

/* What a recipe's `corrupt:` says, checked. */
typedef struct elbo_corrupt {
    int count;
    struct {
        const elbo_corruption *kind;
        double value[ELBO_CORRUPTION_VALUES];
        elbo_place place;
    } step[ELBO_MAX_CORRUPTIONS];
} elbo_corrupt;

elbo_status elbo_corrupt_read(elbo_corrupt *c, const elbo_layers *layers, elbo_error *err);
elbo_status elbo_corrupt_check(const elbo_corrupt *c, elbo_image_shape shape, elbo_error *err);
/* image: (C, H, W), changed in place, one corruption after the other */
void elbo_corrupt_run(const elbo_corrupt *c, elbo_corruption_job job, float *image);

#endif
