/* The first principal axes of wide data (codes of a convolutional autoencoder, images), where the covariance matrix
 * would be larger than it is worth: subspace iteration with Rayleigh-Ritz (Golub and Van Loan, Matrix Computations,
 * section 8.2). Each round multiplies a few directions by the covariance, X^T (X Q), in fixed pieces of rows, until the
 * wanted axes stand still; more directions than wanted make that quick.
 *
 * Products are in floats, so the rows are centred and scaled before them: at an offset of 1e6 a product of rows as they
 * are keeps no digit of what varies, and squares of 1e-20 are 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/threads.h"
#include "device/cpu/kernels.h"
#include "stats/eigen.h"
#include "stats/pca_wide.h"
#include "base/work_queue.h"

/* A piece has PIECE_ROWS rows, or fewer where these would be more than PIECE_FLOATS. */
enum {
    EXTRA = 14,
    MOST_ROUNDS = 300,
    PIECE_ROWS = 1024,
    LEAST_ROWS = 16,
    PIECE_FLOATS = 1 << 22,
    LEAST_EXPONENT = -120
};

typedef struct wide_job {
    const float *x;           // (n, dims)
    size_t n, rows;           // rows of a piece
    int dims, width, pieces;  // width: directions
    double scale;             // a power of two
    const float *mean, *rest; // (dims): the mean in two floats
    const float *q;           // (width, dims)
    float *products;          // (pieces, width, dims): each piece's share of X^T (X Q)
    float *room;              // (threads, rows, dims + 2 width): centred rows, X Q, and scratch
} wide_job;

static void centre(float *out, const float *x, size_t rows, const wide_job *j) {
    size_t dims = (size_t)j->dims;
    float scale = (float)j->scale;
    for (size_t r = 0; r < rows; r++)
        for (size_t d = 0; d < dims; d++) out[r * dims + d] = (x[r * dims + d] - j->mean[d] - j->rest[d]) * scale;
}

static void run_piece(void *context, int piece, int thread) {
    const wide_job *j = context;
    const elbo_linear_kernels *k = elbo_kernels_here()->linear;
    size_t start = (size_t)piece * j->rows, rows = j->n - start < j->rows ? j->n - start : j->rows;
    size_t width = (size_t)j->width, dims = (size_t)j->dims;
    float *x = j->room + (size_t)thread * j->rows * (dims + 2 * width), *y = x + j->rows * dims;
    centre(x, j->x + start * dims, rows, j);
    k->forward(y, x, j->q, NULL, (int)rows, j->dims, j->width, y + j->rows * width);
    k->backward_weights(j->products + (size_t)piece * width * dims, NULL, y, x, (int)rows, j->dims, j->width, j->width);
}

/* z (width, dims) = covariance of the scaled rows times q, for q (width, dims). */
static void multiply(wide_job *j, const double *q, double *z, float *q32, elbo_team *team) {
    size_t block = (size_t)j->width * (size_t)j->dims;
    for (size_t i = 0; i < block; i++) q32[i] = (float)q[i];
    elbo_work_queue_run(team, j->pieces, run_piece, j);
    for (size_t i = 0; i < block; i++) {
        double total = 0;
        for (size_t piece = 0; piece < (size_t)j->pieces; piece++) total += j->products[piece * block + i];
        z[i] = total / (double)(j->n - 1);
    }
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Gram-Schmidt, twice, which is enough, of the directions from `first` on. One that vanishes is left 0. */
static void orthonormalise(double *q, size_t first, size_t width, size_t dims) {
    for (size_t i = first; i < width; i++) {
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
    ELBO_TRY(elbo_eigenvectors(small, values, (int)width, err));
    memset(rotated, 0, width * dims * sizeof *rotated);
    for (size_t i = 0; i < width; i++)
        for (size_t k = 0; k < width; k++) {
            double share = small[(width - 1 - i) * width + k]; // LAPACK sorts ascending
            for (size_t d = 0; d < dims; d++) rotated[i * dims + d] += share * z[k * dims + d];
        }
    return ELBO_OK;
}

/* Random directions in place of q's from `first` on, orthogonal to those before them. */
static void fill(double *q, float *q32, size_t first, size_t width, size_t dims) {
    for (size_t i = first; i < width; i++) {
        elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_PICKING, .sample = (uint32_t)i}, q32, dims);
        for (size_t d = 0; d < dims; d++) q[i * dims + d] = q32[d];
    }
    orthonormalise(q, first, width, dims);
}

