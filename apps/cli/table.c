#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "run/scores_json.h"
#include "table.h"

typedef struct summary {
    const elbo_epoch_log *last; // NULL: no epoch is finished
    const elbo_scores *scores;  // of the test images, where there are some
    double seconds, images_per_second;
} summary;

static summary sum_up(const elbo_run *r) {
    summary s = {0};
    if (r->log.count == 0) return s;
    s.last = &r->log.epoch[r->log.count - 1];
    s.scores = s.last->test.images ? &s.last->test : &s.last->train;
    for (int e = 0; e < r->log.count; e++) s.seconds += r->log.epoch[e].seconds;
    if (s.seconds > 0) s.images_per_second = (double)s.last->train.images * r->log.count / s.seconds;
    return s;
}

/* Whether what was trained is the loss that all else tells of: at the end of training. */
static bool is_loss(const elbo_run *r) {
    return elbo_objective_is_elbo(&r->model->recipe, elbo_log_kl_weight(&r->log, &r->model->recipe));
}

static bool has_objectives(const elbo_run *runs, int count) {
    bool any = false;
    for (int i = 0; i < count; i++) any = any || (runs[i].log.count && !is_loss(&runs[i]));
    return any;
}

static const char *objective_of(const elbo_run *r, char text[ELBO_OBJECTIVE_TEXT]) {
    const elbo_recipe *recipe = &r->model->recipe;
    return elbo_objective_text(recipe, &r->log.metrics, elbo_log_kl_weight(&r->log, recipe),
                               elbo_image_size(r->model->network.graph.image), text);
}

static void say_objective(const elbo_run *r) {
    char text[ELBO_OBJECTIVE_TEXT];
    if (r->log.count && !is_loss(r)) printf("objective of %s: %s\n", r->label, objective_of(r, text));
}

/* A metric that the columns do not tell of: one of several of its role, or one that is only measured. */
static bool apart(const elbo_metrics *m, int k) {
    elbo_metric_role role = m->metric[k].role;
    return role == ELBO_METRIC_MEASURED || (role != ELBO_METRIC_SQUARED_ERROR && elbo_metrics_count(m, role) > 1);
}

/* Of each run that has such metrics a line: each by itself, unweighted. */
static void print_terms(const elbo_run *runs, int count, int width) {
    for (int i = 0; i < count; i++) {
        summary s = sum_up(&runs[i]);
        const elbo_metrics *m = &runs[i].log.metrics;
        const char *before = ": ";
        for (int k = 0; s.last && k < m->count; k++) {
            if (!apart(m, k) || !isfinite(s.scores->metric[k])) continue;
            if (*before == ':') printf("%-*s", width, runs[i].label);
            printf("%s%s %.2f %s", before, m->metric[k].name, s.scores->metric[k], m->metric[k].unit);
            before = ", ";
        }
        if (*before != ':') putchar('\n');
    }
}

void cli_print_runs(const elbo_run *runs, int count) {
    int width = 5;
    for (int i = 0; i < count; i++)
        if ((int)strlen(runs[i].label) > width) width = (int)strlen(runs[i].label);
    bool objective = has_objectives(runs, count);
    printf("%-*s", width, "model");
    if (objective) printf("  %9s", "objective");
    printf("  %9s  %14s  %7s  %8s  %6s  %8s  %10s\n", "test loss", "reconstruction", "kl", "mse", "epochs", "seconds",
           "images/s");
    for (int i = 0; i < count; i++) {
        summary s = sum_up(&runs[i]);
        char rate[32], kl[32] = "-", own[ELBO_OBJECTIVE_NUMBER] = "-";
        if (!s.last) {
            printf("%-*s  no epoch finished\n", width, runs[i].label);
            continue;
        }
        if (!is_loss(&runs[i])) elbo_objective_number(&runs[i].model->recipe, s.scores->objective, own);
        if (runs[i].model->recipe.kind == ELBO_VAE) snprintf(kl, sizeof kl, "%.2f", s.scores->kl);
        printf("%-*s", width, runs[i].label);
        if (objective) printf("  %9s", own);
        printf("  %9.2f  %14.2f  %7s  %8.4f  %6d  %8.1f  %10s\n", s.scores->loss, s.scores->reconstruction, kl,
               s.scores->mse, runs[i].log.count, s.seconds, elbo_thousands(s.images_per_second, rate));
    }
    for (int i = 0; i < count; i++) say_objective(&runs[i]);
    print_terms(runs, count, width);
}

