/* Self-attention by matrix products (oneDNN's sgemm: row-major, C (m, n) = A (m, k) B (k, n), 'T' meaning that the array
 * holds the transpose), with the softmax and what goes back through it as vectors between. */
#include <dnnl.h>
#include <math.h>

#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

static void add_bias(float *y, const float *bias, int rows, size_t T) {
    for (int r = 0; r < rows; r++, y += T)
        for (size_t t = 0; t < T; t += WIDTH) vstore_of(y, t, T, vload_of(y, t, T) + bias[r]);
}

static float sum_row(const float *v, size_t n) {
    vec sum[PARTS] = {};
    for (size_t i = 0; i < n; i += LANES) EACH_PART(p) sum[p] += vload_of(v, i + (size_t)p * WIDTH, n);
    return vsum(sum);
}

static void sum_bias(float *db, const float *dy, int rows, size_t T) {
    for (int r = 0; r < rows; r++) db[r] += sum_row(dy + (size_t)r * T, T);
}

/* NaN stays: a diverged run must be seen. */
static void softmax(float *row, size_t n) {
    float most = row[0];
    for (size_t i = 1; i < n; i++) most = row[i] > most ? row[i] : most;
    for (size_t i = 0; i < n; i += WIDTH) vstore_of(row, i, n, vexp(vload_of(row, i, n) - most));
    float share = 1 / sum_row(row, n);
    for (size_t i = 0; i < n; i += WIDTH) vstore_of(row, i, n, vload_of(row, i, n) * share);
}

/* p (T, T) of one head. */
static void scores(float *p, const float *q, const float *k, int d, int T) {
    dnnl_sgemm('T', 'N', T, T, d, 1 / sqrtf((float)d), q, T, k, T, 0.0f, p, T);
    for (int t = 0; t < T; t++) softmax(p + (size_t)t * (size_t)T, (size_t)T);
}

static void forward(float *y, float *qkv, float *joined, const float *x, const elbo_attention_weights *w,
                    const elbo_attention_shape *s, float *scratch) {
    int C = s->channels, T = s->positions, d = C / s->heads;
    size_t all = (size_t)C * (size_t)T, head = (size_t)d * (size_t)T;
    dnnl_sgemm('N', 'N', 3 * C, T, C, 1.0f, w->in_w, C, x, T, 0.0f, qkv, T);
    add_bias(qkv, w->in_b, 3 * C, (size_t)T);
    for (int h = 0; h < s->heads; h++, qkv += head, joined += head) {
        scores(scratch, qkv, qkv + all, d, T);
        dnnl_sgemm('N', 'T', d, T, T, 1.0f, qkv + 2 * all, T, scratch, T, 0.0f, joined, T);
    }
    dnnl_sgemm('N', 'N', C, T, C, 1.0f, w->out_w, C, joined - all, T, 0.0f, y, T);
    add_bias(y, w->out_b, C, (size_t)T);
}

/* dp becomes the gradient of the scores: p (dp - sum(p dp)) / sqrt(d), row by row. */
static void softmax_back(float *dp, const float *p, int d, size_t T) {
    float scale = 1 / sqrtf((float)d);
    for (size_t t = 0; t < T; t++, p += T, dp += T) {
        vec sum[PARTS] = {};
        for (size_t i = 0; i < T; i += LANES) EACH_PART(k) {
                size_t at = i + (size_t)k * WIDTH;
                sum[k] += vload_of(p, at, T) * vload_of(dp, at, T);
            }
        float together = vsum(sum);
        for (size_t i = 0; i < T; i += WIDTH)
            vstore_of(dp, i, T, vload_of(p, i, T) * (vload_of(dp, i, T) - together) * scale);
    }
}

static void backward(float *dx, const elbo_attention_gradients *g, const elbo_attention_image *image,
                     const elbo_attention_weights *w, const elbo_attention_shape *s, bool accumulate, float *scratch) {
    int C = s->channels, T = s->positions, d = C / s->heads;
    size_t all = (size_t)C * (size_t)T, head = (size_t)d * (size_t)T, square = (size_t)T * (size_t)T;
    float *p = scratch, *dp = p + square, *joined = dp + square, *dqkv = joined + all;
    dnnl_sgemm('N', 'T', C, C, T, 1.0f, image->dy, T, image->joined, T, 1.0f, g->out_w, C);
    sum_bias(g->out_b, image->dy, C, (size_t)T);
    dnnl_sgemm('T', 'N', C, T, C, 1.0f, w->out_w, C, image->dy, T, 0.0f, joined, T);
    for (int h = 0; h < s->heads; h++) {
        const float *q = image->qkv + (size_t)h * head, *k = q + all, *v = k + all, *dout = joined + (size_t)h * head;
        float *dq = dqkv + (size_t)h * head, *dk = dq + all, *dv = dk + all;
        scores(p, q, k, d, T);
        dnnl_sgemm('T', 'N', T, T, d, 1.0f, dout, T, v, T, 0.0f, dp, T);
        dnnl_sgemm('N', 'N', d, T, T, 1.0f, dout, T, p, T, 0.0f, dv, T);
        softmax_back(dp, p, d, (size_t)T);
        dnnl_sgemm('N', 'T', d, T, T, 1.0f, k, T, dp, T, 0.0f, dq, T);
        dnnl_sgemm('N', 'N', d, T, T, 1.0f, q, T, dp, T, 0.0f, dk, T);
    }
    dnnl_sgemm('N', 'T', 3 * C, C, T, 1.0f, dqkv, T, image->x, T, 1.0f, g->in_w, C);
    sum_bias(g->in_b, dqkv, 3 * C, (size_t)T);
    if (dx) dnnl_sgemm('T', 'N', C, T, 3 * C, 1.0f, w->in_w, C, dqkv, T, accumulate ? 1.0f : 0.0f, dx, T);
}

const elbo_attention_kernels ELBO_SIMD(attention) = {"onednn sgemm", forward, backward};
