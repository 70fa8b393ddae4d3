#include "render/latent_figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stats/neighbours.h"

typedef char label_text[100];

static elbo_status draw(elbo_figure f, const elbo_model *m, int rows, int columns, const float *images,
                        const char *const *row_labels, const char *const *column_labels, const char *const *captions,
                        elbo_error *err) {
    elbo_grid grid = elbo_model_grid(m, rows, columns, images);
    grid.row_labels = row_labels;
    grid.column_labels = column_labels;
    grid.captions = captions;
    return elbo_draw_grid(f, &grid, err);
}

/* ---- arithmetic ---- */

static elbo_status find_nearest(elbo_sum *sum, float *nearest_code, const elbo_operands *w, const elbo_job *work,
                                elbo_error *err) {
    const elbo_images *train = &w->data->train;
    int Z = w->model->network.graph.latent;
    if (train->count == 0) return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no training images", w->data->name);
    float *codes = elbo_alloc((size_t)train->count * (size_t)Z, sizeof *codes);
    if (!codes) return elbo_no_memory(err);
    elbo_model_encode_images(w->model, train, NULL, train->count, codes, NULL);
    elbo_neighbours nb;
    elbo_status status = elbo_neighbours_of(&nb, sum->code, 1, codes, train->count, Z, 1, work, err);
    if (status == ELBO_OK) {
        sum->nearest = nb.index[0];
        sum->distance = sqrt((double)nb.distance2[0]);
        sum->class = train->labels ? train->labels[sum->nearest] : -1;
        memcpy(nearest_code, codes + (size_t)sum->nearest * (size_t)Z, (size_t)Z * sizeof *codes);
        elbo_neighbours_free(&nb);
    }
    free(codes);
    return status;
}

/* Upper row: pixels.  images: (operands + 2, C, H, W) */
static elbo_status fill_pixels(float *images, const elbo_sum *sum, const elbo_expression *e, elbo_operands *w,
                               elbo_error *err) {
    elbo_image_shape s = w->model->network.graph.image;
    size_t size = elbo_image_size(s);
    const elbo_recipe *r = &w->model->recipe;
    for (int i = 0; i < e->operands; i++) {
        if (e->operand[i].kind == ELBO_OPERAND_SAVED)
            images[(size_t)i * size] = NAN;
        else
            ELBO_TRY(elbo_operand_pixels(w, &e->operand[i], images + (size_t)i * size, err));
    }
    float *result = images + (size_t)e->operands * size;
    if (elbo_expression_has(e, ELBO_OPERAND_SAVED))
        *result = NAN;
    else
        ELBO_TRY(elbo_expression_compute(e, size, elbo_operand_pixels, w, result, err));
    elbo_images_to_floats(&w->data->train, &sum->nearest, 1, r->image.low, r->image.high, result + size);
    return ELBO_OK;
}

/* Lower row: decoded.  images: (operands + 2, C, H, W) */
static elbo_status fill_decoded(float *images, elbo_sum *sum, const elbo_expression *e, elbo_operands *w,
                                const elbo_job *work, elbo_error *err) {
    size_t Z = (size_t)w->model->network.graph.latent, n = (size_t)e->operands;
    float *z = elbo_alloc((n + 2) * Z, sizeof *z);
    elbo_status status = z ? elbo_expression_compute(e, Z, elbo_operand_code, w, sum->code, err) : elbo_no_memory(err);
    for (size_t i = 0; i < n && status == ELBO_OK; i++) status = elbo_operand_code(w, &e->operand[i], z + i * Z, err);
    if (status == ELBO_OK) {
        memcpy(z + n * Z, sum->code, Z * sizeof *z);
        status = find_nearest(sum, z + (n + 1) * Z, w, work, err);
    }
    if (status == ELBO_OK) status = elbo_operands_set_skips(w, e, err);
    if (status == ELBO_OK) elbo_model_decode_codes(w->model, n + 2, z, images);
    free(z);
    return status;
}

elbo_status elbo_figure_arithmetic(elbo_figure f, elbo_sum *sum, const elbo_expression *e, elbo_operands w,
                                   const elbo_job *work, elbo_error *err) {
    int columns = e->operands + 2;
    size_t row = (size_t)columns * elbo_image_size(w.model->network.graph.image);
    float *images = elbo_alloc(2 * row, sizeof *images);
    const char **labels = calloc((size_t)columns * 3, sizeof *labels), **captions = labels + columns; // (2, columns)
    label_text nearest, class;
    *sum = (elbo_sum){.code = elbo_alloc((size_t)w.model->network.graph.latent, sizeof(float))};
    elbo_status status = images && labels && sum->code ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = fill_decoded(images + row, sum, e, &w, work, err);
    if (status == ELBO_OK) status = fill_pixels(images, sum, e, &w, err);
    if (status == ELBO_OK) {
        for (int i = 0; i < e->operands; i++) labels[i] = e->operand[i].label;
        snprintf(nearest, sizeof nearest, "nearest\ntrain:%u", sum->nearest);
        if (sum->class >= 0) {
            snprintf(class, sizeof class, "class %.30s", w.data->class_names[sum->class]);
            captions[2 * columns - 1] = class;
        }
        labels[e->operands] = "result";
        labels[e->operands + 1] = nearest;
        static const char *const rows[] = {"pixels", "decoded"};
        status = draw(f, w.model, 2, columns, images, rows, labels, captions, err);
    }
    free(images);
    free(labels);
    if (status != ELBO_OK) elbo_sum_free(sum);
    return status;
}

