#include "train/keep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- images held out ---- */

/* The second of the streams of this purpose: the first splits a folder into training and test images. */
enum { VALIDATION_STREAM = 1 };

elbo_status elbo_holdout_make(elbo_holdout *h, const elbo_recipe *r, uint32_t images, const char *source,
                              elbo_error *err) {
    *h = (elbo_holdout){.train_count = images};
    if (!(r->train.validation > 0)) return ELBO_OK;
    uint32_t held = (uint32_t)lround((double)r->train.validation * images);
    if (held == 0) held = 1;
    if (held >= images)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "train.validation: %g of the %u training images of %s leaves none to train on",
                         (double)r->train.validation, images, source);
    uint32_t *order = elbo_alloc(images, sizeof *order);
    bool *out = elbo_alloc(images, sizeof *out);
    h->train = elbo_alloc(images - held, sizeof *h->train);
    h->validation = elbo_alloc(held, sizeof *h->validation);
    bool room = order && out && h->train && h->validation;
    if (room) {
        elbo_random_permutation(
            (elbo_stream){.seed = r->train.seed, .purpose = ELBO_FOR_SPLIT, .epoch = VALIDATION_STREAM}, order, images);
        for (uint32_t i = 0; i < held; i++) out[order[i]] = true;
        h->train_count = 0;
        for (uint32_t i = 0; i < images; i++)
            if (out[i])
                h->validation[h->validation_count++] = i;
            else
                h->train[h->train_count++] = i;
    }
    free(order);
    free(out);
    if (!room) elbo_holdout_free(h);
    return room ? ELBO_OK : elbo_no_memory(err);
}

void elbo_holdout_free(elbo_holdout *h) {
    free(h->train);
    free(h->validation);
    *h = (elbo_holdout){0};
}

void elbo_holdout_order(const elbo_holdout *h, elbo_stream shuffle, uint32_t *order) {
    elbo_random_permutation(shuffle, order, h->train_count);
    for (uint32_t i = 0; h->train && i < h->train_count; i++) order[i] = h->train[order[i]];
}

/* ---- weights beside those that are trained ---- */

elbo_status elbo_kept_make(elbo_kept *k, const elbo_network *n, const elbo_recipe *r, elbo_error *err) {
    size_t floats = n->graph.param_floats;
    *k = (elbo_kept){0};
    if (r->train.ema > 0) k->average = elbo_alloc(floats, sizeof *k->average);
    if (r->train.keep == ELBO_KEEP_BEST) k->best = elbo_alloc(floats, sizeof *k->best);
    if ((r->train.ema > 0 && !k->average) || (r->train.keep == ELBO_KEEP_BEST && !k->best)) {
        elbo_kept_free(k);
        return elbo_no_room(err, 2.0 * (double)floats * sizeof(float), "the weights that train.ema and train.keep keep",
                            "fewer channels or features need less");
    }
    if (k->average) memcpy(k->average, n->params, floats * sizeof *k->average);
    return ELBO_OK;
}

void elbo_kept_free(elbo_kept *k) {
    free(k->average);
    free(k->best);
    *k = (elbo_kept){0};
}

typedef struct averaging {
    float *average;
    const float *weights;
    size_t floats;
    float rate;
    int threads;
} averaging;

static void average_part(void *context, int thread) {
    const averaging *a = context;
    size_t part = (a->floats / (size_t)a->threads / 16 + 1) * 16, first = (size_t)thread * part; // whole cache lines
    size_t end = first + part < a->floats ? first + part : a->floats;
    for (size_t i = first; i < end; i++) a->average[i] += a->rate * (a->weights[i] - a->average[i]);
}

elbo_status elbo_kept_average(elbo_kept *k, elbo_state *s, const elbo_recipe *r, uint64_t step, elbo_error *err) {
    ELBO_TRY(elbo_state_get(s, err));
    double early = (1 + (double)step) / (10 + (double)step), decay = fmin((double)r->train.ema, early);
    averaging a = {k->average, s->params, s->graph->param_floats, (float)(1 - decay), elbo_team_threads(s->team)};
    elbo_team_run(s->team, average_part, &a);
    return ELBO_OK;
}

elbo_status elbo_kept_show_average(elbo_kept *k, elbo_state *s, elbo_error *err) {
    if (!k->average) return ELBO_OK;
    ELBO_TRY(elbo_state_get(s, err));
    for (size_t i = 0; i < s->graph->param_floats; i++) {
        float weight = s->params[i];
        s->params[i] = k->average[i];
        k->average[i] = weight;
    }
    return elbo_state_put(s, err);
}

void elbo_kept_compare(elbo_kept *k, const elbo_state *s, int epoch, double objective) {
    if (k->best_epoch && !(objective < k->best_objective)) return;
    if (!isfinite(objective)) return; // the epoch fails
    k->best_epoch = epoch;
    k->best_objective = objective;
    if (k->best) memcpy(k->best, s->params, s->graph->param_floats * sizeof *k->best);
}

const float *elbo_kept_weights(const elbo_kept *k, const elbo_state *s) {
    if (k->best && k->best_epoch) return k->best;
    return k->average ? k->average : s->params;
}
