#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cpu/kernels.h"
#include "explore/metrics/scores.h"

enum { BATCH = 512 }; // rows at once; fewer where the model takes fewer

/* A plan from codes to losses, and the rows that go through it together. */
typedef struct scorer {
    elbo_model *model;
    const elbo_images *images;
    elbo_plan plan;
    float *z, *eps;                     // (BATCH, Z)
    double *prior;                      // (BATCH) log p(z) - log q(z | x)
    double loss[BATCH];                 // the reconstruction's, in nats
    float term[BATCH];                  // of one loss
    uint32_t row[BATCH], target[BATCH]; // 0, 1, ...; the image of each row
    uint32_t sample[BATCH];             // which of its samples
    const float *mu, *logvar;
    uint64_t seed;
    int batch, count;
} scorer;

static elbo_status scorer_open(scorer *s, elbo_model *m, const elbo_images *images, elbo_error *err) {
    *s = (scorer){.model = m, .images = images, .batch = m->batch < BATCH ? m->batch : BATCH};
    size_t Z = (size_t)m->network.graph.latent;
    for (uint32_t i = 0; i < BATCH; i++) s->row[i] = i;
    elbo_plan_options options = {.mode = ELBO_SCORE, .batch = s->batch};
    s->z = elbo_alloc(BATCH * Z, sizeof *s->z);
    s->eps = elbo_alloc(BATCH * Z, sizeof *s->eps);
    s->prior = elbo_alloc(BATCH, sizeof *s->prior);
    elbo_status status =
        s->z && s->eps && s->prior ? elbo_plan_make(&s->plan, &m->state, &options, err) : elbo_no_memory(err);
    if (status == ELBO_OK) return ELBO_OK;
    free(s->z);
    free(s->eps);
    free(s->prior);
    return status;
}

static void scorer_close(scorer *s) {
    elbo_plan_free(&s->plan);
    free(s->z);
    free(s->eps);
    free(s->prior);
}

/* Afterwards `loss` holds the reconstruction's loss of each row. */
static elbo_status scorer_run(scorer *s, elbo_error *err) {
    elbo_images codes = {.count = (uint32_t)s->count, .floats = s->z};
    elbo_batch_args args = {.images = &codes,
                            .index = s->row,
                            .target = s->images,
                            .target_index = s->target,
                            .skips = s->model->skips,
                            .skip_row = s->row,
                            .count = s->count,
                            .low = s->model->recipe.image.low,
                            .high = s->model->recipe.image.high};
    ELBO_TRY(elbo_plan_run_one(&s->plan, &args, err));
    const elbo_metrics *m = &s->plan.graph->metrics;
    for (int r = 0; r < s->count; r++) s->loss[r] = 0;
    for (int k = 0; k < m->count; k++) {
        if (m->metric[k].role != ELBO_METRIC_RECONSTRUCTION || !s->plan.metric[k]) continue;
        elbo_plan_read(&s->plan, s->plan.metric[k], 0, s->count, s->term);
        for (int r = 0; r < s->count; r++) s->loss[r] += m->metric[k].weight * s->term[r];
    }
    return ELBO_OK;
}

/* Draws a row's code from its posterior, and weighs it. */
static void draw(void *context, size_t r) {
    scorer *s = context;
    const elbo_graph *g = &s->model->network.graph;
    size_t Z = (size_t)g->latent;
    const float *param[] = {s->mu + s->target[r] * Z, s->logvar + s->target[r] * Z};
    float *z = s->z + r * Z, *eps = s->eps + r * Z;
    elbo_stream stream = {
        .seed = s->seed, .purpose = ELBO_FOR_LIKELIHOOD, .epoch = s->sample[r], .sample = s->target[r]};
    elbo_kernels_here()->loss->normal(eps, Z, stream);
    g->posterior->sample(z, param, eps, Z);
    s->prior[r] = s->model->prior.is->log_p(&s->model->prior, z) - g->posterior->log_q(param, eps, Z);
}

/* log of a sum of exponentials, term by term: most + log(sum). */
typedef struct log_sum {
    double most, sum;
} log_sum;

