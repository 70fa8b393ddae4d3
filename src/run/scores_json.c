#include "run/scores_json.h"

#include <math.h>

json_t *elbo_metric_values_to_json(const elbo_metrics *m, const double *value) {
    json_t *o = json_object();
    for (int i = 0; i < m->count; i++)
        if (isfinite(value[i])) json_object_set_new(o, m->metric[i].name, json_real(value[i]));
    return o;
}

json_t *elbo_scores_to_json(const elbo_scores *s, const elbo_metrics *m) {
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:o}", "images", (json_int_t)s->images, "objective", s->objective,
                     "loss", s->loss, "reconstruction", s->reconstruction, "kl", s->kl, "mse", s->mse, "metrics",
                     elbo_metric_values_to_json(m, s->metric));
}

json_t *elbo_metrics_to_json(const elbo_metrics *m, double kl_weight) {
    json_t *list = json_array();
    for (int i = 0; i < m->count; i++) {
        const elbo_metric *k = &m->metric[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:f}", "name", k->name, "unit", k->unit, "trained",
                                              elbo_metric_is_trained(k), "weight", elbo_metric_weight(k, kl_weight)));
    }
    return list;
}

void elbo_metric_values_from_json(double *value, const json_t *o, const elbo_metrics *m) {
    for (int i = 0; i < m->count; i++) {
        const json_t *v = json_object_get(o, m->metric[i].name);
        value[i] = json_is_number(v) ? json_number_value(v) : NAN;
    }
}

bool elbo_scores_from_json(elbo_scores *s, const json_t *o, const elbo_metrics *m, const elbo_recipe *r,
                           double kl_weight, size_t values_per_image) {
    json_int_t images = 0;
    *s = (elbo_scores){0};
    if (json_unpack((json_t *)(uintptr_t)o, "{s:I, s:F, s:F, s:F, s:F}", "images", &images, "loss", &s->loss,
                    "reconstruction", &s->reconstruction, "kl", &s->kl, "mse", &s->mse) != 0)
        return false;
    s->images = (uint32_t)images;
    elbo_metric_values_from_json(s->metric, json_object_get(o, "metrics"), m);
    elbo_scores_fill(s, m, values_per_image);
    const json_t *objective = json_object_get(o, "objective");
    if (json_is_number(objective))
        s->objective = json_number_value(objective);
    else
        elbo_scores_set_objective(s, r, kl_weight, values_per_image);
    return true;
}
