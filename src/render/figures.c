#include "render/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- loss curves ---- */

elbo_status elbo_figure_curves(elbo_figure f, const elbo_run *runs, int count, elbo_error *err) {
    int longest = 0;
    for (int i = 0; i < count; i++)
        if (runs[i].log.count > longest) longest = runs[i].log.count;
    elbo_series *series = calloc((size_t)count * 2, sizeof *series);
    float *values = calloc((size_t)count * 2 * (size_t)(longest + 1), sizeof *values);
    char(*labels)[160] = calloc((size_t)count * 2, sizeof *labels);
    elbo_status status = ELBO_OK;
    int n = 0;
    if (!series || !values || !labels) status = elbo_no_memory(err);
    for (int i = 0; status == ELBO_OK && i < count; i++)
        for (int test = 0; test <= 1; test++) {
            const elbo_log *log = &runs[i].log;
            if (log->count == 0 || (test && log->epoch[0].test.images == 0)) continue;
            float *v = values + (size_t)n * (size_t)(longest + 1);
            for (int e = 0; e < log->count; e++)
                v[e] = (float)(test ? log->epoch[e].test.loss : log->epoch[e].train.loss);
            snprintf(labels[n], sizeof labels[n], "%s, %s", runs[i].label, test ? "test" : "train");
            series[n] = (elbo_series){.label = labels[n], .value = v, .count = log->count, .group = i, .dashed = test};
            n++;
        }
    if (status == ELBO_OK && n == 0)
        status = elbo_fail(err, ELBO_BAD_INPUT, "no epoch is finished yet: there are no curves to draw");
    if (status == ELBO_OK) status = elbo_draw_curves(f, "epoch", "loss (nats per image)", series, n, err);
    free(series);
    free(values);
    free(labels);
    return status;
}

/* ---- grids ---- */

void elbo_figure_into_range(float *v, size_t n, const elbo_recipe *from, const elbo_recipe *to) {
    float scale = (to->image.high - to->image.low) / (from->image.high - from->image.low);
    if (from->image.low == to->image.low && from->image.high == to->image.high) return;
    for (size_t i = 0; i < n; i++) v[i] = to->image.low + (v[i] - from->image.low) * scale;
}

static elbo_status draw_rows(elbo_figure f, const elbo_model *m, int rows, int columns, const float *images,
                             const char *const *row_labels, const char *const *column_labels, elbo_error *err) {
    elbo_grid grid = elbo_model_grid(m, rows, columns, images);
    grid.row_labels = row_labels;
    grid.column_labels = column_labels;
    return elbo_draw_grid(f, &grid, err);
}

elbo_status elbo_sample_prior(elbo_model *m, int n, uint64_t seed, double temperature, float *images, elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent, size = elbo_image_size(m->network.graph.image);
    enum { AT_ONCE = 64 };
    float *z = elbo_alloc(AT_ONCE * Z, sizeof *z);
    if (!z) return elbo_no_memory(err);
    elbo_status status = elbo_model_decodes_alone(m, err);
    for (int start = 0; status == ELBO_OK && start < n; start += AT_ONCE) {
        int count = n - start < AT_ONCE ? n - start : AT_ONCE;
        for (int i = 0; i < count; i++)
            elbo_random_normal((elbo_stream){.seed = seed, .purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)(start + i)},
                               z + (size_t)i * Z, Z);
        for (size_t k = 0; temperature != 1 && k < (size_t)count * Z; k++) z[k] *= (float)temperature;
        elbo_model_decode_codes(m, (size_t)count, z, images + (size_t)start * size);
    }
    free(z);
    return status;
}

elbo_status elbo_figure_grid(elbo_figure f, const elbo_model *m, const float *images, int n, elbo_error *err) {
    int columns = (int)ceil(sqrt((double)n)), rows = (n + columns - 1) / columns;
    size_t size = elbo_image_size(m->network.graph.image);
    float *cells = elbo_alloc((size_t)rows * (size_t)columns * size, sizeof *cells);
    if (!cells) return elbo_no_memory(err);
    memcpy(cells, images, (size_t)n * size * sizeof *cells);
    for (int i = n; i < rows * columns; i++) cells[(size_t)i * size] = NAN; // an empty cell
    elbo_status status = draw_rows(f, m, rows, columns, cells, NULL, NULL, err);
    free(cells);
    return status;
}
