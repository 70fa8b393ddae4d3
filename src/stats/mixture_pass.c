#include "stats/mixture_pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"

enum {
    BLOCK = 64,       // rows that go through the loops side by side
    PIECE_ROWS = 512, // at least
    MOST_PIECES = 64,
};
static const size_t most_storage = (size_t)64
                                   << 20; // doubles of all pieces' sums, 512 MiB; fewer pieces where they would be more

/* The two loops that take the time, compiled for three widths of vectors; without fused operations all give the same
 * bits. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                                                 \
    !defined(__SANITIZE_THREAD__) // whose resolvers crash
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define WIDE
#endif

static size_t sums_size(size_t K, size_t D) { return K + K * D + K * D * D + 1; }
static size_t scratch_size(size_t K, size_t D) { return (2 * D + K) * BLOCK; }

static elbo_mixture_sums sums_of(const elbo_mixture_pass *p, int piece) {
    size_t K = (size_t)p->components, D = (size_t)p->dims;
    double *at = p->storage + (size_t)piece * sums_size(K, D);
    return (elbo_mixture_sums){.count = at, .sum = at + K, .square = at + K + K * D, .log_likelihood = 0};
}

elbo_status elbo_mixture_pass_make(elbo_mixture_pass *p, const float *x, size_t n, int dims, int components,
                                   int threads, elbo_error *err) {
    size_t K = (size_t)components, D = (size_t)dims, pieces = (n + PIECE_ROWS - 1) / PIECE_ROWS;
    if (pieces > MOST_PIECES) pieces = MOST_PIECES;
    while (pieces > 1 && pieces * sums_size(K, D) > most_storage) pieces--;
    *p = (elbo_mixture_pass){.x = x, .n = n, .dims = dims, .components = components, .threads = threads};
    p->rows = (n + pieces - 1) / pieces;
    p->pieces = (int)((n + p->rows - 1) / p->rows);
    p->origin = elbo_alloc(D, sizeof(double));
    p->storage = elbo_alloc(pieces * sums_size(K, D), sizeof(double));
    p->scratch = elbo_alloc(pieces * scratch_size(K, D), sizeof(double));
    if (p->origin && p->storage && p->scratch) return ELBO_OK;
    elbo_mixture_pass_free(p);
    return elbo_no_memory(err);
}

void elbo_mixture_pass_free(elbo_mixture_pass *p) {
    free(p->origin);
    free(p->storage);
    free(p->scratch);
    *p = (elbo_mixture_pass){0};
}

/* Forward substitution, factor y = x - mean, for BLOCK points; out gets |y|^2.  x, y: (D, BLOCK); out: (BLOCK) */
WIDE static void whitened_distance(const double *factor, const double *mean, const double *x, double *y, size_t D,
                                   double *out) {
    memset(out, 0, BLOCK * sizeof *out);
    for (size_t i = 0; i < D; i++) {
        double *row = y + i * BLOCK, inverse = 1 / factor[i * D + i];
        for (size_t r = 0; r < BLOCK; r++) row[r] = x[i * BLOCK + r] - mean[i];
        for (size_t j = 0; j < i; j++) {
            double f = factor[i * D + j];
            for (size_t r = 0; r < BLOCK; r++) row[r] -= f * y[j * BLOCK + r];
        }
        for (size_t r = 0; r < BLOCK; r++) {
            row[r] *= inverse;
            out[r] += row[r] * row[r];
        }
    }
}

/* square += weight v v^T up to the diagonal, sum += weight v.  v: (D) */
WIDE static void add_point(const double *v, double weight, size_t D, double *sum, double *square) {
    for (size_t i = 0; i < D; i++) {
        double f = weight * v[i], *row = square + i * D;
        sum[i] += f;
        for (size_t j = 0; j <= i; j++) row[j] += f * v[j];
    }
}

/* log of weight times density, less what is the same for all, for BLOCK points; of k-means, minus the squared distance.
 *   score: (K, BLOCK) */
