#include "stats/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "device/cpu/kernels.h"

/* Rows are cut into pieces that depend on their number alone; each has its own sums, added in order. */
enum { PIECE_ROWS = 512, MOST_PIECES = 128, MEMORY = 10, ITERATIONS = 200, SHORTER = 30 };

typedef struct probe {
    const elbo_linear_kernels *linear;
    int dims, classes, threads;
    const uint8_t *labels; // (n)
    float *x;              // (n, dims), standardised
    size_t n, piece_rows, pieces;
    size_t weights, size; // classes * dims; and the biases behind them
    float *w;             // (size) where the sums are taken
    float *gradient;      // (pieces, size)
    double *loss;         // (pieces)
    float *y, *scratch;   // (pieces, piece_rows, classes) each
    size_t *right;        // (pieces)
    uint8_t *told;        // (n), or NULL
} probe;

/* Turns logits into probabilities less the label's 1: the gradient. Returns the log loss. */
static double softmax_gradient(float *y, int classes, int label) {
    float most = y[0];
    for (int c = 1; c < classes; c++) most = y[c] > most ? y[c] : most;
    double sum = 0, logit = (double)y[label] - (double)most;
    for (int c = 0; c < classes; c++) sum += y[c] = expf(y[c] - most);
    for (int c = 0; c < classes; c++) y[c] = (float)(y[c] / sum);
    y[label] -= 1;
    return log(sum) - logit;
}

static size_t rows_of(const probe *p, size_t piece) {
    size_t left = p->n - piece * p->piece_rows;
    return left < p->piece_rows ? left : p->piece_rows;
}

static float *logits(probe *p, size_t piece) {
    size_t room = piece * p->piece_rows * (size_t)p->classes;
    p->linear->forward(p->y + room, p->x + piece * p->piece_rows * (size_t)p->dims, p->w, p->w + p->weights,
                       (int)rows_of(p, piece), p->dims, p->classes, p->scratch + room);
    return p->y + room;
}

static void run_gradient(void *context, int number) {
    probe *p = context;
    size_t piece = (size_t)number, rows = rows_of(p, piece), first = piece * p->piece_rows;
    float *y = logits(p, piece), *gradient = p->gradient + piece * p->size;
    p->loss[piece] = 0;
    for (size_t r = 0; r < rows; r++)
        p->loss[piece] += softmax_gradient(y + r * (size_t)p->classes, p->classes, p->labels[first + r]);
    p->linear->backward_weights(gradient, gradient + p->weights, y, p->x + first * (size_t)p->dims, (int)rows, p->dims,
                                p->classes, p->classes);
}

/* The objective over n at theta (size), and its gradient: of the mean, so that steps do not depend on the number of
 * codes. */
