/* Figures of a paper: the ones that the commands draw, as PNG, SVG or CSV. Drawn as an errand in a folder of their
 * own, which is gone when they are sent. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "explore/interpolate.h"
#include "explore/manifold.h"
#include "explore/opened_runs.h"
#include "explore/operands.h"
#include "explore/pick.h"
#include "explore/reconstruct.h"
#include "explore/sample.h"
#include "explore/traverse.h"
#include "maps.h"
#include "render/image_figures.h"

enum { TEXT = 2048 };

typedef struct drawing {
    const struct kind *kind;
    const char *format; // "png"
    char from[TEXT], to[TEXT], at[TEXT], path[16], class_word[80];
    bool has_class;
    int steps, count;
    uint64_t seed;
    serve_data *data;
    serve_points *points; // of a map
    elbo_latent_map map;  // its xy, copied
    elbo_run run;         // a session
    char folder[40];
} drawing;

static const char *class_of(const drawing *d) { return d->has_class ? d->class_word : NULL; }

/* ---- what is drawn ---- */

static elbo_status parse(elbo_expression *e, const char *what, const char *text, const elbo_dataset *data,
                         elbo_error *err) {
    elbo_error why;
    bool taken;
    elbo_status status = elbo_expression_parse_end(e, text, &why);
    if (status != ELBO_OK) return elbo_fail(err, status, "%s: %s", what, why.message);
    if (elbo_expression_has(e, ELBO_OPERAND_FILE))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: files are no operands here", what);
    return elbo_operands_take_class(e, data, &taken, err);
}

static elbo_status draw_interpolation(drawing *d, elbo_figure f, elbo_error *err) {
    const char *first, *last;
    elbo_pick_ends(&d->data->set, &first, &last);
    elbo_expression ends[2] = {{0}};
    elbo_interpolate_result r = {0};
    elbo_interpolate_options o = {.end = ends,
                                  .pairs = 1,
                                  .steps = d->steps,
                                  .path = d->path[0] == 's' ? ELBO_SLERP : ELBO_LINEAR,
                                  .class_word = class_of(d)};
    elbo_status status = parse(&ends[0], "from", d->from[0] ? d->from : first, &d->data->set, err);
    if (status == ELBO_OK) status = parse(&ends[1], "to", d->to[0] ? d->to : last, &d->data->set, err);
    if (status == ELBO_OK) status = elbo_interpolate(&r, &d->run, 1, &d->data->set, &o, err);
    if (status == ELBO_OK) status = elbo_figure_interpolate(f, &r, err);
    elbo_interpolate_free(&r);
    for (int i = 0; i < 2; i++) elbo_expression_free(&ends[i]);
    return status;
}

static elbo_status draw_traversal(drawing *d, elbo_figure f, elbo_error *err) {
    elbo_expression at = {0};
    elbo_traverse_result r = {0};
    elbo_traverse_options o = {.rows = d->count, .steps = d->steps, .class_word = class_of(d)};
    elbo_status status = d->at[0] ? parse(&at, "at", d->at, &d->data->set, err) : ELBO_OK;
    if (d->at[0]) o.at = &at;
    if (status == ELBO_OK) status = elbo_traverse(&r, d->run.model, &d->data->set, &o, err);
    if (status == ELBO_OK) status = elbo_figure_traverse(f, &r, err);
    elbo_traverse_free(&r);
    elbo_expression_free(&at);
    return status;
}

static elbo_status draw_samples(drawing *d, elbo_figure f, elbo_error *err) {
    elbo_sample_options o = elbo_sample_defaults();
    elbo_sample_result r = {0};
    if (d->count) o.count = d->count;
    o.seed = d->seed;
    o.class_word = class_of(d);
    o.source = ELBO_SAMPLE_PRIOR;
    ELBO_TRY(elbo_sample_source_of(&o.source, d->run.model, err));
    elbo_status status = elbo_sample(&r, d->run.model, NULL, &o, &(elbo_job){0}, err);
    if (status == ELBO_OK) status = elbo_figure_sample(f, &r, err);
    elbo_sample_free(&r);
    return status;
}

