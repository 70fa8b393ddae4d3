#include "render/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stats/pca.h"
#include "stats/tsne.h"

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

elbo_status elbo_figure_reconstructions(elbo_figure f, elbo_run *runs, int count, const elbo_images *images,
                                        const uint32_t *index, int n, elbo_error *err) {
    size_t row = (size_t)n * elbo_image_size(images->shape);
    float *pixels = elbo_alloc((size_t)(count + 1) * row, sizeof *pixels); // (1 + count, n, C, H, W)
    const char **labels = calloc((size_t)count + 1, sizeof *labels);
    elbo_status status = pixels && labels ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        const elbo_recipe *first = &runs[0].model->recipe;
        elbo_images_to_floats(images, index, (size_t)n, first->image.low, first->image.high, pixels);
        labels[0] = "original";
    }
    for (int i = 0; status == ELBO_OK && i < count; i++) {
        elbo_model *m = runs[i].model;
        float *codes = elbo_alloc((size_t)n * (size_t)m->network.graph.latent, sizeof *codes);
        if (!codes) {
            status = elbo_no_memory(err);
            break;
        }
        elbo_model_encode_images(m, images, index, (size_t)n, codes, NULL);
        status = elbo_model_set_skips(m, images, index, (size_t)n, err);
        if (status == ELBO_OK) elbo_model_decode_codes(m, (size_t)n, codes, pixels + (size_t)(i + 1) * row);
        elbo_figure_into_range(pixels + (size_t)(i + 1) * row, row, &m->recipe, &runs[0].model->recipe);
        labels[i + 1] = runs[i].label;
        free(codes);
    }
    if (status == ELBO_OK) status = draw_rows(f, runs[0].model, count + 1, n, pixels, labels, NULL, err);
    free(pixels);
    free(labels);
    return status;
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

/* ---- maps ---- */

elbo_status elbo_embedding_of_codes(elbo_embedding *map, const float *codes, size_t n, int dims, int threads,
                                    elbo_error *err) {
    *map = (elbo_embedding){.n = n, .raw = dims == 2};
    map->xy = elbo_alloc(n * 2, sizeof *map->xy);
    if (!map->xy) return elbo_no_memory(err);
    if (map->raw) {
        memcpy(map->xy, codes, n * 2 * sizeof *codes);
        return ELBO_OK;
    }
    elbo_pca pca = {0};
    elbo_status status = elbo_pca_fit(&pca, codes, n, dims, 2, threads, err);
    float *y = status == ELBO_OK ? elbo_alloc(n * (size_t)pca.components, sizeof *y) : NULL;
    if (y) {
        elbo_pca_project(&pca, codes, n, y);
        for (size_t i = 0; i < n; i++) // a code of one dimension lies on a line
            for (int c = 0; c < pca.components; c++)
                map->xy[2 * i + (size_t)c] = y[i * (size_t)pca.components + (size_t)c];
        for (int c = 0; c < pca.components; c++) map->explained[c] = pca.total > 0 ? pca.variance[c] / pca.total : 0;
    } else if (status == ELBO_OK) {
        status = elbo_no_memory(err);
    }
    free(y);
    elbo_pca_free(&pca);
    if (status != ELBO_OK) elbo_embedding_free(map);
    return status;
}

elbo_status elbo_embedding_make(elbo_embedding *map, elbo_model *m, const elbo_images *images, int threads,
                                elbo_error *err) {
    int Z = m->network.graph.latent;
    *map = (elbo_embedding){0};
    float *codes = elbo_alloc((size_t)images->count * (size_t)Z, sizeof *codes); // (n, Z)
    if (!codes) return elbo_no_memory(err);
    elbo_model_encode_images(m, images, NULL, images->count, codes, NULL);
    elbo_status status = elbo_embedding_of_codes(map, codes, images->count, Z, threads, err);
    free(codes);
    return status;
}

elbo_status elbo_embedding_make_tsne(elbo_embedding *map, double *kl, elbo_model *m, const elbo_images *images,
                                     const elbo_job *work, elbo_error *err) {
    size_t n = images->count < ELBO_EMBEDDING_TSNE ? images->count : ELBO_EMBEDDING_TSNE;
    int Z = m->network.graph.latent;
    *map = (elbo_embedding){.n = n, .tsne = true};
    float *codes = elbo_alloc(n * (size_t)Z, sizeof *codes); // (n, Z)
    map->xy = elbo_alloc(n * 2, sizeof *map->xy);
    elbo_tsne_options o = elbo_tsne_defaults();
    elbo_tsne_result result = {0};
    elbo_status status = codes && map->xy ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_model_encode_images(m, images, NULL, n, codes, NULL);
        status = elbo_tsne(map->xy, &result, codes, n, Z, &o, work, err);
    }
    *kl = result.kl;
    free(codes);
    if (status != ELBO_OK) elbo_embedding_free(map);
    return status;
}

void elbo_embedding_free(elbo_embedding *map) {
    free(map->xy);
    *map = (elbo_embedding){0};
}

elbo_status elbo_figure_map_of(elbo_figure f, const elbo_embedding *map, const elbo_dataset *d, const uint8_t *labels,
                               elbo_error *err) {
    char x[80], y[80];
    if (map->tsne) {
        snprintf(x, sizeof x, "t-SNE 1");
        snprintf(y, sizeof y, "t-SNE 2");
    } else if (map->raw) {
        snprintf(x, sizeof x, "first latent dimension");
        snprintf(y, sizeof y, "second latent dimension");
    } else {
        snprintf(x, sizeof x, "first principal axis (%.0f%% of the variance)", 100 * map->explained[0]);
        snprintf(y, sizeof y, "second principal axis (%.0f%%)", 100 * map->explained[1]);
    }
    return elbo_draw_scatter(f, x, y, map->xy, labels, map->n, d->class_names, labels ? d->classes : 0, err);
}

elbo_status elbo_figure_map(elbo_figure f, const elbo_embedding *map, const elbo_dataset *d, const elbo_images *images,
                            elbo_error *err) {
    return elbo_figure_map_of(f, map, d, images->labels, err);
}