static double evaluate(probe *p, const double *theta, double *gradient) {
    for (size_t k = 0; k < p->size; k++) p->w[k] = (float)theta[k];
    elbo_parallel_for(p->threads, (int)p->pieces, run_gradient, p);
    double loss = 0, squares = 0;
    memset(gradient, 0, p->size * sizeof *gradient);
    for (size_t i = 0; i < p->pieces; i++) {
        loss += p->loss[i];
        for (size_t k = 0; k < p->size; k++) gradient[k] += p->gradient[i * p->size + k];
    }
    for (size_t k = 0; k < p->weights; k++) { // the bias is free
        squares += theta[k] * theta[k];
        gradient[k] += theta[k];
    }
    for (size_t k = 0; k < p->size; k++) gradient[k] /= (double)p->n;
    return (loss + squares / 2) / (double)p->n;
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* What L-BFGS keeps: its last steps and the changes of the gradient along them. */
typedef struct history {
    double *step, *change; // (MEMORY, size)
    double inverse[MEMORY];
    int count;
} history;

/* direction = - H gradient (Nocedal and Wright, algorithm 7.4) */
static void descend(const history *h, double *direction, const double *gradient, size_t n) {
    double a[MEMORY];
    int kept = h->count < MEMORY ? h->count : MEMORY;
    for (size_t k = 0; k < n; k++) direction[k] = -gradient[k];
    for (int i = h->count - 1; i >= h->count - kept; i--) {
        const double *s = h->step + (size_t)(i % MEMORY) * n, *y = h->change + (size_t)(i % MEMORY) * n;
        a[i % MEMORY] = h->inverse[i % MEMORY] * dot(s, direction, n);
        for (size_t k = 0; k < n; k++) direction[k] -= a[i % MEMORY] * y[k];
    }
    if (kept) {
        const double *y = h->change + (size_t)((h->count - 1) % MEMORY) * n;
        double scale = 1 / (h->inverse[(h->count - 1) % MEMORY] * dot(y, y, n));
        for (size_t k = 0; k < n; k++) direction[k] *= scale;
    }
    for (int i = h->count - kept; i < h->count; i++) {
        const double *s = h->step + (size_t)(i % MEMORY) * n, *y = h->change + (size_t)(i % MEMORY) * n;
        double b = h->inverse[i % MEMORY] * dot(y, direction, n);
        for (size_t k = 0; k < n; k++) direction[k] += (a[i % MEMORY] - b) * s[k];
    }
}

static void remember(history *h, const double *theta, const double *before, const double *gradient,
                     const double *gradient_before, size_t n) {
    double *s = h->step + (size_t)(h->count % MEMORY) * n, *y = h->change + (size_t)(h->count % MEMORY) * n;
    for (size_t k = 0; k < n; k++) {
        s[k] = theta[k] - before[k];
        y[k] = gradient[k] - gradient_before[k];
    }
    double product = dot(s, y, n);
    if (product > 1e-14 * dot(y, y, n)) { // rounding can hide the curvature near the end
        h->inverse[h->count % MEMORY] = 1 / product;
        h->count++;
    }
}

static elbo_status interrupted(const elbo_job *work, int iteration, elbo_error *err) {
    if (work->progress) work->progress(work->context, "linear probe", (double)iteration / ITERATIONS);
    if (work->interrupted && work->interrupted(work->context))
        return elbo_fail(err, ELBO_STOPPED, "stopped in the linear probe");
    return ELBO_OK;
}

/* theta: (size), zero at first. `room`: (4, size) */
static elbo_status minimise(probe *p, double *theta, history *h, double *room, const elbo_job *work, elbo_error *err) {
    size_t n = p->size;
    double *gradient = room, *direction = room + n, *before = room + 2 * n, *gradient_before = room + 3 * n;
    double value = evaluate(p, theta, gradient);
    for (int i = 0; i < ITERATIONS; i++) {
        ELBO_TRY(interrupted(work, i, err));
        descend(h, direction, gradient, n);
        double slope = dot(direction, gradient, n), old = value, t = i ? 1 : fmin(1, 1 / sqrt(-slope));
        if (!(slope < 0)) break;
        memcpy(before, theta, n * sizeof *theta);
        memcpy(gradient_before, gradient, n * sizeof *gradient);
        bool lower = false;
        for (int k = 0; k < SHORTER && !lower; k++, t /= 2) { // Armijo's rule
            for (size_t j = 0; j < n; j++) theta[j] = before[j] + t * direction[j];
            value = evaluate(p, theta, gradient);
            lower = value <= old + 1e-4 * t * slope;
        }
        if (!lower) {
            memcpy(theta, before, n * sizeof *theta);
            break;
        }
        remember(h, theta, before, gradient, gradient_before, n);
        if (old - value < 1e-7 * fabs(old)) break; // single precision sees no further
    }
    return ELBO_OK;
}

static void run_votes(void *context, int number) {
    probe *p = context;
    size_t piece = (size_t)number, rows = rows_of(p, piece);
    const float *y = logits(p, piece);
    p->right[piece] = 0;
    for (size_t r = 0; r < rows; r++, y += p->classes) {
        int best = 0;
        for (int c = 1; c < p->classes; c++)
            if (y[c] > y[best]) best = c;
        if (p->told) p->told[piece * p->piece_rows + r] = (uint8_t)best;
        p->right[piece] += best == p->labels[piece * p->piece_rows + r];
    }
}

/* Of the training codes: the mean, and the inverse deviation (0 where a dimension is constant).  each: (dims) */
static void find_scale(const float *x, size_t n, size_t dims, double *mean, double *inverse) {
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dims; d++) mean[d] += x[i * dims + d];
    for (size_t d = 0; d < dims; d++) mean[d] /= (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dims; d++) inverse[d] += (x[i * dims + d] - mean[d]) * (x[i * dims + d] - mean[d]);
    for (size_t d = 0; d < dims; d++) {
        double deviation = sqrt(inverse[d] / (double)n);
        inverse[d] = deviation > 1e-12 * fabs(mean[d]) && deviation > 0 ? 1 / deviation : 0;
    }
}

