#include <math.h>

#include "device/cpu/ref/ref.h"

/* y (rows, T) = w (rows, C) x (C, T) + b */
static void project(float *y, const float *w, const float *b, const float *x, int rows, int C, int T) {
    for (int r = 0; r < rows; r++)
        for (int t = 0; t < T; t++) {
            double sum = b[r];
            for (int c = 0; c < C; c++) sum += (double)w[r * C + c] * x[c * T + t];
            y[r * T + t] = (float)sum;
        }
}

/* dw += dy x^T, db += dy's sums over positions. */
static void project_weights(float *dw, float *db, const float *dy, const float *x, int rows, int C, int T) {
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < C; c++) {
            double sum = 0;
            for (int t = 0; t < T; t++) sum += (double)dy[r * T + t] * x[c * T + t];
            dw[r * C + c] += (float)sum;
        }
        double sum = 0;
        for (int t = 0; t < T; t++) sum += dy[r * T + t];
        db[r] += (float)sum;
    }
}

/* dx (C, T) = w^T dy, or += */
static void project_back(float *dx, const float *w, const float *dy, int rows, int C, int T, bool accumulate) {
    for (int c = 0; c < C; c++)
        for (int t = 0; t < T; t++) {
            double sum = accumulate ? dx[c * T + t] : 0;
            for (int r = 0; r < rows; r++) sum += (double)w[r * C + c] * dy[r * T + t];
            dx[c * T + t] = (float)sum;
        }
}

/* Row t of a head's P: how much position t takes of each other. */
static void row_of_p(float *p, const float *q, const float *k, int d, int T, int t) {
    double most = -INFINITY, sum = 0;
    for (int u = 0; u < T; u++) {
        double score = 0;
        for (int c = 0; c < d; c++) score += (double)q[c * T + t] * k[c * T + u];
        p[u] = (float)(score / sqrt(d));
        if (p[u] > most || isnan(p[u])) most = p[u];
    }
    for (int u = 0; u < T; u++) sum += exp(p[u] - most);
    for (int u = 0; u < T; u++) p[u] = (float)(exp(p[u] - most) / sum);
}

static void forward(float *y, float *qkv, float *joined, const float *x, const elbo_attention_weights *w,
                    const elbo_attention_shape *s, float *scratch) {
    int C = s->channels, T = s->positions, d = C / s->heads;
    project(qkv, w->in_w, w->in_b, x, 3 * C, C, T);
    for (int first = 0; first < C; first += d) {
        const float *q = qkv + first * T, *k = q + C * T, *v = k + C * T;
        for (int t = 0; t < T; t++) {
            row_of_p(scratch, q, k, d, T, t);
            for (int c = 0; c < d; c++) {
                double sum = 0;
                for (int u = 0; u < T; u++) sum += (double)scratch[u] * v[c * T + u];
                joined[(first + c) * T + t] = (float)sum;
            }
        }
    }
    project(y, w->out_w, w->out_b, joined, C, C, T);
}

/* One position's row: with g = dP, dS = P (g - sum(P g)); dq += k dS, dk += q dS, dv += P do. */
static void row_back(float *dqkv, const float *qkv, const float *heads, const elbo_attention_shape *s, int first, int t,
                     float *p) {
    int C = s->channels, T = s->positions, d = C / s->heads;
    const float *q = qkv + first * T, *k = q + C * T, *v = k + C * T, *dout = heads + first * T;
    float *dq = dqkv + first * T, *dk = dq + C * T, *dv = dk + C * T;
    double together = 0;
    row_of_p(p, q, k, d, T, t);
    for (int pass = 0; pass < 2; pass++)
        for (int u = 0; u < T; u++) {
            double g = 0;
            for (int c = 0; c < d; c++) g += (double)dout[c * T + t] * v[c * T + u];
            if (!pass) {
                together += p[u] * g;
                continue;
            }
            double score = p[u] * (g - together) / sqrt(d);
            for (int c = 0; c < d; c++) {
                dq[c * T + t] += (float)(score * k[c * T + u]);
                dk[c * T + u] += (float)(score * q[c * T + t]);
                dv[c * T + u] += p[u] * dout[c * T + t];
            }
        }
}

static void backward(float *dx, const elbo_attention_gradients *g, const elbo_attention_image *image,
                     const elbo_attention_weights *w, const elbo_attention_shape *s, bool accumulate, float *scratch) {
    int C = s->channels, T = s->positions;
    float *heads = scratch, *dqkv = heads + C * T, *p = dqkv + 3 * C * T;
    project_weights(g->out_w, g->out_b, image->dy, image->joined, C, C, T);
    project_back(heads, w->out_w, image->dy, C, C, T, false);
    for (int i = 0; i < 3 * C * T; i++) dqkv[i] = 0;
    for (int first = 0; first < C; first += C / s->heads)
        for (int t = 0; t < T; t++) row_back(dqkv, image->qkv, heads, s, first, t, p);
    project_weights(g->in_w, g->in_b, dqkv, image->x, 3 * C, C, T);
    if (dx) project_back(dx, w->in_w, dqkv, 3 * C, C, T, accumulate);
}

const elbo_attention_kernels elbo_ref_attention = {"ref", forward, backward};
