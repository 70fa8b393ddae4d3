/* PSNR and SSIM of reconstructions. */
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

/* One channel. A window is separable: columns first, one line of windows at a time, then along the line. */
static double ssim_plane(const float *a, const float *b, int H, int W) {
    const double c1 = 0.01 * 0.01, c2 = 0.03 * 0.03; // (K1 L)^2, (K2 L)^2 with L = 1
    int h = H < WINDOW ? H : WINDOW, w = W < WINDOW ? W : WINDOW;
    double down[WINDOW], along[WINDOW], sum = 0;
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
                sum += (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2));
            }
        }
    return sum / ((double)(H - h + 1) * (W - w + 1));
}

double elbo_ssim(const float *a, const float *b, elbo_image_shape s) {
    double sum = 0;
    size_t plane = (size_t)s.height * (size_t)s.width;
    for (int c = 0; c < s.channels; c++)
        sum += ssim_plane(a + (size_t)c * plane, b + (size_t)c * plane, s.height, s.width);
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
    float low, high;
    double psnr[ELBO_EVAL_AT_ONCE], ssim[ELBO_EVAL_AT_ONCE];
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
}

elbo_status elbo_picture_score(elbo_picture_scores *s, elbo_model *m, const elbo_images *images, const float *mu,
                               const elbo_job *work, elbo_error *err) {
    *s = (elbo_picture_scores){0};
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
    elbo_status status = p->original && p->decoded ? ELBO_OK : elbo_no_memory(err);
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
        }
        status = elbo_eval_context_step(work, "SSIM", (double)start / images->count, err);
    }
    free(p->original);
    free(p->decoded);
    free(p);
    return status;
}
