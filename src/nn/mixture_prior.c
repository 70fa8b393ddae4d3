/* A prior that is learned: a mixture of Gaussians, as in Tomczak and Welling, "VAE with a VampPrior", 2018 (their MoG). */
#include "nn/mixture_prior.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "nn/losses/loss.h"

#define LOG_2_PI 1.8378770664093454836

/* ---- the density ---- */

void elbo_gaussians_prepare(elbo_gaussians *m, double *room) {
    m->precision = room;
    m->constant = room + m->K * m->Z;
    m->weight = m->constant + m->K;
    double most = m->logits[0], sum = 0;
    for (size_t k = 1; k < m->K; k++)
        if (m->logits[k] > most) most = m->logits[k];
    for (size_t k = 0; k < m->K; k++) sum += exp(m->logits[k] - most);
    for (size_t k = 0; k < m->K; k++) {
        m->weight[k] = exp(m->logits[k] - most) / sum;
        m->constant[k] = m->logits[k] - most - log(sum) - 0.5 * (double)m->Z * LOG_2_PI;
        for (size_t d = 0; d < m->Z; d++) {
            double logvar = elbo_logvar_bounded(m->logvar[k * m->Z + d]);
            m->precision[k * m->Z + d] = exp(-logvar);
            m->constant[k] -= 0.5 * logvar;
        }
    }
}

double elbo_gaussians_log_p(const elbo_gaussians *m, const float *z, double *share) {
    double most = -INFINITY, sum = 0;
    for (size_t k = 0; k < m->K; k++) {
        const float *mu = m->mu + k * m->Z;
        const double *precision = m->precision + k * m->Z;
        double square = 0;
        for (size_t d = 0; d < m->Z; d++) square += ((double)z[d] - mu[d]) * ((double)z[d] - mu[d]) * precision[d];
        share[k] = m->constant[k] - 0.5 * square;
        if (!(share[k] <= most)) most = share[k]; // NaN stays
    }
    for (size_t k = 0; k < m->K; k++) sum += share[k] = exp(share[k] - most);
    for (size_t k = 0; k < m->K; k++) share[k] /= sum;
    return most + log(sum);
}

void elbo_gaussians_backward(const elbo_gaussians *m, const elbo_gaussians_gradient *g, const float *z,
                             const double *share, double scale) {
    for (size_t k = 0; k < m->K; k++) {
        g->logits[k] += (float)(scale * (m->weight[k] - share[k]));
        for (size_t d = 0, i = k * m->Z; d < m->Z; d++, i++) {
            double off = (double)z[d] - m->mu[i], pull = scale * share[k] * off * m->precision[i];
            g->z[d] += (float)pull;
            g->mu[i] -= (float)pull;
            g->logvar[i] += (float)(0.5 * (scale * share[k] - pull * off));
        }
    }
}

/* ---- drawing ---- */

static void sample(const elbo_prior_model *p, float *z, float temperature, elbo_stream s) {
    const elbo_gaussians *m = &p->mixture;
    elbo_stream which = s;
    which.purpose |= 1u << 8;
    float u;
    elbo_random_uniform(which, &u, 1);
    size_t k = 0;
    for (double sum = m->weight[0]; k + 1 < m->K && u >= sum; sum += m->weight[k]) k++;
    elbo_random_normal(s, z, m->Z);
    for (size_t d = 0; d < m->Z; d++)
        z[d] = (float)(m->mu[k * m->Z + d] + (double)temperature * z[d] / sqrt(m->precision[k * m->Z + d]));
}

static double log_p(const elbo_prior_model *p, const float *z) {
    double share[1000]; // the recipe's most
    return elbo_gaussians_log_p(&p->mixture, z, share);
}

const elbo_prior elbo_prior_mixture = {.name = "mixture of Gaussians", .loss = "kl", .sample = sample, .log_p = log_p};

/* ---- its parameters ---- */

const elbo_node *elbo_prior_node(const elbo_graph *g) {
    for (int k = 0; k < g->metrics.count; k++) {
        const elbo_node *n = g->loss[k] < 0 ? NULL : &g->node[g->loss[k]];
        if (n && n->op == &elbo_loss_kl && n->params) return n;
    }
    return NULL;
}

elbo_gaussians elbo_gaussians_of(const elbo_graph *g, const elbo_node *n, const float *params) {
    const elbo_param *p = &g->param[n->first_param];
    return (elbo_gaussians){.K = p[0].count,
                            .Z = (size_t)g->latent,
                            .logits = params + p[0].offset,
                            .mu = params + p[1].offset,
                            .logvar = params + p[2].offset};
}

elbo_status elbo_prior_open(elbo_prior_model *p, const elbo_graph *g, const float *params, elbo_error *err) {
    *p = (elbo_prior_model){.is = g->prior, .Z = (size_t)g->latent};
    const elbo_node *n = elbo_prior_node(g);
    if (!n) return ELBO_OK;
    p->mixture = elbo_gaussians_of(g, n, params);
    p->room = elbo_alloc(elbo_gaussians_room(p->mixture.K, p->Z), sizeof *p->room);
    if (!p->room) return elbo_no_memory(err);
    elbo_gaussians_prepare(&p->mixture, p->room);
    return ELBO_OK;
}

void elbo_prior_close(elbo_prior_model *p) {
    free(p->room);
    *p = (elbo_prior_model){0};
}

/* By draws the posterior's own entropy is known: only log p(z) is estimated. */
double elbo_prior_kl(const elbo_prior_model *p, const float *mu, const float *logvar, uint32_t image) {
    enum { DRAWS = 32 };
    double sum = 0;
    if (!elbo_prior_is_mixture(p)) {
        for (size_t d = 0; d < p->Z; d++) sum += elbo_gaussian_kl(mu[d], logvar[d]);
        return sum;
    }
    double share[1000];
    float *z = elbo_alloc(p->Z, sizeof *z);
    if (!z) return NAN;
    for (uint32_t i = 0; i < DRAWS; i++) {
        elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_LIKELIHOOD, .epoch = i, .sample = image}, z, p->Z);
        for (size_t d = 0; d < p->Z; d++) z[d] = mu[d] + z[d] * expf(0.5f * elbo_logvar_bounded(logvar[d]));
        sum -= elbo_gaussians_log_p(&p->mixture, z, share) / DRAWS;
    }
    free(z);
    for (size_t d = 0; d < p->Z; d++) sum -= 0.5 * (LOG_2_PI + 1 + elbo_logvar_bounded(logvar[d]));
    return sum;
}
