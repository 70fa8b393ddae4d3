/* elbo compare: the loss curves of some runs in one chart, and a table of their scores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/recipe_differences.h"
#include "job.h"
#include "render/charts.h"
#include "runs.h"
#include "table.h"

/* Each run's scores, on its own data: as kept in its folder, or measured now. A run whose data are not there has those
 * of its log only, and a line says so. */
static elbo_status measure(cli_runs *r, const char *data, int threads, elbo_error *err) {
    elbo_job work = cli_work(threads);
    elbo_status status = ELBO_OK;
    for (int i = 0; i < r->count && status == ELBO_OK; i++) {
        elbo_run *run = &r->run[i];
        elbo_dataset d = {0};
        elbo_eval_context e = {0};
        elbo_error why;
        if (!data && elbo_run_recall(run, NULL, &why) == ELBO_OK) continue;
        if (cli_open_model_data(&d, run->model, data, ELBO_BOTH_SPLITS, threads, &why) != ELBO_OK) {
            cli_work_end();
            fprintf(stderr, "elbo: %s only its log is compared: %s\n", run->label, why.message);
            continue;
        }
        status =
            d.test.count ? elbo_eval_context_open(&e, run->model, &run->log, &d, ELBO_TEST_SPLIT, &work, err) : ELBO_OK;
        if (status == ELBO_OK && e.n) status = elbo_run_measure(run, &e, !data, err);
        elbo_eval_context_close(&e);
        elbo_dataset_close(&d);
    }
    cli_work_end();
    return status;
}

/* Losses of different images share an axis and mean different things. */
static void say_of_different_data(const elbo_comparison *c) {
    for (int i = 1; i < c->count; i++) {
        if (!strcmp(c->run[0].data, c->run[i].data)) continue;
        fprintf(stderr, "elbo: %s was trained on %s, %s on %s: their losses cannot be compared\n", c->run[0].label,
                c->run[0].data, c->run[i].label, c->run[i].data);
        return;
    }
}

/* Of the figure: "loss", "Loss over the epochs"; of one metric "curves-kl", "kl over the epochs"; of several "curves". */
static void name_curves(const elbo_comparison *c, const cli_texts *metrics, char name[80], char title[200]) {
    bool plain = metrics->count == 0;
    strcpy(name, plain ? "loss" : "curves");
    strcpy(title, !plain ? "" : c->draws_objective ? "Objective" : "Loss");
    if (metrics->count == 1 && !strchr(metrics->text[0], '/')) // (a name with a slash is refused)
        snprintf(name, 80, "curves-%.60s", metrics->text[0]);
    for (int i = 0; i < metrics->count && strlen(title) < 100; i++) {
        const char *before = i == 0 ? "" : i < metrics->count - 1 ? ", " : " and ";
        snprintf(title + strlen(title), 200 - strlen(title), "%s%.60s", before, metrics->text[i]);
    }
    strcat(title, " over the epochs");
}

/* Sections of one key that differ in every line are no news in a table: long values are cut. */
static void print_differences(const elbo_comparison *c, const elbo_recipe_differences *d) {
    enum { WIDE = 34 };
    if (c->count < 2) return;
    puts(d->count ? "\nwhat differs between the recipes" : "\nthe recipes are the same");
    for (size_t i = 0; i < d->count; i++) {
        printf("  %s:", d->row[i].key);
        for (int r = 0; r < d->runs; r++) {
            const char *value = *d->row[i].value[r] ? d->row[i].value[r] : "-";
            printf("%s %s %.*s%s", r ? " |" : "", c->run[r].label, WIDE, value, strlen(value) > WIDE ? "..." : "");
        }
        putchar('\n');
    }
}

static void print_text(const elbo_comparison *c, const elbo_recipe_differences *d, const elbo_figure *curves,
                       const elbo_figure *kl) {
    cli_print_runs(c);
    cli_print_scores(c);
    print_differences(c, d);
    putchar('\n');
    cli_say_figure(curves, NULL);
    if (kl) cli_say_figure(kl, NULL);
}

static void print_json(const elbo_comparison *c, const elbo_recipe_differences *d, const elbo_figure *curves,
                       const elbo_figure *kl) {
    json_t *o =
        json_pack("{s:o, s:o}", "runs", elbo_comparison_json(c), "differences", elbo_recipe_differences_json(d));
    cli_say_figure(curves, o);
    if (kl) {
        json_t *named = json_object();
        cli_say_figure(kl, named);
        json_object_set(o, "kl_figure", json_object_get(named, "figure"));
        json_decref(named);
    }
    cli_print_json(o);
}

typedef struct request {
    const char *output, *data, *device;
    int threads;
    bool json, svg;
    cli_texts metrics;
} request;

