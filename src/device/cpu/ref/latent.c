/* The terms over the code. Arrays of codes are (Z, stride): image i of dimension d is at d * stride + i. */
#include <math.h>

#include "device/cpu/ref/ref.h"
#include "nn/distributions.h"

static float penalty(float *dx, const float *x, size_t n, float scale) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += 0.5 * x[i] * x[i];
        if (dx) dx[i] += scale * x[i];
    }
    return (float)sum;
}

/* ---- the KL held to a bound ---- */

/* KL_d, the batch's mean. */
static double mean_kl(const elbo_codes *c, size_t d) {
    double sum = 0;
    for (size_t i = 0; i < c->count; i++)
        sum += elbo_gaussian_kl(c->mu[d * c->stride + i], c->logvar[d * c->stride + i]);
    return sum / (double)c->count;
}

/* Adds `scale` times the KL's gradient to these images' own. */
static void add_kl_gradient(const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a, size_t d,
                            double scale) {
    for (size_t i = d * c->stride + a->first; i < d * c->stride + a->first + a->rows; i++) {
        g->mu[i] += (float)(scale * c->mu[i]);
        g->logvar[i] += (float)(scale * 0.5 * (exp(elbo_logvar_bounded(c->logvar[i])) - 1));
    }
}

/* max(bound, KL_d) - KL_d of each dimension */
static void free_bits(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    double sum = 0;
    for (size_t d = 0; d < c->Z; d++) {
        double kl = mean_kl(c, d);
        if (kl >= a->bound) continue;
        sum += a->bound - kl;
        if (g) add_kl_gradient(g, c, a, d, -(double)a->scale);
    }
    for (size_t r = 0; r < a->rows; r++) value[r] = (float)sum;
}

/* |KL - bound| - KL */
static void capacity(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    double kl = 0;
    for (size_t d = 0; d < c->Z; d++) kl += mean_kl(c, d);
    for (size_t r = 0; r < a->rows; r++) value[r] = (float)(fabs(kl - a->bound) - kl);
    for (size_t d = 0; g && kl < a->bound && d < c->Z; d++) add_kl_gradient(g, c, a, d, -2 * (double)a->scale);
}

/* ---- densities of the batch's mean posterior ---- */

/* log N(z_id; mu_jd, var_jd), less 1/2 log 2 pi */
static double log_density(const elbo_codes *c, size_t d, size_t i, size_t j) {
    double v = elbo_logvar_bounded(c->logvar[d * c->stride + j]),
           off = (double)c->z[d * c->stride + i] - c->mu[d * c->stride + j];
    return -0.5 * (off * off * exp(-v) + v);
}

/* log of the mean of exp(term), over j. */
static double log_mean_exp(const float *term, size_t n) {
    double sum = 0;
    float largest = -INFINITY; // (a double made GCC 12 for ARM end with an internal error)
    for (size_t j = 0; j < n; j++) largest = fmaxf(largest, term[j]);
    const double most = largest;
    for (size_t j = 0; j < n; j++) sum += exp(term[j] - most);
    return most + log(sum / (double)n);
}

/* Gradient of `weight` times log_density(d, i, j). */
static void add_density_gradient(const elbo_code_gradients *g, const elbo_codes *c, size_t d, size_t i, size_t j,
                                 double weight) {
    double raw = c->logvar[d * c->stride + j], v = elbo_logvar_bounded((float)raw), precision = exp(-v),
           off = (double)c->z[d * c->stride + i] - c->mu[d * c->stride + j];
    g->z[d * c->stride + i] -= (float)(weight * off * precision);
    g->mu[d * c->stride + j] += (float)(weight * off * precision);
    if (v == raw) g->logvar[d * c->stride + j] += (float)(weight * 0.5 * (off * off * precision - 1));
}

/* log q(z_i) into joint, and of each j its log density. */
static double log_joint(float *density, const elbo_codes *c, size_t i) {
    for (size_t j = 0; j < c->count; j++) {
        double sum = 0;
        for (size_t d = 0; d < c->Z; d++) sum += log_density(c, d, i, j);
        density[j] = (float)sum;
    }
    return log_mean_exp(density, c->count);
}

