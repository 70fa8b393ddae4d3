#include "stats/pca.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/threads.h"
#include "stats/eigen.h"
#include "stats/pca_wide.h"

/* Rows that one piece sums; pieces are added up in order. */
enum { PIECE_ROWS = 8192, MOST_PIECES = 256 };
/* Above so many dimensions the covariance matrix is not made. */
enum { WIDE = 256 };

typedef struct covariance_job {
    const float *x; // (n, dims)
    size_t n, rows; // rows of a piece
    int dims;
    const double *mean; // NULL in the first round, which sums the columns
    double *sums;       // (pieces, dims) or (pieces, dims, dims)
} covariance_job;

static void sum_columns(void *context, int piece) {
    const covariance_job *j = context;
    double *sum = j->sums + (size_t)piece * (size_t)j->dims;
    size_t end = j->rows * (size_t)(piece + 1) < j->n ? j->rows * (size_t)(piece + 1) : j->n;
    for (size_t r = j->rows * (size_t)piece; r < end; r++)
        for (int i = 0; i < j->dims; i++) sum[i] += j->x[r * (size_t)j->dims + (size_t)i];
}

static void sum_squares(void *context, int piece) {
    const covariance_job *j = context;
    double *sum = j->sums + (size_t)piece * (size_t)j->dims;
    size_t end = j->rows * (size_t)(piece + 1) < j->n ? j->rows * (size_t)(piece + 1) : j->n;
    for (size_t r = j->rows * (size_t)piece; r < end; r++)
        for (int i = 0; i < j->dims; i++) {
            double centred = j->x[r * (size_t)j->dims + (size_t)i] - j->mean[i];
            sum[i] += centred * centred;
        }
}

static void sum_products(void *context, int piece) {
    const covariance_job *j = context;
    size_t dims = (size_t)j->dims;
    double *sum = j->sums + (size_t)piece * dims * dims;
    size_t end = j->rows * (size_t)(piece + 1) < j->n ? j->rows * (size_t)(piece + 1) : j->n;
    for (size_t r = j->rows * (size_t)piece; r < end; r++) {
        const float *row = j->x + r * dims;
        for (size_t a = 0; a < dims; a++) {
            double centred = row[a] - j->mean[a];
            for (size_t b = 0; b <= a; b++) sum[a * dims + b] += centred * (row[b] - j->mean[b]);
        }
    }
}

/* Adds up the pieces of `job` in order, into the first one's place. */
static elbo_status in_pieces(covariance_job *job, void (*work)(void *, int), size_t size, int threads,
                             elbo_error *err) {
    size_t pieces = (job->n + PIECE_ROWS - 1) / PIECE_ROWS;
    if (pieces > MOST_PIECES) pieces = MOST_PIECES;
    job->rows = (job->n + pieces - 1) / pieces;
    job->sums = elbo_alloc(pieces * size, sizeof(double));
    if (!job->sums) return elbo_no_memory(err);
    elbo_parallel_for(threads, (int)pieces, work, job);
    for (size_t p = 1; p < pieces; p++)
        for (size_t i = 0; i < size; i++) job->sums[i] += job->sums[p * size + i];
    return ELBO_OK;
}

static void fix_sign(double *axis, int dims) {
    int largest = 0;
    for (int i = 1; i < dims; i++)
        if (fabs(axis[i]) > fabs(axis[largest])) largest = i;
    if (axis[largest] >= 0) return;
    for (int i = 0; i < dims; i++) axis[i] = -axis[i];
}

/* How many axes hold variance. Along an axis without any, values vary by their rounding to floats: by some 2^-24 of
 * their size, a few times that where they were computed in floats (from their mean on; what is added last is rounded
 * once), and of few rows the largest of many such axes looks larger (Marchenko and Pastur, 1967). Also by the rounding
 * of what is computed here, `rounding` of the largest variance.  column: (dims), each column's variance */
static int find_rank(const elbo_pca *p, const double *column, size_t n, double rounding) {
    double largest = p->components ? p->variance[0] : 0, few = pow(1 + sqrt((double)p->dims / (double)n), 2);
    for (int c = 0; c < p->components; c++) {
        const double *axis = p->axes + (size_t)c * (size_t)p->dims;
        double noise = 0;
        for (int i = 0; i < p->dims; i++) noise += axis[i] * axis[i] * (16 * column[i] + p->mean[i] * p->mean[i]);
        if ((size_t)c >= n - 1 || !(p->variance[c] > fmax(0x1p-48 * few * noise, rounding * largest))) return c;
    }
    return p->components;
}

