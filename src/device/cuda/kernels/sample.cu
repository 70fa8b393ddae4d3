/* A VAE's code, drawn from its posterior, and its KL divergence: z = mu + eps exp(logvar / 2). */
#include "device/cuda/kernels/random.h"

/* logvar where it is used (nn/distributions.h); NaN stays. */
DEVICE float bounded(float v) { return v < -30.0f ? -30.0f : v > 20.0f ? 20.0f : v; }

/* Of KL(N(m, e^v) || N(0, 1)), beyond the bounds the straight line that touches it there. */
DEVICE double gaussian_kl(float m, float v) {
    double b = bounded(v), e = exp_of(bounded(v));
    return 0.5 * ((double)m * m + e - 1 - b + (e - 1) * (v - b));
}

/* Each of an image's samples is a function of seed, epoch, image and its place among them. */
DEVICE float noise_of(const elbo_gpu_step *s, const elbo_gpu_item *a, int row, int i) {
    if (s->given_noise) return ((const float *)(const void *)((const char *)s + a->n[2]))[(long long)row * a->n[0] + i];
    unsigned image = ((const unsigned *)(const void *)((const char *)s + a->n[1]))[row / s->samples];
    return random_normal(s, s->purpose | (unsigned)(row % s->samples) << 8, image, i);
}

/* A block for each row.  t: z, KL (rows) or NULL, eps, code (2 Z: mu, logvar).  n: Z; offsets behind the step, in bytes,
 * of the images' numbers and of given noise. */
KERNEL(sample) {
    int row;
    const elbo_gpu_item *a = item_of(&launch, &row);
    const elbo_gpu_step *s = launch.step;
    if (row >= s->rows) return;
    SHARED(block_sums, sums);
    int Z = a->n[0];
    const float *code = a->t[3] + (long long)row * 2 * Z;
    double kl = 0;
    for (int i = THREAD; i < Z; i += GPU_THREADS) {
        float m = code[i], v = code[Z + i], eps = s->no_noise ? 0 : noise_of(s, a, row, i);
        a->t[2][(long long)row * Z + i] = eps;
        a->t[0][(long long)row * Z + i] = s->no_noise ? m : FMA(eps, exp_of(0.5f * bounded(v)), m);
        kl += gaussian_kl(m, v);
    }
    kl = block_sum(sums, kl);
    if (THREAD == 0 && a->t[1]) a->t[1][row] = (float)kl;
}

/* A block for GPU_THREADS values of z.  t: gradient of code, of z, code, eps.  n: Z, the KL's metric or -1. */
KERNEL(sample_back) {
    int block;
    const elbo_gpu_item *a = item_of(&launch, &block);
    const elbo_gpu_step *s = launch.step;
    int Z = a->n[0], at = block * GPU_THREADS + THREAD, row = at / Z, i = at % Z;
    if (row >= s->rows) return;
    const float *code = a->t[2] + (long long)row * 2 * Z;
    float *d = a->t[0] + (long long)row * 2 * Z, dz = a->t[1][at], v = code[Z + i], b = bounded(v);
    float weight = a->n[1] < 0 ? 0 : s->loss_weight[a->n[1]] * s->loss_scale;
    float noise = b == v ? a->t[3][at] * exp_of(0.5f * b) : 0;
    float dmu = FMA(weight, code[i], dz), dlogvar = FMA(0.5f * dz, noise, weight * 0.5f * (exp_of(b) - 1));
    d[i] = a->accumulate ? d[i] + dmu : dmu;
    d[Z + i] = a->accumulate ? d[Z + i] + dlogvar : dlogvar;
}