/* Runs of a sweep by the value that it went over; others as they were named. */
static elbo_status order_by_swept(cli_runs *r, elbo_recipe_differences *d, elbo_error *err) {
    ELBO_TRY(elbo_recipe_differences_find(d, r->run, r->count, err));
    const elbo_recipe_difference *swept = elbo_recipe_differences_swept(d);
    if (!swept) return ELBO_OK;
    double value[CLI_MOST_RUNS];
    for (int i = 0; i < r->count; i++) value[i] = strtod(swept->value[i], NULL);
    for (int i = 1; i < r->count; i++) // equal values stay in their order
        for (int k = i; k > 0 && value[k - 1] > value[k]; k--) {
            double v = value[k];
            elbo_run run = r->run[k];
            value[k] = value[k - 1];
            value[k - 1] = v;
            r->run[k] = r->run[k - 1];
            r->run[k - 1] = run;
        }
    elbo_recipe_differences_free(d);
    return elbo_recipe_differences_find(d, r->run, r->count, err);
}

/* The curves first: scores may take long. */
static elbo_status compare(elbo_comparison *c, elbo_recipe_differences *d, cli_runs *r, const request *q,
                           elbo_error *err) {
    char name[80], title[200];
    cli_figure_place place, kl_place;
    ELBO_TRY(order_by_swept(r, d, err));
    ELBO_TRY(elbo_compare(c, r->run, r->count, err));
    say_of_different_data(c);
    name_curves(c, &q->metrics, name, title);
    elbo_figure curves = cli_figure(&place, c->run[0].run, name, title, q->output, q->svg), kl = curves;
    snprintf(kl_place.name, sizeof kl_place.name, "%.240s", curves.name);
    kl.name = q->output ? strcat(kl_place.name, "-kl") : "kl"; // beside the first
    kl.title = "KL of each latent dimension";
    bool drawn = false;
    ELBO_TRY(elbo_figure_curves(curves, c, q->metrics.text, q->metrics.count, err));
    ELBO_TRY(measure(r, q->data, q->threads, err));
    ELBO_TRY(elbo_comparison_take_scores(c, r->run, err));
    ELBO_TRY(elbo_figure_kl(kl, c, &drawn, err));
    (q->json ? print_json : print_text)(c, d, &curves, drawn ? &kl : NULL);
    return ELBO_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {0};
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &q.output, "FILE.png|.svg", "default RUN/figures/loss.png of the first run", 0, 0},
        {"metric", 'm', CLI_TEXTS, &q.metrics, "NAME",
         "curves of objective, loss, reconstruction, kl, mse or another metric; repeatable", 0, 0},
        {"data", 'd', CLI_TEXT, &q.data, "PATH", "the data set, where it is not what the runs were trained on", 0, 0},
        CLI_DEVICE_OPTION(q.device),
        {"threads", 't', CLI_INT, &q.threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"svg", 0, CLI_FLAG, &q.svg, NULL, "also an SVG", 0, 0},
        {"json", 0, CLI_FLAG, &q.json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    if (CLI_DONE(words)) return CLI_CODE(words);
    cli_folders found;
    cli_runs r;
    int code = cli_find_runs(&found, argv, words);
    if (code != CLI_OK) return code;
    code = cli_runs_open(&r, found.path, found.count, NULL, 0, q.device, q.threads);
    cli_folders_free(&found);
    if (code != CLI_OK) return code;
    elbo_error err;
    elbo_comparison c = {0};
    elbo_recipe_differences d = {0};
    if (compare(&c, &d, &r, &q, &err) != ELBO_OK) code = cli_fail(&err);
    elbo_recipe_differences_free(&d);
    elbo_comparison_free(&c);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_compare = {
    .name = "compare",
    .arguments = "RUN [RUN...] | FOLDER",
    .summary = "loss curves in one chart, and a table of every score",
    .details =
        "Losses are in nats per image for every model, so the curves share one axis; those of the table are of the last\n"
        "finished epoch, from the runs' own logs. Where all runs minimise one and the same sum that is not the loss in\n"
        "nats (weights, loss.scale: mean), the curves are of this objective. --metric draws others instead: kl, or\n"
        "--metric reconstruction --metric kl in one chart. The other scores are those of `elbo eval`, kept in\n"
        "RUN/scores.json; missing or outdated scores are computed. A second figure shows\n"
        "the KL of each latent dimension. The best of a column has a * where runs can be compared: on one data set, by\n"
        "one kind of loss. What differs between the recipes stands below; runs that differ in one number, as those of a sweep,\n"
        "are put in its order. FOLDER is one in which runs lie: all of them.\n"
        "\n"
        "example:\n"
        "  elbo compare runs/mnist-ae runs/mnist-vae\n"
        "  elbo compare runs/mnist-vae runs/beta4 --metric kl\n",
    .run = run,
};
