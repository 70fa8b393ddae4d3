#include "nn/metrics.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "nn/distributions.h"
#include "nn/losses/loss.h"
#include "recipe/latent_terms.h"

static void add(elbo_metrics *m, const char *loss, double weight, bool times_kl) {
    const elbo_loss *l = elbo_loss_find(loss);
    m->metric[m->count++] =
        (elbo_metric){.name = l->op->name, .unit = l->unit, .role = l->role, .weight = weight, .times_kl = times_kl};
}

static void add_measured(elbo_metrics *m, const char *name, const char *unit, elbo_metric_role role,
                         elbo_player player) {
    m->metric[m->count++] = (elbo_metric){.name = name, .unit = unit, .role = role, .player = player};
}

elbo_metrics elbo_metrics_of(const elbo_recipe *r) {
    elbo_metrics m = {.count = 0};
    elbo_terms terms = elbo_terms_computed(r);
    for (int i = 0; i < terms.count; i++)
        add(&m, elbo_reconstruction_name(terms.term[i].kind), terms.term[i].weight, false);
    if (elbo_posterior_of(r)) add(&m, elbo_prior_of(r)->loss, r->loss.kl, false);
    if (elbo_posterior_of(r) && r->loss.bound == ELBO_BOUND_IWAE) add(&m, "iwae", 1, false);
    for (int t = 0; t < ELBO_LATENT_TERMS; t++) {
        double weight = elbo_latent_term_weight(r, (elbo_latent_term)t);
        if (weight != 0) add(&m, elbo_latent_rows[t].name, weight, elbo_latent_rows[t].use != ELBO_LATENT_WEIGHT);
    }
    if (elbo_has_adversary(r)) add(&m, "adversary", r->adversary.weight, false);
    add_measured(&m, "squared_error", "sum/image", ELBO_METRIC_SQUARED_ERROR, ELBO_PLAYER_MODEL);
    if (elbo_terms_scaled(&terms) && r->loss.sigma == 0)
        add_measured(&m, "sigma", "in image.range", ELBO_METRIC_MEASURED, ELBO_PLAYER_MODEL);
    if (elbo_has_adversary(r)) {
        add_measured(&m, "discriminator", "nats", ELBO_METRIC_MEASURED, ELBO_PLAYER_ADVERSARY);
        add_measured(&m, "d_accuracy", "share", ELBO_METRIC_MEASURED, ELBO_PLAYER_ADVERSARY);
    }
    return m;
}

int elbo_metrics_find(const elbo_metrics *m, const char *name) {
    for (int i = 0; i < m->count; i++)
        if (!strcmp(m->metric[i].name, name)) return i;
    return -1;
}

bool elbo_metric_is_trained(const elbo_metric *m) {
    return m->role == ELBO_METRIC_RECONSTRUCTION || m->role == ELBO_METRIC_KL || m->role == ELBO_METRIC_REGULARISER ||
           m->role == ELBO_METRIC_BOUND;
}

double elbo_metric_weight(const elbo_metric *m, double kl_weight) {
    if (m->role == ELBO_METRIC_KL) return kl_weight;
    return m->times_kl ? m->weight * kl_weight : m->weight;
}

int elbo_metrics_count(const elbo_metrics *m, elbo_metric_role role) {
    int n = 0;
    for (int i = 0; i < m->count; i++) n += m->metric[i].role == role;
    return n;
}

double elbo_metrics_sum(const elbo_metrics *m, const double *value, elbo_metric_role role) {
    double sum = 0;
    for (int i = 0; i < m->count; i++)
        if (m->metric[i].role == role) sum += (role == ELBO_METRIC_RECONSTRUCTION ? m->metric[i].weight : 1) * value[i];
    return sum;
}

/* ---- sums and means ---- */

void elbo_metric_sums_add(elbo_metric_sums *s, const elbo_metrics *m, const double *batch) {
    for (int i = 0; i < m->count; i++) s->metric[i] += batch[i];
    s->reconstruction += elbo_metrics_sum(m, batch, ELBO_METRIC_RECONSTRUCTION);
    s->kl += elbo_metrics_sum(m, batch, ELBO_METRIC_KL);
    s->squared_error += elbo_metrics_sum(m, batch, ELBO_METRIC_SQUARED_ERROR);
}

elbo_scores elbo_scores_of(const elbo_metrics *m, const elbo_metric_sums *s, uint32_t images, size_t values_per_image) {
    double n = images ? images : 1;
    elbo_scores of = {.images = images,
                      .reconstruction = s->reconstruction / n,
                      .kl = s->kl / n,
                      .mse = s->squared_error / n / (double)values_per_image};
    of.loss = of.reconstruction + of.kl;
    for (int i = 0; i < m->count; i++) of.metric[i] = s->metric[i] / n;
    return of;
}

void elbo_scores_set_objective(elbo_scores *s, const elbo_recipe *r, double kl_weight, size_t values_per_image) {
    s->objective = elbo_objective(r, s, kl_weight, values_per_image);
}

