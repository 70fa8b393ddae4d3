#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "table.h"

static int label_width(const elbo_comparison *c) {
    int width = 5;
    for (int i = 0; i < c->count; i++)
        if ((int)strlen(c->run[i].label) > width) width = (int)strlen(c->run[i].label);
    return width;
}

/* A metric that the columns do not tell of: one of several of its role, or one that is only measured. */
static bool apart(const elbo_metrics *m, int k) {
    elbo_metric_role role = m->metric[k].role;
    if (role == ELBO_METRIC_MEASURED || role == ELBO_METRIC_REGULARISER) return true;
    return role != ELBO_METRIC_SQUARED_ERROR && elbo_metrics_count(m, role) > 1;
}

/* Of each run that has such metrics a line: each by itself, unweighted. */
static void print_terms(const elbo_comparison *c, int width) {
    for (int i = 0; i < c->count; i++) {
        const elbo_scores *scores = elbo_compared_scores(&c->run[i]);
        const elbo_metrics *m = &c->run[i].metrics;
        const char *before = ": ";
        for (int k = 0; scores && k < m->count; k++) {
            if (!apart(m, k) || !isfinite(scores->metric[k])) continue;
            if (*before == ':') printf("%-*s", width, c->run[i].label);
            printf("%s%s %.2f %s", before, m->metric[k].name, scores->metric[k], m->metric[k].unit);
            before = ", ";
        }
        if (*before != ':') putchar('\n');
    }
}

void cli_print_runs(const elbo_comparison *c) {
    int width = label_width(c);
    bool objective = false; // some run was trained for something else than the loss that all else tells of
    for (int i = 0; i < c->count; i++) objective = objective || (c->run[i].epochs && !c->run[i].objective_is_loss);
    printf("%-*s", width, "model");
    if (objective) printf("  %9s", "objective");
    printf("  %9s  %14s  %7s  %8s  %6s  %8s  %10s\n", "test loss", "reconstruction", "kl", "mse", "epochs", "seconds",
           "images/s");
    for (int i = 0; i < c->count; i++) {
        const elbo_compared_run *r = &c->run[i];
        const elbo_scores *s = elbo_compared_scores(r);
        char rate[32], kl[32] = "-";
        printf("%-*s", width, r->label);
        if (!s) {
            printf("  no finished epoch\n");
            continue;
        }
        if (r->kind == ELBO_VAE) snprintf(kl, sizeof kl, "%.2f", s->kl);
        if (objective) printf("  %9s", r->objective_is_loss ? "-" : r->objective_number);
        printf("  %9.2f  %14.2f  %7s  %8.4f  %6d  %8.1f  %10s\n", s->loss, s->reconstruction, kl, s->mse, r->epochs,
               r->seconds, elbo_thousands(r->images_per_second, rate));
    }
    for (int i = 0; i < c->count; i++)
        if (c->run[i].epochs && !c->run[i].objective_is_loss)
            printf("objective of %s: %s\n", c->run[i].label, c->run[i].objective_formula);
    print_terms(c, width);
}

static int column_width(const elbo_quality_row *row) { return row->short_label[0] == 'l' ? 15 : 8; } // with its error

static bool print_score(const elbo_compared_run *r, int row) {
    char number[ELBO_QUALITY_TEXT];
    if (!*elbo_quality_text(&elbo_quality_rows[row], elbo_compared_quality(r), number)) strcpy(number, "-");
    int letters = (int)strlen(number) - (strchr(number, '\xc2') != NULL); // the plus-minus sign has two bytes
    printf("  %*s%s%c", column_width(&elbo_quality_rows[row]) - letters, "", number, r->best[row] ? '*' : ' ');
    return r->best[row];
}

void cli_print_scores(const elbo_comparison *c) {
    int width = label_width(c), any = 0;
    for (int i = 0; i < c->count; i++) any += c->run[i].scored;
    if (!any) return;
    bool marked = false;
    printf("\n%-*s", width, "model");
    for (const elbo_quality_row *row = elbo_quality_rows; row->key; row++)
        if (elbo_comparison_has(c, row)) printf("  %*s ", column_width(row), row->short_label);
    putchar('\n');
    for (int i = 0; i < c->count; i++) {
        printf("%-*s", width, c->run[i].label);
        for (int row = 0; elbo_quality_rows[row].key; row++)
            if (elbo_comparison_has(c, &elbo_quality_rows[row])) marked |= print_score(&c->run[i], row);
        putchar('\n');
    }
    if (marked) printf("* best among comparable runs\n");
}