static elbo_status draw_reconstructions(drawing *d, elbo_figure f, elbo_error *err) {
    elbo_reconstruct_options o = {.count = d->count, .class_word = class_of(d)};
    elbo_reconstruct_result r = {0};
    elbo_status status = elbo_reconstruct(&r, &d->run, 1, &d->data->set, &o, err);
    if (status == ELBO_OK) status = elbo_figure_reconstruct(f, &r, 0, err);
    elbo_reconstruct_free(&r);
    return status;
}

static elbo_status draw_manifold(drawing *d, elbo_figure f, elbo_error *err) {
    elbo_manifold_options o = {.steps = d->steps, .class_word = class_of(d)};
    elbo_manifold_result r = {0};
    elbo_status status = elbo_manifold(&r, d->run.model, &d->data->set, &o, err);
    if (status == ELBO_OK) status = elbo_figure_manifold(f, &r, err);
    elbo_manifold_free(&r);
    return status;
}

static elbo_status draw_map(drawing *d, elbo_figure f, elbo_error *err) {
    static const char *const names[][2] = {
        {"", ""}, {"first principal axis", "second principal axis"}, {"t-SNE 1", "t-SNE 2"}};
    const elbo_latent_map *m = &d->map;
    bool plain = m->method == ELBO_MAP_DIMS || m->raw;
    char x[16], y[16];
    snprintf(x, sizeof x, "z%d", m->x);
    snprintf(y, sizeof y, "z%d", m->y);
    elbo_scatter s = {.x_label = plain ? x : names[m->method][0],
                      .y_label = plain ? y : names[m->method][1],
                      .xy = m->xy,
                      .labels = d->points->of.labels,
                      .n = m->n,
                      .class_names = d->data->set.class_names,
                      .classes = d->data->set.classes};
    f.title = d->run.label;
    return elbo_draw_scatter(f, &s, err);
}

static const struct kind {
    const char *name;
    elbo_status (*draw)(drawing *d, elbo_figure f, elbo_error *err);
    bool of_points; // with a CSV
} kinds[] = {{"interpolate", draw_interpolation, false}, {"traverse", draw_traversal, false},
             {"samples", draw_samples, false},           {"reconstruct", draw_reconstructions, false},
             {"manifold", draw_manifold, false},         {"map", draw_map, true}};

/* ---- the errand ---- */

static void remove_folder(const char *folder) {
    DIR *all = opendir(folder);
    for (struct dirent *e; all && (e = readdir(all));) {
        char *path = e->d_name[0] == '.' ? NULL : elbo_path_join(folder, e->d_name);
        if (path) unlink(path);
        free(path);
    }
    if (all) closedir(all);
    rmdir(folder);
}

static void free_drawing(void *work) {
    drawing *d = work;
    if (d->folder[0]) remove_folder(d->folder);
    elbo_model_close(d->run.model);
    elbo_log_free(&d->run.log);
    free(d->run.label);
    free(d->map.xy);
    serve_points_release(d->points);
    free(d);
}

static elbo_status send_figure(serve_call *c, const drawing *d, elbo_error *err) {
    static const char *const types[][2] = {{"png", "image/png"}, {"svg", "image/svg+xml"}, {"csv", "text/csv"}};
    int type = 0;
    while (strcmp(types[type][0], d->format)) type++;
    char *path = elbo_format("%s/figure.%s", d->folder, d->format);
    if (!path) return elbo_no_memory(err);
    uint8_t *bytes;
    size_t n;
    elbo_status status = elbo_file_read(path, (size_t)256 << 20, &bytes, &n, err);
    free(path);
    if (status != ELBO_OK) return status;
    serve_answer_text(&c->response, types[type][1], bytes, n);
    c->response.borrowed = false;
    serve_add_header(&c->response, "Content-Disposition: attachment; filename=\"%s.%s\"", d->kind->name, d->format);
    return ELBO_OK;
}

