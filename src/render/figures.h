/* The figures that tell what a model has learned, one function each; commands, the demo and the report draw the same.
 */
#ifndef ELBO_STORY_H
#define ELBO_STORY_H

#include "explore/metrics/quality.h"
#include "base/job.h"
#include "run/model.h"
#include "run/run_folder.h"
#include "render/render.h"

/* A run folder opened: the model, its log, and the name that figures call it by. */
typedef struct elbo_run {
    elbo_model *model;
    elbo_log log;
    char *label;
    elbo_quality *quality; // its scores; NULL until they are measured or recalled
    bool map_only;         // in a report: only its latent map and its numbers; such runs come behind the others
} elbo_run;

/* A grid of images (rows, columns, C, H, W) as a model takes and makes them; labels are the caller's to add. */
static inline elbo_grid elbo_model_grid(const elbo_model *m, int rows, int columns, const float *images) {
    return (elbo_grid){.rows = rows,
                       .columns = columns,
                       .shape = m->network.graph.image,
                       .images = images,
                       .low = m->recipe.image.low,
                       .high = m->recipe.image.high};
}

elbo_status elbo_runs_open(elbo_run *runs, const char *const *folders, int count, int threads, elbo_error *err);
void elbo_runs_close(elbo_run *runs, int count);

/* The scores that the run's folder holds. ELBO_NOT_FOUND: none of this model, or of other images than d's (NULL: not
 * asked). */
elbo_status elbo_run_recall(elbo_run *r, const elbo_dataset *d, elbo_error *err);
/* The same, or measured; `keep`: and written for the next time, which is right where the images are the run's own. */
elbo_status elbo_run_measure(elbo_run *r, const elbo_eval_context *e, bool keep, elbo_error *err);
bool elbo_runs_same_data(const elbo_run *a, const elbo_run *b);
void elbo_run_forget(elbo_run *r);
/* Whether a run is the best of those that a score can be compared of. */
bool elbo_run_best(const elbo_run *runs, int count, int which, const elbo_quality_row *row);
/* What each latent dimension costs, of the VAEs among the runs; *drawn is false where there is none. */
elbo_status elbo_figure_kl(elbo_figure f, const elbo_run *runs, int count, bool *drawn, elbo_error *err);

/* The run whose codes choose typical images: the first VAE, whose space is smooth, else the first. */
elbo_run *elbo_runs_chooser(elbo_run *runs, int count);

/* Curves over the epochs, training solid and test dashed, all runs in one chart. metrics: (n) names as elbo_scores_value
 * knows them; n = 0: the objective where all runs minimise the same one and it is not the loss, else the loss in nats per
 * image, which can be compared. */
elbo_status elbo_figure_curves(elbo_figure f, const elbo_run *runs, int count, const char *const *metrics, int n,
                               elbo_error *err);
bool elbo_runs_draw_objective(const elbo_run *runs, int count);
/* Whether what was trained is the loss that all else tells of, at the end of training. */
bool elbo_run_trained_loss(const elbo_run *r);
/* The formula of what a run minimises, its KL's weight as w where it moves. Returns `text`. */
const char *elbo_run_objective(const elbo_run *r, char text[ELBO_OBJECTIVE_TEXT]);
/* What the loss is made of, on the test images: reconstruction solid, KL dashed. *drawn is false where no run has a KL. */
elbo_status elbo_figure_terms(elbo_figure f, const elbo_run *runs, int count, bool *drawn, elbo_error *err);

/* Originals above each run's reconstructions.  index: (n) into images */
elbo_status elbo_figure_reconstructions(elbo_figure f, elbo_run *runs, int count, const elbo_images *images,
                                        const uint32_t *index, int n, elbo_error *err);

/* Decoded codes drawn from the standard normal prior, multiplied by `temperature`.  images: (n, C, H, W), the caller's */
elbo_status elbo_sample_prior(elbo_model *m, int n, uint64_t seed, double temperature, float *images, elbo_error *err);
/* Of several runs the images may differ in range: all are drawn in the first one's.  v: (n) */
void elbo_figure_into_range(float *v, size_t n, const elbo_recipe *from, const elbo_recipe *to);
/* A grid of images as square as n allows. */
elbo_status elbo_figure_grid(elbo_figure f, const elbo_model *m, const float *images, int n, elbo_error *err);

/* Codes in the plane: the first two principal axes, or the plane itself where the code has two dimensions. */
typedef struct elbo_embedding {
    size_t n;
    float *xy;           // (n, 2), owned
    double explained[2]; // shares of the variance; of a raw plane: all
    bool raw;
    bool tsne; // axes have no meaning
} elbo_embedding;
/* codes: (n, dims) */
elbo_status elbo_embedding_of_codes(elbo_embedding *map, const float *codes, size_t n, int dims, int threads,
                                    elbo_error *err);
elbo_status elbo_embedding_make(elbo_embedding *map, elbo_model *m, const elbo_images *images, int threads,
                                elbo_error *err);
/* By t-SNE, of the first ELBO_EMBEDDING_TSNE images at most; map->n tells how many. *kl: the divergence
 * that is left. */
enum { ELBO_EMBEDDING_TSNE = 10000 };
elbo_status elbo_embedding_make_tsne(elbo_embedding *map, double *kl, elbo_model *m, const elbo_images *images,
                                     const elbo_job *work, elbo_error *err);
void elbo_embedding_free(elbo_embedding *map);
elbo_status elbo_figure_map(elbo_figure f, const elbo_embedding *map, const elbo_dataset *d, const elbo_images *images,
                            elbo_error *err);
/* The same for points of any origin.  labels: (n) or NULL */
elbo_status elbo_figure_map_of(elbo_figure f, const elbo_embedding *map, const elbo_dataset *d, const uint8_t *labels,
                               elbo_error *err);

/* The whole page: every figure above for the runs, drawn into `folder`/figures, and `page`. own_data: d is what the
 * first run was trained on. */
elbo_status elbo_figure_report(const char *page, const char *folder, elbo_run *runs, int count, const elbo_dataset *d,
                               bool own_data, const elbo_job *work, elbo_error *err);

#endif
