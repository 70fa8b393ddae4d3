/* The first principal axes of wide data (codes of a convolutional autoencoder, images), where the covariance matrix
 * would be larger than it is worth: subspace iteration with Rayleigh-Ritz (Golub and Van Loan, Matrix Computations,
 * section 8.2). Each round multiplies a few directions by the covariance, X^T (X Q), in fixed pieces of rows, until the
 * wanted axes stand still; more directions than wanted make that quick. */
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "device/cpu/kernels.h"
#include "stats/pca_wide.h"

enum { EXTRA = 14, MOST_ROUNDS = 300, PIECE_ROWS = 1024 };

typedef struct wide_job {
    const float *x; // (n, dims)
    size_t n;
    int dims, width;     // width: directions
    const float *q;      // (width, dims)
    const float *mean_q; // (width): mean times q
    float *products;     // (pieces, width, dims): each piece's share of X^T (X Q)
    double *sums;        // (pieces, width): of the columns of X Q
    float *room;         // (pieces, 2, PIECE_ROWS, width)
} wide_job;

static void run_piece(void *context, int piece) {
    const wide_job *j = context;
    const elbo_linear_kernels *k = elbo_kernels_here()->linear;
    size_t start = (size_t)piece * PIECE_ROWS, rows = j->n - start < PIECE_ROWS ? j->n - start : PIECE_ROWS;
    size_t width = (size_t)j->width, dims = (size_t)j->dims;
    float *y = j->room + (size_t)piece * 2 * PIECE_ROWS * width;
    const float *x = j->x + start * dims;
    k->forward(y, x, j->q, NULL, (int)rows, j->dims, j->width, y + PIECE_ROWS * width);
    double *sum = j->sums + (size_t)piece * width;
    memset(sum, 0, width * sizeof *sum);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++) {
            y[r * width + i] -= j->mean_q[i]; // as if x were centred
            sum[i] += y[r * width + i];
        }
    k->backward_weights(j->products + (size_t)piece * width * dims, NULL, y, x, (int)rows, j->dims, j->width, j->width);
}

/* z (width, dims) = covariance q, for q (width, dims). */
static void multiply(wide_job *j, const elbo_pca *p, const double *q, double *z, float *q32, float *mean_q,
                     int threads) {
    size_t width = (size_t)j->width, dims = (size_t)j->dims, pieces = (j->n + PIECE_ROWS - 1) / PIECE_ROWS;
    for (size_t i = 0; i < width; i++) {
        double sum = 0;
        for (size_t d = 0; d < dims; d++) {
            q32[i * dims + d] = (float)q[i * dims + d];
            sum += p->mean[d] * q[i * dims + d];
        }
        mean_q[i] = (float)sum;
    }
    elbo_parallel_for(threads, (int)pieces, run_piece, j);
    for (size_t i = 0; i < width; i++) {
        double sum = 0;
        for (size_t piece = 0; piece < pieces; piece++) sum += j->sums[piece * width + i];
        for (size_t d = 0; d < dims; d++) {
            double total = -p->mean[d] * sum; // of the centred x
            for (size_t piece = 0; piece < pieces; piece++) total += j->products[(piece * width + i) * dims + d];
            z[i * dims + d] = total / (double)(j->n - 1);
        }
    }
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Gram-Schmidt, twice, which is enough. A direction that vanishes is left 0. */
static void orthonormalise(double *q, size_t width, size_t dims) {
    for (size_t i = 0; i < width; i++) {
        double *v = q + i * dims, before = sqrt(dot(v, v, dims));
        for (int turn = 0; turn < 2; turn++)
            for (size_t k = 0; k < i; k++) {
                double share = dot(v, q + k * dims, dims);
                for (size_t d = 0; d < dims; d++) v[d] -= share * q[k * dims + d];
            }
        double length = sqrt(dot(v, v, dims)), scale = length > 1e-12 * before && length > 0 ? 1 / length : 0;
        for (size_t d = 0; d < dims; d++) v[d] *= scale;
    }
}

/* Turns q within its span so that it holds the eigenvectors of the covariance there, the largest first. */
static elbo_status rotate(double *q, const double *z, double *rotated, double *small, double *values, size_t width,
                          size_t dims, elbo_error *err) {
    for (size_t a = 0; a < width; a++)
        for (size_t b = 0; b < width; b++) small[a * width + b] = dot(q + a * dims, z + b * dims, dims);
    if (LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'U', (int)width, small, (int)width, values) != 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "the covariance matrix has no eigenvectors: are all values finite?");
    memset(rotated, 0, width * dims * sizeof *rotated);
    for (size_t i = 0; i < width; i++)
        for (size_t k = 0; k < width; k++) {
            double share = small[(width - 1 - i) * width + k]; // LAPACK sorts ascending
            for (size_t d = 0; d < dims; d++) rotated[i * dims + d] += share * z[k * dims + d];
        }
    return ELBO_OK;
}

elbo_status elbo_pca_fit_wide(elbo_pca *p, const float *x, size_t n, int threads, elbo_error *err) {
    size_t dims = (size_t)p->dims, wanted = (size_t)p->components,
           width = wanted + EXTRA < dims ? wanted + EXTRA : dims;
    size_t pieces = (n + PIECE_ROWS - 1) / PIECE_ROWS, block = width * dims;
    double *memory = elbo_alloc(3 * block + width * width + width + pieces * width + dims, sizeof *memory);
    float *floats = elbo_alloc(block + width + pieces * block + pieces * 2 * PIECE_ROWS * width, sizeof *floats);
    if (!memory || !floats) {
        free(memory);
        free(floats);
        return elbo_no_memory(err);
    }
    double *q = memory, *z = q + block, *rotated = z + block, *small = rotated + block, *values = small + width * width;
    float *q32 = floats, *mean_q = q32 + block;
    wide_job job = {.x = x,
                    .n = n,
                    .dims = p->dims,
                    .width = (int)width,
                    .q = q32,
                    .mean_q = mean_q,
                    .products = mean_q + width,
                    .sums = values + width};
    job.room = job.products + pieces * block;
    for (size_t i = 0; i < width; i++) {
        elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_PICKING, .sample = (uint32_t)i}, q32, dims);
        for (size_t d = 0; d < dims; d++) q[i * dims + d] = q32[d];
    }
    orthonormalise(q, width, dims);
    elbo_status status = ELBO_OK;
    for (int round = 0; round < MOST_ROUNDS && status == ELBO_OK; round++) {
        multiply(&job, p, q, z, q32, mean_q, threads);
        status = rotate(q, z, rotated, small, values, width, dims, err);
        orthonormalise(rotated, width, dims);
        double moved = 0; // the sine of the largest angle that a wanted axis turned by
        for (size_t i = 0; i < wanted; i++) {
            double cosine = 0;
            for (size_t k = 0; k < wanted; k++) cosine += pow(dot(rotated + i * dims, q + k * dims, dims), 2);
            moved = fmax(moved, sqrt(fmax(0, 1 - cosine)));
        }
        memcpy(q, rotated, block * sizeof *q);
        if (moved < 1e-5 && round > 2) break;
    }
    for (size_t i = 0; i < wanted; i++) {
        p->variance[i] = fmax(values[width - 1 - i], 0);
        memcpy(p->axes + i * dims, q + i * dims, dims * sizeof *q);
    }
    free(memory);
    free(floats);
    return status;
}