static elbo_status draw(serve_call *c, elbo_error *err) {
    drawing *d = c->work;
    snprintf(d->folder, sizeof d->folder, "/tmp/elbo-figure-XXXXXX");
    if (!mkdtemp(d->folder)) {
        d->folder[0] = 0;
        return elbo_fail_errno(err, "/tmp: no folder for the figure");
    }
    elbo_figure f = {.folder = d->folder, .name = "figure", .svg = !strcmp(d->format, "svg")};
    ELBO_TRY(d->kind->draw(d, f, err));
    return send_figure(c, d, err);
}

/* ---- what is asked for ---- */

static elbo_status read_words(drawing *d, const serve_call *c, elbo_error *err) {
    static const char *const formats[] = {"png", "svg", "csv"};
    char kind[16] = "map", format[8] = "png";
    const size_t all = sizeof kinds / sizeof *kinds;
    serve_query(c->request, "kind", kind, sizeof kind);
    serve_query(c->request, "format", format, sizeof format);
    for (size_t k = 0; k < all; k++)
        if (!strcmp(kind, kinds[k].name)) d->kind = &kinds[k];
    for (size_t k = 0; k < 3; k++)
        if (!strcmp(format, formats[k])) d->format = formats[k];
    if (!d->kind)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "kind: expected interpolate, traverse, samples, reconstruct, manifold or map");
    if (!d->format) return elbo_fail(err, ELBO_BAD_INPUT, "format: expected png, svg or csv");
    if (d->format[0] == 'c' && !d->kind->of_points)
        return elbo_fail(err, ELBO_BAD_INPUT, "format=csv: of a map alone; a figure of images is png or svg");
    serve_query(c->request, "from", d->from, sizeof d->from);
    serve_query(c->request, "to", d->to, sizeof d->to);
    serve_query(c->request, "at", d->at, sizeof d->at);
    serve_query(c->request, "path", d->path, sizeof d->path);
    d->has_class = serve_query(c->request, "class", d->class_word, sizeof d->class_word);
    long steps, count, seed;
    ELBO_TRY(serve_query_int(c, "steps", 2, 60, 0, &steps, err));
    ELBO_TRY(serve_query_int(c, "count", 1, 256, 0, &count, err));
    ELBO_TRY(serve_query_int(c, "seed", 0, INT32_MAX, 0, &seed, err));
    d->steps = (int)steps;
    d->count = (int)count;
    d->seed = (uint64_t)seed;
    return ELBO_OK;
}

static elbo_status take_map(drawing *d, serve_call *c, elbo_error *err) {
    elbo_latent_map *m;
    ELBO_TRY(serve_map_of_query(c, &m, err));
    d->points = serve_points_hold(c->run->points);
    d->map =
        (elbo_latent_map){.method = m->method, .x = m->x, .y = m->y, .n = m->n, .latent = m->latent, .raw = m->raw};
    d->map.xy = malloc(2 * m->n * sizeof *m->xy);
    if (!d->map.xy) return elbo_no_memory(err);
    memcpy(d->map.xy, m->xy, 2 * m->n * sizeof *m->xy);
    return ELBO_OK;
}

elbo_status serve_draw(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_data(c, err));
    serve_run *run = c->run;
    drawing *d = calloc(1, sizeof *d);
    if (!d) return elbo_no_memory(err);
    d->data = run->data;
    elbo_model_options o = {.size = sizeof o, .threads = serve_job(c->server).threads};
    elbo_status status = read_words(d, c, err);
    if (status == ELBO_OK) status = elbo_model_session(&d->run.model, run->model, &o, err);
    if (status == ELBO_OK && !(d->run.label = strdup(run->name))) status = elbo_no_memory(err);
    if (status == ELBO_OK && d->kind->of_points) status = take_map(d, c, err);
    if (status == ELBO_OK)
        serve_hand_on(c, draw, NULL, d, free_drawing);
    else
        free_drawing(d);
    return status;
}
