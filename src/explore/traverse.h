/* What each latent dimension does: one at a time is changed around a code, the others held, and decoded. */
#ifndef ELBO_TRAVERSE_H
#define ELBO_TRAVERSE_H

#include <jansson.h>

#include "explore/expression.h"
#include "explore/result.h"

enum { ELBO_TRAVERSE_ROWS = 20, ELBO_TRAVERSE_STEPS = 11 };

typedef struct elbo_traverse_options {
    const int *dims; // (dim_count) which dimensions; NULL: the most informative ones
    int dim_count;
    int rows;                   // how many at most without `dims`; 0: ELBO_TRAVERSE_ROWS
    int steps;                  // images of a row, 2 or more; 0: ELBO_TRAVERSE_STEPS
    double from, to;            // values, of an autoencoder in standard deviations of its codes; both 0: -3 to 3
    const elbo_expression *at;  // the code around which; NULL: the origin, an autoencoder's mean code
    elbo_read_image read_image; // may be NULL where `at` names no file
    const char
        *class_word; // of a conditional model: the class held, by name or number; NULL: that of `at`, or the first
} elbo_traverse_options;

typedef struct elbo_traverse_result {
    elbo_image_format format;
    bool vae; // scores are a KL, else a standard deviation
    int rows; // the most informative dimension first
    int steps;
    double from, to;
    int *dim;      // (rows)
    double *score; // (rows): mean KL to the prior over the test images in nats; of an autoencoder, the standard
                   // deviation of its codes
    double *value; // (steps): from `from` to `to`
    char *at;      // the expression as it was written; NULL: the default
    float *images; // (rows, steps, C, H, W)
} elbo_traverse_result;

/* `d`: with the test split (dimensions are scored on it, on the training split where it is empty) and what
 * elbo_operands_splits names. */
elbo_status elbo_traverse(elbo_traverse_result *r, elbo_model *m, const elbo_dataset *d,
                          const elbo_traverse_options *options, elbo_error *err);
/* {"range": [from, to], "steps", "dims": [{"dim", "kl" or "sd"}]} */
json_t *elbo_traverse_json(const elbo_traverse_result *r);
void elbo_traverse_free(elbo_traverse_result *r);

#endif
