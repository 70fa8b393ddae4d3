/* Losses of the reconstruction against the image, and what becomes of them: sums, and whether training may go on. */
#include "device/cuda/kernels/numbers.h"

/* Of one value: its loss and, in *d, its derivative; *error: of the reconstruction. */
DEVICE float value_loss(float y, float x, int which, float *d, float *error) {
    if (which == GPU_BCE) {
        float e, p = sigmoid_of(y, &e);
        *d = *error = p - x;
        return FMA(-y, x, y > 0 ? y : y <= 0 ? 0 : y) + log1p_unit(e);
    }
    *error = y - x;
    if (which == GPU_MSE) {
        *d = 2 * *error;
        return *error * *error;
    }
    *d = (float)((*error > 0) - (*error < 0));
    return magnitude(*error);
}

/* A block for each row.  t: loss (rows), squared error (rows), dy or NULL, y, x; the second loss (rows) or NULL.
 * n: values, which loss and its metric, the second one and its metric. */
KERNEL(pixel_loss) {
    int row;
    const elbo_gpu_item *a = item_of(&launch, &row);
    const elbo_gpu_step *s = launch.step;
    if (row >= s->rows) return;
    SHARED(block_sums, sums);
    long long first = (long long)row * a->n[0];
    double loss = 0, second = 0, squares = 0;
    float weight = s->loss_weight[a->n[2]] * s->loss_scale, weight2 = s->loss_weight[a->n[4]] * s->loss_scale;
    for (int i = THREAD; i < a->n[0]; i += GPU_THREADS) {
        float d, error, y = a->t[3][first + i], x = a->t[4][first + i];
        loss += value_loss(y, x, a->n[1], &d, &error);
        squares += (double)error * error;
        d *= weight;
        if (a->t[5]) {
            float d2;
            second += value_loss(y, x, a->n[3], &d2, &error);
            d = FMA(d2, weight2, d);
        }
        if (a->t[2]) a->t[2][first + i] = d;
    }
    loss = block_sum(sums, loss);
    squares = block_sum(sums, squares);
    if (a->t[5]) second = block_sum(sums, second);
    if (THREAD != 0) return;
    a->t[0][row] = (float)loss;
    a->t[1][row] = (float)squares;
    if (a->t[5]) a->t[5][row] = (float)second;
}

/* One block: adds the losses of a step to the run's, unless one is not finite, or the gradient too long to measure: then
 * nothing is updated any more.  t: losses (metrics, n[1]), parts of the gradient's sum of
 * squares (n[3]).  n: metrics, room of one, a bit for each that there is, parts, 0: nothing is clipped.  f: the greatest
 * norm. */
typedef struct verdict_memory {
    double total[ELBO_GPU_METRICS];
    int bad[ELBO_GPU_METRICS];
} verdict_memory;
KERNEL(verdict) {
    int block, k = THREAD;
    const elbo_gpu_item *a = item_of(&launch, &block);
    const elbo_gpu_step *s = launch.step;
    elbo_gpu_verdict *v = launch.verdict;
    SHARED(verdict_memory, memory);
    if (k < a->n[0]) {
        double sum = v->total[k];
        float zeros = 0; // a value times 0 is 0, or NaN where it is not finite
        for (int i = 0; (a->n[2] >> k & 1) && i < s->rows; i++) {
            float value = a->t[0][(long long)k * a->n[1] + i];
            zeros += 0 * value;
            sum += (double)value / s->samples;
        }
        memory->total[k] = sum;
        memory->bad[k] = zeros != 0; // NaN is not 0
    }
    BARRIER();
    int bad = 0, too_long = 0;
    for (int i = 0; i < a->n[0]; i++) bad |= memory->bad[i];
    double squares = 0;
    for (int i = 0; i < a->n[3]; i++) squares += ((const double *)(const void *)a->t[1])[i];
    if (a->n[3] && !s->update.off) too_long = !(squares <= 3.40282346638528859812e38); // as PyTorch's norm ends there
    int goes_on = !bad && !too_long && !v->diverged;
    BARRIER(); // all have read what the first thread writes
    if (goes_on && k < a->n[0]) v->total[k] = memory->total[k];
    if (k > 0) return;
    double norm = SQRT64(squares);
    v->gradient_scale = a->n[3] && norm > a->f[0] ? (float)(a->f[0] / (norm + 1e-6)) : 1; // as clip_grad_norm_
    if (goes_on) {
        v->steps++;
    } else if (!v->diverged) {
        v->diverged = 1;
        v->too_long = !bad && too_long;
    }
}
