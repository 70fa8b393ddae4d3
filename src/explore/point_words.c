#include "explore/point_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/pick.h"
#include "explore/vectors.h"

/* The points of a class between two.  mean: (latent); returns how many there are */
static size_t mean_of(const elbo_points *p, int class_number, size_t from, size_t to, double *mean) {
    size_t Z = (size_t)p->latent, n = 0;
    for (size_t i = from; i < to; i++) {
        if (p->labels[i] != class_number) continue;
        for (size_t k = 0; k < Z; k++) mean[k] += p->mu[i * Z + k];
        n++;
    }
    for (size_t k = 0; n && k < Z; k++) mean[k] /= (double)n;
    return n;
}

/* The test image whose code lies nearest to its class's mean code among them, as elbo_pick has it. */
static size_t typical(const elbo_points *p, int class_number, const double *mean) {
    size_t Z = (size_t)p->latent, found = p->n;
    double best = -1;
    for (size_t i = p->train; i < p->n; i++) {
        double distance = 0;
        if (p->labels[i] != class_number) continue;
        for (size_t k = 0; k < Z; k++) distance += (p->mu[i * Z + k] - mean[k]) * (p->mu[i * Z + k] - mean[k]);
        if (best >= 0 && !(distance < best)) continue;
        best = distance;
        found = i;
    }
    return found;
}

static elbo_status class_code(const elbo_point_words *w, const elbo_operand *o, float *code, elbo_error *err) {
    const elbo_points *p = w->points;
    size_t Z = (size_t)p->latent;
    bool whole = o->kind == ELBO_OPERAND_CLASS_MEAN;
    int class_number;
    ELBO_TRY(elbo_pick_class(&class_number, w->data, o->word, err));
    if (!p->labels) return elbo_fail(err, ELBO_BAD_INPUT, "class:%s: %s has no labels", o->word, w->data->name);
    double *mean = elbo_alloc(Z, sizeof *mean);
    if (!mean) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    if (!mean_of(p, class_number, whole ? 0 : p->train, whole ? p->train : p->n, mean))
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: no %s image is of it", o->label, whole ? "training" : "test");
    else if (whole)
        for (size_t k = 0; k < Z; k++) code[k] = (float)mean[k];
    else
        memcpy(code, p->mu + typical(p, class_number, mean) * Z, Z * sizeof *code);
    free(mean);
    return status;
}

elbo_status elbo_point_code(void *words, const elbo_operand *o, float *code, elbo_error *err) {
    const elbo_point_words *w = words;
    size_t Z = (size_t)w->points->latent;
    if (o->kind == ELBO_OPERAND_FILE)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: files are no operands here; images are named as test:17 or class:3",
                         o->word);
    if (o->kind == ELBO_OPERAND_SAVED) return elbo_vector_load(w->model, o->word, code, err);
    if (o->kind == ELBO_OPERAND_CLASS || o->kind == ELBO_OPERAND_CLASS_MEAN) return class_code(w, o, code, err);
    bool train = o->kind == ELBO_OPERAND_TRAIN;
    size_t count = train ? w->points->train : w->points->n - w->points->train;
    unsigned long long index = strtoull(o->word, NULL, 10);
    if (index >= count)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %s has %zu %s images, from 0", o->label, w->data->name, count,
                         train ? "training" : "test");
    memcpy(code, w->points->mu + ((train ? 0 : w->points->train) + (size_t)index) * Z, Z * sizeof *code);
    return ELBO_OK;
}
