#include "nn/observation.h"

#include <math.h>
#include <stdio.h>

#include "nn/losses/loss.h"

/* ---- Bernoulli ---- */

static void sample_bernoulli(float *y, const float *u, size_t n, const elbo_observation_model *m) {
    (void)m;
    for (size_t i = 0; i < n; i++) y[i] = u[i] < y[i] ? 1 : 0;
}

/* The mean of a continuous Bernoulli with logit l: lambda / (2 lambda - 1) + 1 / (2 artanh(1 - 2 lambda)). */
static void mean_continuous(float *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double l = fabs((double)y[i]), mean = l < 0.05 ? 0.5 + l / 12 - l * l * l / 720 : -1 / expm1(-l) - 1 / l;
        y[i] = (float)(y[i] < 0 ? 1 - mean : mean); // NaN stays
    }
}

/* The inverse of its distribution function, log(1 + u (e^l - 1)) / l; above 0 that of -l mirrored. */
static void sample_continuous(float *y, const float *u, size_t n, const elbo_observation_model *m) {
    (void)m;
    for (size_t i = 0; i < n; i++) {
        double l = fabs((double)y[i]), v = y[i] < 0 ? (double)u[i] : 1 - (double)u[i];
        double x = l < 1e-4 ? v : log1p(v * expm1(-l)) / -l;
        y[i] = (float)(y[i] < 0 ? x : 1 - x);
    }
}

/* ---- values about the output ---- */

/* Numbers in [0, 1) are multiples of 2^-24; in the middle between two, none is at an end. */
static double inside(float u) { return (double)u + 0x1p-25; }

static void sample_gaussian(float *y, const float *eps, size_t n, const elbo_observation_model *m) {
    for (size_t i = 0; i < n; i++) y[i] += (float)(m->scale * eps[i]);
}

static void sample_laplace(float *y, const float *u, size_t n, const elbo_observation_model *m) {
    for (size_t i = 0; i < n; i++) {
        double v = 2 * inside(u[i]) - 1;
        y[i] += (float)(copysign(m->scale, v) * -log1p(-fabs(v)));
    }
}

/* exp(-a d^2 - b |d|), a = 1 / (2 scale^2), b = 1 / laplace: sqrt(a) |d| + b / (2 sqrt(a)) is the tail of a normal
 * variable, whose distribution is inverted by bisection. */
static void sample_product(float *y, const float *u, size_t n, const elbo_observation_model *m) {
    double root = sqrt(0.5) / m->scale, start = 0.5 / m->laplace / root, all = erfc(start);
    for (size_t i = 0; i < n; i++) {
        double v = 2 * inside(u[i]), low = start, high = start + 8;
        double tail = (v < 1 ? v : v - 1) * all;
        for (int k = 0; k < 40; k++) {
            double middle = 0.5 * (low + high);
            if (erfc(middle) > tail)
                low = middle;
            else
                high = middle;
        }
        y[i] += (float)((v < 1 ? -1 : 1) * (low - start) / root);
    }
}

/* To the nearest of the 256 values; all below the first are the first. */
static void sample_logistic(float *y, const float *u, size_t n, const elbo_observation_model *m) {
    double low = m->low, step = ((double)m->high - low) / 255;
    for (size_t i = 0; i < n; i++) {
        double v = inside(u[i]), level = round((y[i] + m->scale * log(v / (1 - v)) - low) / step);
        y[i] = (float)(low + step * fmin(fmax(level, 0), 255));
    }
}

/* ---- the table ---- */

static const elbo_observation bernoulli = {.name = "Bernoulli", .discrete = true, .sample = sample_bernoulli},
                              continuous = {.name = "continuous Bernoulli",
                                            .of_logits = true,
                                            .mean = mean_continuous,
                                            .sample = sample_continuous},
                              gaussian = {.name = "Gaussian",
                                          .scale = "sigma",
                                          .normal_noise = true,
                                          .of_squares = true,
                                          .sample = sample_gaussian},
                              laplace = {.name = "Laplace", .scale = "scale", .sample = sample_laplace},
                              product = {.name = "Gaussian times Laplace", .scale = "sigma", .sample = sample_product},
                              logistic = {.name = "discretised logistic",
                                          .scale = "scale",
                                          .discrete = true,
                                          .sample = sample_logistic};

