/* The terms over the code. Those of one image are computed where the image is. Those over the batch need all its codes,
 * so threads meet before them; each shard copies the codes, by dimension, takes its own images' part of every term and
 * writes what this gives to the gradients of all images into a place of its own. Threads meet once more, and each shard
 * sums its images' gradients, over the shards in their order. */
#include <stdlib.h>
#include <string.h>

#include "device/cpu/lower/lower.h"
#include "recipe/latent_terms.h"

enum { Z, MU, LOGVAR, PARTS, DRAW = PARTS, ARRAYS };

typedef struct latent_terms {
    int count, batch_terms, reads; // reads: of the terms over the batch, together
    int metric[ELBO_LATENT_TERMS];
    elbo_latent_term which[ELBO_LATENT_TERMS];
    elbo_cpu_tensor *value[ELBO_LATENT_TERMS]; // (B), unweighted
    elbo_cpu_tensor *z, *code;                 // plain; code: mu above logvar, NULL of an autoencoder
    elbo_cpu_tensor *draws;                    // from the prior, one for each image; NULL: no term compares with them
    size_t latent, stride;
    size_t shard_floats; // of a shard's own memory: codes, room for a term, gradients
} latent_terms;

/* ---- a shard's own memory ---- */

static size_t stride_of(size_t count) { return (count + 15) / 16 * 16; }

/* The stride is that of this batch, which may be smaller than the plan's: sums have the order of as many images. */
static elbo_codes codes_of(const elbo_cpu_step *s, const elbo_batch_args *args) {
    return (elbo_codes){.Z = ((latent_terms *)s->object)->latent,
                        .count = (size_t)args->count,
                        .stride = stride_of((size_t)args->count)};
}

static float *array_of(const elbo_cpu_step *s, const elbo_codes *c, int shard, int which) {
    const latent_terms *q = s->object;
    return s->work + (size_t)shard * q->shard_floats + (size_t)which * c->Z * c->stride;
}

static float *room_of(const elbo_cpu_step *s, const elbo_codes *c, int shard) { return array_of(s, c, shard, ARRAYS); }
static float *gradient_of(const elbo_cpu_step *s, const elbo_codes *c, int shard, int which) {
    return room_of(s, c, shard) + elbo_batch_term_room(c->Z, c->stride) + (size_t)which * c->Z * c->stride;
}

/* from: (count) rows of `width`, of which Z from `at` on; to: (Z, stride) */
static void transpose(float *to, const elbo_codes *c, const float *from, size_t width, size_t at) {
    for (size_t d = 0; d < c->Z; d++) {
        for (size_t i = 0; i < c->count; i++) to[d * c->stride + i] = from[i * width + at + d];
        memset(to + d * c->stride + c->count, 0, (c->stride - c->count) * sizeof *to);
    }
}

static void read_codes(const elbo_cpu_step *s, elbo_codes *c, int shard) {
    const latent_terms *q = s->object;
    float *to[ARRAYS];
    for (int k = 0; k < ARRAYS; k++) to[k] = array_of(s, c, shard, k);
    if (q->reads & ELBO_LATENT_READS_CODE) transpose(to[Z], c, q->z->base, c->Z, 0), c->z = to[Z];
    if (q->reads & ELBO_LATENT_READS_POSTERIOR) {
        transpose(to[MU], c, q->code->base, 2 * c->Z, 0), c->mu = to[MU];
        transpose(to[LOGVAR], c, q->code->base, 2 * c->Z, c->Z), c->logvar = to[LOGVAR];
    }
    if (q->draws) transpose(to[DRAW], c, q->draws->base, c->Z, 0), c->draw = to[DRAW];
}

/* ---- forward ---- */

static const float *input_of(const latent_terms *q, elbo_latent_term t, int shard, size_t *n) {
    const elbo_cpu_tensor *x = elbo_latent_rows[t].reads & ELBO_LATENT_READS_POSTERIOR ? q->code : q->z;
    *n = x->per_image;
    return elbo_cpu_rows(x, shard);
}

static void run_rows(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const latent_terms *q = s->object;
    for (int k = 0; k < q->count; k++) {
        if (elbo_latent_rows[q->which[k]].batch) continue;
        size_t n;
        const float *x = input_of(q, q->which[k], shard, &n);
        for (int r = 0; r < elbo_cpu_valid_rows(s->program, args, shard); r++)
            elbo_cpu_rows(q->value[k], shard)[r] =
                s->program->kernels->latent->row[q->which[k]](NULL, x + (size_t)r * n, n, 0);
    }
}

static void run_draws(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const latent_terms *q = s->object;
    float *row = elbo_cpu_rows(q->draws, shard);
    const uint32_t *index = args->index + shard * s->program->shard_rows;
    for (int r = 0; r < elbo_cpu_valid_rows(s->program, args, shard); r++, row += q->latent)
        elbo_cpu_draw_prior(s, args, index[r], row, q->latent);
}

