#include <stdio.h>
#include <string.h>

#include "cli.h"
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

void cli_print_runs(const elbo_run *runs, int count) {
    int width = 5;
    for (int i = 0; i < count; i++)
        if ((int)strlen(runs[i].label) > width) width = (int)strlen(runs[i].label);
    printf("%-*s  %9s  %14s  %7s  %8s  %6s  %8s  %10s\n", width, "model", "test loss", "reconstruction", "kl", "mse",
           "epochs", "seconds", "images/s");
    for (int i = 0; i < count; i++) {
        summary s = sum_up(&runs[i]);
        char rate[32], kl[32] = "-";
        if (!s.last) {
            printf("%-*s  no epoch finished\n", width, runs[i].label);
            continue;
        }
        if (runs[i].model->recipe.kind == ELBO_VAE) snprintf(kl, sizeof kl, "%.2f", s.scores->kl);
        printf("%-*s  %9.2f  %14.2f  %7s  %8.4f  %6d  %8.1f  %10s\n", width, runs[i].label, s.scores->loss,
               s.scores->reconstruction, kl, s.scores->mse, runs[i].log.count, s.seconds,
               elbo_thousands(s.images_per_second, rate));
    }
}

/* Scores that the table of the logs has not. */
static bool in_table(const elbo_quality_row *row, const elbo_run *runs, int count) {
    static const char *const told[] = {"loss", "reconstruction", "kl", "mse", NULL};
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
        if (s.last)
            json_object_update_new(o, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "unit", "nats/image", "loss",
                                                s.scores->loss, "reconstruction", s.scores->reconstruction, "kl",
                                                s.scores->kl, "mse", s.scores->mse, "seconds", s.seconds,
                                                "images_per_second", s.images_per_second));
        if (runs[i].quality) json_object_set_new(o, "scores", elbo_quality_to_json(runs[i].quality));
        json_array_append_new(list, o);
    }
    return list;
}