/* Scores that the table of the logs has not. */
static bool in_table(const elbo_quality_row *row, const elbo_run *runs, int count) {
    static const char *const told[] = {"objective", "loss", "reconstruction", "kl", "mse", NULL};
    for (int i = 0; told[i]; i++)
        if (!strcmp(told[i], row->key)) return false;
    for (int i = 0; i < count; i++)
        if (elbo_quality_shown(row, runs[i].quality)) return true;
    return false;
}

static int column_width(const elbo_quality_row *row) { return row->short_label[0] == 'l' ? 15 : 8; } // with its error

static void print_score(const elbo_run *runs, int count, int i, const elbo_quality_row *row, bool *marked) {
    char number[ELBO_QUALITY_TEXT];
    if (!*elbo_quality_text(row, runs[i].quality, number)) strcpy(number, "-");
    bool best = elbo_run_best(runs, count, i, row);
    *marked |= best;
    int letters = (int)strlen(number) - (strchr(number, '\xc2') != NULL); // the plus-minus sign has two bytes
    printf("  %*s%s%c", column_width(row) - letters, "", number, best ? '*' : ' ');
}

void cli_print_scores(const elbo_run *runs, int count) {
    int width = 5, any = 0;
    for (int i = 0; i < count; i++) {
        if ((int)strlen(runs[i].label) > width) width = (int)strlen(runs[i].label);
        any += runs[i].quality != NULL;
    }
    if (!any) return;
    bool marked = false;
    printf("\n%-*s", width, "model");
    for (const elbo_quality_row *row = elbo_quality_rows; row->key; row++)
        if (in_table(row, runs, count)) printf("  %*s ", column_width(row), row->short_label);
    putchar('\n');
    for (int i = 0; i < count; i++) {
        printf("%-*s", width, runs[i].label);
        for (const elbo_quality_row *row = elbo_quality_rows; row->key; row++)
            if (in_table(row, runs, count)) print_score(runs, count, i, row, &marked);
        putchar('\n');
    }
    if (marked) printf("* the best of those that can be compared\n");
}

json_t *cli_runs_json(const elbo_run *runs, int count) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        summary s = sum_up(&runs[i]);
        json_t *o = json_pack("{s:s, s:s, s:s, s:I, s:i, s:i}", "run", runs[i].model->run, "label", runs[i].label,
                              "kind", elbo_kind_name(runs[i].model->recipe.kind), "parameters",
                              (json_int_t)runs[i].model->network.graph.weights, "latent",
                              runs[i].model->network.graph.latent, "epochs", runs[i].log.count);
        char text[ELBO_OBJECTIVE_TEXT];
        if (s.last) {
            json_t *scores = elbo_scores_to_json(s.scores, &runs[i].log.metrics);
            if (scores) json_object_del(scores, "images");
            json_object_update_new(o, scores);
            json_object_update_new(
                o, json_pack("{s:s, s:s, s:o, s:f, s:f}", "unit", "nats/image", "objective_formula",
                             objective_of(&runs[i], text), "metric_list",
                             elbo_metrics_to_json(&runs[i].log.metrics,
                                                  elbo_log_kl_weight(&runs[i].log, &runs[i].model->recipe)),
                             "seconds", s.seconds, "images_per_second", s.images_per_second));
        }
        if (runs[i].quality) json_object_set_new(o, "scores", elbo_quality_to_json(runs[i].quality));
        json_array_append_new(list, o);
    }
    return list;
}
