#include "explore/report_data.h"

#include "base/memory.h"
#include "data/table.h"
#include "explore/pick.h"
#include "explore/run_density.h"

#include <stdlib.h>
#include <string.h>

elbo_report_options elbo_report_defaults(void) {
    return (elbo_report_options){.own_data = true, .images = 10, .steps = 10, .samples = 64, .tsne_points = 10000};
}

static elbo_status describe(elbo_report_data *r, const elbo_run *runs, int count, const elbo_dataset *d,
                            elbo_error *err) {
    *r = (elbo_report_data){.analysed = d->test.count > 0, .shift = {.from = -1, .to = -1}};
    ELBO_TRY(elbo_data_sheet_fill(&r->data, d, err));
    ELBO_TRY(elbo_compare(&r->comparison, runs, count, err));
    r->run = calloc((size_t)count, sizeof *r->run);
    if (!r->run) return elbo_no_memory(err);
    for (int i = 0; i < count; i++) {
        r->run[i].seed = runs[i].model->recipe.train.seed;
        ELBO_TRY(elbo_diagram_make(&r->run[i].diagram, &runs[i].model->network.graph, err));
        if (!(r->run[i].recipe = elbo_recipe_text(&runs[i].model->recipe))) return elbo_no_memory(err);
    }
    bool any = false;
    for (int i = 0; i < r->comparison.count; i++) any = any || r->comparison.run[i].epochs;
    if (!any) return elbo_fail(err, ELBO_BAD_INPUT, "no epoch is finished yet: there are no curves to draw");
    return ELBO_OK;
}

/* Scores and checks, of codes that are computed once for both. */
static elbo_status examine(elbo_report_run *r, elbo_run *run, const elbo_dataset *d, bool keep, const elbo_job *job,
                           elbo_error *err) {
    elbo_eval_context e;
    ELBO_TRY(elbo_eval_context_open(&e, run->model, &run->log, d, ELBO_TEST_SPLIT, job, err));
    e.confusion = &r->confusion;
    elbo_status status = elbo_run_measure(run, &e, keep, err);
    double knn, probe; // scores that were kept do not say which classes are taken for which
    if (status == ELBO_OK && !r->confusion.classes) status = elbo_class_score(&knn, &probe, &e, err);
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
    if (status == ELBO_OK) status = elbo_interpolate(&r->interpolation, runs, r->comparison.count, d, &o, err);
    elbo_expression_free(&end[0]);
    elbo_expression_free(&end[1]);
    return status;
}

/* An autoencoder's own codes have a density too: kept in the run, as `elbo sample` does. */
static elbo_status sample_mixture(elbo_report_run *r, elbo_model *m, const elbo_dataset *d, bool keep,
                                  elbo_sample_options o, const elbo_job *job, elbo_error *err) {
    elbo_density density = {0};
    elbo_error ignored;
    o.source = ELBO_SAMPLE_GMM;
    o.density = &density;
    if (!keep || !elbo_run_density_load(&density, m, "", 0)) {
        ELBO_TRY(elbo_run_density_fit(&density, m, &d->train, 0, job, err));
        if (keep) (void)elbo_run_density_save(&density, m, "", 0, &ignored); // a run that may only be read: fitted anew
    }
    elbo_status status = elbo_sample(&r->mixture, m, NULL, &o, NULL, err);
    elbo_density_free(&density);
    return status;
}

/* What comes of codes alone. */
static elbo_status decode(elbo_report_run *r, elbo_model *m, const elbo_dataset *d, const elbo_report_options *options,
                          bool keep, const elbo_job *job, elbo_error *err) {
    enum { ROWS = 8, STEPS = 9, SIDE = 15, LEAST = 20 };
    if (m->network.graph.skips) return ELBO_OK;
    elbo_sample_options o = elbo_sample_defaults();
    o.count = options->samples;
    o.source = ELBO_SAMPLE_PRIOR;
    ELBO_TRY(elbo_sample(&r->samples, m, NULL, &o, NULL, err));
    if (r->samples.no_prior && d->train.count >= LEAST) ELBO_TRY(sample_mixture(r, m, d, keep, o, job, err));
    elbo_traverse_options t = {.rows = ROWS, .steps = STEPS};
    ELBO_TRY(elbo_traverse(&r->traversal, m, d, &t, err));
    if (m->network.graph.latent != 2 || !d->train.count) return ELBO_OK;
    elbo_manifold_options p = {.steps = SIDE, .threads = job->threads};
    return elbo_manifold(&r->plane, m, d, &p, err);
}