/* log q(z_i | x_i) - log q(z_i) */
static void mi(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    for (size_t r = 0; r < a->rows; r++) {
        size_t i = a->first + r;
        double joint = log_joint(a->room, c, i), n = (double)c->count;
        value[r] = (float)(a->room[i] - joint);
        for (size_t j = 0; g && j < c->count; j++)
            for (size_t d = 0; d < c->Z; d++)
                add_density_gradient(g, c, d, i, j, a->scale * ((i == j) - exp(a->room[j] - joint) / n));
    }
}

/* log q(z_i) - sum_d log q(z_id) */
static void tc(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    float *density = a->room, *one = a->room + c->stride;
    for (size_t r = 0; r < a->rows; r++) {
        size_t i = a->first + r;
        double joint = log_joint(density, c, i), sum = joint, n = (double)c->count;
        for (size_t d = 0; d < c->Z; d++) {
            for (size_t j = 0; j < c->count; j++) one[j] = (float)log_density(c, d, i, j);
            double marginal = log_mean_exp(one, c->count);
            sum -= marginal;
            for (size_t j = 0; g && j < c->count; j++)
                add_density_gradient(g, c, d, i, j, a->scale * (exp(density[j] - joint) - exp(one[j] - marginal)) / n);
        }
        value[r] = (float)sum;
    }
}

/* ---- maximum mean discrepancy ---- */

static double squared_distance(const elbo_codes *c, const float *x, size_t i, const float *y, size_t j) {
    double sum = 0;
    for (size_t d = 0; d < c->Z; d++) {
        double off = (double)x[d * c->stride + i] - y[d * c->stride + j];
        sum += off * off;
    }
    return sum;
}

/* The kernel of a squared distance, and its derivative by it. */
static double kernel(unsigned choice, size_t Z, double square, double *slope) {
    static const double scales[] = {0.1, 0.2, 0.5, 1, 2, 5, 10};
    double sum = 0, width = 2 * (double)Z;
    if (choice == ELBO_MMD_RBF) {
        sum = exp(-square / width);
        *slope = -sum / width;
        return sum;
    }
    *slope = 0;
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
        double C = width * scales[k], value = C / (C + square);
        sum += value;
        *slope -= value * value / C;
    }
    return sum;
}

/* Image i's part: its mean over the other codes, its draw's over the other draws, less twice its code's over the draws. */
static void mmd(float *value, const elbo_code_gradients *g, const elbo_codes *c, const elbo_batch_term_args *a) {
    double n = (double)c->count, others = c->count > 1 ? n - 1 : 1, slope;
    for (size_t r = 0; r < a->rows; r++) {
        size_t i = a->first + r;
        double sum = 0;
        for (size_t j = 0; j < c->count; j++) {
            if (j != i) {
                sum += kernel(a->choice, c->Z, squared_distance(c, c->draw, i, c->draw, j), &slope) / others;
                sum += kernel(a->choice, c->Z, squared_distance(c, c->z, i, c->z, j), &slope) / others;
                // twice for the square, twice because j has the same part of i
                for (size_t d = 0; g && d < c->Z; d++)
                    g->z[d * c->stride + i] += (float)(4 * a->scale * slope / others *
                                                       ((double)c->z[d * c->stride + i] - c->z[d * c->stride + j]));
            }
            sum -= 2 / n * kernel(a->choice, c->Z, squared_distance(c, c->z, i, c->draw, j), &slope);
            for (size_t d = 0; g && d < c->Z; d++)
                g->z[d * c->stride + i] -=
                    (float)(4 * a->scale * slope / n * ((double)c->z[d * c->stride + i] - c->draw[d * c->stride + j]));
        }
        value[r] = (float)sum;
    }
}

const elbo_latent_kernels elbo_ref_latent = {
    .name = "ref",
#define ROW_TERM(name, NAME, ...) .row[ELBO_LATENT_##NAME] = name,
#define BATCH_TERM(name, NAME, ...) .batch[ELBO_LATENT_##NAME] = name,
#include "recipe/latent_terms.def"
};
