#include "stats/mixture.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "stats/mixture_pass.h"

enum { KMEANS_STEPS = 20, NORMALS = 2, COMPONENT = 1, START = 3 }; // the last three: epochs of random streams

static const double least_gain = 1e-3, least_variance = 1e-6;

static elbo_status check(size_t n, int dims, int components, elbo_error *err) {
    if (dims < 1 || dims > ELBO_MIXTURE_MOST_DIMS)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "codes of %d dimensions; Gaussians are fitted to at most %d, because a covariance matrix "
                         "has their square",
                         dims, ELBO_MIXTURE_MOST_DIMS);
    if (components < 1 || components > ELBO_MIXTURE_MOST_COMPONENTS)
        return elbo_fail(err, ELBO_BAD_INPUT, "%d components; expected 1 to %d", components,
                         ELBO_MIXTURE_MOST_COMPONENTS);
    if (n < 2 || n < (size_t)components)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "a mixture of %d components of %zu points; it needs two points, and one for each component",
                         components, n);
    return ELBO_OK;
}

static elbo_status allocate(elbo_mixture *m, int dims, int components, elbo_error *err) {
    size_t K = (size_t)components, D = (size_t)dims;
    *m = (elbo_mixture){.components = components,
                        .dims = dims,
                        .weight = elbo_alloc(K, sizeof(double)),
                        .mean = elbo_alloc(K * D, sizeof(double)),
                        .factor = elbo_alloc(K * D * D, sizeof(double))};
    if (m->weight && m->mean && m->factor) return ELBO_OK;
    elbo_mixture_free(m);
    return elbo_no_memory(err);
}

void elbo_mixture_free(elbo_mixture *m) {
    free(m->weight);
    free(m->mean);
    free(m->factor);
    *m = (elbo_mixture){0};
}

/* ---- k-means++ ---- */

static double squared_distance(const float *a, const double *b, size_t D) {
    double sum = 0;
    for (size_t d = 0; d < D; d++) sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
}

/* A number in [0, 1) of 48 bits: among a million points 24 would not reach each. */
static double one_uniform(uint64_t seed, uint32_t draw) {
    float u[2];
    elbo_random_uniform((elbo_stream){.seed = seed, .purpose = ELBO_FOR_MIXTURE, .epoch = START, .sample = draw}, u, 2);
    return u[0] + u[1] * 0x1p-24;
}

/* Each next centre is a point, drawn by its squared distance from the nearest centre so far.  nearest: (n), scratch */
static void choose_centres(elbo_mixture *m, const float *x, size_t n, uint64_t seed, double *nearest) {
    size_t D = (size_t)m->dims, chosen = (size_t)(one_uniform(seed, 0) * (double)n);
    for (size_t i = 0; i < n; i++) nearest[i] = INFINITY;
    for (int k = 0; k < m->components; k++) {
        double *centre = m->mean + (size_t)k * D, total = 0;
        for (size_t d = 0; d < D; d++) centre[d] = x[chosen * D + d];
        for (size_t i = 0; i < n; i++) {
            double distance = squared_distance(x + i * D, centre, D);
            if (distance < nearest[i]) nearest[i] = distance;
            total += nearest[i];
        }
        double left = one_uniform(seed, (uint32_t)k + 1) * total;
        for (chosen = 0; chosen + 1 < n && (left -= nearest[chosen]) >= 0;) chosen++;
    }
}

/* ---- parameters from sums ---- */

