#include "explore/class_shift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run/model.h"

enum { MOST_CLASSES = 12, EACH = 6 };

typedef struct work {
    elbo_model *m;
    size_t Z;
    int classes; // that have test images, at most MOST_CLASSES
    int class[MOST_CLASSES];
    uint32_t some[MOST_CLASSES][EACH]; // test images of each, the first ones
    int held[MOST_CLASSES];
    float *codes;                 // (test, Z)
    double *mean;                 // (classes, Z)
    float *moved, *seen, *images; // (EACH, Z) twice; (EACH, C, H, W)
} work;

static void find_means(work *w, const elbo_images *images, int all) {
    for (int c = 0; c < all && w->classes < MOST_CLASSES; c++) {
        double n = 0, *mean = w->mean + (size_t)w->classes * w->Z;
        int held = 0;
        for (uint32_t i = 0; i < images->count; i++) {
            if (images->labels[i] != c) continue;
            if (held < EACH) w->some[w->classes][held++] = i;
            for (size_t k = 0; k < w->Z; k++) mean[k] += w->codes[i * w->Z + k];
            n++;
        }
        if (!held) continue;
        for (size_t k = 0; k < w->Z; k++) mean[k] /= n;
        w->held[w->classes] = held;
        w->class[w->classes++] = c;
    }
}

static int nearest_mean(const work *w, const float *z) {
    int nearest = 0;
    double least = INFINITY;
    for (int c = 0; c < w->classes; c++) {
        double sum = 0;
        for (size_t k = 0; k < w->Z; k++) sum += pow(z[k] - w->mean[(size_t)c * w->Z + k], 2);
        if (sum < least) least = sum, nearest = c;
    }
    return nearest;
}

/* How many of the moved images are read as `to`; *lost: how far their codes are from where they were moved to, in the
 * distance of the two means. */
static elbo_status try_pair(work *w, int from, int to, int *hits, double *lost, elbo_error *err) {
    size_t n = (size_t)w->held[from], Z = w->Z;
    const double *a = w->mean + (size_t)from * Z, *b = w->mean + (size_t)to * Z;
    double step = 0;
    for (size_t k = 0; k < Z; k++) step += (b[k] - a[k]) * (b[k] - a[k]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < Z; k++) w->moved[i * Z + k] = (float)(w->codes[w->some[from][i] * Z + k] + b[k] - a[k]);
    ELBO_TRY(elbo_model_decode_codes(w->m, n, w->moved, w->images, err));
    ELBO_TRY(elbo_model_encode_checked(w->m, n, w->images, w->seen, NULL, err));
    *hits = 0;
    *lost = 0;
    for (size_t i = 0; i < n; i++) {
        *hits += nearest_mean(w, w->seen + i * Z) == to;
        double sum = 0;
        for (size_t k = 0; k < Z; k++) sum += pow(w->seen[i * Z + k] - w->moved[i * Z + k], 2);
        *lost += sqrt(sum / (step > 0 ? step : 1)) / (double)n;
    }
    return ELBO_OK;
}

static elbo_status try_pairs(work *w, elbo_class_shift *s, elbo_error *err) {
    double best = -INFINITY, tried = 0, hit = 0;
    for (int a = 0; a < w->classes; a++)
        for (int b = 0; b < w->classes; b++) {
            int hits;
            double lost;
            if (a == b) continue;
            ELBO_TRY(try_pair(w, a, b, &hits, &lost, err));
            double share = (double)hits / w->held[a], worth = share - 0.1 * lost;
            tried += w->held[a];
            hit += hits;
            s->pairs++;
            if (worth <= best) continue;
            best = worth;
            s->from = w->class[a];
            s->to = w->class[b];
            s->share = share;
        }
    s->all = tried > 0 ? hit / tried : 0;
    return ELBO_OK;
}

elbo_status elbo_class_shift_find(elbo_class_shift *s, elbo_model *m, const elbo_dataset *d, elbo_error *err) {
    const elbo_images *images = &d->test;
    size_t Z = (size_t)m->network.graph.latent, size = elbo_image_size(images->shape);
    *s = (elbo_class_shift){.from = -1, .to = -1};
    if (!images->labels || !d->train.labels || d->classes < 2 || m->network.graph.skips || elbo_model_is_conditional(m))
        return ELBO_OK;
    work w = {.m = m,
              .Z = Z,
              .codes = elbo_alloc(images->count * Z, sizeof *w.codes),
              .mean = elbo_alloc(MOST_CLASSES * Z, sizeof *w.mean),
              .moved = elbo_alloc(EACH * Z, sizeof *w.moved),
              .seen = elbo_alloc(EACH * Z, sizeof *w.seen),
              .images = elbo_alloc(EACH * size, sizeof *w.images)};
    bool whole = w.codes && w.mean && w.moved && w.seen && w.images;
    elbo_status status =
        whole ? elbo_model_encode_images(m, images, NULL, images->count, w.codes, NULL, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        find_means(&w, images, d->classes);
        status = try_pairs(&w, s, err);
    }
    void *const owned[] = {w.codes, w.mean, w.moved, w.seen, w.images};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    return status;
}
