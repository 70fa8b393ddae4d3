/* The public analyses (include/elbo/explore.h): queries to the options of src/explore, results to arrays and JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "explore/api.h"
#include "explore/arithmetic.h"
#include "explore/comparison.h"
#include "explore/diagnostics/diagnosis.h"
#include "explore/interpolate.h"
#include "explore/manifold.h"
#include "explore/metrics/evaluation.h"
#include "explore/pick.h"
#include "explore/projection.h"
#include "explore/reconstruct.h"
#include "explore/run_density.h"
#include "explore/sample.h"
#include "explore/traverse.h"

/* A query as this library knows it; NULL is all defaults. */
#define READ_QUERY(own, given, err)                                                                                    \
    ((given) ? elbo_options_read(&(own), sizeof(own), given, (given)->size, "the query", err) : ELBO_OK)

static size_t size_of(int n) { return (size_t)n; }

/* An array of images of a format. */
static void take_images(elbo_result *r, const char *name, float **images, elbo_image_format f, int rank,
                        const size_t *leading) {
    size_t shape[6];
    memcpy(shape, leading, (size_t)rank * sizeof *leading);
    shape[rank] = size_of(f.shape.channels);
    shape[rank + 1] = size_of(f.shape.height);
    shape[rank + 2] = size_of(f.shape.width);
    elbo_result_take(r, name, images, rank + 3, shape);
}

static elbo_status check_range(const char *name, int value, int least, int most, elbo_error *err) {
    if (value >= least && value <= most) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "%s %d: expected %d to %d", name, value, least, most);
}

/* An expression of images in the data; files are the program's business. */
static elbo_status parse(elbo_expression *x, const char *what, const char *text, bool end, elbo_error *err) {
    elbo_error why;
    elbo_status status = end ? elbo_expression_parse_end(x, text, &why) : elbo_expression_parse(x, text, &why);
    if (status != ELBO_OK) return elbo_fail(err, status, "%s: %s", what, why.message);
    if (!elbo_expression_has(x, ELBO_OPERAND_FILE)) return ELBO_OK;
    elbo_expression_free(x);
    return elbo_fail(err, ELBO_BAD_INPUT,
                     "%s: %s names an image file, which the library does not read; expected test:, train:, class: or a "
                     "saved vector",
                     what, text);
}

/* ---- reconstructions ---- */

elbo_status elbo_explore_reconstructions(elbo_explorer *e, const elbo_reconstruct_query *query, elbo_result **result,
                                         elbo_error *err) {
    *result = NULL;
    elbo_reconstruct_query q = {0};
    ELBO_TRY(READ_QUERY(q, query, err));
    ELBO_TRY(elbo_explorer_data(e, err));
    const elbo_images *images = q.train ? &e->data.train : &e->data.test;
    ELBO_TRY(check_range("count", q.count, 0, (int)(images->count < INT32_MAX ? images->count : INT32_MAX), err));
    if (q.index && !q.count) return elbo_fail(err, ELBO_BAD_INPUT, "index is given, but count is 0");
    for (int i = 0; q.index && i < q.count; i++)
        if (q.index[i] >= images->count)
            return elbo_fail(err, ELBO_BAD_INPUT, "image %u: the split has %u images, from 0", q.index[i],
                             images->count);
    elbo_reconstruct_options o = {
        .count = q.count, .index = q.index, .train = q.train != 0, .class_word = q.class_name};
    elbo_reconstruct_result r;
    ELBO_TRY(elbo_reconstruct(&r, e->run, e->count, &e->data, &o, err));
    elbo_status status = elbo_result_new(result, elbo_reconstruct_json(&r), err);
    if (status == ELBO_OK)
        take_images(*result, "images", &r.images, r.format, 2, (size_t[]){size_of(1 + r.runs), size_of(r.count)});
    elbo_reconstruct_free(&r);
    return status;
}

/* ---- interpolation ---- */