/* The same expression for every model that can compute it: a class turned into another. */
static elbo_status add_arithmetic(elbo_report_data *r, elbo_run *runs, const elbo_dataset *d, const elbo_job *job,
                                  elbo_error *err) {
    ELBO_TRY(elbo_class_shift_find(&r->shift, elbo_runs_chooser(runs, r->comparison.count)->model, d, err));
    if (r->shift.from < 0) return ELBO_OK;
    const char *a = d->class_names[r->shift.from], *b = d->class_names[r->shift.to];
    if (strchr(a, '"') || strchr(b, '"')) return ELBO_OK; // which no expression can say
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    bool plain = strspn(a, letters) == strlen(a) && strspn(b, letters) == strlen(b);
    char *text = elbo_format(plain ? "class:%s + mean(class:%s) - mean(class:%s)"
                                   : "class:\"%s\" + mean(class:\"%s\") - mean(class:\"%s\")",
                             a, b, a);
    elbo_expression e = {0};
    elbo_status status = text ? elbo_expression_parse(&e, text, err) : elbo_no_memory(err);
    for (int i = 0; i < r->comparison.count && status == ELBO_OK; i++) {
        elbo_model *m = runs[i].model;
        elbo_arithmetic_options o = {.expression = &e};
        if (m->network.graph.skips || elbo_model_is_conditional(m)) continue;
        status = elbo_arithmetic(&r->run[i].arithmetic, m, d, &o, job, err);
    }
    elbo_expression_free(&e);
    free(text);
    return status;
}

static elbo_status analyse(elbo_report_data *r, elbo_run *runs, const elbo_dataset *d, const elbo_report_options *o,
                           const elbo_job *job, elbo_error *err) {
    int count = r->comparison.count;
    for (int i = 0; i < count; i++) {
        bool keep = o->own_data && elbo_runs_same_data(&runs[i], &runs[0]);
        ELBO_TRY(examine(&r->run[i], &runs[i], d, keep, job, err));
    }
    ELBO_TRY(elbo_comparison_take_scores(&r->comparison, runs, err));
    for (int i = 0; i < count; i++) ELBO_TRY(project(&r->run[i], runs[i].model, d, o->tsne_points, job, err));
    if (elbo_shape_is_row(r->data.shape)) return ELBO_OK; // rows of numbers are no pictures
    elbo_reconstruct_options some = {.count = o->images};
    ELBO_TRY(elbo_reconstruct(&r->reconstructions, runs, count, d, &some, err));
    ELBO_TRY(interpolate(r, runs, d, o->steps, err));
    for (int i = 0; i < count; i++) {
        bool keep = o->own_data && elbo_runs_same_data(&runs[i], &runs[0]);
        ELBO_TRY(decode(&r->run[i], runs[i].model, d, o, keep, job, err));
    }
    return add_arithmetic(r, runs, d, job, err);
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
        elbo_confusion_free(&r->run[i].confusion);
        elbo_diagram_free(&r->run[i].diagram);
        elbo_sample_free(&r->run[i].samples);
        elbo_sample_free(&r->run[i].mixture);
        elbo_traverse_free(&r->run[i].traversal);
        elbo_manifold_free(&r->run[i].plane);
        elbo_arithmetic_free(&r->run[i].arithmetic);
        free(r->run[i].recipe);
    }
    free(r->run);
    elbo_reconstruct_free(&r->reconstructions);
    elbo_interpolate_free(&r->interpolation);
    elbo_comparison_free(&r->comparison);
    elbo_data_sheet_free(&r->data);
    free(r->from);
    free(r->to);
    *r = (elbo_report_data){0};
}
