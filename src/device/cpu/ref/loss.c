#include <math.h>

#include "device/cpu/ref/ref.h"
#include "nn/distributions.h"

static float bce(float *dl, float *squared, const float *l, const float *x, size_t n, float scale) {
    double loss = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double v = l[i], sigmoid = 1 / (1 + exp(-v)), error = sigmoid - x[i];
        loss += (v > 0 ? v : 0) - v * x[i] + log1p(exp(-fabs(v)));
        squares += error * error;
        if (dl) dl[i] = (float)(scale * error);
    }
    *squared = (float)squares;
    return (float)loss;
}

static float mse(float *dy, float *squared, const float *y, const float *x, size_t n, float scale) {
    double loss = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)y[i] - x[i];
        loss += error * error;
        if (dy) dy[i] = (float)(scale * 2 * error);
    }
    *squared = (float)loss;
    return (float)loss;
}

static float l1(float *dy, float *squared, const float *y, const float *x, size_t n, float scale) {
    double loss = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)y[i] - x[i];
        loss += fabs(error);
        squares += error * error;
        if (dy) dy[i] = (float)(scale * ((error > 0) - (error < 0)));
    }
    *squared = (float)squares;
    return (float)loss;
}

/* log(l / tanh(l / 2)), the continuous Bernoulli's log-normaliser, and its derivative 1 / l - 1 / sinh l. Near 0 by
 * their series, since either is a small difference there. */
static double cb_normaliser(double l, double *derivative) {
    double t = fabs(l), q = l * l;
    if (t < 1e-2) {
        *derivative = l * (1.0 / 6 - q * (7.0 / 360 - q * 31.0 / 15120));
        return log(2) + q * (1.0 / 12 - q * 7.0 / 1440);
    }
    double e = exp(-t), d = 1 / t - 2 * e / ((1 - e) * (1 + e));
    *derivative = l < 0 ? -d : d;
    return log(t * (1 + e) / (1 - e));
}

static float cb(float *dl, float *squared, const float *l, const float *x, size_t n, float scale) {
    double loss = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double v = l[i], derivative, normaliser = cb_normaliser(v, &derivative),
               error = 1 / (1 + exp(-v)) - derivative - x[i]; // of the mean
        loss += (v > 0 ? v : 0) - v * x[i] + log1p(exp(-fabs(v))) - normaliser;
        squares += error * error;
        if (dl) dl[i] = (float)(scale * error);
    }
    *squared = (float)squares;
    return (float)loss;
}

/* log(1 + exp(v)) */
static double softplus(double v) { return (v > 0 ? v : 0) + log1p(exp(-fabs(v))); }
static double sigmoid(double v) { return 1 / (1 + exp(-v)); }

/* With u = (x - y) / s, k = half / s: F(u + k) - F(u - k) = sinh k / (cosh u + cosh k), so that its -log is
 * max(|u| - k, 0) + log(1 + exp(-|u + k|)) + log(1 + exp(-|u - k|)) - log(1 - exp(-2 k)): nothing cancels. */
static float logistic(float *dy, float *squared, float *by_scale, const float *y, const float *x, size_t n,
                      const elbo_logistic *of, float scale) {
    double loss = 0, squares = 0, slope = 0, s = of->scale, k = of->half / s;
    for (size_t i = 0; i < n; i++) {
        double error = (double)y[i] - x[i], u = -error / s, a = u + k, b = u - k, by_u;
        if (x[i] < of->lowest) { // all below
            loss += softplus(-a);
            by_u = sigmoid(a) - 1;
            slope -= a * by_u;
        } else if (x[i] > of->highest) { // all above
            loss += softplus(b);
            by_u = sigmoid(b);
            slope -= b * by_u;
        } else {
            loss += fmax(fabs(u) - k, 0) + log1p(exp(-fabs(a))) + log1p(exp(-fabs(b))) - log(-expm1(-2 * k));
            by_u = sigmoid(a) + sigmoid(b) - 1;
            slope += k / tanh(k) - u * by_u - k * (sigmoid(a) - sigmoid(b));
        }
        if (isnan(u)) loss = NAN;
        squares += error * error;
        if (dy) dy[i] = (float)(-scale * by_u / s);
    }
    *squared = (float)squares;
    *by_scale = (float)slope;
    return (float)loss;
}

static float mse_l1(float *dy, float *squared, const float *y, const float *x, size_t n, float mse_weight,
                    float l1_weight, float scale) {
    double absolute = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)y[i] - x[i];
        absolute += fabs(error);
        squares += error * error;
        if (dy) dy[i] = (float)(scale * (mse_weight * 2 * error + l1_weight * ((error > 0) - (error < 0))));
    }
    *squared = (float)squares;
    return (float)absolute;
}

static float reparameterize(float *z, const float *mu, const float *logvar, const float *eps, size_t n) {
    double kl = 0;
    for (size_t i = 0; i < n; i++) {
        double m = mu[i], v = elbo_logvar_bounded(logvar[i]);
        z[i] = (float)(m + (eps ? eps[i] * exp(v / 2) : 0));
        kl += elbo_gaussian_kl(m, logvar[i]);
    }
    return (float)kl;
}

static void reparameterize_backward(float *dmu, float *dlogvar, const float *dz, const float *mu, const float *logvar,
                                    const float *eps, size_t n, float weight) {
    for (size_t i = 0; i < n; i++) {
        double v = elbo_logvar_bounded(logvar[i]), noise = eps && v == logvar[i] ? eps[i] * exp(v / 2) : 0;
        dmu[i] = (float)(dz[i] + (double)weight * mu[i]);
        dlogvar[i] = (float)(0.5 * dz[i] * noise + weight * 0.5 * (exp(v) - 1));
    }
}

static float sampled_kl(const float *z, const float *logvar, const float *eps, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += 0.5 * ((double)z[i] * z[i] - (double)eps[i] * eps[i] - elbo_logvar_bounded(logvar[i]));
    return (float)sum;
}

static void sampled_kl_backward(float *dmu, float *dlogvar, const float *dz, const float *z, const float *logvar,
                                const float *eps, size_t n, float weight) {
    for (size_t i = 0; i < n; i++) {
        double v = elbo_logvar_bounded(logvar[i]), noise = eps[i] * exp(v / 2), own = (double)weight * z[i];
        dmu[i] = (float)(dz[i] + own);
        dlogvar[i] = (float)(0.5 * ((own + (v == logvar[i] ? dz[i] : 0)) * noise - weight));
    }
}

static void scale_by(float *y, size_t n, float factor) {
    for (size_t i = 0; i < n; i++) y[i] *= factor;
}

static void uniform(float *out, size_t n, elbo_stream s) { elbo_random_uniform(s, out, n); }
static void normal(float *out, size_t n, elbo_stream s) { elbo_random_normal(s, out, n); }

const elbo_loss_kernels elbo_ref_loss = {
    .name = "ref",
    .normal = normal,
    .uniform = uniform,
    .pixel =
        {
#define PIXEL_LOSS(name, NAME) [ELBO_##NAME] = name,
#define OTHER_LOSS(name, NAME)
#include "recipe/losses.def"
        },
    .mse_l1 = mse_l1,
    .logistic = logistic,
    .reparameterize = reparameterize,
    .reparameterize_backward = reparameterize_backward,
    .sampled_kl = sampled_kl,
    .sampled_kl_backward = sampled_kl_backward,
    .scale = scale_by,
};
