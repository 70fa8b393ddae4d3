/* Images encoded to their mean code and decoded again, by one or several models. */
#ifndef ELBO_RECONSTRUCT_H
#define ELBO_RECONSTRUCT_H

#include <jansson.h>

#include "explore/result.h"

enum { ELBO_RECONSTRUCT_COUNT = 10 };

typedef struct elbo_reconstruct_options {
    int count; // how many images; 0: ELBO_RECONSTRUCT_COUNT
    const uint32_t
        *index; // (count) which; NULL: one of each class in turn, or the first ones where there are no labels
    bool train; // of the training split; default the test split
    const char *class_word; // of a conditional model: the class held, by name or number; NULL: each image's own
} elbo_reconstruct_options;

typedef struct elbo_reconstruct_result {
    elbo_image_format format; // the first run's; the reconstructions of others are brought into its range
    int runs, count;          // fewer than asked for where the split has fewer
    bool train;
    uint32_t *index; // (count), in the split
    char **label;    // (runs)
    float *images;   // (1 + runs, count, C, H, W): the originals, then each run's reconstructions
} elbo_reconstruct_result;

elbo_status elbo_reconstruct(elbo_reconstruct_result *r, elbo_run *runs, int count, const elbo_dataset *d,
                             const elbo_reconstruct_options *options, elbo_error *err);
/* {"images": [index, ...]} */
json_t *elbo_reconstruct_json(const elbo_reconstruct_result *r);
void elbo_reconstruct_free(elbo_reconstruct_result *r);

#endif
