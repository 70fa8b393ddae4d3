#include "stats/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

enum { MOST_ITERATIONS = 100, KMEANS = 1 << 30 }; // KMEANS: an `epoch` that no mixture's numbers have

static double distance2(const float *x, const double *centre, size_t dims) {
    double sum = 0;
    for (size_t d = 0; d < dims; d++) sum += (x[d] - centre[d]) * (x[d] - centre[d]);
    return sum;
}

/* Each next centre is a point drawn with the square of its distance to the nearest one so far.  nearest: (n) */
static void choose_centres(elbo_kmeans *c, const float *x, size_t n, double *nearest, uint64_t seed, int start) {
    size_t dims = (size_t)c->dims;
    float draw[ELBO_KMEANS_MOST];
    elbo_random_uniform(
        (elbo_stream){.seed = seed, .purpose = ELBO_FOR_MIXTURE, .epoch = KMEANS, .sample = (uint32_t)start}, draw,
        (size_t)c->k);
    for (size_t i = 0; i < n; i++) nearest[i] = INFINITY;
    for (int k = 0; k < c->k; k++) {
        size_t chosen = (size_t)((double)draw[k] * (double)n);
        double sum = 0, at;
        for (size_t i = 0; k && i < n; i++) sum += nearest[i];
        if (k && sum > 0) {
            at = (double)draw[k] * sum;
            for (chosen = 0; chosen + 1 < n && at >= nearest[chosen]; chosen++) at -= nearest[chosen];
        }
        if (chosen >= n) chosen = n - 1;
        for (size_t d = 0; d < dims; d++) c->centre[(size_t)k * dims + d] = x[chosen * dims + d];
        for (size_t i = 0; i < n; i++)
            nearest[i] = fmin(nearest[i], distance2(x + i * dims, c->centre + (size_t)k * dims, dims));
    }
}

/* Assigns every point; true where any changed. */
static bool assign(elbo_kmeans *c, const float *x, size_t n) {
    size_t dims = (size_t)c->dims;
    bool changed = false;
    c->inertia = 0;
    for (size_t i = 0; i < n; i++) {
        int best = 0;
        double least = INFINITY;
        for (int k = 0; k < c->k; k++) {
            double d = distance2(x + i * dims, c->centre + (size_t)k * dims, dims);
            if (d < least) least = d, best = k;
        }
        changed = changed || c->cluster[i] != best;
        c->cluster[i] = (uint8_t)best;
        c->inertia += least;
    }
    return changed;
}

/* A cluster that lost all its points keeps its centre. */
static void move_centres(elbo_kmeans *c, const float *x, size_t n, double *sum) {
    size_t dims = (size_t)c->dims;
    memset(sum, 0, (size_t)c->k * dims * sizeof *sum);
    memset(c->size, 0, (size_t)c->k * sizeof *c->size);
    for (size_t i = 0; i < n; i++) {
        double *to = sum + c->cluster[i] * dims;
        for (size_t d = 0; d < dims; d++) to[d] += (double)x[i * dims + d];
        c->size[c->cluster[i]]++;
    }
    for (size_t k = 0; k < (size_t)c->k; k++)
        for (size_t d = 0; c->size[k] && d < dims; d++) c->centre[k * dims + d] = sum[k * dims + d] / c->size[k];
}

static void largest_first(elbo_kmeans *c, size_t n, double *moved) {
    size_t dims = (size_t)c->dims;
    uint8_t place[ELBO_KMEANS_MOST];
    uint32_t size[ELBO_KMEANS_MOST];
    for (int k = 0; k < c->k; k++) {
        int before = 0;
        for (int j = 0; j < c->k; j++) before += c->size[j] > c->size[k] || (c->size[j] == c->size[k] && j < k);
        place[k] = (uint8_t)before;
        size[before] = c->size[k];
        memcpy(moved + (size_t)before * dims, c->centre + (size_t)k * dims, dims * sizeof *moved);
    }
    memcpy(c->size, size, (size_t)c->k * sizeof *size);
    memcpy(c->centre, moved, (size_t)c->k * dims * sizeof *moved);
    for (size_t i = 0; i < n; i++) c->cluster[i] = place[c->cluster[i]];
}