static elbo_status interpolate(elbo_explorer *e, const elbo_interpolate_query *q, const elbo_expression *ends,
                               elbo_result **result, elbo_error *err) {
    elbo_interpolate_options o = {.end = ends,
                                  .pairs = 1,
                                  .steps = q->steps,
                                  .path = q->slerp ? ELBO_SLERP : ELBO_LINEAR,
                                  .pixels = true,
                                  .class_word = q->class_name};
    elbo_interpolate_result r;
    ELBO_TRY(elbo_interpolate(&r, e->run, e->count, &e->data, &o, err));
    elbo_status status = elbo_result_new(result, elbo_interpolate_json(&r), err);
    if (status == ELBO_OK) {
        size_t steps = size_of(r.steps);
        take_images(*result, "images", &r.images, r.format, 2, (size_t[]){size_of(r.runs), steps});
        take_images(*result, "pixels", &r.pixels, r.format, 1, &steps);
    }
    elbo_interpolate_free(&r);
    return status;
}

elbo_status elbo_explore_interpolation(elbo_explorer *e, const elbo_interpolate_query *query, elbo_result **result,
                                       elbo_error *err) {
    *result = NULL;
    elbo_interpolate_query q = {0};
    ELBO_TRY(READ_QUERY(q, query, err));
    if (q.steps) ELBO_TRY(check_range("steps", q.steps, 2, 1 << 20, err));
    ELBO_TRY(elbo_explorer_data(e, err));
    const char *from = q.from, *to = q.to, *by_default[2] = {"test:0", "test:1"}, *classes[2];
    if ((!from || !to) && elbo_pick_ends(&e->data, &classes[0], &classes[1]))
        memcpy(by_default, classes, sizeof by_default);
    elbo_expression ends[2] = {{0}};
    elbo_status status = parse(&ends[0], "from", from ? from : by_default[0], true, err);
    if (status == ELBO_OK) status = parse(&ends[1], "to", to ? to : by_default[1], true, err);
    if (status == ELBO_OK) status = interpolate(e, &q, ends, result, err);
    for (int i = 0; i < 2; i++) elbo_expression_free(&ends[i]);
    return status;
}

/* ---- arithmetic ---- */

elbo_status elbo_explore_arithmetic(elbo_explorer *e, const char *expression, elbo_result **result, elbo_error *err) {
    *result = NULL;
    elbo_expression x = {0};
    elbo_arithmetic_result r = {0};
    ELBO_TRY(parse(&x, "expression", expression, false, err));
    elbo_status status = elbo_explorer_data(e, err);
    if (status == ELBO_OK)
        status =
            elbo_arithmetic(&r, e->run[0].model, &e->data, &(elbo_arithmetic_options){.expression = &x}, &e->job, err);
    if (status == ELBO_OK) status = elbo_result_new(result, elbo_arithmetic_json(&r), err);
    if (status == ELBO_OK) {
        elbo_result_take(*result, "code", &r.code, 1, (size_t[]){size_of(r.latent)});
        take_images(*result, "images", &r.images, r.format, 2, (size_t[]){2, size_of(r.operands + 2)});
    }
    elbo_arithmetic_free(&r);
    elbo_expression_free(&x);
    return status;
}

/* ---- traversal and manifold ---- */

elbo_status elbo_explore_traversal(elbo_explorer *e, const elbo_traverse_query *query, elbo_result **result,
                                   elbo_error *err) {
    *result = NULL;
    elbo_traverse_query q = {0};
    ELBO_TRY(READ_QUERY(q, query, err));
    int latent = elbo_model_get_info(e->run[0].model).latent;
    if (q.steps) ELBO_TRY(check_range("steps", q.steps, 2, 1 << 20, err));
    ELBO_TRY(check_range("dim_count", q.dim_count, q.dims ? 1 : 0, latent, err));
    for (int i = 0; q.dims && i < q.dim_count; i++) ELBO_TRY(check_range("dimension", q.dims[i], 0, latent - 1, err));
    elbo_expression at = {0};
    elbo_traverse_result r = {0};
    if (q.at) ELBO_TRY(parse(&at, "at", q.at, true, err));
    elbo_traverse_options o = {.dims = q.dims,
                               .dim_count = q.dims ? q.dim_count : 0,
                               .rows = q.dims ? 0 : q.dim_count,
                               .steps = q.steps,
                               .from = q.low,
                               .to = q.high,
                               .at = q.at ? &at : NULL,
                               .class_word = q.class_name};
    elbo_status status = elbo_explorer_data(e, err);
    if (status == ELBO_OK) status = elbo_traverse(&r, e->run[0].model, &e->data, &o, err);
    if (status == ELBO_OK) status = elbo_result_new(result, elbo_traverse_json(&r), err);
    if (status == ELBO_OK)
        take_images(*result, "images", &r.images, r.format, 2, (size_t[]){size_of(r.rows), size_of(r.steps)});
    elbo_traverse_free(&r);
    elbo_expression_free(&at);
    return status;
}

