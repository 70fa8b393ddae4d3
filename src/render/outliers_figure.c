#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/image_figures.h"

typedef char caption[40];

/* Two blocks of two rows: the most unusual images and those about the median score, each above its reconstruction and
 * captioned with its number and score. */
elbo_status elbo_figure_outliers(elbo_figure f, const elbo_outliers *r, elbo_error *err) {
    static const char *const labels[] = {"image", "reconstruction", "image", "reconstruction"};
    static const char *const ends[] = {"Most unusual", NULL, "Typical: about the median", NULL};
    size_t n = (size_t)r->shown, block = 2 * n * elbo_image_size(r->format.shape);
    float *pixels = elbo_alloc(2 * block, sizeof *pixels);
    const char **captions = calloc(4 * n, sizeof *captions);
    caption *text = calloc(2 * n, sizeof *text);
    elbo_status status = pixels && captions && text ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        memcpy(pixels, r->worst, block * sizeof *pixels);
        memcpy(pixels + block, r->typical, block * sizeof *pixels);
        for (size_t i = 0; i < 2 * n; i++) {
            uint32_t index = i < n ? r->order[i] : r->typical_index[i - n];
            snprintf(text[i], sizeof text[i], "%u\n%.1f", index, r->score[r->by][index]);
            captions[i < n ? n + i : 3 * n + (i - n)] = text[i]; // below its reconstruction
        }
        elbo_grid grid = elbo_image_grid(r->format, 4, r->shown, pixels);
        grid.row_labels = labels;
        grid.headings = ends;
        grid.captions = captions;
        if (!f.title) f.title = "Outliers";
        status = elbo_draw_grid(f, &grid, err);
    }
    free(pixels);
    free(captions);
    free(text);
    return status;
}

elbo_status elbo_figure_clusters(elbo_figure f, const elbo_clusters *r, elbo_error *err) {
    size_t k = (size_t)r->means.k;
    const char **labels = elbo_alloc(k, sizeof *labels);
    char(*text)[64] = elbo_alloc(k, sizeof *text), title[100];
    elbo_status status = labels && text ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < k; i++) {
        int used = snprintf(text[i], sizeof *text, "%zu: %u", i, r->means.size[i]);
        if (r->majority[i] >= 0)
            snprintf(text[i] + used, sizeof *text - (size_t)used, " (%.20s %.0f%%)", r->class_name[r->majority[i]],
                     100 * r->majority_share[i]);
        labels[i] = text[i];
    }
    snprintf(title, sizeof title, "%zu clusters of codes, their most typical images", k);
    if (!f.title) f.title = title;
    elbo_grid grid = elbo_image_grid(r->format, (int)k, r->shown, r->images);
    grid.row_labels = labels;
    if (status == ELBO_OK) status = elbo_draw_grid(f, &grid, err);
    free(labels);
    free(text);
    return status;
}