/* value: (count); by_role: indexed by elbo_metric_role, up to the squared error */
static void fill(double *value, const elbo_metrics *m, const double *by_role) {
    for (int i = 0; i < m->count; i++) {
        const elbo_metric *k = &m->metric[i];
        bool summed =
            k->role != ELBO_METRIC_MEASURED && k->role != ELBO_METRIC_REGULARISER && k->role != ELBO_METRIC_BOUND;
        if (!isnan(value[i]) || !summed || elbo_metrics_count(m, k->role) > 1) continue;
        value[i] = by_role[k->role] / (k->role == ELBO_METRIC_RECONSTRUCTION ? k->weight : 1);
    }
}

void elbo_scores_fill(elbo_scores *s, const elbo_metrics *m, size_t values_per_image) {
    fill(s->metric, m,
         (const double[]){[ELBO_METRIC_RECONSTRUCTION] = s->reconstruction,
                          [ELBO_METRIC_KL] = s->kl,
                          [ELBO_METRIC_SQUARED_ERROR] = s->mse * (double)values_per_image});
}

void elbo_metric_sums_fill(elbo_metric_sums *s, const elbo_metrics *m) {
    fill(s->metric, m,
         (const double[]){[ELBO_METRIC_RECONSTRUCTION] = s->reconstruction,
                          [ELBO_METRIC_KL] = s->kl,
                          [ELBO_METRIC_SQUARED_ERROR] = s->squared_error});
}

static const struct {
    const char *name, *unit;
    size_t offset;
} members[] = {{"objective", "", offsetof(elbo_scores, objective)},
               {"loss", "nats/image", offsetof(elbo_scores, loss)},
               {"reconstruction", "nats/image", offsetof(elbo_scores, reconstruction)},
               {"kl", "nats/image", offsetof(elbo_scores, kl)},
               {"mse", "per value", offsetof(elbo_scores, mse)}};
enum { MEMBERS = sizeof members / sizeof *members };

/* -1: it is none, or of a role that this list has nothing of. */
static int member_of(const elbo_metrics *m, const char *name) {
    for (int i = 0; i < MEMBERS; i++)
        if (!strcmp(members[i].name, name))
            return members[i].offset == offsetof(elbo_scores, kl) && !elbo_metrics_count(m, ELBO_METRIC_KL) ? -1 : i;
    return -1;
}

double elbo_scores_value(const elbo_scores *s, const elbo_metrics *m, const char *name) {
    int i = member_of(m, name), k = elbo_metrics_find(m, name);
    if (i >= 0) return *(const double *)((const char *)s + members[i].offset);
    return k < 0 ? NAN : s->metric[k];
}

const char *elbo_scores_unit(const elbo_metrics *m, const char *name) {
    int i = member_of(m, name), k = elbo_metrics_find(m, name);
    return i >= 0 ? members[i].unit : k >= 0 ? m->metric[k].unit : NULL;
}

const char *elbo_scores_names(const elbo_metrics *m, char out[ELBO_SCORES_NAMES]) {
    const char *name[MEMBERS + ELBO_MAX_METRICS];
    int n = 0;
    for (int i = 0; i < MEMBERS; i++)
        if (member_of(m, members[i].name) >= 0) name[n++] = members[i].name;
    for (int i = 0; i < m->count; i++)
        if (member_of(m, m->metric[i].name) < 0) name[n++] = m->metric[i].name;
    size_t used = 0;
    for (int i = 0; i < n && used < ELBO_SCORES_NAMES; i++)
        used += (size_t)snprintf(out + used, ELBO_SCORES_NAMES - used, "%s%s",
                                 i == 0      ? ""
                                 : i < n - 1 ? ", "
                                             : " and ",
                                 name[i]);
    return out;
}

/* ---- the objective ---- */

double elbo_objective(const elbo_recipe *r, const elbo_scores *s, double kl_weight, size_t values_per_image) {
    elbo_metrics m = elbo_metrics_of(r);
    double sum = s->reconstruction + kl_weight * s->kl;
    for (int i = 0; i < m.count; i++)
        if (m.metric[i].role == ELBO_METRIC_BOUND) sum = s->metric[i];
    for (int i = 0; i < m.count; i++)
        if (m.metric[i].role == ELBO_METRIC_REGULARISER)
            sum += elbo_metric_weight(&m.metric[i], kl_weight) * s->metric[i];
    return r->loss.scale == ELBO_MEAN ? sum / (double)values_per_image : sum;
}

bool elbo_objective_is_elbo(const elbo_recipe *r, double kl_weight) {
    elbo_terms t = elbo_terms_computed(r);
    bool one = t.count == 1 && t.term[0].weight == 1;
    for (int k = 0; k < ELBO_LATENT_TERMS; k++) one &= !elbo_latent_term_is_on(r, (elbo_latent_term)k);
    return one && !elbo_has_adversary(r) && r->loss.scale == ELBO_SUM && r->loss.bound == ELBO_BOUND_ELBO &&
           (r->kind == ELBO_AE || kl_weight == 1);
}

