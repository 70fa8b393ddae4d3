/* Charts of what an analysis found. They draw results alone: nothing here runs a model. */
#ifndef ELBO_RENDER_CHARTS_H
#define ELBO_RENDER_CHARTS_H

#include "explore/comparison.h"
#include "explore/projection.h"
#include "explore/sweep.h"
#include "render/render.h"

/* A scatter plot, coloured by class. */
elbo_status elbo_figure_projection(elbo_figure f, const elbo_projection *p, elbo_error *err);

/* Curves over the epochs, training solid and test dashed, all runs in one chart. metrics: (n) names as elbo_scores_value
 * knows them; n = 0: the objective where all runs minimise the same one and it is not the loss, else the loss in nats per
 * image, which can be compared. */
elbo_status elbo_figure_curves(elbo_figure f, const elbo_comparison *c, const char *const *metrics, int n,
                               elbo_error *err);
/* What the loss is made of, on the test images: reconstruction solid, KL dashed. *drawn is false where no run has a KL. */
elbo_status elbo_figure_terms(elbo_figure f, const elbo_comparison *c, bool *drawn, elbo_error *err);
/* The model's term, the discriminator's loss and its accuracy, in training; not drawn where no run has an adversary. */
elbo_status elbo_figure_players(elbo_figure f, const elbo_comparison *c, bool *drawn, elbo_error *err);
/* The KL of each latent dimension, of the VAEs that are scored; *drawn is false where there is none. */
elbo_status elbo_figure_kl(elbo_figure f, const elbo_comparison *c, bool *drawn, elbo_error *err);
/* A measure over the values of a sweep's first key: means with their standard deviation over the seeds, each run as a
 * small ring, a curve for every setting of the other keys. Of the score that settings are compared by: what lies within
 * two standard errors of the best. *drawn is false where no run has the measure. */
elbo_status elbo_figure_sweep(elbo_figure f, const elbo_sweep *s, elbo_sweep_measure m, bool *drawn, elbo_error *err);

#endif