static void score_block(const elbo_mixture_pass *p, const elbo_mixture *m, const double *x, double *y, double *score) {
    size_t K = (size_t)p->components, D = (size_t)p->dims;
    for (size_t k = 0; k < K; k++, score += BLOCK) {
        const double *factor = m->factor + k * D * D, *mean = m->mean + k * D;
        if (p->kind == ELBO_PASS_NEAREST) {
            memset(score, 0, BLOCK * sizeof *score);
            for (size_t i = 0; i < D; i++)
                for (size_t r = 0; r < BLOCK; r++)
                    score[r] -= (x[i * BLOCK + r] - mean[i]) * (x[i * BLOCK + r] - mean[i]);
            continue;
        }
        double constant = log(m->weight[k]) - 0.5 * (double)D * log(2 * M_PI); // -inf for a component without points
        for (size_t i = 0; i < D; i++) constant -= log(factor[i * D + i]);
        whitened_distance(factor, mean, x, y, D, score);
        for (size_t r = 0; r < BLOCK; r++) score[r] = constant - 0.5 * score[r];
    }
}

/* Scores of one point to responsibilities; returns its log-likelihood. */
static double share(double *score, size_t K, elbo_pass_kind kind) {
    size_t best = 0;
    for (size_t k = 1; k < K; k++)
        if (score[k * BLOCK] > score[best * BLOCK]) best = k;
    double most = score[best * BLOCK], sum = 0;
    if (kind == ELBO_PASS_NEAREST) {
        for (size_t k = 0; k < K; k++) score[k * BLOCK] = k == best;
        return most;
    }
    for (size_t k = 0; k < K; k++) sum += score[k * BLOCK] = exp(score[k * BLOCK] - most);
    for (size_t k = 0; k < K; k++) score[k * BLOCK] /= sum;
    return most + log(sum);
}

struct job {
    elbo_mixture_pass *pass;
    const elbo_mixture *m;
};

static void run_piece(void *context, int piece) {
    const struct job *job = context;
    const elbo_mixture_pass *p = job->pass;
    size_t K = (size_t)p->components, D = (size_t)p->dims, start = p->rows * (size_t)piece;
    size_t end = start + p->rows < p->n ? start + p->rows : p->n;
    elbo_mixture_sums s = sums_of(p, piece);
    memset(s.count, 0, sums_size(K, D) * sizeof(double));
    double *x = p->scratch + (size_t)piece * scratch_size(K, D), *y = x + D * BLOCK, *score = y + D * BLOCK;
    double log_likelihood = 0;
    for (size_t at = start; at < end; at += BLOCK) {
        size_t rows = end - at < BLOCK ? end - at : BLOCK;
        for (size_t i = 0; i < D; i++)
            for (size_t r = 0; r < BLOCK; r++) x[i * BLOCK + r] = r < rows ? p->x[(at + r) * D + i] : 0;
        score_block(p, job->m, x, y, score);
        for (size_t r = 0; r < rows; r++) {
            log_likelihood += share(score + r, K, p->kind);
            if (p->kind == ELBO_PASS_SCORE) continue;
            for (size_t i = 0; i < D; i++) y[i] = x[i * BLOCK + r] - p->origin[i]; // (y is free again)
            for (size_t k = 0; k < K; k++) {
                double weight = score[k * BLOCK + r];
                if (weight < 1e-12) continue; // what no double sum of many points would feel
                s.count[k] += weight;
                add_point(y, weight, D, s.sum + k * D, s.square + k * D * D);
            }
        }
    }
    s.count[sums_size(K, D) - 1] = log_likelihood;
}

elbo_status elbo_mixture_run_pass(elbo_mixture_pass *p, const elbo_mixture *m, elbo_mixture_sums *total,
                                  elbo_error *err) {
    struct job job = {p, m};
    elbo_parallel_for(p->threads, p->pieces, run_piece, &job);
    size_t size = sums_size((size_t)p->components, (size_t)p->dims);
    for (int piece = 1; piece < p->pieces; piece++)
        for (size_t i = 0; i < size; i++) p->storage[i] += p->storage[(size_t)piece * size + i];
    *total = sums_of(p, 0);
    total->log_likelihood = p->log_likelihood = p->storage[size - 1] / (double)p->n;
    if (isfinite(p->log_likelihood)) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "the mixture of Gaussians has no finite likelihood: are all codes finite?");
}
