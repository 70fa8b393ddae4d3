/* Figures of arithmetic with codes and of what the directions of a latent space mean. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render/image_figures.h"

typedef char label_text[100];

/* ---- arithmetic ---- */

elbo_status elbo_figure_arithmetic(elbo_figure f, const elbo_arithmetic_result *r, elbo_error *err) {
    static const char *const rows[] = {"pixels", "decoded"};
    int columns = r->operands + 2;
    const char **labels = calloc((size_t)columns * 3, sizeof *labels), **captions = labels + columns; // (2, columns)
    if (!labels) return elbo_no_memory(err);
    label_text nearest, class;
    for (int i = 0; i < r->operands; i++) labels[i] = r->label[i];
    snprintf(nearest, sizeof nearest, "nearest\ntrain:%u", r->nearest);
    if (r->class_name) {
        snprintf(class, sizeof class, "class %.30s", r->class_name);
        captions[2 * columns - 1] = class;
    }
    labels[r->operands] = "result";
    labels[r->operands + 1] = nearest;
    if (!f.title) f.title = r->expression;
    elbo_grid grid = elbo_image_grid(r->format, 2, columns, r->images);
    grid.row_labels = rows;
    grid.column_labels = labels;
    grid.captions = captions;
    elbo_status status = elbo_draw_grid(f, &grid, err);
    free(labels);
    return status;
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

/* The labels of a grid's edges. */
typedef struct edges {
    label_text *text;   // (rows + columns): row_text, column_text
    const char **label; // (rows + columns)
    int rows, columns;
} edges;

static elbo_status edges_make(edges *e, int rows, int columns, elbo_error *err) {
    size_t n = (size_t)(rows + columns);
    *e = (edges){calloc(n, sizeof *e->text), calloc(n, sizeof *e->label), rows, columns};
    if (e->text && e->label) {
        for (size_t i = 0; i < n; i++) e->label[i] = e->text[i];
        return ELBO_OK;
    }
    free(e->text);
    free(e->label);
    return elbo_no_memory(err);
}

/* Draws the images (rows, columns, C, H, W) between the labels, which it frees. */
static elbo_status edges_draw(edges *e, elbo_figure f, elbo_image_format format, const float *images, elbo_error *err) {
    elbo_grid grid = elbo_image_grid(format, e->rows, e->columns, images);
    grid.row_labels = e->label;
    grid.column_labels = e->label + e->rows;
    elbo_status status = elbo_draw_grid(f, &grid, err);
    free(e->text);
    free(e->label);
    return status;
}

elbo_status elbo_figure_traverse(elbo_figure f, const elbo_traverse_result *r, elbo_error *err) {
    edges e;
    char title[200];
    ELBO_TRY(edges_make(&e, r->rows, r->steps, err));
    for (int i = 0; i < r->rows; i++)
        snprintf(e.text[i], sizeof e.text[i], r->vae ? "z%d  %.2f nats" : "z%d  sd %.2f", r->dim[i], r->score[i]);
    for (int s = 0; s < r->steps; s++) write_value(e.text[r->rows + s], r->value[s]);
    snprintf(title, sizeof title,
             r->at ? "One latent dimension at a time, around %.100s" : "One latent dimension at a time",
             r->at ? r->at : "");
    if (!f.title) f.title = title;
    return edges_draw(&e, f, r->format, r->images, err);
}

/* ---- planes ---- */

/* "-0" is 0. */
static void write_coordinate(label_text text, double v, int decimals) {
    snprintf(text, sizeof(label_text), "%.*f", decimals, fabs(v));
    if (v < 0 && strspn(text, "0.") < strlen(text))
        snprintf(text, sizeof(label_text), "\xe2\x88\x92%.*f", decimals, fabs(v));
}

/* As many decimals as tell neighbours apart, the same for the whole edge, and few where there are many numbers. */
static void write_edge(label_text *text, const double *at, int n, bool descending) {
    double most = fmax(fabs(at[0]), fabs(at[n - 1]));
    int decimals = (n > 12 ? 1 : 2) - (most > 0 ? (int)floor(log10(most)) : 0);
    decimals = decimals < 0 ? 0 : decimals > 9 ? 9 : decimals;
    bool same = true;
    for (int more = 0; same && more < 3; more++, decimals++) {
        for (int i = 0; i < n; i++) write_coordinate(text[i], at[descending ? n - 1 - i : i], decimals);
        same = false;
        for (int i = 1; i < n; i++) same = same || !strcmp(text[i], text[i - 1]);
    }
}

/* Which plane, and at which numbers. */
static void write_title(char *title, size_t size, const elbo_manifold_result *r) {
    const char *numbers = r->prior ? "quantiles of the prior" : "quantiles of the codes";
    if (r->latent == 1)
        snprintf(title, size, "The latent line at %s", numbers);
    else if (r->principal)
        snprintf(title, size, "Latent space: first two principal axes (%.0f%% and %.0f%% of the variance)",
                 100 * r->explained[0], 100 * r->explained[1]);
    else if (r->latent == 2)
        snprintf(title, size, "The latent plane, z%d across and z%d up, at %s", r->dims[0], r->dims[1], numbers);
    else
        snprintf(title, size, "Latent dimensions z%d (across) and z%d (up) at %s", r->dims[0], r->dims[1], numbers);
}

elbo_status elbo_figure_manifold(elbo_figure f, const elbo_manifold_result *r, elbo_error *err) {
    edges e;
    char title[200];
    ELBO_TRY(edges_make(&e, r->rows, r->steps, err));
    if (r->rows > 1) write_edge(e.text, r->at[1], r->rows, true);
    write_edge(e.text + r->rows, r->at[0], r->steps, false);
    write_title(title, sizeof title, r);
    if (!f.title) f.title = title;
    return edges_draw(&e, f, r->format, r->images, err);
}