static elbo_status make(elbo_kmeans *c, size_t n, int dims, int k, elbo_error *err) {
    size_t D = (size_t)dims, K = (size_t)k;
    *c = (elbo_kmeans){.k = k, .dims = dims, .inertia = INFINITY};
    c->cluster = elbo_alloc(n, 1);
    c->centre = elbo_alloc(K * D, sizeof *c->centre);
    c->size = elbo_alloc(K, sizeof *c->size);
    if (c->cluster && c->centre && c->size) return ELBO_OK;
    elbo_kmeans_free(c);
    return elbo_no_memory(err);
}

elbo_status elbo_kmeans_fit(elbo_kmeans *c, const float *x, size_t n, int dims, int k, uint64_t seed,
                            const elbo_job *work, elbo_error *err) {
    *c = (elbo_kmeans){0};
    if (k < 1 || k > ELBO_KMEANS_MOST || (size_t)k > n)
        return elbo_fail(err, ELBO_BAD_INPUT, "%d clusters of %zu points; expected 1 to %zu", k, n,
                         n < ELBO_KMEANS_MOST ? n : (size_t)ELBO_KMEANS_MOST);
    elbo_kmeans now;
    ELBO_TRY(make(&now, n, dims, k, err));
    double *nearest = elbo_alloc(n, sizeof *nearest), *sum = elbo_alloc((size_t)k * (size_t)dims, sizeof *sum);
    elbo_status status = nearest && sum ? make(c, n, dims, k, err) : elbo_no_memory(err);
    for (int start = 0; start < ELBO_KMEANS_STARTS && status == ELBO_OK; start++) {
        choose_centres(&now, x, n, nearest, seed, start);
        for (now.iterations = 0; now.iterations < MOST_ITERATIONS; now.iterations++) {
            if (work && work->progress)
                work->progress(work->context, "clusters", (start + now.iterations / 100.0) / ELBO_KMEANS_STARTS);
            if (work && work->interrupted && work->interrupted(work->context)) {
                status = elbo_fail(err, ELBO_STOPPED, "stopped");
                break;
            }
            if (!assign(&now, x, n) && now.iterations) break;
            move_centres(&now, x, n, sum);
        }
        if (status != ELBO_OK || now.inertia >= c->inertia) continue;
        elbo_kmeans best = now;
        now = *c;
        *c = best;
    }
    if (status == ELBO_OK) largest_first(c, n, sum);
    free(nearest);
    free(sum);
    elbo_kmeans_free(&now);
    if (status != ELBO_OK) elbo_kmeans_free(c);
    return status;
}

void elbo_kmeans_free(elbo_kmeans *c) {
    free(c->cluster);
    free(c->centre);
    free(c->size);
    *c = (elbo_kmeans){0};
}

elbo_status elbo_silhouette(double *mean, double *each, const elbo_kmeans *c, const float *x, size_t n,
                            elbo_error *err) {
    size_t dims = (size_t)c->dims, m = n < ELBO_SILHOUETTE_POINTS ? n : ELBO_SILHOUETTE_POINTS;
    double sum[ELBO_KMEANS_MOST], all = 0, own[ELBO_KMEANS_MOST] = {0};
    uint32_t count[ELBO_KMEANS_MOST] = {0};
    *mean = NAN;
    for (int k = 0; each && k < c->k; k++) each[k] = NAN;
    if (c->k < 2 || m < 3) return ELBO_OK;
    uint32_t *index = elbo_alloc(m, sizeof *index);
    if (!index) return elbo_no_memory(err);
    for (size_t i = 0; i < m; i++) {
        index[i] = (uint32_t)(i * n / m);
        count[c->cluster[index[i]]]++;
    }
    for (size_t i = 0; i < m; i++) {
        const float *a = x + index[i] * dims;
        int mine = c->cluster[index[i]];
        memset(sum, 0, sizeof sum);
        for (size_t j = 0; j < m; j++) {
            const float *b = x + index[j] * dims;
            double d = 0;
            for (size_t k = 0; k < dims; k++) d += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
            sum[c->cluster[index[j]]] += sqrt(d);
        }
        double inside = count[mine] > 1 ? sum[mine] / (count[mine] - 1) : 0, outside = INFINITY;
        for (int k = 0; k < c->k; k++)
            if (k != mine && count[k]) outside = fmin(outside, sum[k] / count[k]);
        double s = count[mine] > 1 && isfinite(outside) ? (outside - inside) / fmax(fmax(inside, outside), 1e-300) : 0;
        all += s;
        own[mine] += s;
    }
    free(index);
    *mean = all / (double)m;
    for (int k = 0; each && k < c->k; k++) each[k] = count[k] ? own[k] / count[k] : NAN;
    return ELBO_OK;
}
