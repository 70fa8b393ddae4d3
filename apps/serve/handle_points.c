/* The images of a run as points: classes, pictures, codes, and sets of them. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "handle.h"

elbo_status serve_show_labels(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_data(c, err));
    const elbo_dataset *d = &c->run->data->set;
    char tag[60];
    snprintf(tag, sizeof tag, "labels-%016llx", (unsigned long long)c->run->data->fingerprint);
    if (serve_has(&c->response, c->request, tag)) return ELBO_OK;
    size_t train = d->train.count, n = train + d->test.count;
    if (!d->classes || (train && !d->train.labels) || (n > train && !d->test.labels))
        return elbo_fail(err, ELBO_NOT_FOUND, "%s: has no labels", d->name);
    uint8_t *labels = malloc(n ? n : 1);
    if (!labels) return elbo_no_memory(err);
    if (train) memcpy(labels, d->train.labels, train);
    if (n > train) memcpy(labels + train, d->test.labels, n - train);
    serve_answer_array(&c->response, (serve_array){"u8", 1, {n}}, labels);
    serve_answer_tag(&c->response, c->request, "%s", tag);
    return ELBO_OK;
}

/* A point's image as grey levels.  bytes, floats: (C, H, W) */
static void read_image(const serve_run *run, size_t point, float *floats, uint8_t *bytes) {
    const elbo_recipe *r = &run->model->recipe;
    elbo_point_image at = elbo_point_find(&run->data->set, point);
    size_t size = elbo_image_size(at.images->shape);
    if (at.images->bytes) {
        memcpy(bytes, at.images->bytes + at.index * size, size);
        return;
    }
    elbo_images_to_floats(at.images, &at.index, 1, r->image.low, r->image.high, floats);
    serve_to_bytes(floats, size, r->image.low, r->image.high, bytes);
}

elbo_status serve_show_images(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_data(c, err));
    uint32_t *point;
    size_t n;
    ELBO_TRY(serve_body_points(c, SERVE_ROWS_MOST, &point, &n, err));
    size_t size = elbo_image_size(c->run->model->network.graph.image);
    float *floats = elbo_alloc(size, sizeof *floats);
    uint8_t *bytes = malloc(n * size);
    if (floats && bytes)
        for (size_t i = 0; i < n; i++) read_image(c->run, point[i], floats, bytes + i * size);
    if (floats && bytes) serve_answer_array(&c->response, serve_images_shape(c->run, n), bytes);
    bool whole = floats && bytes;
    if (!whole) free(bytes);
    free(floats);
    free(point);
    return whole ? ELBO_OK : elbo_no_memory(err);
}

/* ---- thumbnails ---- */

enum { THUMB = 32 };

/* Means of squares of `by` pixels.  small: (C, ceil(H / by), ceil(W / by)) */
static void shrink(const uint8_t *image, elbo_image_shape s, int by, uint8_t *small) {
    int h = (s.height + by - 1) / by, w = (s.width + by - 1) / by;
    for (int c = 0; c < s.channels; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                int sum = 0, count = 0;
                for (int v = y * by; v < (y + 1) * by && v < s.height; v++)
                    for (int u = x * by; u < (x + 1) * by && u < s.width; u++, count++)
                        sum += image[(size_t)(c * s.height + v) * (size_t)s.width + (size_t)u];
                *small++ = (uint8_t)((sum + count / 2) / count);
            }
}

