/* A network on one device, its data and its batches, without the asserts of a test program: torture.c goes on after a
 * failure, with a smaller recipe. */
#ifndef ELBO_TESTS_TORTURE_MACHINE_H
#define ELBO_TESTS_TORTURE_MACHINE_H

#include "architecture.h"
#include "device/device.h"
#include "train/trainer.h"

enum { STEPS = 3 }; // of the epoch that is replayed: two whole batches and the last one

/* What went wrong first; `text` is empty while nothing did. */
typedef struct finding {
    char text[700];
} finding;

static inline bool find_fault(finding *f, const char *format, ...) {
    if (*f->text) return false;
    va_list args;
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    return false;
}

/* ---- data ---- */

typedef struct torture_data {
    elbo_images images;
    uint32_t *order; // (images.count)
    int count[STEPS];
    const uint32_t *index[STEPS];
} torture_data;

static inline void data_make(torture_data *d, architecture *a, const elbo_recipe *r) {
    uint32_t n = (uint32_t)(2 * a->batch + a->last);
    size_t values = n * elbo_image_size(a->image);
    *d = (torture_data){.images = {.shape = a->image, .count = n}};
    d->images.bytes = a->bytes ? malloc(values) : NULL;
    d->images.floats = a->bytes ? NULL : malloc(values * sizeof(float));
    for (size_t i = 0; i < values; i++) {
        double v = one_in(a, 4) ? 0 : uniform(a, 0, 1);
        if (a->bytes)
            d->images.bytes[i] = (uint8_t)(255.9 * v);
        else
            d->images.floats[i] = (float)(r->image.low + (r->image.high - r->image.low) * v);
    }
    d->order = malloc(n * sizeof *d->order);
    elbo_random_permutation((elbo_stream){.seed = a->seed, .purpose = ELBO_FOR_SHUFFLE}, d->order, n);
    for (int s = 0; s < STEPS; s++) {
        d->index[s] = d->order + s * a->batch;
        d->count[s] = s < STEPS - 1 ? a->batch : a->last;
    }
}

static inline void data_free(torture_data *d) {
    elbo_images_free(&d->images);
    free(d->order);
}

/* ---- a network on a device ---- */

typedef struct machine {
    elbo_network network;
    elbo_team *team;
    elbo_state state;
    elbo_plan plan;
    float *grads; // (param_floats) of the last run
    bool diverged;
} machine;

static inline void machine_close(machine *m) {
    if (m->plan.state) elbo_plan_free(&m->plan);
    elbo_state_close(&m->state);
    if (m->team) elbo_team_free(m->team);
    if (m->network.params) elbo_network_free(&m->network);
    free(m->grads);
    *m = (machine){0};
}

typedef struct machine_options {
    const char *device;
    int threads;
    elbo_mode mode;
    bool keep_gradients;
} machine_options;

static inline elbo_status machine_open(machine *m, const elbo_recipe *r, elbo_image_shape image, machine_options o,
                                       elbo_error *err) {
    *m = (machine){0};
    const elbo_device *device;
    elbo_plan_options options = {.mode = o.mode,
                                 .batch = r->train.batch,
                                 .clip = r->train.clip,
                                 .keep_gradients = o.keep_gradients,
                                 .keep_skips = o.mode == ELBO_ENCODE};
    const elbo_optimizer_rule *rule = o.mode == ELBO_TRAIN ? elbo_optimizer_rule_of(r->train.optimizer) : NULL;
    ELBO_TRY(elbo_device_find(&device, o.device, err));
    ELBO_TRY(elbo_network_make(&m->network, r, image, err));
    ELBO_TRY(elbo_team_make(&m->team, o.threads, err));
    ELBO_TRY(elbo_state_open(&m->state, device, &m->network, m->team, rule, err));
    ELBO_TRY(elbo_plan_make(&m->plan, &m->state, &options, err));
    m->grads = calloc(m->network.graph.param_floats + 1, sizeof *m->grads);
    return m->grads ? ELBO_OK : elbo_fail(err, ELBO_NO_MEMORY, "out of memory");
}

/* A scale of 1 and a shift of 0 would hide much. */
static inline void vary_constants(const elbo_graph *g, float *params) {
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        for (size_t k = 0; p->bound == 0 && k < p->count; k++)
            params[p->offset + k] += 0.4f * sinf((float)(k + 1 + (size_t)i));
    }
}

static inline bool machine_run(machine *m, const elbo_batch_args *args, finding *f) {
    elbo_run_report report;
    elbo_error err;
    memset(m->plan.total, 0, sizeof m->plan.total);
    if (elbo_plan_run(&m->plan, args, 1, &err) != ELBO_OK || elbo_plan_wait(&m->plan, &report, &err) != ELBO_OK)
        return find_fault(f, "a run fails: %s", err.message);
    m->diverged = report.diverged;
    if (m->plan.options.keep_gradients) elbo_plan_read_gradients(&m->plan, m->grads);
    return true;
}

/* Weights and what the optimiser keeps of them. */
static inline void state_copy(float *const *to, float *const *from, size_t floats) {
    for (int i = 0; i <= ELBO_MAX_OPTIMIZER_ARRAYS; i++)
        if (to[i] && from[i]) memcpy(to[i], from[i], floats * sizeof(float));
}
static inline void state_blocks(const machine *m, float *block[ELBO_MAX_OPTIMIZER_ARRAYS + 1]) {
    block[0] = m->network.params;
    for (int i = 0; i < ELBO_MAX_OPTIMIZER_ARRAYS; i++) block[i + 1] = m->state.array[i];
}

#endif
