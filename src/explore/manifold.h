/* A plane of the latent space decoded as a grid (stats/plane.h): the whole space where a code has two dimensions. */
#ifndef ELBO_MANIFOLD_H
#define ELBO_MANIFOLD_H

#include <jansson.h>

#include "explore/result.h"

enum { ELBO_MANIFOLD_STEPS = 20 };

typedef struct elbo_manifold_options {
    int dims[2]; // two latent dimensions, across and up; equal ones: the code itself where it has two dimensions, else
                 // the first two principal axes of the training codes
    int steps;   // images along a side, 2 or more; 0: ELBO_MANIFOLD_STEPS
    int threads; // 0: all cores. Results do not depend on it
    const char *class_word; // of a conditional model: the class held, by name or number; NULL: the first
} elbo_manifold_options;

typedef struct elbo_manifold_result {
    elbo_image_format format;
    int latent;
    int steps, rows; // rows is steps, or 1 where the code has one dimension
    bool prior;      // coordinates are quantiles of the prior (a VAE), else of the training codes
    bool principal;  // the plane of two principal axes, else of `dims`
    int dims[2];
    double explained[2]; // of principal axes: their shares of the variance
    double *at[2];       // (steps), (rows): coordinates across and up, ascending
    float *images;       // (rows, steps, C, H, W): the first row is the uppermost
} elbo_manifold_result;

/* `d`: with the training split. */
elbo_status elbo_manifold(elbo_manifold_result *r, elbo_model *m, const elbo_dataset *d,
                          const elbo_manifold_options *options, elbo_error *err);
/* {"steps", "across": [...], "up": [...]} with "dims": [a, b] or "explained_variance_ratio": [a, b] */
json_t *elbo_manifold_json(const elbo_manifold_result *r);
void elbo_manifold_free(elbo_manifold_result *r);

#endif