void elbo_sum_free(elbo_sum *sum) {
    free(sum->code);
    *sum = (elbo_sum){0};
}

/* ---- directions ---- */

/* 1.5, -0.03, 12: as short as three digits allow, with a real minus sign. */
static void write_value(label_text text, double v) {
    char number[40];
    snprintf(number, sizeof number, fabs(v) >= 100 ? "%.0f" : fabs(v) >= 10 ? "%.1f" : "%.2f", fabs(v));
    if (strchr(number, '.'))
        for (char *end = number + strlen(number) - 1; *end == '0' || *end == '.'; end--) {
            bool point = *end == '.';
            *end = 0;
            if (point) break;
        }
    snprintf(text, sizeof(label_text), "%s%s", v < 0 && strcmp(number, "0") ? "\xe2\x88\x92" : "", number);
}

/* Decodes z (rows, columns, latent) and draws it between its labels. */
static elbo_status draw_codes(elbo_figure f, elbo_model *m, const float *z, int rows, int columns, label_text *row_text,
                              label_text *column_text, elbo_error *err) {
    size_t n = (size_t)rows * (size_t)columns;
    float *images = elbo_alloc(n * elbo_image_size(m->network.graph.image), sizeof *images);
    const char **row_labels = calloc((size_t)rows, sizeof *row_labels),
               **column_labels = calloc((size_t)columns, sizeof *column_labels);
    elbo_status status = images && row_labels && column_labels ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        for (int r = 0; r < rows; r++) row_labels[r] = row_text[r];
        for (int c = 0; c < columns; c++) column_labels[c] = column_text[c];
        elbo_model_decode_codes(m, n, z, images);
        status = draw(f, m, rows, columns, images, row_labels, column_labels, NULL, err);
    }
    free(images);
    free(row_labels);
    free(column_labels);
    return status;
}

elbo_status elbo_figure_traversal(elbo_figure f, elbo_model *m, const float *z, int rows, int steps, const int *dim,
                                  const double *score, const double *value, elbo_error *err) {
    label_text *row_text = calloc((size_t)(rows + steps), sizeof *row_text), *column_text = row_text + rows;
    if (!row_text) return elbo_no_memory(err);
    bool vae = m->recipe.kind == ELBO_VAE;
    for (int r = 0; r < rows; r++)
        snprintf(row_text[r], sizeof row_text[r], vae ? "z%d  %.2f nats" : "z%d  sd %.2f", dim[r], score[r]);
    for (int s = 0; s < steps; s++) write_value(column_text[s], value[s]);
    elbo_status status = draw_codes(f, m, z, rows, steps, row_text, column_text, err);
    free(row_text);
    return status;
}

/* As many decimals as tell neighbours apart, the same for the whole edge: at least one, and few where there are many
 * numbers. */
static void write_edge(label_text *text, const double *at, int n, bool descending) {
    double most = fmax(fabs(at[0]), fabs(at[n - 1]));
    int decimals = (n > 12 ? 1 : 2) - (most > 0 ? (int)floor(log10(most)) : 0);
    decimals = decimals < 0 ? 0 : decimals > 9 ? 9 : decimals;
    for (int i = 0; i < n; i++) {
        double v = at[descending ? n - 1 - i : i];
        snprintf(text[i], sizeof text[i], "%s%.*f", v < 0 ? "\xe2\x88\x92" : "", decimals, fabs(v));
    }
}

elbo_status elbo_figure_plane(elbo_figure f, elbo_model *m, const elbo_plane *p, elbo_error *err) {
    label_text *row_text = calloc((size_t)(p->rows + p->steps), sizeof *row_text), *column_text = row_text + p->rows;
    if (!row_text) return elbo_no_memory(err);
    if (p->rows > 1) write_edge(row_text, p->at[1], p->rows, true);
    write_edge(column_text, p->at[0], p->steps, false);
    elbo_status status = draw_codes(f, m, p->z, p->rows, p->steps, row_text, column_text, err);
    free(row_text);
    return status;
}
