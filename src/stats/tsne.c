#include "stats/tsne.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "stats/pca.h"
#include "base/work_queue.h"
#include "stats/scaled.h"
#include "stats/simd/tsne_kernels.h"
#include "stats/tsne_grid.h"

enum {
    ROWS_AT_ONCE = 256,
    REPORT_EVERY = 50,
    EXACT_FORCES = 1800, // points up to which all pairs are quicker than the grid (bench/log.md)
};

elbo_tsne_options elbo_tsne_defaults(void) {
    return (elbo_tsne_options){.perplexity = 30,
                               .iterations = 750,
                               .exaggeration = 12,
                               .exaggerated = 250,
                               .momentum = 0.5,
                               .late_momentum = 0.8,
                               .longest_step = 5};
}

typedef struct tsne {
    size_t n;
    int pieces;
    elbo_team *team;
    const elbo_tsne_force_kernels *kernels;
    elbo_similarities p;
    elbo_tsne_grid *grid;                          // NULL: forces are exact
    float *y, *next, *velocity, *gain, *repulsion; // (n, 2), in the order of p
    float *weight;                                 // (n): sums of w, where forces are exact
    float *apart; // (2, n filled up to a multiple of 16): coordinates for the exact sums
    double *part; // (pieces): terms of a sum
    double z;
    elbo_tsne_step how;
} tsne;

static size_t filled(size_t n) { return (n + ELBO_FFT_LANES - 1) / ELBO_FFT_LANES * ELBO_FFT_LANES; }
static size_t piece_end(const tsne *t, size_t from) { return from + ROWS_AT_ONCE < t->n ? from + ROWS_AT_ONCE : t->n; }

static elbo_status allocate(tsne *t, elbo_error *err) {
    size_t n = t->n;
    t->y = elbo_alloc(2 * n, sizeof *t->y);
    t->next = elbo_alloc(2 * n, sizeof *t->next);
    t->velocity = elbo_alloc(2 * n, sizeof *t->velocity);
    t->gain = elbo_alloc(2 * n, sizeof *t->gain);
    t->repulsion = elbo_alloc(2 * n, sizeof *t->repulsion);
    t->apart = elbo_alloc(2 * filled(n), sizeof *t->apart);
    t->weight = elbo_alloc(n > EXACT_FORCES ? 1 : n, sizeof *t->weight);
    t->part = elbo_alloc((size_t)t->pieces, sizeof *t->part);
    if (!t->y || !t->next || !t->velocity || !t->gain || !t->repulsion || !t->apart || !t->weight || !t->part)
        return elbo_no_memory(err);
    for (size_t i = 0; i < 2 * n; i++) t->gain[i] = 1;
    return n > EXACT_FORCES ? elbo_tsne_grid_make(&t->grid, n, t->team, err) : ELBO_OK;
}

static void release(tsne *t) {
    elbo_similarities_free(&t->p);
    elbo_tsne_grid_free(t->grid);
    elbo_team_free(t->team);
    free(t->y);
    free(t->next);
    free(t->velocity);
    free(t->gain);
    free(t->repulsion);
    free(t->apart);
    free(t->weight);
    free(t->part);
}

/* ---- where the embedding begins ---- */

/* The first two principal axes, the first scaled to a standard deviation of 1e-4 (Kobak and Berens, "The art of using
 * t-SNE for single-cell transcriptomics", Nature Communications 10, 2019). An axis on which nothing varies gets noise
 * instead: without any the embedding would never leave its line.  y: (n, 2) */
static elbo_status principal_start(float *y, const float *x, size_t n, int dims, uint64_t seed, int threads,
                                   elbo_error *err) {
    const double width = 1e-4;
    elbo_random_normal((elbo_stream){.seed = seed, .purpose = ELBO_FOR_MAP}, y, 2 * n);
    for (size_t i = 0; i < 2 * n; i++) y[i] *= (float)width;
    if (n < 2) return ELBO_OK;
    elbo_pca pca = {0};
    elbo_status status = elbo_pca_fit(&pca, x, n, dims, dims < 2 ? dims : 2, threads, err);
    float *projected = status == ELBO_OK ? elbo_alloc(n * (size_t)pca.components, sizeof *projected) : NULL;
    if (status == ELBO_OK && !projected) status = elbo_no_memory(err);
    if (status == ELBO_OK && pca.variance[0] > 0) {
        elbo_pca_project(&pca, x, n, projected);
        double scale = width / sqrt(pca.variance[0]);
        for (int c = 0; c < pca.components; c++)
            for (size_t i = 0; pca.variance[c] > 1e-12 * pca.variance[0] && i < n; i++)
                y[2 * i + (size_t)c] = (float)(scale * (double)projected[i * (size_t)pca.components + (size_t)c]);
    }
    free(projected);
    elbo_pca_free(&pca);
    return status;
}

/* ---- an iteration ---- */