static void run_batch(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const latent_terms *q = s->object;
    elbo_codes c = codes_of(s, args);
    read_codes(s, &c, shard);
    elbo_code_gradients g = {gradient_of(s, &c, shard, Z), gradient_of(s, &c, shard, MU),
                             gradient_of(s, &c, shard, LOGVAR)};
    bool back = elbo_cpu_learns(s->program);
    if (back) memset(g.z, 0, PARTS * c.Z * c.stride * sizeof *g.z);
    for (int k = 0; k < q->count; k++) {
        if (!elbo_latent_rows[q->which[k]].batch) continue;
        elbo_batch_term_args a = {.first = (size_t)(shard * s->program->shard_rows),
                                  .rows = (size_t)elbo_cpu_valid_rows(s->program, args, shard),
                                  .scale = args->loss_weight[q->metric[k]] * args->loss_scale,
                                  .bound = args->loss_bound[q->metric[k]],
                                  .choice =
                                      (unsigned)s->program->graph->node[s->program->graph->loss[q->metric[k]]].value[1],
                                  .room = room_of(s, &c, shard)};
        s->program->kernels->latent->batch[q->which[k]](elbo_cpu_rows(q->value[k], shard), back ? &g : NULL, &c, &a);
    }
}

static elbo_status new_terms(elbo_cpu_program *p, latent_terms **terms, elbo_error *err) {
    latent_terms *q = *terms = p->latent_terms = calloc(1, sizeof *q);
    if (!q) return elbo_no_memory(err);
    ELBO_TRY(elbo_cpu_own(p, q, free, err));
    const elbo_graph *g = p->graph;
    q->latent = (size_t)g->latent;
    for (int k = 0; k < g->metrics.count; k++) {
        if (g->loss[k] < 0 || !elbo_loss_latent_row(&g->node[g->loss[k]]) || !p->plan->metric[k]) continue;
        elbo_latent_term which = (elbo_latent_term)g->node[g->loss[k]].op->which;
        q->metric[q->count] = k;
        q->which[q->count] = which;
        if (!(q->value[q->count++] = elbo_cpu_metric(p, k))) return elbo_no_memory(err);
        if (!elbo_latent_rows[which].batch) continue;
        q->batch_terms++;
        q->reads |= elbo_latent_rows[which].reads;
    }
    ELBO_TRY(elbo_cpu_plain(p, g->at.latent, &q->z, err));
    return g->posterior ? elbo_cpu_plain(p, g->at.code, &q->code, err) : ELBO_OK;
}

static elbo_status new_step(elbo_cpu_program *p, const char *what, bool of_batch,
                            void (*run)(const elbo_cpu_step *, const elbo_batch_args *, int, int), elbo_error *err) {
    latent_terms *q = p->latent_terms;
    const elbo_node *node = &p->graph->node[p->graph->loss[q->metric[0]]];
    elbo_cpu_step *s = elbo_cpu_new_step(p, node, what, p->kernels->latent->name, run);
    if (!s) return elbo_no_memory(err);
    s->object = q;
    s->barrier = of_batch;
    s->in[0] = q->z;
    s->in[1] = q->code;
    for (int k = 0, n = 0; k < q->count; k++)
        if (elbo_latent_rows[q->which[k]].batch == of_batch) s->out[n++] = q->value[k];
    return ELBO_OK;
}

static elbo_status new_draws(elbo_cpu_program *p, latent_terms *q, elbo_error *err) {
    q->draws = elbo_cpu_new_tensor(p, "draws", q->latent, false);
    if (!q->draws) return elbo_no_memory(err);
    q->draws->whole_batch = true; // every shard reads all of them
    ELBO_TRY(new_step(p, "draws", false, run_draws, err));
    elbo_cpu_step *s = &p->step[p->steps - 1];
    memset(s->out, 0, sizeof s->out);
    s->out[0] = q->draws;
    return ELBO_OK;
}

elbo_status elbo_cpu_lower_latent_terms(elbo_cpu_program *p, elbo_error *err) {
    if (p->latent_terms) return ELBO_OK;
    latent_terms *q;
    ELBO_TRY(new_terms(p, &q, err));
    if (q->count > q->batch_terms) ELBO_TRY(new_step(p, "terms", false, run_rows, err));
    if (!q->batch_terms) return ELBO_OK;
    if ((q->reads & ELBO_LATENT_READS_DRAWS) == ELBO_LATENT_READS_DRAWS) ELBO_TRY(new_draws(p, q, err));
    ELBO_TRY(new_step(p, "batch terms", true, run_batch, err));
    p->step[p->steps - 1].in[2] = q->draws;
    q->stride = stride_of((size_t)elbo_plan_rows(p->plan));
    q->z->whole_batch = true; // every shard reads all of them
    if (q->code) q->code->whole_batch = true;
    q->shard_floats = (ARRAYS + (elbo_cpu_learns(p) ? PARTS : 0)) * q->latent * q->stride +
                      elbo_batch_term_room(q->latent, q->stride);
    float *work = elbo_cpu_work(p, (size_t)p->shards * q->shard_floats);
    p->step[p->steps - 1].work = work;
    return work ? ELBO_OK : elbo_no_memory(err);
}