elbo_status serve_show_thumbs(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_data(c, err));
    const elbo_dataset *d = &c->run->data->set;
    elbo_image_shape s = c->run->model->network.graph.image;
    size_t all = (size_t)d->train.count + d->test.count, size = elbo_image_size(s);
    long from, count;
    ELBO_TRY(serve_query_int(c, "from", 0, (long)all - 1, 0, &from, err));
    ELBO_TRY(serve_query_int(c, "count", 1, SERVE_THUMBS_MOST, 1024, &count, err));
    if ((size_t)(from + count) > all) count = (long)all - from;
    char tag[100];
    snprintf(tag, sizeof tag, "thumbs-%016llx-%ld-%ld", (unsigned long long)c->run->data->fingerprint, from, count);
    if (serve_has(&c->response, c->request, tag)) return ELBO_OK;
    int longest = s.height > s.width ? s.height : s.width, by = (longest + THUMB - 1) / THUMB;
    size_t h = (size_t)((s.height + by - 1) / by), w = (size_t)((s.width + by - 1) / by),
           small = (size_t)s.channels * h * w;
    float *floats = elbo_alloc(size, sizeof *floats);
    uint8_t *bytes = malloc((size_t)count * small), *image = malloc(size);
    bool whole = floats && bytes && image;
    for (size_t i = 0; whole && i < (size_t)count; i++) {
        read_image(c->run, (size_t)from + i, floats, image);
        shrink(image, s, by, bytes + i * small);
    }
    free(floats);
    free(image);
    if (!whole) {
        free(bytes);
        return elbo_no_memory(err);
    }
    serve_answer_array(&c->response, (serve_array){"u8", 4, {(size_t)count, (size_t)s.channels, h, w}}, bytes);
    serve_answer_tag(&c->response, c->request, "%s", tag);
    return ELBO_OK;
}

/* ---- codes ---- */

elbo_status serve_show_codes(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_points(c, err));
    const elbo_points *p = &c->run->points->of;
    size_t Z = (size_t)p->latent, n;
    uint32_t *point;
    ELBO_TRY(serve_body_points(c, SERVE_ROWS_MOST, &point, &n, err));
    float *codes = elbo_alloc(n * 2 * Z, sizeof *codes);
    for (size_t i = 0; codes && i < n; i++) {
        memcpy(codes + i * 2 * Z, p->mu + point[i] * Z, Z * sizeof *codes);
        if (p->logvar) memcpy(codes + i * 2 * Z + Z, p->logvar + point[i] * Z, Z * sizeof *codes);
    }
    free(point);
    if (!codes) return elbo_no_memory(err);
    serve_answer_array(&c->response, (serve_array){"f32", 2, {n, 2 * Z}}, codes);
    return ELBO_OK;
}

/* ---- sets ---- */

/* The set's points, in order: a bitset, whose bit p is bit p % 8 of byte p / 8, or a list. */
static elbo_status read_set(serve_call *c, uint32_t **point, size_t *n, elbo_error *err) {
    const elbo_points *p = &c->run->points->of;
    const uint8_t *bits = c->request->body;
    *n = 0;
    if (c->request->length != (p->n + 7) / 8 || bits[0] == '{') return serve_body_points(c, p->n, point, n, err);
    if (!(*point = elbo_alloc(p->n, sizeof **point))) return elbo_no_memory(err);
    for (size_t i = 0; i < p->n; i++)
        if (bits[i / 8] >> i % 8 & 1) (*point)[(*n)++] = (uint32_t)i;
    return ELBO_OK;
}

static json_t *count_classes(const serve_run *run, const uint32_t *point, size_t n) {
    const elbo_points *p = &run->points->of;
    json_int_t count[ELBO_MAX_CLASSES] = {0};
    json_t *list = json_array();
    for (size_t i = 0; p->labels && i < n; i++) count[p->labels[point[i]]]++;
    for (int k = 0; p->labels && k < run->data->set.classes; k++) json_array_append_new(list, json_integer(count[k]));
    return list;
}

elbo_status serve_select(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_points(c, err));
    const elbo_points *p = &c->run->points->of;
    size_t Z = (size_t)p->latent, n = 0;
    uint32_t *point = NULL;
    elbo_status status = read_set(c, &point, &n, err);
    if (status == ELBO_OK && n == 0) status = elbo_fail(err, ELBO_BAD_INPUT, "the set is empty");
    double *sum = elbo_alloc(Z, sizeof *sum);
    json_t *mean = json_array();
    if (status == ELBO_OK && !sum) status = elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < n; i++)
        for (size_t k = 0; k < Z; k++) sum[k] += p->mu[point[i] * Z + k];
    for (size_t k = 0; status == ELBO_OK && k < Z; k++) json_array_append_new(mean, json_real(sum[k] / (double)n));
    if (status == ELBO_OK)
        serve_answer_json(&c->response, json_pack("{s:I, s:O, s:o}", "count", (json_int_t)n, "mean", mean, "classes",
                                                  count_classes(c->run, point, n)));
    json_decref(mean);
    free(sum);
    free(point);
    return status;
}
