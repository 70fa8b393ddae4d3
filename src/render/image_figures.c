#include "render/image_figures.h"

#include <stdlib.h>

elbo_grid elbo_image_grid(elbo_image_format format, int rows, int columns, const float *images) {
    return (elbo_grid){.rows = rows,
                       .columns = columns,
                       .shape = format.shape,
                       .images = images,
                       .low = format.low,
                       .high = format.high};
}

/* ---- reconstructions ---- */

elbo_status elbo_figure_reconstruct(elbo_figure f, const elbo_reconstruct_result *r, elbo_error *err) {
    const char **labels = calloc((size_t)r->runs + 1, sizeof *labels);
    if (!labels) return elbo_no_memory(err);
    labels[0] = "original";
    for (int i = 0; i < r->runs; i++) labels[i + 1] = r->label[i];
    if (!f.title) f.title = "Reconstructions";
    elbo_grid grid = elbo_image_grid(r->format, r->runs + 1, r->count, r->images);
    grid.row_labels = labels;
    elbo_status status = elbo_draw_grid(f, &grid, err);
    free(labels);
    return status;
}
