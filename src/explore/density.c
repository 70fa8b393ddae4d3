#include "explore/density.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "stats/pca.h"

void elbo_density_free(elbo_density *d) {
    elbo_mixture_free(&d->mixture);
    free(d->centre);
    free(d->axis);
    *d = (elbo_density){0};
}

static elbo_status fit_in_axes(elbo_density *d, const float *codes, size_t n, int components, uint64_t seed,
                               const elbo_job *work, elbo_error *err) {
    elbo_pca pca;
    if (work && work->progress) work->progress(work->context, "principal axes of the codes", 0);
    ELBO_TRY(elbo_pca_fit(&pca, codes, n, d->latent, ELBO_DENSITY_AXES, work ? work->threads : 0, err));
    float *y = elbo_alloc(n * (size_t)pca.components, sizeof *y); // (n, components of the PCA)
    elbo_status status = y ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_pca_project(&pca, codes, n, y);
        status = elbo_mixture_fit(&d->mixture, y, n, pca.components, components, seed, work, err);
    }
    free(y);
    for (int i = 0; i < pca.components; i++) d->held += pca.total > 0 ? pca.variance[i] / pca.total : 0;
    d->centre = pca.mean; // taken over
    d->axis = pca.axes;
    pca.mean = pca.axes = NULL;
    elbo_pca_free(&pca);
    return status;
}

elbo_status elbo_density_fit(elbo_density *d, const float *codes, size_t n, int latent, int components, uint64_t seed,
                             const elbo_job *work, elbo_error *err) {
    *d = (elbo_density){.latent = latent};
    elbo_status status;
    if (latent > ELBO_DENSITY_WIDE) {
        status = fit_in_axes(d, codes, n, components, seed, work, err);
    } else {
        d->held = 1;
        status = elbo_mixture_fit(&d->mixture, codes, n, latent, components, seed, work, err);
    }
    if (status != ELBO_OK) elbo_density_free(d);
    return status;
}

elbo_status elbo_density_draw(const elbo_density *d, uint64_t seed, size_t n, double temperature, float *z,
                              elbo_error *err) {
    if (!d->axis) return elbo_mixture_draw(&d->mixture, seed, n, temperature, z, err);
    size_t D = (size_t)d->mixture.dims, Z = (size_t)d->latent;
    float *y = elbo_alloc(n * D, sizeof *y);
    double *sum = elbo_alloc(Z, sizeof *sum);
    elbo_status status = y && sum ? elbo_mixture_draw(&d->mixture, seed, n, temperature, y, err) : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < n; i++) {
        memcpy(sum, d->centre, Z * sizeof *sum);
        for (size_t a = 0; a < D; a++)
            for (size_t k = 0; k < Z; k++) sum[k] += y[i * D + a] * d->axis[a * Z + k];
        for (size_t k = 0; k < Z; k++) z[i * Z + k] = (float)sum[k];
    }
    free(y);
    free(sum);
    return status;
}

/* ---- the density at a code ---- */

enum { PIECE = 512 };

typedef struct each_job {
    const elbo_density *d;
    const float *z;
    size_t n;
    float *value;
    double *room; // (pieces, 2 dims + components)
} each_job;

/* x: (dims), y: room for as many; log N(x; mean, factor factor^T) without its constant */
static double log_normal(const double *x, const double *mean, const double *factor, size_t D, double *y) {
    double square = 0, log_determinant = 0;
    for (size_t a = 0; a < D; a++) {
        double sum = x[a] - mean[a];
        for (size_t b = 0; b < a; b++) sum -= factor[a * D + b] * y[b];
        y[a] = sum / factor[a * D + a];
        square += y[a] * y[a];
        log_determinant += log(factor[a * D + a]);
    }
    return -0.5 * square - log_determinant;
}

static double log_density(const elbo_mixture *m, const double *x, double *y, double *term) {
    const double half_log_2pi = 0.91893853320467274;
    size_t K = (size_t)m->components, D = (size_t)m->dims;
    double most = -INFINITY, sum = 0;
    for (size_t k = 0; k < K; k++) {
        term[k] = log(m->weight[k]) + log_normal(x, m->mean + k * D, m->factor + k * D * D, D, y);
        most = term[k] > most ? term[k] : most;
    }
    for (size_t k = 0; k < K; k++) sum += exp(term[k] - most);
    return most + log(sum) - half_log_2pi * (double)D;
}

static void score_piece(void *context, int piece) {
    const each_job *j = context;
    const elbo_density *d = j->d;
    size_t D = (size_t)d->mixture.dims, Z = (size_t)d->latent;
    double *x = j->room + (size_t)piece * (2 * D + (size_t)d->mixture.components);
    size_t first = (size_t)piece * PIECE, end = first + PIECE < j->n ? first + PIECE : j->n;
    for (size_t i = first; i < end; i++) {
        const float *z = j->z + i * Z;
        for (size_t a = 0; a < D; a++) {
            x[a] = d->axis ? 0 : (double)z[a];
            for (size_t k = 0; d->axis && k < Z; k++) x[a] += ((double)z[k] - d->centre[k]) * d->axis[a * Z + k];
        }
        j->value[i] = (float)log_density(&d->mixture, x, x + D, x + 2 * D);
    }
}

elbo_status elbo_density_each(const elbo_density *d, const float *z, size_t n, const elbo_job *work, float *value,
                              elbo_error *err) {
    size_t pieces = (n + PIECE - 1) / PIECE;
    each_job j = {.d = d, .z = z, .n = n, .value = value};
    j.room = elbo_alloc(pieces * (2 * (size_t)d->mixture.dims + (size_t)d->mixture.components), sizeof *j.room);
    if (!j.room) return elbo_no_memory(err);
    elbo_parallel_for(work ? work->threads : 0, (int)pieces, score_piece, &j);
    free(j.room);
    return ELBO_OK;
}
