/* The figures that tell what a model has learned, one function each; commands, the demo and the report draw the same.
 */
#ifndef ELBO_STORY_H
#define ELBO_STORY_H

#include "base/job.h"
#include "explore/opened_runs.h"
#include "render/render.h"

/* A grid of images (rows, columns, C, H, W) as a model takes and makes them; labels are the caller's to add. */
static inline elbo_grid elbo_model_grid(const elbo_model *m, int rows, int columns, const float *images) {
    return (elbo_grid){.rows = rows,
                       .columns = columns,
                       .shape = m->network.graph.image,
                       .images = images,
                       .low = m->recipe.image.low,
                       .high = m->recipe.image.high};
}

/* What each latent dimension costs, of the VAEs among the runs; *drawn is false where there is none. */
elbo_status elbo_figure_kl(elbo_figure f, const elbo_run *runs, int count, bool *drawn, elbo_error *err);

/* Curves over the epochs, training solid and test dashed, all runs in one chart. metrics: (n) names as elbo_scores_value
 * knows them; n = 0: the objective where all runs minimise the same one and it is not the loss, else the loss in nats per
 * image, which can be compared. */
elbo_status elbo_figure_curves(elbo_figure f, const elbo_run *runs, int count, const char *const *metrics, int n,
                               elbo_error *err);
bool elbo_runs_draw_objective(const elbo_run *runs, int count);
/* What the loss is made of, on the test images: reconstruction solid, KL dashed. *drawn is false where no run has a KL. */
elbo_status elbo_figure_terms(elbo_figure f, const elbo_run *runs, int count, bool *drawn, elbo_error *err);


/* The whole page: every figure above for the runs, drawn into `folder`/figures, and `page`. own_data: d is what the
 * first run was trained on. */
elbo_status elbo_figure_report(const char *page, const char *folder, elbo_run *runs, int count, const elbo_dataset *d,
                               bool own_data, const elbo_job *work, elbo_error *err);

#endif