static void take_rows(probe *p, const float *x, const uint8_t *labels, size_t n, const double *mean,
                      const double *inverse) {
    size_t dims = (size_t)p->dims;
    p->n = n;
    p->labels = labels;
    p->piece_rows = (n + MOST_PIECES - 1) / MOST_PIECES;
    if (p->piece_rows < PIECE_ROWS) p->piece_rows = PIECE_ROWS;
    p->pieces = (n + p->piece_rows - 1) / p->piece_rows;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dims; d++) p->x[i * dims + d] = (float)((x[i * dims + d] - mean[d]) * inverse[d]);
}

elbo_status elbo_probe_accuracy(double *accuracy, const elbo_labelled_codes *codes, int classes, const elbo_job *work,
                                elbo_error *err) {
    size_t n = codes->n, m = codes->m;
    *accuracy = NAN;
    if (n == 0 || m == 0 || classes < 2)
        return elbo_fail(err, ELBO_BAD_INPUT, "a linear probe needs codes of two classes or more");
    size_t most = n > m ? n : m, D = (size_t)codes->dims, C = (size_t)classes;
    probe p = {.linear = elbo_kernels_here()->linear,
               .dims = codes->dims,
               .classes = classes,
               .threads = work->threads,
               .weights = C * D,
               .size = C * D + C};
    history h = {0};
    size_t rows = most + (size_t)MOST_PIECES * PIECE_ROWS; // (the last piece is never full)
    p.x = elbo_alloc(most * D, sizeof *p.x);
    p.w = elbo_alloc(p.size, sizeof *p.w);
    p.gradient = elbo_alloc(MOST_PIECES * p.size, sizeof *p.gradient);
    p.loss = elbo_alloc(MOST_PIECES, sizeof *p.loss);
    p.right = elbo_alloc(MOST_PIECES, sizeof *p.right);
    p.y = elbo_alloc(rows * C, sizeof *p.y);
    p.scratch = elbo_alloc(rows * C, sizeof *p.scratch);
    h.step = elbo_alloc(MEMORY * p.size, sizeof *h.step);
    h.change = elbo_alloc(MEMORY * p.size, sizeof *h.change);
    double *theta = elbo_alloc(5 * p.size, sizeof *theta), *scale = elbo_alloc(2 * D, sizeof *scale);
    bool whole =
        p.x && p.w && p.gradient && p.loss && p.right && p.y && p.scratch && h.step && h.change && theta && scale;
    elbo_status status = whole ? ELBO_OK : elbo_no_memory(err);
    if (whole) {
        find_scale(codes->train, n, D, scale, scale + D);
        take_rows(&p, codes->train, codes->train_labels, n, scale, scale + D);
        status = minimise(&p, theta, &h, theta + p.size, work, err);
    }
    if (status == ELBO_OK) {
        for (size_t k = 0; k < p.size; k++) p.w[k] = (float)theta[k];
        take_rows(&p, codes->test, codes->test_labels, m, scale, scale + D);
        p.told = codes->told;
        elbo_parallel_for(p.threads, (int)p.pieces, run_votes, &p);
        size_t right = 0;
        for (size_t i = 0; i < p.pieces; i++) right += p.right[i];
        *accuracy = (double)right / (double)m;
    }
    void *const owned[] = {p.x, p.w, p.gradient, p.loss, p.right, p.y, p.scratch, h.step, h.change, theta, scale};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    return status;
}
