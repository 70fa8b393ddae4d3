/* PSNR, SSIM and MS-SSIM of reconstructions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/metrics/scores.h"

enum { WINDOW = 11 };

static void gaussian(double *weight, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double off = (i - (n - 1) / 2.0) / 1.5;
        sum += weight[i] = exp(-0.5 * off * off);
    }
    for (int i = 0; i < n; i++) weight[i] /= sum;
}

/* The five weighted means that a window's score is made of. */
enum { MEAN_A, MEAN_B, SQUARE_A, SQUARE_B, PRODUCT, MEANS };

/* Means over a plane's windows. */
typedef struct ssim_means {
    double whole;    // luminance, contrast and structure
    double contrast; // contrast and structure alone
} ssim_means;

/* One channel. A window is separable: columns first, one line of windows at a time, then along the line. */
static ssim_means ssim_plane(const float *a, const float *b, int H, int W) {
    const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03; // (K1 L)^2, (K2 L)^2 with L = 1
    int h = H < WINDOW ? H : WINDOW, w = W < WINDOW ? W : WINDOW;
    double down[WINDOW], along[WINDOW], sum = 0, contrasts = 0;
    gaussian(down, h);
    gaussian(along, w);
    enum { STRIP = 512 }; // windows of a line taken together; wider images in strips
    for (int y = 0; y + h <= H; y++)
        for (int left = 0; left + w <= W; left += STRIP) {
            int windows = W - w + 1 - left < STRIP ? W - w + 1 - left : STRIP, columns = windows + w - 1;
            double column[MEANS][STRIP + WINDOW] = {{0}};
            for (int i = 0; i < h; i++) {
                const float *p = a + (size_t)(y + i) * (size_t)W + left, *q = b + (size_t)(y + i) * (size_t)W + left;
                for (int x = 0; x < columns; x++) {
                    double u = p[x], v = q[x];
                    column[MEAN_A][x] += down[i] * u;
                    column[MEAN_B][x] += down[i] * v;
                    column[SQUARE_A][x] += down[i] * (u * u);
                    column[SQUARE_B][x] += down[i] * (v * v);
                    column[PRODUCT][x] += down[i] * (u * v);
                }
            }
            for (int x = 0; x < windows; x++) {
                double m[MEANS] = {0};
                for (int k = 0; k < MEANS; k++)
                    for (int i = 0; i < w; i++) m[k] += along[i] * column[k][x + i];
                double product = m[MEAN_A] * m[MEAN_B], squares = m[MEAN_A] * m[MEAN_A] + m[MEAN_B] * m[MEAN_B];
                double covariance = m[PRODUCT] - product, variances = m[SQUARE_A] + m[SQUARE_B] - squares;
                double contrast = (2 * covariance + c2) / (variances + c2);
                contrasts += contrast;
                sum += (2 * product + c1) * contrast / (squares + c1);
            }
        }
    double windows = (double)(H - h + 1) * (W - w + 1);
    return (ssim_means){sum / windows, contrasts / windows};
}

double elbo_ssim(const float *a, const float *b, elbo_image_shape s) {
    double sum = 0;
    size_t plane = (size_t)s.height * (size_t)s.width;
    for (int c = 0; c < s.channels; c++)
        sum += ssim_plane(a + (size_t)c * plane, b + (size_t)c * plane, s.height, s.width).whole;
    return sum / s.channels;
}

/* ---- MS-SSIM ---- */

static const double scale_weight[] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333}; // Wang et al. 2003
enum { MOST_SCALES = sizeof scale_weight / sizeof *scale_weight };

int elbo_ms_ssim_scales(elbo_image_shape s) {
    int scales = 0;
    for (int H = s.height, W = s.width; scales < MOST_SCALES && H >= WINDOW && W >= WINDOW; H /= 2, W /= 2) scales++;
    return scales;
}

size_t elbo_ms_ssim_scratch(elbo_image_shape s) { return 2 * (size_t)(s.height / 2) * (size_t)(s.width / 2); }

/* 2x2 averages; an odd last row or column is left out. `to` may be `x`. */
static void halve(float *to, const float *x, int H, int W) {
    for (int i = 0; i < H / 2; i++)
        for (int j = 0; j < W / 2; j++) {
            const float *a = x + 2 * (size_t)i * (size_t)W + 2 * j;
            to[(size_t)i * (size_t)(W / 2) + (size_t)j] = 0.25f * ((a[0] + a[1]) + (a[W] + a[W + 1]));
        }
}

static double ms_ssim_plane(const float *a, const float *b, int H, int W, int scales, float *scratch) {
    float *small_a = scratch, *small_b = scratch + (size_t)(H / 2) * (size_t)(W / 2);
    double product = 1, all = 0;
    for (int k = 0; k < scales; k++) all += scale_weight[k];
    for (int k = 0; k < scales; k++) {
        ssim_means m = ssim_plane(a, b, H, W);
        product *= pow(fmax(k + 1 < scales ? m.contrast : m.whole, 0), scale_weight[k] / all);
        if (k + 1 == scales) break;
        halve(small_a, a, H, W);
        halve(small_b, b, H, W);
        a = small_a;
        b = small_b;
        H /= 2;
        W /= 2;
    }
    return product;
}