elbo_status elbo_explore_manifold(elbo_explorer *e, const elbo_manifold_query *query, elbo_result **result,
                                  elbo_error *err) {
    *result = NULL;
    elbo_manifold_query q = {0};
    ELBO_TRY(READ_QUERY(q, query, err));
    int latent = elbo_model_get_info(e->run[0].model).latent;
    if (q.steps) ELBO_TRY(check_range("steps", q.steps, 2, 1000, err));
    for (int i = 0; i < 2; i++) ELBO_TRY(check_range("dimension", q.dims[i], 0, latent - 1, err));
    elbo_manifold_options o = {
        .dims = {q.dims[0], q.dims[1]}, .steps = q.steps, .threads = e->job.threads, .class_word = q.class_name};
    elbo_manifold_result r = {0};
    ELBO_TRY(elbo_explorer_data(e, err));
    ELBO_TRY(elbo_manifold(&r, e->run[0].model, &e->data, &o, err));
    elbo_status status = elbo_result_new(result, elbo_manifold_json(&r), err);
    if (status == ELBO_OK)
        take_images(*result, "images", &r.images, r.format, 2, (size_t[]){size_of(r.rows), size_of(r.steps)});
    elbo_manifold_free(&r);
    return status;
}

/* ---- samples ---- */

elbo_status elbo_explore_samples(elbo_explorer *e, const elbo_sample_query *query, elbo_result **result,
                                 elbo_error *err) {
    *result = NULL;
    elbo_sample_query q = {0};
    ELBO_TRY(READ_QUERY(q, query, err));
    elbo_model *m = e->run[0].model;
    elbo_sample_options o = elbo_sample_defaults();
    if (q.from && !elbo_sample_source_named(&o.source, q.from))
        return elbo_fail(err, ELBO_BAD_INPUT, "from %s: expected prior, gaussian or gmm", q.from);
    ELBO_TRY(check_range("count", q.count, 0, 1 << 24, err));
    if (!(q.temperature >= 0))
        return elbo_fail(err, ELBO_BAD_INPUT, "temperature %g: expected 0 or more", q.temperature);
    if (q.count) o.count = q.count;
    if (q.temperature > 0) o.temperature = q.temperature;
    o.seed = q.seed;
    o.nearest = q.nearest != 0;
    o.class_word = q.class_name;
    ELBO_TRY(elbo_sample_source_of(&o.source, m, err));
    ELBO_TRY(elbo_explorer_data(e, err));
    elbo_density density = {0};
    elbo_sample_result r = {0};
    elbo_status status = ELBO_OK;
    if (o.source != ELBO_SAMPLE_PRIOR) {
        int components = o.source == ELBO_SAMPLE_GAUSSIAN ? 1 : 0;
        o.density = &density;
        if (e->given || !elbo_run_density_load(&density, m, e->path ? e->path : "", components))
            status = elbo_run_density_fit(&density, m, &e->data.train, components, &e->job, err);
    }
    if (status == ELBO_OK) status = elbo_sample(&r, m, &e->data, &o, &e->job, err);
    if (status == ELBO_OK) status = elbo_result_new(result, elbo_sample_json(&r), err);
    if (status == ELBO_OK) {
        size_t count = size_of(r.count);
        take_images(*result, "images", &r.images, r.format, 1, &count);
        take_images(*result, "neighbours", &r.neighbours, r.format, 1, &count);
    }
    elbo_density_free(&density);
    elbo_sample_free(&r);
    return status;
}

/* ---- projection ---- */

static elbo_status find_split(const char *name, elbo_splits *splits, elbo_error *err) {
    static const elbo_splits all[] = {ELBO_TEST_SPLIT, ELBO_TRAIN_SPLIT, ELBO_BOTH_SPLITS};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!name || !strcmp(name, elbo_splits_name(all[i]))) {
            *splits = all[i];
            return ELBO_OK;
        }
    return elbo_fail(err, ELBO_BAD_INPUT, "split %s: expected test, train or all", name);
}