/* The directions of `values` (ascending, as LAPACK's) that are more than the rounding of float products. */
static size_t count_real(const double *values, size_t width, size_t wanted) {
    size_t real = 0;
    while (real < wanted && values[width - 1 - real] > ELBO_PCA_WIDE_ROUNDING * values[width - 1]) real++;
    return real;
}

/* Rounds of the iteration, until the wanted axes stand still: q and values are the result. */
static elbo_status iterate(wide_job *j, double *q, double *values, size_t wanted, float *q32, elbo_team *team,
                           elbo_error *err) {
    size_t width = (size_t)j->width, dims = (size_t)j->dims, block = width * dims;
    double *z = elbo_alloc(2 * block + width * width, sizeof *z);
    if (!z) return elbo_no_memory(err);
    double *rotated = z + block, *small = rotated + block;
    elbo_status status = ELBO_OK;
    fill(q, q32, 0, width, dims);
    for (int round = 0; round < MOST_ROUNDS; round++) {
        multiply(j, q, z, q32, team);
        status = rotate(q, z, rotated, small, values, width, dims, err);
        if (status != ELBO_OK) break;
        orthonormalise(rotated, 0, width, dims);
        size_t real = count_real(values, width, wanted); // what is only noise never stands still
        double moved = 0;                                // the sine of the largest angle that a wanted axis turned by
        for (size_t i = 0; i < real; i++) {
            double cosine = 0;
            for (size_t k = 0; k < real; k++) cosine += pow(dot(rotated + i * dims, q + k * dims, dims), 2);
            moved = fmax(moved, sqrt(fmax(0, 1 - cosine)));
        }
        memcpy(q, rotated, block * sizeof *q);
        if (moved < 1e-5 && round > 2) break;
    }
    free(z);
    return status;
}

static elbo_status fit(elbo_pca *p, wide_job *j, elbo_team *team, elbo_error *err) {
    size_t dims = (size_t)p->dims, wanted = (size_t)p->components, width = (size_t)j->width, block = width * dims;
    size_t pieces = (size_t)j->pieces, threads = (size_t)elbo_team_threads(team);
    double *q = elbo_alloc(block + width, sizeof *q);
    float *q32 = elbo_alloc(block + 2 * dims + pieces * block + threads * j->rows * (dims + 2 * width), sizeof *q32);
    elbo_status status = q && q32 ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        double *values = q + block;
        float *mean = q32 + block, *rest = mean + dims;
        for (size_t d = 0; d < dims; d++) {
            mean[d] = (float)p->mean[d];
            rest[d] = (float)(p->mean[d] - mean[d]);
        }
        j->q = q32, j->mean = mean, j->rest = rest;
        j->products = rest + dims;
        j->room = j->products + pieces * block;
        status = iterate(j, q, values, wanted, q32, team, err);
        size_t real = count_real(values, width, wanted);
        fill(q, q32, real, wanted, dims);
        for (size_t i = 0; i < real; i++) p->variance[i] = values[width - 1 - i] / j->scale / j->scale;
        memcpy(p->axes, q, wanted * dims * sizeof *q);
    }
    free(q);
    free(q32);
    return status;
}

elbo_status elbo_pca_fit_wide(elbo_pca *p, const float *x, size_t n, int threads, elbo_error *err) {
    size_t dims = (size_t)p->dims, wanted = (size_t)p->components, rows = PIECE_FLOATS / dims;
    if (rows < LEAST_ROWS) rows = LEAST_ROWS;
    if (rows > PIECE_ROWS) rows = PIECE_ROWS;
    if (rows > n) rows = n;
    int exponent = 0; // of a value's deviation
    frexp(sqrt(p->total / (double)dims), &exponent);
    if (exponent < LEAST_EXPONENT) exponent = LEAST_EXPONENT; // its inverse is a float
    wide_job job = {.x = x,
                    .n = n,
                    .rows = rows,
                    .dims = p->dims,
                    .width = (int)(wanted + EXTRA < dims ? wanted + EXTRA : dims),
                    .pieces = (int)((n + rows - 1) / rows),
                    .scale = ldexp(1, -exponent)};
    elbo_team *team = NULL;
    ELBO_TRY(elbo_team_make(&team, threads, err));
    elbo_status status = fit(p, &job, team, err);
    elbo_team_free(team);
    return status;
}
