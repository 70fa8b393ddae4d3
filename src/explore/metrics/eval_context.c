#include "explore/metrics/eval_context.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"

/* The training images that are looked at: all, or as many by the seed 0, in the order of the data. */
static elbo_status choose_train(elbo_eval_context *e, elbo_error *err) {
    uint32_t count = e->data->train.count;
    e->train = count < ELBO_EVAL_MAX_TRAIN ? count : ELBO_EVAL_MAX_TRAIN;
    uint32_t *order = elbo_alloc((size_t)count + 1, sizeof *order);
    e->train_index = elbo_alloc(e->train + 1, sizeof *e->train_index);
    bool *chosen = calloc((size_t)count + 1, sizeof *chosen);
    if (order && e->train_index && chosen) {
        elbo_random_permutation((elbo_stream){.purpose = ELBO_FOR_PROBE}, order, count);
        for (size_t i = 0; i < e->train; i++) chosen[order[i]] = true;
        size_t k = 0;
        for (uint32_t i = 0; i < count; i++)
            if (chosen[i]) e->train_index[k++] = i;
    }
    bool failed = !order || !e->train_index || !chosen;
    free(order);
    free(chosen);
    return failed ? elbo_no_memory(err) : ELBO_OK;
}

static elbo_status encode(elbo_eval_context *e, elbo_error *err) {
    bool vae = e->model->recipe.kind == ELBO_VAE;
    e->mu = elbo_alloc(e->n * e->Z, sizeof *e->mu);
    e->logvar = vae ? elbo_alloc(e->n * e->Z, sizeof *e->logvar) : NULL;
    if (!e->mu || (vae && !e->logvar)) return elbo_no_memory(err);
    ELBO_TRY(elbo_eval_context_step(e->work, "encoding", 0, err));
    ELBO_TRY(elbo_model_encode_images(e->model, e->images, NULL, e->n, e->mu, e->logvar, err));
    ELBO_TRY(choose_train(e, err));
    return elbo_eval_context_step(e->work, "encoding", 1, err);
}

elbo_status elbo_eval_context_open(elbo_eval_context *e, elbo_model *m, const elbo_log *log, const elbo_dataset *d,
                                   elbo_splits split, const elbo_job *work, elbo_error *err) {
    const elbo_images *images = split == ELBO_TEST_SPLIT ? &d->test : &d->train;
    *e = (elbo_eval_context){.model = m,
                             .log = log,
                             .data = d,
                             .images = images,
                             .trained_on = split == ELBO_TRAIN_SPLIT,
                             .work = work,
                             .n = images->count,
                             .Z = (size_t)m->network.graph.latent};
    if (images->count == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no %s images", d->source, e->trained_on ? "train" : "test");
    elbo_status status = encode(e, err);
    if (status != ELBO_OK) elbo_eval_context_close(e);
    return status;
}

void elbo_eval_context_close(elbo_eval_context *e) {
    free(e->mu);
    free(e->logvar);
    free(e->train_index);
    *e = (elbo_eval_context){0};
}

size_t elbo_eval_context_some_training(const elbo_eval_context *e, size_t n, uint32_t *index) {
    if (n > e->train) n = e->train;
    for (size_t i = 0; i < n; i++) index[i] = e->train_index[i * e->train / n];
    return n;
}

elbo_status elbo_eval_context_step(const elbo_job *work, const char *what, double done, elbo_error *err) {
    if (work->progress) work->progress(work->context, what, done);
    if (work->interrupted && work->interrupted(work->context))
        return elbo_fail(err, ELBO_STOPPED, "stopped while %s", what);
    return ELBO_OK;
}

typedef struct pieces {
    void (*work)(void *context, size_t piece);
    void *context;
    size_t count;
    atomic_size_t next;
} pieces;

static void run_pieces(void *context, int thread) {
    (void)thread;
    pieces *p = context;
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->count;) p->work(p->context, i);
}

void elbo_eval_context_parallel(const elbo_model *m, size_t count, void (*work)(void *context, size_t piece),
                                void *context) {
    pieces p = {.work = work, .context = context, .count = count};
    elbo_team_run(m->team, run_pieces, &p);
}

uint32_t elbo_eval_at_once(const elbo_model *m, const elbo_images *images) {
    const size_t room = (size_t)1 << 30;
    size_t most = room / (2 * elbo_image_size(images->shape) * sizeof(float));
    if (most > ELBO_EVAL_AT_ONCE) most = ELBO_EVAL_AT_ONCE;
    if (m->network.graph.skips && most > (size_t)m->batch) most = (size_t)m->batch;
    if (most > images->count) most = images->count;
    return most ? (uint32_t)most : 1;
}
