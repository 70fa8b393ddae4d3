/* Figures of arithmetic with codes and of what the directions of a latent space mean. */
#ifndef ELBO_VIEW_LATENT_FIGURES_H
#define ELBO_VIEW_LATENT_FIGURES_H

#include "explore/operands.h"
#include "stats/plane.h"
#include "base/job.h"
#include "render/figures.h"

/* A computed expression. */
typedef struct elbo_sum {
    float *code;      // (latent), owned
    uint32_t nearest; // the training image whose code is nearest
    double distance;  // between the two codes
    int class;        // of that image; -1 without labels
} elbo_sum;

/* Computes the expression and draws its operands, the result and the nearest training image: in the upper row as
 * pixels, whose result is the same arithmetic done with pixels, in the lower one decoded. The training split must be
 * open. */
elbo_status elbo_figure_arithmetic(elbo_figure f, elbo_sum *sum, const elbo_expression *e, elbo_operands words,
                                   const elbo_job *work, elbo_error *err);
void elbo_sum_free(elbo_sum *sum);

/* Decoded codes z (rows, steps, latent), of which row r changes dimension dim[r] alone. `score`: its KL in nats or, of
 * an AE, the standard deviation of the codes. value: (steps), above the columns. */
elbo_status elbo_figure_traversal(elbo_figure f, elbo_model *m, const float *z, int rows, int steps, const int *dim,
                                  const double *score, const double *value, elbo_error *err);

/* The plane decoded, its coordinates at its edges. */
elbo_status elbo_figure_plane(elbo_figure f, elbo_model *m, const elbo_plane *p, elbo_error *err);

#endif
