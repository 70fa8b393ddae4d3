/* Codes laid out in rows and planes, to see what the directions of a latent space mean. */
#ifndef ELBO_PLANE_H
#define ELBO_PLANE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* x such that a standard normal number is below it with probability p, 0 < p < 1. */
double elbo_normal_quantile(double p);

/* Indices of the scores, the largest first; equal ones keep their order.  order: (n) */
void elbo_order_by(const double *score, int n, int *order);

/* Row r: the centre, with its coordinate dim[r] at value[s].  value: (rows, steps); z: (rows, steps, latent) */
void elbo_vary_one(const float *centre, int latent, const int *dim, int rows, const float *value, int steps, float *z);

/* A grid in a plane of the latent space, as Kingma and Welling 2013 draw it (figure 4): at equal steps of probability,
 * so that each cell stands for as many codes as every other. */
typedef struct elbo_plane_options {
    int dims[2]; // coordinates; dims[0] < 0: the first two principal axes of the codes
    int steps;   // of a side
    bool prior; // a VAE: coordinates at quantiles of the standard normal, others at 0, axes at quantiles of a normal as
                // wide as the codes; else at quantiles of the codes, others at their mean
    int threads;
} elbo_plane_options;

typedef struct elbo_plane {
    int steps, rows;     // rows is steps, or 1 where the code has one dimension
    float *z;            // (rows, steps, latent): across along the first direction, up along the second
    double *at[2];       // (steps): the values of the two directions, ascending
    double explained[2]; // of principal axes: their shares of the variance
} elbo_plane;

/* codes: (n, latent), of the training images. */
elbo_status elbo_plane_make(elbo_plane *p, const float *codes, size_t n, int latent, elbo_plane_options o,
                            elbo_error *err);
void elbo_plane_free(elbo_plane *p);

#endif
