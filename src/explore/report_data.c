#include "explore/report_data.h"

#include "explore/pick.h"

#include <stdlib.h>
#include <string.h>

elbo_report_options elbo_report_defaults(void) {
    return (elbo_report_options){.own_data = true, .images = 10, .steps = 10, .samples = 64, .tsne_points = 10000};
}

static elbo_status describe(elbo_report_data *r, const elbo_run *runs, int count, const elbo_dataset *d,
                            elbo_error *err) {
    *r = (elbo_report_data){.data = strdup(d->name),
                            .train = d->train.count,
                            .test = d->test.count,
                            .classes = d->classes,
                            .analysed = d->test.count > 0};
    ELBO_TRY(elbo_compare(&r->comparison, runs, count, err));
    r->run = calloc((size_t)count, sizeof *r->run);
    if (!r->run || !r->data) return elbo_no_memory(err);
    for (int i = 0; i < count; i++)
        if (!(r->run[i].recipe = elbo_recipe_text(&runs[i].model->recipe))) return elbo_no_memory(err);
    bool any = false;
    for (int i = 0; i < r->comparison.drawn; i++) any = any || r->comparison.run[i].epochs;
    if (!any) return elbo_fail(err, ELBO_BAD_INPUT, "no epoch is finished yet: there are no curves to draw");
    return ELBO_OK;
}

/* Scores and checks, of codes that are computed once for both. */
static elbo_status examine(elbo_report_run *r, elbo_run *run, const elbo_dataset *d, bool keep, const elbo_job *job,
                           elbo_error *err) {
    elbo_eval_context e;
    ELBO_TRY(elbo_eval_context_open(&e, run->model, &run->log, d, ELBO_TEST_SPLIT, job, err));
    elbo_status status = elbo_run_measure(run, &e, keep, err);
    if (status == ELBO_OK) status = elbo_diagnose_context(&r->diagnosis, &e, err);
    elbo_eval_context_close(&e);
    return status;
}

/* By PCA and t-SNE, of the test images unless they are too few, as in a small folder of photos. Fewer than four points
 * have no neighbourhoods. */
static elbo_status project(elbo_report_run *r, elbo_model *m, const elbo_dataset *d, size_t tsne_points,
                           const elbo_job *job, elbo_error *err) {
    enum { ENOUGH = 200, LEAST = 4 };
    bool test = d->test.count >= ENOUGH || d->test.count >= d->train.count;
    elbo_projection_options o = elbo_projection_defaults();
    o.splits = test ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT;
    ELBO_TRY(elbo_project(&r->pca, m, d, &o, job, err));
    if (r->pca.raw || r->pca.n < LEAST) return ELBO_OK;
    o.method = ELBO_PROJECT_TSNE;
    o.most = tsne_points;
    ELBO_TRY(elbo_project(&r->tsne, m, d, &o, job, err));
    if (r->tsne.stopped)
        return elbo_fail(err, ELBO_STOPPED, "stopped after %d of %d iterations", r->tsne.tsne.iterations,
                         o.tsne.iterations);
    return ELBO_OK;
}

/* From a 3 to an 8, as the tutorials do; the first two images where there are no such classes. */
static elbo_status interpolate(elbo_report_data *r, elbo_run *runs, const elbo_dataset *d, int steps, elbo_error *err) {
    const char *from, *to;
    bool classes = elbo_pick_ends(d, &from, &to);
    r->from = strdup(classes ? d->class_names[3] : "one image");
    r->to = strdup(classes ? d->class_names[8] : "another");
    if (!r->from || !r->to) return elbo_no_memory(err);
    elbo_expression end[2] = {0};
    elbo_interpolate_options o = {.end = end, .pairs = 1, .steps = steps, .pixels = true};
    elbo_status status = elbo_expression_parse(&end[0], from, err);
    if (status == ELBO_OK) status = elbo_expression_parse(&end[1], to, err);
    if (status == ELBO_OK) status = elbo_interpolate(&r->interpolation, runs, r->comparison.drawn, d, &o, err);
    elbo_expression_free(&end[0]);
    elbo_expression_free(&end[1]);
    return status;
}

/* Of those that have a prior, and whose decoder needs no more than a code. */
static elbo_status sample(elbo_report_run *r, const elbo_run *run, int count, elbo_error *err) {
    if (run->model->recipe.kind != ELBO_VAE || run->map_only || run->model->network.graph.skips) return ELBO_OK;
    elbo_sample_options o = elbo_sample_defaults();
    o.count = count;
    return elbo_sample(&r->samples, run->model, NULL, &o, NULL, err);
}

static elbo_status analyse(elbo_report_data *r, elbo_run *runs, const elbo_dataset *d, const elbo_report_options *o,
                           const elbo_job *job, elbo_error *err) {
    int count = r->comparison.count;
    for (int i = 0; i < count; i++) {
        bool keep = o->own_data && elbo_runs_same_data(&runs[i], &runs[0]);
        ELBO_TRY(examine(&r->run[i], &runs[i], d, keep, job, err));
    }
    ELBO_TRY(elbo_comparison_take_scores(&r->comparison, runs, err));
    elbo_reconstruct_options some = {.count = o->images};
    ELBO_TRY(elbo_reconstruct(&r->reconstructions, runs, r->comparison.drawn, d, &some, err));
    for (int i = 0; i < count; i++) ELBO_TRY(project(&r->run[i], runs[i].model, d, o->tsne_points, job, err));
    ELBO_TRY(interpolate(r, runs, d, o->steps, err));
    for (int i = 0; i < count; i++) ELBO_TRY(sample(&r->run[i], &runs[i], o->samples, err));
    return ELBO_OK;
}

elbo_status elbo_report_gather(elbo_report_data *r, elbo_run *runs, int count, const elbo_dataset *data,
                               const elbo_report_options *o, const elbo_job *job, elbo_error *err) {
    elbo_status status = describe(r, runs, count, data, err);
    if (status == ELBO_OK && r->analysed) status = analyse(r, runs, data, o, job, err);
    if (status != ELBO_OK) elbo_report_data_free(r);
    return status;
}

void elbo_report_data_free(elbo_report_data *r) {
    for (int i = 0; r->run && i < r->comparison.count; i++) {
        elbo_projection_free(&r->run[i].pca);
        elbo_projection_free(&r->run[i].tsne);
        elbo_sample_free(&r->run[i].samples);
        free(r->run[i].recipe);
    }
    free(r->run);
    elbo_reconstruct_free(&r->reconstructions);
    elbo_interpolate_free(&r->interpolation);
    elbo_comparison_free(&r->comparison);
    free(r->data);
    free(r->from);
    free(r->to);
    *r = (elbo_report_data){0};
}