static void finish(elbo_pca *p, const double *column, size_t n, double rounding) {
    p->rank = find_rank(p, column, n, rounding);
    for (int c = p->rank; c < p->components; c++) p->variance[c] = 0;
    for (int c = 0; c < p->components; c++) fix_sign(p->axes + (size_t)c * (size_t)p->dims, p->dims);
}

static elbo_status fit(elbo_pca *p, const float *x, size_t n, int threads, double *eigenvalues, double **covariance,
                       elbo_error *err) {
    size_t dims = (size_t)p->dims;
    double *column = eigenvalues + dims;
    covariance_job job = {.x = x, .n = n, .dims = p->dims};
    ELBO_TRY(in_pieces(&job, sum_columns, dims, threads, err));
    for (size_t i = 0; i < dims; i++) p->mean[i] = job.sums[i] / (double)n;
    free(job.sums);
    job.mean = p->mean;
    if (p->dims > WIDE && p->components < p->dims / 8) {
        ELBO_TRY(in_pieces(&job, sum_squares, dims, threads, err));
        *covariance = job.sums; // its diagonal only
        for (size_t i = 0; i < dims; i++) p->total += job.sums[i] /= (double)(n - 1);
        ELBO_TRY(elbo_pca_fit_wide(p, x, n, threads, err));
        finish(p, job.sums, n, ELBO_PCA_WIDE_ROUNDING);
        return ELBO_OK;
    }
    ELBO_TRY(in_pieces(&job, sum_products, dims * dims, threads, err));
    *covariance = job.sums;
    for (size_t i = 0; i < dims * dims; i++) job.sums[i] /= (double)(n - 1);
    for (size_t i = 0; i < dims; i++) p->total += column[i] = job.sums[i * dims + i];
    ELBO_TRY(elbo_eigenvectors(job.sums, eigenvalues, p->dims, err));
    for (int c = 0; c < p->components; c++) {
        int from = p->dims - 1 - c; // LAPACK sorts ascending
        p->variance[c] = eigenvalues[from] > 0 ? eigenvalues[from] : 0;
        for (size_t i = 0; i < dims; i++) p->axes[(size_t)c * dims + i] = job.sums[(size_t)from * dims + i];
    }
    finish(p, column, n, (double)dims * 0x1p-52);
    return ELBO_OK;
}

elbo_status elbo_pca_fit(elbo_pca *p, const float *x, size_t n, int dims, int components, int threads,
                         elbo_error *err) {
    *p = (elbo_pca){.dims = dims, .components = components < dims ? components : dims};
    if (n < 2) return elbo_fail(err, ELBO_BAD_INPUT, "PCA of %zu points; it needs 2 or more", n);
    p->mean = elbo_alloc((size_t)dims, sizeof(double));
    p->axes = elbo_alloc((size_t)p->components * (size_t)dims, sizeof(double));
    p->variance = elbo_alloc((size_t)p->components, sizeof(double));
    double *eigenvalues = elbo_alloc(2 * (size_t)dims, sizeof(double)), *covariance = NULL; // and a column's variance
    elbo_status status = p->mean && p->axes && p->variance && eigenvalues
                             ? fit(p, x, n, threads, eigenvalues, &covariance, err)
                             : elbo_no_memory(err);
    free(eigenvalues);
    free(covariance);
    if (status != ELBO_OK) elbo_pca_free(p);
    return status;
}

void elbo_pca_free(elbo_pca *p) {
    free(p->mean);
    free(p->axes);
    free(p->variance);
    *p = (elbo_pca){0};
}

void elbo_pca_project(const elbo_pca *p, const float *x, size_t n, float *y) {
    for (size_t r = 0; r < n; r++)
        for (int c = 0; c < p->components; c++) {
            double sum = 0;
            for (int i = 0; i < p->dims; i++)
                sum += (x[r * (size_t)p->dims + (size_t)i] - p->mean[i]) *
                       p->axes[(size_t)c * (size_t)p->dims + (size_t)i];
            y[r * (size_t)p->components + (size_t)c] = (float)sum;
        }
}