static void repel_exactly(void *context, int piece, int thread) {
    (void)thread;
    tsne *t = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE;
    t->kernels->repel(t->repulsion, t->weight, t->y, from, piece_end(t, from), t->apart, t->apart + filled(t->n), t->n);
    t->part[piece] = 0;
    for (size_t i = from; i < piece_end(t, from); i++) t->part[piece] += t->weight[i];
}

static void add_up(void *context, int piece, int thread) {
    (void)thread;
    tsne *t = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE;
    t->part[piece] = t->kernels->normaliser(t->apart, t->apart + filled(t->n), t->n, from, piece_end(t, from));
}

static void take_step(void *context, int piece, int thread) {
    (void)thread;
    tsne *t = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE;
    elbo_tsne_motion m = {
        .y = t->y, .next = t->next, .repulsion = t->repulsion, .velocity = t->velocity, .gain = t->gain};
    t->kernels->step(&t->p, from, piece_end(t, from), &m, t->how);
}

static void add_cost(void *context, int piece, int thread) {
    (void)thread;
    tsne *t = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE;
    t->part[piece] = t->kernels->cost(&t->p, from, piece_end(t, from), t->y);
}

static double sum_of_parts(const tsne *t) {
    double sum = 0;
    for (int p = 0; p < t->pieces; p++) sum += t->part[p];
    return sum;
}

static void set_apart(tsne *t) {
    size_t width = filled(t->n);
    for (size_t i = 0; i < width; i++)
        for (size_t c = 0; c < 2; c++) t->apart[c * width + i] = i < t->n ? t->y[2 * i + c] : 1e18f;
}

static elbo_status repel(tsne *t, elbo_error *err) {
    if (t->grid) return elbo_tsne_grid_repel(t->grid, t->y, t->repulsion, &t->z, err);
    set_apart(t);
    elbo_work_queue_run(t->team, t->pieces, repel_exactly, t);
    t->z = sum_of_parts(t) - (double)t->n; // each point's own w, 1, is no part of Z
    if (!(t->z > 0))
        return elbo_fail(err, ELBO_DIVERGED,
                         "t-SNE: the embedding is no longer finite; a smaller learning rate may help");
    return ELBO_OK;
}

/* KL(P || Q) = sum p log p + sum p log(1 + d^2) + log Z, the sums over p of entries, z that of now. */
static double divergence(tsne *t, double z) {
    if (t->n < 2) return 0;
    elbo_work_queue_run(t->team, t->pieces, add_cost, t);
    return t->p.entropy + sum_of_parts(t) / t->p.sum + log(z);
}

static double exact_z(tsne *t) {
    set_apart(t);
    elbo_work_queue_run(t->team, t->pieces, add_up, t);
    return 2 * sum_of_parts(t);
}

static void say(const elbo_job *work, const char *what, double done) {
    if (work->progress) work->progress(work->context, what, done);
}

static bool stopped(const elbo_job *work) { return work->interrupted && work->interrupted(work->context); }

/* Exaggerated attraction among few points, of which each is a neighbour of many, pulls an axis together to nothing: to
 * zero in floats, and the embedding would stay a line for good. Such an axis begins anew.  start: (n, 2), callers'
 * order */
static void revive(tsne *t, const float *start) {
    const double least = 1e-5; // the start is ten times as wide
    for (size_t c = 0; c < 2; c++) {
        double mean = 0, square = 0;
        for (size_t i = 0; i < t->n; i++) mean += (double)t->y[2 * i + c] / (double)t->n;
        for (size_t i = 0; i < t->n; i++) square += pow((double)t->y[2 * i + c] - mean, 2) / (double)t->n;
        for (size_t i = 0; square < least * least && i < t->n; i++) {
            t->y[2 * i + c] = start[2 * (size_t)t->p.place[i] + c];
            t->velocity[2 * i + c] = 0;
            t->gain[2 * i + c] = 1;
        }
    }
}

/* Centred, which costs the embedding nothing: only distances count. */
static void to_callers_order(const tsne *t, float *y) {
    double mean[2] = {0, 0};
    for (size_t i = 0; i < 2 * t->n; i++) mean[i % 2] += (double)t->y[i] / (double)t->n;
    for (size_t i = 0; i < t->n; i++)
        for (size_t c = 0; c < 2; c++) y[2 * (size_t)t->p.place[i] + c] = (float)((double)t->y[2 * i + c] - mean[c]);
}