static void add_log(log_sum *l, double term) {
    if (term <= l->most) {
        l->sum += exp(term - l->most);
    } else { // (also the first, and NaN, which stays)
        l->sum = l->sum * exp(l->most - term) + 1;
        l->most = term;
    }
}

static void average(elbo_likelihood *l, const double *each, size_t n) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += each[i];
    l->log_p = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (each[i] - l->log_p) * (each[i] - l->log_p);
    l->error = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : NAN;
}

static elbo_status estimate(scorer *s, const elbo_observation_model *p, int samples, double *each, const elbo_job *work,
                            elbo_error *err) {
    uint32_t n = s->images->count, image = 0, sample = 0;
    double constant = p->is ? p->constant : 0; // where there is none, log p is known but for it
    log_sum l = {-INFINITY, 0};
    while (image < n) {
        uint32_t first_image = image, first_sample = sample;
        for (s->count = 0; s->count < s->batch && image < n; s->count++) {
            s->target[s->count] = image;
            s->sample[s->count] = sample;
            if (++sample == (uint32_t)samples) {
                sample = 0;
                image++;
            }
        }
        elbo_eval_context_parallel(s->model, (size_t)s->count, draw, s);
        ELBO_TRY(scorer_run(s, err));
        for (int r = 0; r < s->count; r++) {
            if (s->sample[r] == 0) l = (log_sum){-INFINITY, 0};
            add_log(&l, s->prior[r] - p->factor * s->loss[r] - constant);
            if (s->sample[r] == (uint32_t)samples - 1) each[s->target[r]] = l.most + log(l.sum) - log(samples);
        }
        double done = (first_image + (double)first_sample / samples) / n;
        ELBO_TRY(elbo_eval_context_step(work, "importance sampling", done, err));
    }
    return ELBO_OK;
}

elbo_status elbo_likelihood_estimate(elbo_likelihood *l, elbo_model *m, const elbo_images *images, const float *mu,
                                     const float *logvar, const elbo_likelihood_options *o, const elbo_job *work,
                                     elbo_error *err) {
    *l = (elbo_likelihood){.samples = o->samples};
    if (m->recipe.kind != ELBO_VAE)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: is an autoencoder, which is not a probabilistic model; only a vae has a "
                         "likelihood",
                         m->run);
    ELBO_TRY(elbo_model_decodes_alone(m, err)); // else p(x | z) is not all that the decoder knows of x
    scorer s;
    ELBO_TRY(scorer_open(&s, m, images, err));
    s.mu = mu;
    s.logvar = logvar;
    s.seed = o->seed;
    double *own = o->each ? NULL : elbo_alloc(images->count, sizeof *own), *each = own ? own : o->each;
    elbo_observation_model p = elbo_observation_model_of(&m->recipe, &m->network.graph, m->network.params);
    elbo_status status = each ? estimate(&s, &p, o->samples, each, work, err) : elbo_no_memory(err);
    if (status == ELBO_OK) average(l, each, images->count);
    free(own);
    scorer_close(&s);
    return status;
}

elbo_status elbo_score_codes(elbo_model *m, const elbo_images *images, const float *z, const uint32_t *code_of,
                             float *loss, elbo_error *err) {
    scorer s;
    ELBO_TRY(scorer_open(&s, m, images, err));
    size_t Z = (size_t)m->network.graph.latent;
    elbo_status status = ELBO_OK;
    for (uint32_t start = 0; start < images->count && status == ELBO_OK; start += (uint32_t)s.batch) {
        uint32_t left = images->count - start;
        s.count = left < (uint32_t)s.batch ? (int)left : s.batch;
        for (int r = 0; r < s.count; r++) {
            s.target[r] = start + (uint32_t)r;
            memcpy(s.z + (size_t)r * Z, z + code_of[start + (uint32_t)r] * Z, Z * sizeof *z);
        }
        status = elbo_model_set_skips(m, images, s.target, (size_t)s.count, err); // each image's own
        if (status == ELBO_OK) status = scorer_run(&s, err);
        for (int r = 0; r < s.count; r++) loss[start + (uint32_t)r] = (float)s.loss[r];
    }
    scorer_close(&s);
    return status;
}
