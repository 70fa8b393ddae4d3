#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "explore/metrics/scores.h"

elbo_status elbo_latent_score(elbo_latent_scores *s, const float *mu, const float *logvar, size_t n, int latent,
                              elbo_error *err) {
    size_t Z = (size_t)latent;
    *s = (elbo_latent_scores){.latent = latent,
                              .variance = elbo_alloc(Z, sizeof(double)),
                              .mean = elbo_alloc(Z, sizeof(double)),
                              .kl = logvar ? elbo_alloc(Z, sizeof(double)) : NULL};
    if (!s->variance || !s->mean || (logvar && !s->kl)) {
        elbo_latent_scores_free(s);
        return elbo_no_memory(err);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < Z; d++) s->mean[d] += mu[i * Z + d];
    for (size_t d = 0; d < Z; d++) s->mean[d] /= (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < Z; d++) {
            double m = mu[i * Z + d], off = m - s->mean[d];
            s->variance[d] += off * off;
            if (!logvar) continue;
            s->kl[d] += elbo_gaussian_kl(m, logvar[i * Z + d]);
        }
    for (size_t d = 0; d < Z; d++) {
        s->variance[d] = n > 1 ? s->variance[d] / (double)(n - 1) : 0;
        if (logvar) s->kl[d] /= (double)n;
    }
    elbo_latent_count_active(s);
    return ELBO_OK;
}

void elbo_latent_count_active(elbo_latent_scores *s) {
    double widest = 0;
    for (int d = 0; d < s->latent; d++) widest = fmax(widest, s->variance[d]);
    s->least = s->kl ? ELBO_ACTIVE_VARIANCE : ELBO_ACTIVE_SHARE * widest;
    s->active = 0;
    for (int d = 0; d < s->latent; d++) s->active += s->variance[d] > s->least;
}

void elbo_latent_scores_free(elbo_latent_scores *s) {
    free(s->variance);
    free(s->mean);
    free(s->kl);
    *s = (elbo_latent_scores){0};
}

elbo_status elbo_factor_score(elbo_disentanglement *d, const elbo_eval_context *e, const elbo_latent_scores *latent,
                              elbo_error *err) {
    *d = (elbo_disentanglement){.mig = NAN, .factor_vae = NAN, .sap = NAN};
    if (!e->images->factors || !e->data->factor || e->n < 2) return ELBO_OK;
    ELBO_TRY(elbo_eval_context_step(e->work, "disentanglement", 0, err));
    elbo_factor_codes c = {.codes = e->mu,
                           .factors = e->images->factors,
                           .factor = e->data->factor,
                           .n = e->n,
                           .dims = (int)e->Z,
                           .count = e->images->factor_count,
                           .least = latent->least};
    return elbo_disentanglement_of(d, &c, e->work, err);
}
