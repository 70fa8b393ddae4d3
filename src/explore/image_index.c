#include "explore/image_index.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "run/model.h"
#include "stats/pca.h"

enum { AXES = 48, SAMPLE = 2048, PIECE = 256 };

static uint32_t row_of(const elbo_image_choice *c, size_t i) { return c->which ? c->which[i] : (uint32_t)i; }

static void read_row(const elbo_image_index *x, size_t i, float *row) { // (size)
    uint32_t index = row_of(&x->of, i);
    elbo_images_to_floats(x->of.images, &index, 1, x->of.low, x->of.high, row);
}

/* The deviation from the mean, of length 1; returns 1 / its length, 0 where there is none.  row: (size) */
static float point(const elbo_image_index *x, float *row) {
    double square = 0;
    for (size_t k = 0; k < x->size; k++) square += (row[k] - x->mean[k]) * (row[k] - x->mean[k]);
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (size_t k = 0; k < x->size; k++) row[k] = (float)((row[k] - x->mean[k]) * scale);
    return (float)scale;
}

/* Along the axes, and the length of the rest: distances between such rows are at most those between the images.
 * row: (size), pointed; out: (axes + 1) */
static void project(const elbo_image_index *x, const float *row, float *out) {
    size_t A = (size_t)x->axes;
    double square = 0, along = 0;
    memset(out, 0, (A + 1) * sizeof *out);
    for (size_t k = 0; k < x->size; k++) {
        float v = row[k];
        const float *axis = x->axis + k * A;
        square += (double)v * v;
        for (size_t a = 0; a < A; a++) out[a] += v * axis[a];
    }
    for (size_t a = 0; a < A; a++) along += (double)out[a] * out[a];
    out[A] = square > along ? (float)sqrt(square - along) : 0;
}

/* ---- making ---- */

static elbo_status find_mean(elbo_image_index *x, elbo_error *err) {
    float *row = elbo_alloc(x->size, sizeof *row);
    if (!row) return elbo_no_memory(err);
    for (size_t i = 0; i < x->of.n; i++) {
        read_row(x, i, row);
        for (size_t k = 0; k < x->size; k++) x->mean[k] += (double)row[k] / (double)x->of.n;
    }
    free(row);
    return ELBO_OK;
}

/* Principal axes of some of the images: which axes they are decides how quick a question is, not what it finds. */
static elbo_status find_axes(elbo_image_index *x, int threads, elbo_error *err) {
    size_t n = x->of.n < SAMPLE ? x->of.n : SAMPLE;
    float *rows = elbo_alloc(n * x->size, sizeof *rows);
    elbo_pca pca = {0};
    elbo_status status = rows ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < n; i++) {
        read_row(x, i * x->of.n / n, rows + i * x->size);
        point(x, rows + i * x->size);
    }
    if (status == ELBO_OK) status = elbo_pca_fit(&pca, rows, n, (int)x->size, x->axes, threads, err);
    size_t A = (size_t)x->axes;
    for (size_t a = 0; status == ELBO_OK && a < A; a++)
        for (size_t k = 0; k < x->size; k++) x->axis[k * A + a] = (float)pca.axes[a * x->size + k];
    elbo_pca_free(&pca);
    free(rows);
    return status;
}

typedef struct projection_job {
    elbo_image_index *x;
    float *rows; // (n, axes + 1)
    float *room; // (pieces, size)
} projection_job;

static void project_piece(void *context, int piece) {
    const projection_job *j = context;
    elbo_image_index *x = j->x;
    size_t first = (size_t)piece * PIECE, end = first + PIECE < x->of.n ? first + PIECE : x->of.n;
    float *row = j->room + (size_t)piece * x->size;
    for (size_t i = first; i < end; i++) {
        read_row(x, i, row);
        x->scale[i] = point(x, row);
        project(x, row, j->rows + i * (size_t)(x->axes + 1));
    }
}

static elbo_status project_all(elbo_image_index *x, int threads, elbo_error *err) {
    int pieces = (int)((x->of.n + PIECE - 1) / PIECE);
    projection_job j = {.x = x};
    j.rows = elbo_alloc(x->of.n * (size_t)(x->axes + 1), sizeof *j.rows);
    j.room = elbo_alloc((size_t)pieces * x->size, sizeof *j.room);
    elbo_status status = j.rows && j.room ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_parallel_for(threads, pieces, project_piece, &j);
        status = elbo_near_index_make(&x->near, j.rows, x->of.n, x->axes + 1, err);
    }
    free(j.rows);
    free(j.room);
    return status;
}

