#include "explore/clusters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/model.h"

static elbo_status find_classes(elbo_clusters *r, const elbo_images *images, const elbo_dataset *d, elbo_error *err) {
    size_t k = (size_t)r->means.k;
    r->purity = NAN;
    for (size_t i = 0; i < k; i++) r->majority[i] = -1;
    if (!images->labels || d->classes < 1) return ELBO_OK;
    size_t classes = (size_t)d->classes;
    uint32_t *count = elbo_alloc(k * classes, sizeof *count); // (k, classes)
    r->class_name = elbo_alloc(classes, sizeof *r->class_name);
    bool whole = count && r->class_name;
    for (; whole && r->classes < d->classes; r->classes++)
        whole = (r->class_name[r->classes] = strdup(d->class_names[r->classes])) != NULL;
    double right = 0;
    for (size_t i = 0; whole && i < r->n; i++) count[r->means.cluster[i] * classes + images->labels[i]]++;
    for (size_t i = 0; whole && i < k; i++) {
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if (count[i * classes + c] > count[i * classes + best]) best = c;
        r->majority[i] = r->means.size[i] ? (int)best : -1;
        r->majority_share[i] = r->means.size[i] ? (double)count[i * classes + best] / r->means.size[i] : 0;
        right += count[i * classes + best];
    }
    if (whole) r->purity = right / (double)r->n;
    free(count);
    return whole ? ELBO_OK : elbo_no_memory(err);
}

/* The images nearest to each centre.  codes: (n, Z) */
static void find_typical(elbo_clusters *r, const float *codes, double *least) {
    size_t Z = (size_t)r->means.dims, shown = (size_t)r->shown;
    for (size_t i = 0; i < (size_t)r->means.k * shown; i++) {
        r->typical[i] = UINT32_MAX;
        least[i] = INFINITY;
    }
    for (size_t i = 0; i < r->n; i++) {
        size_t first = r->means.cluster[i] * shown, at = first + shown;
        double distance = 0;
        for (size_t d = 0; d < Z; d++)
            distance += pow((double)codes[i * Z + d] - r->means.centre[r->means.cluster[i] * Z + d], 2);
        while (at > first && distance < least[at - 1]) at--;
        if (at == first + shown) continue;
        memmove(least + at + 1, least + at, (first + shown - 1 - at) * sizeof *least);
        memmove(r->typical + at + 1, r->typical + at, (first + shown - 1 - at) * sizeof *r->typical);
        least[at] = distance;
        r->typical[at] = (uint32_t)i;
    }
}

static elbo_status show(elbo_clusters *r, const elbo_images *images, const float *codes, elbo_error *err) {
    size_t cells = (size_t)r->means.k * (size_t)r->shown, size = elbo_image_size(images->shape);
    double *least = elbo_alloc(cells, sizeof *least);
    r->typical = elbo_alloc(cells, sizeof *r->typical);
    r->images = elbo_alloc(cells * size, sizeof *r->images);
    if (!least || !r->typical || !r->images) {
        free(least);
        return elbo_no_memory(err);
    }
    find_typical(r, codes, least);
    for (size_t i = 0; i < cells; i++) {
        if (r->typical[i] == UINT32_MAX)
            r->images[i * size] = NAN;
        else
            elbo_images_to_floats(images, &r->typical[i], 1, r->format.low, r->format.high, r->images + i * size);
    }
    free(least);
    return ELBO_OK;
}

elbo_status elbo_clusters_find(elbo_clusters *r, elbo_model *m, const elbo_images *images, const elbo_dataset *d, int k,
                               uint64_t seed, const elbo_job *work, elbo_error *err) {
    size_t n = images->count, Z = (size_t)m->network.graph.latent;
    *r = (elbo_clusters){.n = n, .shown = ELBO_CLUSTERS_SHOWN, .format = elbo_model_image_format(m), .purity = NAN};
    float *codes = elbo_alloc(n * Z, sizeof *codes);
    r->each = elbo_alloc((size_t)k, sizeof *r->each);
    r->majority = elbo_alloc((size_t)k, sizeof *r->majority);
    r->majority_share = elbo_alloc((size_t)k, sizeof *r->majority_share);
    elbo_status status = codes && r->each && r->majority && r->majority_share ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_encode_images(m, images, NULL, n, codes, NULL, err);
    if (status == ELBO_OK) status = elbo_kmeans_fit(&r->means, codes, n, (int)Z, k, seed, work, err);
    if (status == ELBO_OK) status = elbo_silhouette(&r->silhouette, r->each, &r->means, codes, n, err);
    if (status == ELBO_OK) status = find_classes(r, images, d, err);
    if (status == ELBO_OK) status = show(r, images, codes, err);
    free(codes);
    if (status != ELBO_OK) elbo_clusters_free(r);
    return status;
}

static json_t *number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

json_t *elbo_clusters_json(const elbo_clusters *r) {
    json_t *list = json_array(), *assignment = json_array();
    for (int k = 0; k < r->means.k; k++) {
        json_t *typical = json_array();
        for (int i = 0; i < r->shown; i++)
            if (r->typical[k * r->shown + i] != UINT32_MAX)
                json_array_append_new(typical, json_integer(r->typical[k * r->shown + i]));
        json_t *o = json_pack("{s:I, s:o, s:o}", "size", (json_int_t)r->means.size[k], "silhouette", number(r->each[k]),
                              "typical", typical);
        if (r->majority[k] >= 0)
            json_object_update_new(
                o, json_pack("{s:s, s:f}", "class", r->class_name[r->majority[k]], "share", r->majority_share[k]));
        json_array_append_new(list, o);
    }
    for (size_t i = 0; i < r->n; i++) json_array_append_new(assignment, json_integer(r->means.cluster[i]));
    return json_pack("{s:I, s:f, s:o, s:o, s:o, s:o}", "images", (json_int_t)r->n, "inertia", r->means.inertia,
                     "silhouette", number(r->silhouette), "purity", number(r->purity), "clusters", list, "assignment",
                     assignment);
}

void elbo_clusters_free(elbo_clusters *r) {
    elbo_kmeans_free(&r->means);
    elbo_texts_free(r->class_name, r->classes);
    free(r->each);
    free(r->majority);
    free(r->majority_share);
    free(r->typical);
    free(r->images);
    *r = (elbo_clusters){0};
}