static elbo_status descend(tsne *t, const float *start, elbo_tsne_result *result, const elbo_tsne_options *o,
                           const elbo_job *work, elbo_error *err) {
    int exaggerated = o->start ? 0 : o->exaggerated;
    double rate = o->learning_rate > 0 ? o->learning_rate : fmax((double)t->n / o->exaggeration, 50);
    char what[48] = "t-SNE";
    for (int i = 0; i < o->iterations; i++) {
        if (stopped(work)) return elbo_fail(err, ELBO_STOPPED, "stopped after %d of %d iterations", i, o->iterations);
        if (i && i == exaggerated) revive(t, start);
        ELBO_TRY(repel(t, err));
        bool early = i < exaggerated;
        t->how = (elbo_tsne_step){.attraction = (float)((early ? o->exaggeration : 1) / t->p.sum),
                                  .repulsion = (float)(1 / t->z),
                                  .rate = (float)rate,
                                  .longest = (float)o->longest_step,
                                  .momentum = (float)(early ? o->momentum : o->late_momentum)};
        if (i && i % REPORT_EVERY == 0 && (o->report || work->progress)) {
            double kl = divergence(t, t->z);
            snprintf(what, sizeof what, "t-SNE, KL %.3f", kl);
            if (o->so_far) to_callers_order(t, o->so_far);
            if (o->report) o->report(o->context, i, kl);
        }
        elbo_work_queue_run(t->team, t->pieces, take_step, t);
        float *swap = t->y;
        t->y = t->next;
        t->next = swap;
        result->iterations = i + 1;
        say(work, what, (i + 1.0) / o->iterations);
    }
    return ELBO_OK;
}

/* ---- the whole ---- */

static void to_own_order(tsne *t, const float *y) {
    for (size_t i = 0; i < t->n; i++) memcpy(t->y + 2 * i, y + 2 * (size_t)t->p.place[i], 2 * sizeof *y);
}

static elbo_status check(const float *x, size_t n, int dims, const elbo_tsne_options *o, elbo_error *err) {
    if (n < 1 || dims < 1)
        return elbo_fail(err, ELBO_BAD_INPUT, "t-SNE of %zu points of %d numbers; expected 1 or more of both", n, dims);
    if (n >= UINT32_MAX / 2)
        return elbo_fail(err, ELBO_BAD_INPUT, "t-SNE of %zu points; expected at most 2,000,000,000", n);
    for (size_t i = 0; i < n * (size_t)dims; i++)
        if (!isfinite(x[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "t-SNE: number %zu of point %zu is not finite; leave that point out",
                             i % (size_t)dims + 1, i / (size_t)dims + 1);
    for (size_t i = 0; o->start && i < 2 * n; i++)
        if (!isfinite(o->start[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "t-SNE: point %zu of the initial embedding is not finite", i / 2 + 1);
    if (!(o->perplexity >= 1))
        return elbo_fail(err, ELBO_BAD_INPUT, "t-SNE: perplexity %g; expected 1 or more, usually 5 to 50",
                         o->perplexity);
    if (!(o->exaggeration > 0) || !(o->longest_step > 0) || o->iterations < 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "t-SNE: expected exaggeration > 0, max step > 0 and iterations >= 0");
    return ELBO_OK;
}

/* The perplexity that n points can have, with three times as many neighbours. */
static double possible_perplexity(double wanted, size_t n) {
    double most = (double)(n - 1) / 3;
    return fmax(1, fmin(wanted, most));
}

static elbo_status make_map(float *y, elbo_tsne_result *result, const float *x, size_t n, int dims,
                            const elbo_tsne_options *o, const elbo_job *work, elbo_error *err) {
    if (o->start)
        memcpy(y, o->start, 2 * n * sizeof *y);
    else
        ELBO_TRY(principal_start(y, x, n, dims, o->seed, work->threads, err));
    if (n == 1) {
        y[0] = y[1] = 0;
        return ELBO_OK;
    }
    result->perplexity = possible_perplexity(o->perplexity, n);
    size_t k = (size_t)(3 * result->perplexity);
    elbo_neighbours nb = {0};
    ELBO_TRY(elbo_neighbours_of_all(&nb, x, n, dims, (int)(k < n - 1 ? k : n - 1), work, err));
    result->recall = nb.recall;

    tsne t = {
        .n = n, .pieces = (int)((n + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE), .kernels = elbo_tsne_kernels_here()->force};
    say(work, "similarities", 0);
    elbo_status status = elbo_team_make(&t.team, work->threads, err);
    if (status == ELBO_OK) status = elbo_similarities_make(&t.p, &nb, result->perplexity, t.team, err);
    elbo_neighbours_free(&nb);
    if (status == ELBO_OK) status = allocate(&t, err);
    if (status == ELBO_OK) {
        to_own_order(&t, y);
        status = descend(&t, y, result, o, work, err);
    }
    if (status == ELBO_OK || status == ELBO_STOPPED) {
        say(work, "divergence", 0);
        double kl = divergence(&t, exact_z(&t));
        result->kl = kl < 0 ? 0 : kl; // never below 0 but by rounding
        to_callers_order(&t, y);
    }
    release(&t);
    return status;
}

elbo_status elbo_tsne(float *y, elbo_tsne_result *result, const float *x, size_t n, int dims,
                      const elbo_tsne_options *o, const elbo_job *work, elbo_error *err) {
    *result = (elbo_tsne_result){.recall = 1, .perplexity = o->perplexity};
    ELBO_TRY(check(x, n, dims, o, err));
    elbo_scaled scaled;
    ELBO_TRY(elbo_scaled_make(&scaled, x, n, dims, elbo_scale_of(x, n, dims), err));
    elbo_status status = make_map(y, result, scaled.x, n, dims, o, work, err);
    elbo_scaled_free(&scaled);
    return status;
}
