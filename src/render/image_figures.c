#include "render/image_figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

elbo_grid elbo_image_grid(elbo_image_format format, int rows, int columns, const float *images) {
    return (elbo_grid){.rows = rows,
                       .columns = columns,
                       .shape = format.shape,
                       .images = images,
                       .low = format.low,
                       .high = format.high};
}

/* ---- reconstructions ---- */

elbo_status elbo_figure_reconstruct(elbo_figure f, const elbo_reconstruct_result *r, int columns, elbo_error *err) {
    if (columns < 1 || columns > r->count) columns = r->count;
    size_t rows = (size_t)r->runs + 1, blocks = ((size_t)r->count + (size_t)columns - 1) / (size_t)columns,
           size = elbo_image_size(r->format.shape), width = (size_t)columns;
    const char **labels = calloc(blocks * rows, sizeof *labels);
    float *cells = elbo_alloc(blocks * rows * width * size, sizeof *cells); // (blocks, rows, columns, C, H, W)
    elbo_status status = labels && cells ? ELBO_OK : elbo_no_memory(err);
    for (size_t at = 0; status == ELBO_OK && at < blocks * rows * width; at++) {
        size_t block = at / width / rows, row = at / width % rows, i = block * width + at % width;
        labels[at / width] = row ? r->label[row - 1] : "original";
        if (i < (size_t)r->count)
            memcpy(cells + at * size, r->images + (row * (size_t)r->count + i) * size, size * sizeof *cells);
        else
            cells[at * size] = NAN;
    }
    if (!f.title) f.title = "Reconstructions";
    elbo_grid grid = elbo_image_grid(r->format, (int)(blocks * rows), columns, cells);
    grid.row_labels = labels;
    if (status == ELBO_OK) status = elbo_draw_grid(f, &grid, err);
    free(labels);
    free(cells);
    return status;
}

/* ---- denoised ---- */

enum { DENOISE_ROWS = 3 };

elbo_status elbo_figure_denoise(elbo_figure f, const elbo_denoise_result *r, elbo_error *err) {
    static const char *const names[DENOISE_ROWS] = {"corrupted", "denoised", "original"};
    size_t n = (size_t)r->count;
    const char **captions = calloc(DENOISE_ROWS * n, sizeof *captions);
    char(*text)[24] = calloc(2 * n, sizeof *text), title[200];
    elbo_status status = captions && text ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < 2 * n; i++) {
        snprintf(text[i], sizeof text[i], "%.1f dB", (double)(i < n ? r->before[i] : r->after[i - n]));
        captions[i] = text[i];
    }
    snprintf(title, sizeof title, "Denoised: PSNR %.1f to %.1f dB (%.90s)", r->psnr_before, r->psnr_after,
             r->corruption);
    if (!f.title) f.title = title;
    elbo_grid grid = elbo_image_grid(r->format, DENOISE_ROWS, r->count, r->images);
    grid.row_labels = names;
    grid.captions = captions;
    if (status == ELBO_OK) status = elbo_draw_grid(f, &grid, err);
    free(captions);
    free(text);
    return status;
}

/* ---- samples ---- */

static elbo_status draw_square(elbo_figure f, const elbo_sample_result *r, elbo_error *err) {
    bool by_class = r->classes > 1 && r->count >= r->classes; // a column each
    int n = r->count, columns = by_class ? r->classes : (int)ceil(sqrt((double)n)), rows = (n + columns - 1) / columns;
    size_t size = elbo_image_size(r->format.shape);
    float *cells = elbo_alloc((size_t)rows * (size_t)columns * size, sizeof *cells);
    if (!cells) return elbo_no_memory(err);
    memcpy(cells, r->images, (size_t)n * size * sizeof *cells);
    for (int i = n; i < rows * columns; i++) cells[(size_t)i * size] = NAN; // an empty cell
    elbo_grid grid = elbo_image_grid(r->format, rows, columns, cells);
    if (by_class) grid.column_labels = (const char *const *)r->class_name;
    elbo_status status = elbo_draw_grid(f, &grid, err);
    free(cells);
    return status;
}

typedef char caption[40];

static void write_distance(caption text, double distance, double median) {
    if (median > 0) // (a multiplication sign)
        snprintf(text, sizeof(caption), "%.2f \xc3\x97", distance / median);
    else
        snprintf(text, sizeof(caption), "%.3g", distance);
}

/* Rows of up to ten images, below each row the nearest training images. */
static elbo_status draw_above_nearest(elbo_figure f, const elbo_sample_result *r, elbo_error *err) {
    size_t n = (size_t)r->count, columns = n < 10 ? n : 10, blocks = (n + columns - 1) / columns,
           size = elbo_image_size(r->format.shape), cells = 2 * blocks * columns;
    float *pixels = elbo_alloc(cells * size, sizeof *pixels);
    const char **captions = calloc(cells, sizeof *captions), **labels = calloc(2 * blocks, sizeof *labels);
    caption *text = calloc(cells, sizeof *text);
    elbo_status status = pixels && captions && labels && text ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < blocks * columns; i++) {
        size_t above = i / columns * 2 * columns + i % columns, below = above + columns;
        labels[i / columns * 2] = "new";
        labels[i / columns * 2 + 1] = "nearest";
        if (i >= n) {
            pixels[above * size] = pixels[below * size] = NAN;
            continue;
        }
        memcpy(pixels + above * size, r->images + i * size, size * sizeof *pixels);
        memcpy(pixels + below * size, r->neighbours + i * size, size * sizeof *pixels);
        write_distance(text[below], (double)r->novelty.distance[i], r->novelty.median);
        captions[below] = text[below];
    }
    elbo_grid grid = elbo_image_grid(r->format, (int)(2 * blocks), (int)columns, pixels);
    grid.row_labels = labels;
    grid.captions = captions;
    if (status == ELBO_OK) status = elbo_draw_grid(f, &grid, err);
    free(pixels);
    free(captions);
    free(labels);
    free(text);
    return status;
}

elbo_status elbo_figure_sample(elbo_figure f, const elbo_sample_result *r, elbo_error *err) {
    static const char *const titles[] = {[ELBO_SAMPLE_PRIOR] = "Samples from the prior",
                                         [ELBO_SAMPLE_GAUSSIAN] = "Samples from a Gaussian fitted to the codes",
                                         [ELBO_SAMPLE_GMM] = "Samples from a Gaussian mixture fitted to the codes"};
    char drawn[100];
    snprintf(drawn, sizeof drawn, "%s, pixels drawn from p(x|z)", titles[r->source]);
    if (!f.title && r->no_prior && r->source == ELBO_SAMPLE_PRIOR && !r->has_nearest)
        f.title = "N(0, I) decoded: not where these codes lie";
    if (!f.title && r->drawn_pixels && !r->has_nearest) f.title = drawn;
    if (!f.title) f.title = r->has_nearest ? "Samples above their nearest training images" : titles[r->source];
    return r->has_nearest ? draw_above_nearest(f, r, err) : draw_square(f, r, err);
}