elbo_status elbo_image_index_make(elbo_image_index *x, const elbo_image_choice *images, const elbo_job *work,
                                  elbo_error *err) {
    size_t size = elbo_image_size(images->images->shape), axes = AXES;
    *x = (elbo_image_index){.of = *images, .size = size};
    if (images->n < 2) return elbo_fail(err, ELBO_BAD_INPUT, "%zu images to search; expected 2 or more", images->n);
    if (axes > size) axes = size;
    if (axes > images->n - 1) axes = images->n - 1;
    x->axes = (int)axes;
    x->mean = elbo_alloc(size, sizeof *x->mean);
    x->axis = elbo_alloc(size * axes, sizeof *x->axis);
    x->scale = elbo_alloc(images->n, sizeof *x->scale);
    elbo_status status = x->mean && x->axis && x->scale ? find_mean(x, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = find_axes(x, work->threads, err);
    if (status == ELBO_OK) status = project_all(x, work->threads, err);
    if (status != ELBO_OK) elbo_image_index_free(x);
    return status;
}

void elbo_image_index_free(elbo_image_index *x) {
    free(x->mean);
    free(x->axis);
    free(x->scale);
    elbo_near_index_free(&x->near);
    *x = (elbo_image_index){0};
}

/* ---- asking ---- */

typedef struct search {
    const elbo_image_index *x;
    const float *picture;  // (size), pointed
    float *row;            // (size)
    double square, offset; // of the picture: its length, 1 or 0; its product with the mean
    int k, found;
    uint32_t *nearest;
    float *distance; // squared while it is searched
} search;

/* Squared, of the picture to image i. */
static double distance_to(const search *s, size_t i) {
    double dot = -s->offset;
    if (s->x->scale[i] <= 0) return s->square;
    read_row(s->x, i, s->row);
    float sum[8] = {0};
    size_t size = s->x->size, k = 0;
    for (; k + 8 <= size; k += 8)
        for (size_t l = 0; l < 8; l++) sum[l] += s->picture[k + l] * s->row[k + l];
    for (; k < size; k++) dot += (double)s->picture[k] * s->row[k];
    for (size_t l = 0; l < 8; l++) dot += sum[l];
    double d = s->square + 1 - 2 * dot * s->x->scale[i];
    return d > 0 ? d : 0;
}

static void consider(search *s, size_t i) {
    uint32_t row = row_of(&s->x->of, i);
    float d = (float)distance_to(s, i);
    for (int j = 0; j < s->found; j++)
        if (s->nearest[j] == row) return;
    if (s->found == s->k && !(d < s->distance[s->k - 1])) return;
    int at = s->found < s->k ? s->found++ : s->k - 1;
    for (; at > 0 && d < s->distance[at - 1]; at--) {
        s->distance[at] = s->distance[at - 1];
        s->nearest[at] = s->nearest[at - 1];
    }
    s->distance[at] = d;
    s->nearest[at] = row;
}

/* First those that are nearest along the axes, so that the bound is small when all are looked at. */
static void find(search *s, const float *along, float *bound) {
    enum { FIRST = 32 };
    const float slack = 1e-4f; // what rounding may have made of a bound
    uint32_t first[FIRST];
    float ignored[FIRST];
    size_t n = s->x->of.n;
    int few = n < FIRST ? (int)n : FIRST;
    elbo_near_index_find(&s->x->near, along, few, first, ignored);
    for (int i = 0; i < few; i++) consider(s, first[i]);
    elbo_near_index_all(&s->x->near, along, bound);
    for (size_t i = 0; i < n; i++)
        if (s->found < s->k || bound[i] < s->distance[s->k - 1] + slack) consider(s, i);
    for (int j = 0; j < s->found; j++) s->distance[j] = sqrtf(s->distance[j]);
}

elbo_status elbo_image_index_find(const elbo_image_index *x, const float *picture, int k, uint32_t *nearest,
                                  float *distance, elbo_error *err) {
    size_t A = (size_t)x->axes;
    float *pointed = elbo_alloc(2 * x->size, sizeof *pointed), *along = elbo_alloc(A + 1, sizeof *along),
          *bound = elbo_alloc(x->near.blocks * 16, sizeof *bound);
    elbo_status status = pointed && along && bound ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        memcpy(pointed, picture, x->size * sizeof *picture);
        search s = {
            .x = x, .picture = pointed, .row = pointed + x->size, .k = k, .nearest = nearest, .distance = distance};
        s.square = point(x, pointed) > 0;
        for (size_t i = 0; i < x->size; i++) s.offset += pointed[i] * x->mean[i];
        project(x, pointed, along);
        find(&s, along, bound);
    }
    free(pointed);
    free(along);
    free(bound);
    return status;
}