/* ---- backward ---- */

/* What all shards' images give to the gradient of this shard's, over one of the three arrays: rows of `width`, of which
 * Z from `at` on. */
static void add_parts(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int which, float *to,
                      size_t width) {
    elbo_codes c = codes_of(s, args);
    size_t first = (size_t)(shard * s->program->shard_rows), at = which == LOGVAR ? c.Z : 0,
           rows = (size_t)elbo_cpu_valid_rows(s->program, args, shard);
    for (int k = 0; k * s->program->shard_rows < args->count; k++) {
        const float *part = gradient_of(s, &c, k, which) + first;
        for (size_t r = 0; r < rows; r++)
            for (size_t d = 0; d < c.Z; d++) to[r * width + at + d] += part[d * c.stride + r];
    }
}

/* out[0]: of the code as the decoder reads it, out[1]: of mu above logvar; NULL where no term reads it. */
static void run_gradient(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const latent_terms *q = s->object;
    for (int half = 0; half < 2; half++) {
        if (!s->out[half]) continue;
        size_t n = s->out[half]->per_image;
        float *to = elbo_cpu_rows(s->out[half], shard);
        memset(to, 0, (size_t)s->program->shard_rows * n * sizeof *to);
        if (half == 0 && q->reads & ELBO_LATENT_READS_CODE) add_parts(s, args, shard, Z, to, n);
        if (half == 1 && q->reads & ELBO_LATENT_READS_POSTERIOR) {
            add_parts(s, args, shard, MU, to, n);
            add_parts(s, args, shard, LOGVAR, to, n);
        }
        for (int k = 0; k < q->count; k++) {
            const elbo_latent_row *row = &elbo_latent_rows[q->which[k]];
            if (row->batch || !(row->reads & (half ? ELBO_LATENT_READS_POSTERIOR : ELBO_LATENT_READS_CODE))) continue;
            float scale = args->loss_weight[q->metric[k]] * args->loss_scale;
            const float *x = input_of(q, q->which[k], shard, &n);
            for (int r = 0; r < elbo_cpu_valid_rows(s->program, args, shard); r++)
                s->program->kernels->latent->row[q->which[k]](to + (size_t)r * n, x + (size_t)r * n, n, scale);
        }
    }
}

/* Where the terms' gradient of a node goes: its own tensor, where that is plain and nobody has written it. */
static elbo_status place_for(elbo_cpu_program *p, int node, elbo_cpu_tensor **to, elbo_error *err) {
    elbo_cpu_tensor *d = p->node[node].dy;
    *to = d;
    if (!d || (!d->blocked && !d->written)) return ELBO_OK;
    *to = elbo_cpu_activation(p, d->name, d->shape, false, true);
    return *to ? ELBO_OK : elbo_no_memory(err);
}

elbo_status elbo_cpu_lower_latent_gradient(elbo_cpu_program *p, elbo_error *err) {
    if (p->latent_gradient_lowered) return ELBO_OK;
    p->latent_gradient_lowered = true;
    const latent_terms *q = p->latent_terms;
    const int node[] = {p->graph->at.latent, p->graph->at.code};
    int reads = 0;
    for (int k = 0; k < q->count; k++) reads |= elbo_latent_rows[q->which[k]].reads;
    elbo_cpu_tensor *to[2] = {NULL};
    if (reads & ELBO_LATENT_READS_CODE) ELBO_TRY(place_for(p, node[0], &to[0], err));
    if (reads & ELBO_LATENT_READS_POSTERIOR) ELBO_TRY(place_for(p, node[1], &to[1], err));
    const float *work = NULL;
    for (int i = 0; i < p->steps; i++)
        if (p->step[i].run == run_batch) work = p->step[i].work;
    ELBO_TRY(new_step(p, "gradient", q->batch_terms > 0, run_gradient, err));
    elbo_cpu_step *s = &p->step[p->steps - 1];
    s->work = (float *)(uintptr_t)work;
    memset(s->out, 0, sizeof s->out);
    s->out[0] = to[0];
    s->out[1] = to[1];
    for (int half = 0; half < 2; half++) {
        if (!to[half]) continue;
        elbo_cpu_tensor *d = p->node[node[half]].dy;
        ELBO_TRY(elbo_cpu_give_gradient(p, p->node[node[half]].node, d, to[half], d->written, err));
        d->written = true;
    }
    return ELBO_OK;
}
