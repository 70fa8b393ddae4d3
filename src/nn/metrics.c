#include "nn/metrics.h"

#include <string.h>

#include "nn/losses/loss.h"

static void add(elbo_metrics *m, const char *loss, double weight) {
    const elbo_loss *l = elbo_loss_find(loss);
    m->metric[m->count++] = (elbo_metric){l->op->name, l->unit, l->role, weight};
}

elbo_metrics elbo_metrics_of(const elbo_recipe *r) {
    elbo_metrics m = {.count = 0};
    elbo_terms terms = elbo_terms_computed(r);
    for (int i = 0; i < terms.count; i++) add(&m, elbo_reconstruction_name(terms.term[i].kind), terms.term[i].weight);
    if (r->kind == ELBO_VAE) add(&m, "kl", r->loss.kl);
    m.metric[m.count++] = (elbo_metric){"squared_error", "sum/image", ELBO_METRIC_MEASURED, 0};
    return m;
}

int elbo_metrics_find(const elbo_metrics *m, const char *name) {
    for (int i = 0; i < m->count; i++)
        if (!strcmp(m->metric[i].name, name)) return i;
    return -1;
}

double elbo_metrics_sum(const elbo_metrics *m, const double *value, elbo_metric_role role) {
    double sum = 0;
    for (int i = 0; i < m->count; i++)
        if (m->metric[i].role == role) sum += (role == ELBO_METRIC_RECONSTRUCTION ? m->metric[i].weight : 1) * value[i];
    return sum;
}

double elbo_objective(const elbo_recipe *r, const elbo_metrics *m, const double *value, double kl_weight,
                      size_t values_per_image) {
    double sum =
        elbo_metrics_sum(m, value, ELBO_METRIC_RECONSTRUCTION) + kl_weight * elbo_metrics_sum(m, value, ELBO_METRIC_KL);
    return r->loss.scale == ELBO_MEAN ? sum / (double)values_per_image : sum;
}

bool elbo_objective_is_elbo(const elbo_recipe *r, double kl_weight) {
    const elbo_terms *t = &r->loss.reconstruction;
    bool one = t->count == 1 && t->term[0].weight == 1;
    return one && r->loss.scale == ELBO_SUM && (r->kind == ELBO_AE || kl_weight == 1);
}