bool elbo_objective_moves(const elbo_recipe *r) {
    return r->kind == ELBO_VAE && (r->loss.kl_warmup > 0 || r->loss.kl_schedule != ELBO_KL_CONSTANT);
}

bool elbo_objective_stays_elbo(const elbo_recipe *r) {
    return !elbo_objective_moves(r) && elbo_objective_is_elbo(r, r->loss.kl);
}

static bool same_term(const elbo_recipe *a, const elbo_recipe *b, elbo_latent_term t) {
    const elbo_latent_setting *s = &a->loss.latent[t], *o = &b->loss.latent[t];
    if (!elbo_latent_term_is_on(a, t)) return !elbo_latent_term_is_on(b, t);
    return s->number == o->number && s->argument == o->argument && s->choice == o->choice;
}

/* The term is what the adversary has learned: of two runs with the same layers and weight it means the same. */
static bool same_adversary(const elbo_recipe *a, const elbo_recipe *b) {
    const elbo_layers *s = &a->adversary.layers, *t = &b->adversary.layers;
    bool same = a->adversary.on == b->adversary.on && a->adversary.against == b->adversary.against &&
                a->adversary.weight == b->adversary.weight && s->count == t->count;
    for (int i = 0; same && i < s->count; i++) same = !strcmp(s->layer[i].text, t->layer[i].text);
    return same;
}

bool elbo_objective_same(const elbo_recipe *a, const elbo_recipe *b) {
    elbo_terms s = elbo_terms_computed(a), t = elbo_terms_computed(b);
    char mine[ELBO_TERMS_TEXT], theirs[ELBO_TERMS_TEXT];
    bool terms = a->kind == b->kind && same_adversary(a, b) && a->loss.scale == b->loss.scale &&
                 a->loss.bound == b->loss.bound &&
                 (a->loss.bound == ELBO_BOUND_ELBO || a->loss.samples == b->loss.samples) &&
                 !strcmp(elbo_terms_text(&s, mine), elbo_terms_text(&t, theirs));
    for (int i = 0; i < ELBO_LATENT_TERMS; i++) terms &= same_term(a, b, (elbo_latent_term)i);
    if (!terms || a->kind == ELBO_AE) return terms;
    bool weight = a->loss.kl == b->loss.kl && a->loss.kl_warmup == b->loss.kl_warmup &&
                  a->loss.kl_schedule == b->loss.kl_schedule;
    return weight && (a->loss.kl_schedule == ELBO_KL_CONSTANT ||
                      (a->loss.kl_period == b->loss.kl_period && a->loss.kl_min == b->loss.kl_min));
}

const char *elbo_objective_text(const elbo_recipe *r, const elbo_metrics *m, double kl_weight, size_t values_per_image,
                                char out[ELBO_OBJECTIVE_TEXT]) {
    char sum[ELBO_OBJECTIVE_TEXT] = "";
    size_t used = 0;
    int terms = 0;
    for (int i = 0; i < m->count && used < sizeof sum; i++) {
        const elbo_metric *k = &m->metric[i];
        if (!elbo_metric_is_trained(k) || k->role == ELBO_METRIC_BOUND) continue;
        char weight[32] = "";
        double w = elbo_metric_weight(k, kl_weight), factor = isnan(w) ? (k->times_kl ? k->weight : 1) : w;
        const char *sign = factor < 0 ? (terms ? " - " : "-") : terms ? " + " : ""; // of a part of the KL below 1
        if (fabs(factor) != 1) snprintf(weight, sizeof weight, "%.4g ", fabs(factor));
        used +=
            (size_t)snprintf(sum + used, sizeof sum - used, "%s%s%s%s", sign, weight, isnan(w) ? "w " : "", k->name);
        terms++;
    }
    bool mean = r->loss.scale == ELBO_MEAN;
    char iwae[32] = "";
    if (r->kind == ELBO_VAE && r->loss.bound == ELBO_BOUND_IWAE)
        snprintf(iwae, sizeof iwae, "iwae %d ", r->loss.samples);
    const char *open = (mean && terms > 1) || *iwae ? "(" : "", *close = *open ? ")" : "";
    int n = snprintf(out, ELBO_OBJECTIVE_TEXT, "%s%s%.180s%s", iwae, open, sum, close);
    if (mean) snprintf(out + n, ELBO_OBJECTIVE_TEXT - (size_t)n, " / %zu values", values_per_image);
    return out;
}

const char *elbo_objective_number(const elbo_recipe *r, double value, char out[ELBO_OBJECTIVE_NUMBER]) {
    snprintf(out, ELBO_OBJECTIVE_NUMBER, r->loss.scale == ELBO_MEAN ? "%.5f" : "%.2f", value);
    return out;
}
