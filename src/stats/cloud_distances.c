#include "stats/cloud_distances.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "stats/eigen.h"

/* ---- Frechet ---- */

/* Rows of a matrix product, by piece: c = a b, each (n, n), b symmetric, so that its rows are read. */
typedef struct product {
    double *c;
    const double *a, *b;
    size_t n;
} product;

static void multiply_row(void *context, int row) {
    const product *p = context;
    const double *a = p->a + (size_t)row * p->n;
    for (size_t j = 0; j < p->n; j++) {
        const double *b = p->b + j * p->n;
        double sum = 0;
        for (size_t k = 0; k < p->n; k++) sum += a[k] * b[k];
        p->c[(size_t)row * p->n + j] = sum;
    }
}

typedef struct covariances {
    double *c;         // (dims, dims)
    const double *off; // (dims, n): columns less their means
    size_t n, dims;
} covariances;

static void covariance_row(void *context, int row) {
    const covariances *v = context;
    const double *a = v->off + (size_t)row * v->n;
    for (size_t j = 0; j < v->dims; j++) {
        const double *b = v->off + j * v->n;
        double sum = 0;
        for (size_t i = 0; i < v->n; i++) sum += a[i] * b[i];
        v->c[(size_t)row * v->dims + j] = sum / (double)(v->n - 1);
    }
}

/* mean: (dims); c: (dims, dims) */
static elbo_status gaussian_of(double *mean, double *c, const float *x, size_t n, size_t dims, int threads,
                               elbo_error *err) {
    double *off = elbo_alloc(dims * n, sizeof *off);
    if (!off) return elbo_no_memory(err);
    for (size_t d = 0; d < dims; d++) {
        mean[d] = 0;
        for (size_t i = 0; i < n; i++) mean[d] += (double)x[i * dims + d] / (double)n;
        for (size_t i = 0; i < n; i++) off[d * n + i] = x[i * dims + d] - mean[d];
    }
    elbo_parallel_for(threads, (int)dims, covariance_row, &(covariances){c, off, n, dims});
    free(off);
    return ELBO_OK;
}

/* The symmetric root of c, in place; e: (dims, dims), values: (dims), for use here. */
static elbo_status root_of(double *c, double *e, double *values, size_t dims, elbo_error *err) {
    memcpy(e, c, dims * dims * sizeof *e);
    ELBO_TRY(elbo_eigenvectors(e, values, (int)dims, err));
    memset(c, 0, dims * dims * sizeof *c);
    for (size_t k = 0; k < dims; k++) {
        double root = sqrt(fmax(values[k], 0));
        for (size_t i = 0; i < dims; i++)
            for (size_t j = 0; j < dims; j++) c[i * dims + j] += root * e[k * dims + i] * e[k * dims + j];
    }
    return ELBO_OK;
}

/* tr (C W)^(1/2) is that of (C^(1/2) W C^(1/2))^(1/2), which is symmetric. c and w are overwritten; room: (dims, dims). */
static elbo_status root_trace(double *trace, double *c, double *w, double *room, double *values, size_t dims,
                              int threads, elbo_error *err) {
    ELBO_TRY(root_of(c, room, values, dims, err));
    elbo_parallel_for(threads, (int)dims, multiply_row, &(product){room, c, w, dims}); // C^(1/2) W
    elbo_parallel_for(threads, (int)dims, multiply_row, &(product){w, room, c, dims});
    for (size_t i = 0; i < dims; i++)
        for (size_t j = 0; j < i; j++) w[i * dims + j] = w[j * dims + i] = 0.5 * (w[i * dims + j] + w[j * dims + i]);
    ELBO_TRY(elbo_eigenvectors(w, values, (int)dims, err));
    *trace = 0;
    for (size_t k = 0; k < dims; k++) *trace += sqrt(fmax(values[k], 0));
    return ELBO_OK;
}

static elbo_status frechet(double *distance, const elbo_clouds *a, int threads, elbo_error *err) {
    size_t dims = (size_t)a->dims, square = dims * dims;
    double *c = elbo_alloc(3 * square + 3 * dims, sizeof *c);
    if (!c) return elbo_no_memory(err);
    double *w = c + square, *room = w + square, *mean = room + square, *other = mean + dims, *values = other + dims;
    double sum = 0, trace = 0;
    elbo_status status = gaussian_of(mean, c, a->real, a->n, dims, threads, err);
    if (status == ELBO_OK) status = gaussian_of(other, w, a->made, a->m, dims, threads, err);
    for (size_t d = 0; status == ELBO_OK && d < dims; d++)
        sum += (mean[d] - other[d]) * (mean[d] - other[d]) + c[d * dims + d] + w[d * dims + d];
    if (status == ELBO_OK) status = root_trace(&trace, c, w, room, values, dims, threads, err);
    *distance = fmax(sum - 2 * trace, 0); // (equal clouds: rounding)
    free(c);
    return status;
}

/* ---- KID ---- */

typedef struct kernel_sums {
    const elbo_clouds *c;
    double *own_real, *own_made, *between; // (n), (m), (n): sums over the others
} kernel_sums;

static double kernel(const float *x, const float *y, size_t dims) {
    double sum = 0;
    for (size_t d = 0; d < dims; d++) sum += (double)x[d] * y[d];
    double k = sum / (double)dims + 1;
    return k * k * k;
}

static double sum_over(const float *x, const float *others, size_t count, size_t but, size_t dims) {
    double sum = 0;
    for (size_t j = 0; j < count; j++)
        if (j != but) sum += kernel(x, others + j * dims, dims);
    return sum;
}

static void sum_kernels(void *context, int index) {
    const kernel_sums *s = context;
    const elbo_clouds *c = s->c;
    size_t i = (size_t)index, dims = (size_t)c->dims;
    if (i < c->n) {
        s->own_real[i] = sum_over(c->real + i * dims, c->real, c->n, i, dims);
        s->between[i] = sum_over(c->real + i * dims, c->made, c->m, c->m, dims);
    }
    if (i < c->m) s->own_made[i] = sum_over(c->made + i * dims, c->made, c->m, i, dims);
}

static elbo_status kid(double *distance, const elbo_clouds *c, int threads, elbo_error *err) {
    double *sums = elbo_alloc(2 * c->n + c->m, sizeof *sums), n = (double)c->n, m = (double)c->m, total = 0;
    if (!sums) return elbo_no_memory(err);
    kernel_sums s = {.c = c, .own_real = sums, .between = sums + c->n, .own_made = sums + 2 * c->n};
    elbo_parallel_for(threads, (int)(c->n > c->m ? c->n : c->m), sum_kernels, &s);
    for (size_t i = 0; i < c->n; i++) total += s.own_real[i] / (n * (n - 1)) - 2 * s.between[i] / (n * m);
    for (size_t i = 0; i < c->m; i++) total += s.own_made[i] / (m * (m - 1));
    *distance = total;
    free(sums);
    return ELBO_OK;
}

elbo_status elbo_cloud_distances_of(elbo_cloud_distances *d, const elbo_clouds *clouds, const elbo_job *work,
                                    elbo_error *err) {
    if (clouds->n < 2 || clouds->m < 2)
        return elbo_fail(err, ELBO_BAD_INPUT, "distances of samples: %zu and %zu points; expected 2 or more of each",
                         clouds->n, clouds->m);
    ELBO_TRY(frechet(&d->frechet, clouds, work->threads, err));
    return kid(&d->kid, clouds, work->threads, err);
}
