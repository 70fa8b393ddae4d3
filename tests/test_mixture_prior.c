/* The mixture prior: its density, its gradients, its draws and its KL against formulas written down here, and what a model
 * that was trained with it says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "nn/mixture_prior.h"
#include "run/model.h"
#include "training_runs.h"

enum { K = 3, Z = 4 };

typedef struct problem {
    float logits[K], mu[K * Z], logvar[K * Z], z[Z];
    double room[K * (Z + 2)], share[K];
} problem;

static elbo_gaussians mixture_of(problem *p) {
    elbo_gaussians m = {.K = K, .Z = Z, .logits = p->logits, .mu = p->mu, .logvar = p->logvar};
    elbo_gaussians_prepare(&m, p->room);
    return m;
}

static problem make_problem(void) {
    problem p;
    elbo_stream s = {.purpose = ELBO_FOR_PICKING};
    elbo_random_normal(s, p.logits, K);
    s.sample = 1;
    elbo_random_normal(s, p.mu, K * Z);
    s.sample = 2;
    elbo_random_normal(s, p.logvar, K * Z);
    s.sample = 3;
    elbo_random_normal(s, p.z, Z);
    return p;
}

static double density(const problem *p) {
    double all = 0, sum = 0;
    for (int k = 0; k < K; k++) all += exp(p->logits[k]);
    for (int k = 0; k < K; k++) {
        double one = exp(p->logits[k]) / all;
        for (int d = 0; d < Z; d++) {
            double off = (double)p->z[d] - p->mu[k * Z + d], variance = exp(p->logvar[k * Z + d]);
            one *= exp(-0.5 * off * off / variance) / sqrt(2 * M_PI * variance);
        }
        sum += one;
    }
    return sum;
}

static void density_and_gradients(void **state) {
    (void)state;
    problem p = make_problem();
    elbo_gaussians m = mixture_of(&p);
    assert_near("log p", 0, elbo_gaussians_log_p(&m, p.z, p.share), log(density(&p)), 1e-9);
    float g[Z + K + 2 * K * Z] = {0}; // of z, logits, mu, logvar
    elbo_gaussians_backward(&m, &(elbo_gaussians_gradient){g, g + Z, g + Z + K, g + Z + K + K * Z}, p.z, p.share, 2);
    float *at[Z + K + 2 * K * Z];
    int n = 0;
    for (int i = 0; i < Z; i++) at[n++] = &p.z[i];
    for (int i = 0; i < K; i++) at[n++] = &p.logits[i];
    for (int i = 0; i < K * Z; i++) at[n++] = &p.mu[i];
    for (int i = 0; i < K * Z; i++) at[n++] = &p.logvar[i];
    for (int i = 0; i < n; i++) {
        float was = *at[i];
        double side[2], step[2];
        for (int k = 0; k < 2; k++) {
            *at[i] = was + (k ? 1e-3f : -1e-3f);
            step[k] = *at[i];
            side[k] = -2 * log(density(&p));
        }
        *at[i] = was;
        assert_near("gradient", (size_t)i, g[i], (side[1] - side[0]) / (step[1] - step[0]), 1e-4);
    }
}

/* One component at the standard normal is the standard normal. */
static void one_component_is_the_normal(void **state) {
    (void)state;
    float zeros[Z] = {0}, mu[Z] = {0.3f, -1, 2, 0}, logvar[Z] = {-1, 0.5f, -3, 0};
    double room[Z + 2], share[1], log_p = 0, kl = 0;
    elbo_prior_model p = {
        .is = &elbo_prior_mixture, .Z = Z, .mixture = {.K = 1, .Z = Z, .logits = zeros, .mu = zeros, .logvar = zeros}};
    elbo_gaussians_prepare(&p.mixture, room);
    for (int d = 0; d < Z; d++) log_p -= 0.5 * (log(2 * M_PI) + (double)mu[d] * mu[d]);
    for (int d = 0; d < Z; d++) kl += elbo_gaussian_kl(mu[d], logvar[d]);
    assert_near("log p", 0, elbo_gaussians_log_p(&p.mixture, mu, share), log_p, 1e-6);
    double mean = 0;
    for (uint32_t i = 0; i < 1000; i++) mean += elbo_prior_kl(&p, mu, logvar, i) / 1000;
    assert_near("KL", 0, mean, kl, 0.01 * kl);
}

static void draws_have_its_moments(void **state) {
    (void)state;
    enum { DRAWS = 20000 };
    problem q = make_problem();
    elbo_prior_model p = {.is = &elbo_prior_mixture, .Z = Z, .mixture = mixture_of(&q)};
    double mean[Z] = {0}, square[Z] = {0}, counts[K] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        float z[Z], centre[Z];
        elbo_stream s = {.purpose = ELBO_FOR_PRIOR, .sample = i};
        p.is->sample(&p, z, 1, s);
        p.is->sample(&p, centre, 0, s); // of the same component
        for (int d = 0; d < Z; d++) mean[d] += z[d] / (double)DRAWS, square[d] += (double)z[d] * z[d] / DRAWS;
        for (int k = 0; k < K; k++) counts[k] += fabsf(centre[0] - q.mu[k * Z]) < 1e-6f;
    }
    for (int k = 0; k < K; k++) assert_near("weight", (size_t)k, counts[k] / DRAWS, p.mixture.weight[k], 0.015);
    for (int d = 0; d < Z; d++) {
        double m = 0, s = 0;
        for (int k = 0; k < K; k++) {
            double mu = q.mu[k * Z + d];
            m += p.mixture.weight[k] * mu;
            s += p.mixture.weight[k] * (mu * mu + exp(q.logvar[k * Z + d]));
        }
        double sd = sqrt((s - m * m) / DRAWS);
        assert_near("mean", (size_t)d, mean[d], m, 4 * sd);
        assert_near("square", (size_t)d, square[d], s, 0.1 * s);
    }
}

/* The trained model draws from its own prior, and asks it: of its own draws log p is what the formula says. */
static void a_model_has_its_own(void **state) {
    (void)state;
    static const experiment x = {"mnist-vae-2d", {"train.batch=20", "train.epochs=3", "prior=mixture 3"}};
    assert_ok(train(&x, (elbo_train_options){.run = run_path("mixture")}, &failure));
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run_path("mixture"), 1, &failure));
    assert_true(elbo_prior_is_mixture(&m->prior) && m->prior.mixture.K == 3);
    float z[2 * 5], images[5 * 784], want[2];
    assert_ok(elbo_model_sample(m, 5, 7, images, z, &failure));
    for (uint32_t i = 0; i < 5; i++) {
        elbo_stream s = {.seed = 7, .purpose = ELBO_FOR_PRIOR, .sample = i};
        m->prior.is->sample(&m->prior, want, 1, s);
        assert_memory_equal(want, z + 2 * i, sizeof want);
    }
    bool moved = false; // what training starts from is logits of 0 and variances of 1
    for (int i = 0; i < 6; i++) moved |= m->prior.mixture.logvar[i] != 0;
    assert_true(moved);
    elbo_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(density_and_gradients),
        cmocka_unit_test(one_component_is_the_normal),
        cmocka_unit_test(draws_have_its_moments),
        cmocka_unit_test(a_model_has_its_own),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
