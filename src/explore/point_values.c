#include "explore/point_values.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "explore/metrics/scores.h"
#include "nn/distributions.h"
#include "run/model.h"

elbo_status elbo_point_losses(elbo_model *m, const elbo_dataset *d, const elbo_points *p, float *value,
                              elbo_error *err) {
    const elbo_images *part[2] = {&d->train, &d->test};
    size_t Z = (size_t)p->latent;
    uint32_t *own = elbo_alloc(p->n, sizeof *own);
    elbo_status status = own ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < p->n; i++) own[i] = (uint32_t)i;
    for (size_t s = 0, at = 0; s < 2 && status == ELBO_OK; at += part[s++]->count)
        if (part[s]->count) status = elbo_score_codes(m, part[s], p->mu + at * Z, own, value + at, err);
    for (size_t i = 0; status == ELBO_OK && p->logvar && i < p->n; i++)
        value[i] += (float)elbo_prior_kl(&m->prior, p->mu + i * Z, p->logvar + i * Z, (uint32_t)i);
    free(own);
    return status;
}

elbo_status elbo_point_densities(const elbo_density *q, const elbo_points *p, const elbo_job *work, float *value,
                                 elbo_error *err) {
    return elbo_density_each(q, p->mu, p->n, work, value, err);
}

void elbo_point_holes(const elbo_model *m, const elbo_points *p, float *value) {
    const elbo_prior_model *prior = &m->prior;
    size_t Z = (size_t)p->latent;
    for (size_t i = 0; prior->is && i < p->n; i++)
        value[i] = (float)((double)value[i] - prior->is->log_p(prior, p->mu + i * Z));
}