static elbo_status take_points(elbo_result *result, elbo_projection *p, elbo_error *err) {
    size_t n = p->n;
    elbo_result_take(result, "points", &p->xy, 2, (size_t[]){n, 2});
    elbo_result_take(result, "codes", &p->codes, 2, (size_t[]){n, size_of(p->latent)});
    if (!p->labels) return ELBO_OK;
    float *labels = malloc((n ? n : 1) * sizeof *labels); // (n)
    if (!labels) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++) labels[i] = p->labels[i];
    elbo_result_take(result, "labels", &labels, 1, &n);
    return ELBO_OK;
}

elbo_status elbo_explore_projection(elbo_explorer *e, const elbo_project_query *query, elbo_result **result,
                                    elbo_error *err) {
    *result = NULL;
    elbo_project_query q = {0};
    ELBO_TRY(READ_QUERY(q, query, err));
    elbo_projection_options o = elbo_projection_defaults();
    ELBO_TRY(find_split(q.split, &o.splits, err));
    if (q.method && !strcmp(q.method, "tsne"))
        o.method = ELBO_PROJECT_TSNE;
    else if (q.method && strcmp(q.method, "pca"))
        return elbo_fail(err, ELBO_BAD_INPUT, "method %s: expected pca or tsne", q.method);
    o.most = q.most;
    ELBO_TRY(elbo_explorer_data(e, err));
    elbo_projection p = {0};
    ELBO_TRY(elbo_project(&p, e->run[0].model, &e->data, &o, &e->job, err));
    elbo_status status = q.score ? elbo_projection_score(&p, &e->job, err) : ELBO_OK;
    if (status == ELBO_OK) status = elbo_result_new(result, elbo_projection_json(&p), err);
    if (status == ELBO_OK && (status = take_points(*result, &p, err)) != ELBO_OK) {
        elbo_result_free(*result);
        *result = NULL;
    }
    elbo_projection_free(&p);
    return status;
}

/* ---- scores, checks, comparison ---- */

elbo_status elbo_explore_scores(elbo_explorer *e, const elbo_evaluate_query *query, elbo_result **result,
                                elbo_error *err) {
    *result = NULL;
    elbo_evaluate_query q = {0};
    ELBO_TRY(READ_QUERY(q, query, err));
    elbo_evaluation_options o = elbo_evaluation_defaults();
    ELBO_TRY(find_split(q.split, &o.split, err));
    if (o.split == ELBO_BOTH_SPLITS) return elbo_fail(err, ELBO_BAD_INPUT, "split all: expected test or train");
    ELBO_TRY(check_range("importance_samples", q.importance_samples, 0, 100000, err));
    ELBO_TRY(elbo_explorer_data(e, err));
    o.measure.classes = o.split == ELBO_TEST_SPLIT && e->data.train.count > 0;
    o.measure.losses.seed = q.seed;
    o.measure.importance = q.importance_samples;
    elbo_evaluation v = {0};
    ELBO_TRY(elbo_evaluate_run(&v, &e->run[0], &e->data, &o, &e->job, err));
    elbo_status status = elbo_result_new(result, elbo_evaluation_json(&v), err);
    elbo_evaluation_free(&v);
    return status;
}

elbo_status elbo_explore_diagnosis(elbo_explorer *e, elbo_result **result, elbo_error *err) {
    *result = NULL;
    elbo_diagnosis d;
    ELBO_TRY(elbo_explorer_data(e, err));
    ELBO_TRY(elbo_diagnose(&d, &e->run[0], &e->data, &e->job, err));
    return elbo_result_new(result, elbo_diagnosis_json(&d), err);
}

elbo_status elbo_explore_comparison(elbo_explorer *e, elbo_result **result, elbo_error *err) {
    *result = NULL;
    for (int i = 0; i < e->count; i++) {
        elbo_error why; // a run that was never measured has no scores here
        elbo_status status = elbo_run_recall(&e->run[i], NULL, &why);
        if (status != ELBO_OK && status != ELBO_NOT_FOUND) return elbo_fail(err, status, "%s", why.message);
    }
    elbo_comparison c = {0};
    ELBO_TRY(elbo_compare(&c, e->run, e->count, err));
    elbo_status status = elbo_result_new(result, elbo_comparison_json(&c), err);
    elbo_comparison_free(&c);
    return status;
}