/* The table: a term that stands alone. */
static const elbo_observation *const by_loss[ELBO_RECONSTRUCTIONS] = {
    [ELBO_BCE] = &bernoulli, [ELBO_CB] = &continuous,     [ELBO_MSE] = &gaussian,
    [ELBO_L1] = &laplace,    [ELBO_GAUSSIAN] = &gaussian, [ELBO_LOGISTIC] = &logistic};

/* Squared and absolute errors with weights a and b, either of which may be 0: the log of the integral of
 * exp(-a d^2 - b |d|) over a value. */
static void imply_scale(elbo_observation_model *m, double a, double b) {
    double n = (double)m->values;
    m->implied = true;
    m->scale = a > 0 ? sqrt(0.5 / a) : 1 / b;
    if (a > 0 && b > 0) {
        m->is = &product;
        m->laplace = 1 / b;
    }
    if (a == 0)
        m->constant = n * log(2 / b);
    else
        m->constant = n * (0.5 * log(M_PI / a) + b * b / (4 * a) + log(erfc(b / (2 * sqrt(a)))));
}

elbo_observation_model elbo_observation_model_of(const elbo_recipe *r, const elbo_graph *g, const float *params) {
    elbo_terms t = elbo_terms_computed(r);
    const elbo_node *scaled = elbo_loss_scaled(g);
    elbo_observation_model m = {.factor = 1,
                                .constant = NAN,
                                .scale = NAN,
                                .laplace = NAN,
                                .kl_weight = r->kind == ELBO_VAE && r->loss.kl > 0 ? r->loss.kl : 1,
                                .low = r->image.low,
                                .high = r->image.high,
                                .values = elbo_image_size(g->image)};
    double a = elbo_term_weight(&t, ELBO_MSE), b = elbo_term_weight(&t, ELBO_L1);
    int errors = (a > 0) + (b > 0);
    if (errors == t.count) {
        m.is = by_loss[t.term[0].kind];
        m.factor = 1 / (double)m.kl_weight;
        imply_scale(&m, a * m.factor, b * m.factor);
    } else if (t.count == 1 && by_loss[t.term[0].kind]) { // normalised as it is: its weight tempers training alone
        m.is = by_loss[t.term[0].kind];
        m.factor = 1 / (double)t.term[0].weight;
        m.constant = 0;
        m.learned = scaled && scaled->params > 0;
        if (scaled) m.scale = exp(elbo_loss_log_sigma(g, scaled, params, NULL));
    }
    return m;
}

const char *elbo_observation_text(const elbo_observation_model *m, char out[ELBO_OBSERVATION_TEXT]) {
    char scale[64] = "", why[48] = "";
    if (!m->is) return snprintf(out, ELBO_OBSERVATION_TEXT, "none: the loss is not a density of the image"), out;
    if (m->is->scale)
        snprintf(scale, sizeof scale, ", %s%s %.4g", m->learned ? "learned " : "", m->is->scale, m->scale);
    if (m->implied) snprintf(why, sizeof why, " (the loss with KL weight %g)", (double)m->kl_weight);
    snprintf(out, ELBO_OBSERVATION_TEXT, "%s%s%s", m->is->name, scale, why);
    return out;
}

double elbo_bits_per_dim(const elbo_observation_model *m, double nats) {
    if (!m->is) return NAN;
    double each = nats / (double)m->values;
    if (m->is->discrete) return each / M_LN2;
    return (each - log((double)m->high - (double)m->low)) / M_LN2 + 8;
}

double elbo_loss_size(const elbo_observation_model *m, double nats) {
    double half = 0.5 * (double)m->values / m->factor;
    if (m->learned) return half;
    bool density = m->is && !m->is->discrete && !m->implied;
    return density ? fmax(fabs(nats), half) : fabs(nats);
}