double elbo_ms_ssim(const float *a, const float *b, elbo_image_shape s, float *scratch) {
    double sum = 0;
    size_t plane = (size_t)s.height * (size_t)s.width;
    int scales = elbo_ms_ssim_scales(s);
    for (int c = 0; c < s.channels; c++)
        sum += ms_ssim_plane(a + (size_t)c * plane, b + (size_t)c * plane, s.height, s.width, scales, scratch);
    return sum / s.channels;
}

static float to_picture(float v, float low, float scale) { return fminf(fmaxf((v - low) * scale, 0), 1); }

double elbo_psnr(const float *a, const float *b, size_t n, float low, float high) {
    float scale = 1 / (high - low);
    double squares = 0;
    for (size_t k = 0; k < n; k++) {
        double off = (double)to_picture(a[k], low, scale) - to_picture(b[k], low, scale);
        squares += off * off;
    }
    return -10 * log10(fmax(squares / (double)n, 1e-10));
}

typedef struct pair {
    elbo_image_shape shape;
    float *original, *decoded; // (at once, C, H, W)
    float *scratch;            // (at once, elbo_ms_ssim_scratch)
    float low, high;
    double psnr[ELBO_EVAL_AT_ONCE], ssim[ELBO_EVAL_AT_ONCE], ms_ssim[ELBO_EVAL_AT_ONCE];
} pair;

static void compare(void *context, size_t i) {
    pair *p = context;
    size_t size = elbo_image_size(p->shape);
    float *a = p->original + i * size, *b = p->decoded + i * size;
    p->psnr[i] = elbo_psnr(a, b, size, p->low, p->high);
    for (size_t k = 0; k < size; k++) {
        a[k] = to_picture(a[k], p->low, 1 / (p->high - p->low));
        b[k] = to_picture(b[k], p->low, 1 / (p->high - p->low));
    }
    p->ssim[i] = elbo_ssim(a, b, p->shape);
    if (elbo_ms_ssim_scales(p->shape) > 1)
        p->ms_ssim[i] = elbo_ms_ssim(a, b, p->shape, p->scratch + i * elbo_ms_ssim_scratch(p->shape));
}

elbo_status elbo_picture_score(elbo_picture_scores *s, elbo_model *m, const elbo_images *images, const float *mu,
                               const elbo_job *work, elbo_error *err) {
    *s = (elbo_picture_scores){.scales = elbo_ms_ssim_scales(images->shape)};
    const elbo_recipe *r = &m->recipe;
    size_t size = elbo_image_size(images->shape), Z = (size_t)m->network.graph.latent;
    pair *p = calloc(1, sizeof *p);
    if (!p) return elbo_no_memory(err);
    p->shape = images->shape;
    p->low = r->image.low;
    p->high = r->image.high;
    uint32_t index[ELBO_EVAL_AT_ONCE], at_once = elbo_eval_at_once(m, images);
    p->original = elbo_alloc(at_once * size, sizeof *p->original);
    p->decoded = elbo_alloc(at_once * size, sizeof *p->decoded);
    p->scratch = elbo_alloc(at_once * elbo_ms_ssim_scratch(p->shape), sizeof *p->scratch);
    elbo_status status = p->original && p->decoded && p->scratch ? ELBO_OK : elbo_no_memory(err);
    for (uint32_t start = 0; status == ELBO_OK && start < images->count; start += at_once) {
        uint32_t count = images->count - start < at_once ? images->count - start : at_once;
        for (uint32_t i = 0; i < count; i++) index[i] = start + i;
        status = elbo_model_set_skips(m, images, index, count, err);
        if (status == ELBO_OK) status = elbo_model_set_labels_of(m, images, index, count, err);
        if (status == ELBO_OK) status = elbo_model_decode_codes(m, count, mu + start * Z, p->decoded, err);
        if (status != ELBO_OK) break;
        elbo_images_to_floats(images, index, count, r->image.low, r->image.high, p->original);
        elbo_eval_context_parallel(m, count, compare, p);
        for (uint32_t i = 0; i < count; i++) {
            s->psnr += p->psnr[i] / images->count;
            s->ssim += p->ssim[i] / images->count;
            s->ms_ssim += p->ms_ssim[i] / images->count;
        }
        status = elbo_eval_context_step(work, "SSIM", (double)start / images->count, err);
    }
    if (s->scales < 2) s->ms_ssim = NAN;
    free(p->original);
    free(p->decoded);
    free(p->scratch);
    free(p);
    return status;
}