/* Means, covariances and their factors from the sums of a pass. A component that has no points keeps what it had. */
static elbo_status take_sums(elbo_mixture *m, const elbo_mixture_sums *s, const double *origin, double ridge, size_t n,
                             elbo_error *err) {
    size_t D = (size_t)m->dims;
    for (size_t k = 0; k < (size_t)m->components; k++) {
        double N = s->count[k], *mean = m->mean + k * D, *f = m->factor + k * D * D;
        const double *sum = s->sum + k * D, *square = s->square + k * D * D;
        m->weight[k] = N / (double)n;
        if (!(N > 1e-9)) continue;
        for (size_t i = 0; i < D; i++) mean[i] = origin[i] + sum[i] / N;
        for (size_t i = 0; i < D; i++)
            for (size_t j = 0; j < D; j++)
                f[i * D + j] = j > i ? 0 : square[i * D + j] / N - sum[i] / N * (sum[j] / N) + (i == j ? ridge : 0);
        // (row-major lower is column-major upper, for which LAPACKE takes no memory of its own)
        if (LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', m->dims, f, m->dims) != 0)
            return elbo_fail(err, ELBO_BAD_INPUT,
                             "the covariance of component %zu has no Cholesky factor: are all codes finite?", k);
    }
    return ELBO_OK;
}

/* Where a component had no points at all it would have no factor: a ball as wide as all points. */
static void begin_as_balls(elbo_mixture *m, double variance) {
    size_t D = (size_t)m->dims;
    for (size_t k = 0; k < (size_t)m->components; k++)
        for (size_t i = 0; i < D; i++) m->factor[k * D * D + i * D + i] = sqrt(variance);
}

/* ---- the fit ---- */

static void tell(const elbo_job *work, int components, double done) {
    if (work && work->progress)
        work->progress(work->context, components == 1 ? "fitting a Gaussian" : "fitting a mixture of Gaussians", done);
}

static elbo_status step(elbo_mixture *m, elbo_mixture_pass *pass, elbo_error *err) {
    elbo_mixture_sums total;
    ELBO_TRY(elbo_mixture_run_pass(pass, m, &total, err));
    if (pass->kind == ELBO_PASS_SCORE) return ELBO_OK;
    return take_sums(m, &total, pass->origin, pass->ridge, pass->n, err);
}

static elbo_status fit(elbo_mixture *m, elbo_mixture_pass *pass, uint64_t seed, const elbo_job *work, double *scratch,
                       elbo_error *err) {
    size_t n = pass->n, D = (size_t)m->dims;
    double variance = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < D; d++) pass->origin[d] += pass->x[i * D + d] / (double)n;
    for (size_t i = 0; i < n; i++) variance += squared_distance(pass->x + i * D, pass->origin, D) / (double)(n * D);
    pass->ridge = least_variance * (variance > 0 ? variance : 1);
    begin_as_balls(m, variance > 0 ? variance : 1);
    choose_centres(m, pass->x, n, seed, scratch);
    pass->kind = ELBO_PASS_NEAREST;
    for (int i = 0; i < (m->components > 1 ? KMEANS_STEPS : 1); i++) {
        ELBO_TRY(step(m, pass, err));
        if (work && work->interrupted && work->interrupted(work->context))
            return elbo_fail(err, ELBO_STOPPED, "stopped");
    }
    pass->kind = ELBO_PASS_EXPECT;
    for (m->steps = 0; m->steps < ELBO_MIXTURE_STEPS; m->steps++) {
        tell(work, m->components, (double)m->steps / ELBO_MIXTURE_STEPS);
        if (work && work->interrupted && work->interrupted(work->context))
            return elbo_fail(err, ELBO_STOPPED, "stopped");
        ELBO_TRY(step(m, pass, err));
        m->history[m->steps] = pass->log_likelihood;
        if (m->steps > 0 && !(m->history[m->steps] - m->history[m->steps - 1] >= least_gain)) {
            m->steps++;
            break;
        }
    }
    pass->kind = ELBO_PASS_SCORE;
    ELBO_TRY(step(m, pass, err));
    m->log_likelihood = pass->log_likelihood;
    return ELBO_OK;
}

elbo_status elbo_mixture_fit(elbo_mixture *m, const float *x, size_t n, int dims, int components, uint64_t seed,
                             const elbo_job *work, elbo_error *err) {
    *m = (elbo_mixture){0};
    ELBO_TRY(check(n, dims, components, err));
    ELBO_TRY(allocate(m, dims, components, err));
    elbo_mixture_pass pass;
    double *scratch = elbo_alloc(n, sizeof *scratch);
    elbo_status status = elbo_mixture_pass_make(&pass, x, n, dims, components, work ? work->threads : 0, err);
    if (status == ELBO_OK && !scratch) status = elbo_no_memory(err);
    if (status == ELBO_OK) status = fit(m, &pass, seed, work, scratch, err);
    elbo_mixture_pass_free(&pass);
    free(scratch);
    if (status != ELBO_OK) elbo_mixture_free(m);
    return status;
}

elbo_status elbo_mixture_score(const elbo_mixture *m, const float *x, size_t n, int threads, double *log_likelihood,
                               elbo_error *err) {
    elbo_mixture_pass pass;
    elbo_mixture_sums total;
    elbo_status status = elbo_mixture_pass_make(&pass, x, n, m->dims, m->components, threads, err);
    pass.kind = ELBO_PASS_SCORE;
    if (status == ELBO_OK) status = elbo_mixture_run_pass(&pass, m, &total, err);
    *log_likelihood = pass.log_likelihood;
    elbo_mixture_pass_free(&pass);
    return status;
}

/* ---- drawing ---- */

elbo_status elbo_mixture_draw(const elbo_mixture *m, uint64_t seed, size_t n, double temperature, float *z,
                              elbo_error *err) {
    size_t D = (size_t)m->dims;
    float *noise = elbo_alloc(D, sizeof *noise);
    if (!noise) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++, z += D) {
        elbo_stream stream = {.seed = seed, .purpose = ELBO_FOR_MIXTURE, .epoch = COMPONENT, .sample = (uint32_t)i};
        float u;
        elbo_random_uniform(stream, &u, 1);
        stream.epoch = NORMALS;
        elbo_random_normal(stream, noise, D);
        size_t k = 0;
        double left = u;
        while (k + 1 < (size_t)m->components && (left -= m->weight[k]) >= 0) k++;
        const double *f = m->factor + k * D * D;
        for (size_t a = 0; a < D; a++) {
            double sum = 0;
            for (size_t b = 0; b <= a; b++) sum += f[a * D + b] * noise[b];
            z[a] = (float)(m->mean[k * D + a] + temperature * sum);
        }
    }
    free(noise);
    return ELBO_OK;
}
