/* elbo sweep: a recipe over the values of some keys. */
#include "explore/sweep.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli.h"
#include "render/charts.h"
#include "render/gnuplot.h"
#include "runs.h"

typedef struct request {
    const char *recipe, *folder, *data, *device; // NULL: not said
    cli_texts sets, over;
    char epochs_set[40], seed_set[40];
    int seeds, jobs, threads, importance;
    bool svg, json, quiet, no_charts;
} request;

static bool add_set(cli_texts *sets, const char *text) {
    if (sets->count == (int)(sizeof sets->text / sizeof *sets->text)) return false;
    sets->text[sets->count++] = text;
    return true;
}

/* Whether there is something to do; else `*code` is the exit code. */
static bool read_request(request *q, const cli_command *self, int argc, char **argv, int *code) {
    int epochs = 0;
    uint64_t seed = UINT64_MAX;
    cli_option options[] = {
        {"over", 0, CLI_TEXTS, &q->over, "KEY=V,V,...",
         "a key of the recipe and its values; repeatable: all combinations", 0, 0},
        {"seeds", 'n', CLI_INT, &q->seeds, "N", "runs of each value, by train.seed, +1, ...; default 3", 1, 1000},
        {"output", 'o', CLI_OUTPUT, &q->folder, "DIR", "the sweep's folder; default runs/RECIPE-KEY", 0, 0},
        {"set", 0, CLI_TEXTS, &q->sets, "KEY=VALUE", "overrides a key of the recipe; repeatable", 0, 0},
        {"data", 'd', CLI_TEXT, &q->data, "PATH", "a folder of photographs or IDX files, a .npy, or a name", 0, 0},
        {"epochs", 'e', CLI_INT, &epochs, "N", "the same as --set train.epochs=N", 1, 1e6},
        {"seed", 's', CLI_U64, &seed, "N", "the first seed: the same as --set train.seed=N", 0, 0},
        {"likelihood", 'k', CLI_INT, &q->importance, "N",
         "log p(x) of each VAE from N importance samples per image; default: off", 1, 100000},
        {"jobs", 'j', CLI_INT, &q->jobs, "N", "runs at once, which share the cores; default 1", 1, 1024},
        {"threads", 't', CLI_INT, &q->threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        CLI_DEVICE_OPTION(q->device),
        {"svg", 0, CLI_FLAG, &q->svg, NULL, "also SVGs", 0, 0},
        {"json", 0, CLI_FLAG, &q->json, NULL, "prints one JSON object, and nothing else", 0, 0},
        {"quiet", 'q', CLI_FLAG, &q->quiet, NULL, "no progress", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return *code = CLI_CODE(words), false;
    *code = CLI_USAGE;
    if (!q->over.count) {
        cli_fail_text("sweep: nothing to sweep over; --over latent=2,10,20 names a key and its values");
        return false;
    }
    q->recipe = argv[0];
    snprintf(q->epochs_set, sizeof q->epochs_set, "train.epochs=%d", epochs);
    snprintf(q->seed_set, sizeof q->seed_set, "train.seed=%llu", (unsigned long long)seed);
    bool all = (!epochs || add_set(&q->sets, q->epochs_set)) && (seed == UINT64_MAX || add_set(&q->sets, q->seed_set));
    if (!all) cli_fail_text("sweep: too many --set");
    return all;
}

/* ---- while it runs ---- */

typedef struct telling {
    const request *q;
    bool terminal;
} telling;

static elbo_status open_data(void *context, elbo_dataset *d, char **remember, const elbo_recipe *r, elbo_error *err) {
    const request *q = ((const telling *)context)->q;
    ELBO_TRY(cli_open_data(d, r, q->data, NULL, ELBO_BOTH_SPLITS, q->threads, err));
    cli_catch_interrupts(); // (which reading photographs has released)
    *remember = cli_data_to_remember(d, r, q->data);
    return ELBO_OK;
}

static void say_run(const elbo_sweep_progress *p) {
    const elbo_sweep_run *r = p->run;
    char seconds[32], number[ELBO_OBJECTIVE_NUMBER];
    fprintf(stderr, "%*d/%d  %s  ",
            p->sweep->runs > 99  ? 3
            : p->sweep->runs > 9 ? 2
                                 : 1,
            p->done, p->sweep->runs, r->name);
    if (r->state == ELBO_SWEEP_FAILED) {
        fprintf(stderr, "failed: %s\n", r->error ? r->error : "out of memory");
        return;
    }
    if (!elbo_objective_stays_elbo(&r->recipe))
        fprintf(stderr, "objective %s  ", elbo_objective_number(&r->recipe, r->value[ELBO_SWEEP_OBJECTIVE], number));
    fprintf(stderr, "loss %.2f", r->value[ELBO_SWEEP_LOSS]);
    if (isfinite(r->value[ELBO_SWEEP_KL]))
        fprintf(stderr, " (%.2f + kl %.2f)", r->value[ELBO_SWEEP_RECONSTRUCTION], r->value[ELBO_SWEEP_KL]);
    if (isfinite(r->value[ELBO_SWEEP_LOG_P])) fprintf(stderr, "  log p %.2f", r->value[ELBO_SWEEP_LOG_P]);
    fprintf(stderr, "  %s%s\n", cli_duration(r->seconds, seconds), r->found ? ", trained before" : "");
}

static bool tell(void *context, const elbo_sweep_progress *p) {
    const telling *t = context;
    if (t->q->quiet || t->q->json) return cli_interrupted();
    if (p->ended) {
        if (t->terminal) cli_draw_line("");
        say_run(p);
    } else if (t->terminal) {
        char line[200], left[32] = "";
        if (isfinite(p->seconds_left)) cli_duration(p->seconds_left, left);
        int n = snprintf(line, sizeof line, "%3.0f %%  %.60s  epoch %d/%d", 100 * p->share, p->run->name,
                         p->training->epoch, p->training->epochs);
        if (*left && n < 79) snprintf(line + n, sizeof line - (size_t)n, "  %s left", left);
        line[79] = 0;
        cli_draw_line(line);
    }
    return cli_interrupted();
}

/* ---- the table ---- */

static int width_of(elbo_sweep_measure m) { return m == ELBO_SWEEP_ACTIVE ? 13 : m == ELBO_SWEEP_KL ? 14 : 17; }

static bool shown(const elbo_sweep *s, elbo_sweep_measure m) {
    if (m == ELBO_SWEEP_OBJECTIVE && !s->objective_differs) return false;
    for (int i = 0; i < s->settings; i++)
        if (s->setting[i].spread[m].n) return true;
    return false;
}

/* "105.30 ± 0.21" in a column */
static void print_spread(const elbo_spread *v, elbo_sweep_measure m) {
    char text[64] = "-", deviation[32];
    int decimals = elbo_sweep_measures[m].decimals;
    if (m == ELBO_SWEEP_OBJECTIVE && v->n && fabs(v->mean) < 10) decimals = 5; // a mean over values
    if (v->n) snprintf(text, sizeof text, "%.*f", decimals, v->mean);
    int sign = 0;
    if (v->n && isfinite(v->deviation)) {
        snprintf(deviation, sizeof deviation, " ± %.*f", decimals, v->deviation);
        strcat(text, deviation);
        sign = 1; // the plus-minus sign has two bytes
    }
    printf("  %*s", width_of(m) + sign, text);
}

static void print_table(const elbo_sweep *s) {
    int width = 5;
    bool failed = false;
    for (int i = 0; i < s->settings; i++)
        if ((int)strlen(s->setting[i].name) > width) width = (int)strlen(s->setting[i].name);
    if (width > 50) width = 50;
    printf("%-*s", width, "value");
    for (int m = 0; m < ELBO_SWEEP_MEASURES; m++)
        if (shown(s, (elbo_sweep_measure)m))
            printf("  %*s", width_of((elbo_sweep_measure)m), elbo_sweep_measures[m].label);
    printf("  runs\n");
    for (int i = 0; i < s->settings; i++) {
        const elbo_sweep_setting *setting = &s->setting[i];
        printf("%-*.*s", width, width, setting->name);
        for (int m = 0; m < ELBO_SWEEP_MEASURES; m++)
            if (shown(s, (elbo_sweep_measure)m)) print_spread(&setting->spread[m], (elbo_sweep_measure)m);
        printf("  %d", setting->finished);
        if (setting->finished < s->seeds) printf(" of %d", s->seeds);
        if (setting->failed) printf(", %d failed", setting->failed);
        putchar('\n');
        failed = failed || setting->failed;
    }
    printf("\nnats per image, on the %s images; mean ± standard deviation over the seeds\n", s->split);
    for (int i = 0; i < s->runs && failed; i++)
        if (s->run[i].state == ELBO_SWEEP_FAILED)
            printf("failed: %s: %s\n", s->run[i].name, s->run[i].error ? s->run[i].error : "out of memory");
}

static void print_choice(const elbo_sweep *s) {
    if (s->best < 0) return;
    const elbo_spread *v = &s->setting[s->best].spread[s->score];
    const char *label = elbo_sweep_measures[s->score].label;
    if (!isfinite(s->standard_error)) {
        printf("best %s: %s\n", label, s->setting[s->best].name);
        return;
    }
    int decimals = fabs(v->mean) < 10 ? 5 : 2;
    printf("best %s: %s, %.*f with a standard error of %.*f\n", label, s->setting[s->best].name, decimals, v->mean,
           decimals, s->standard_error);
    if (s->smallest >= 0)
        printf("smallest %s within two standard errors of it: %s\n", s->key[0].key, s->setting[s->smallest].name);
}

/* ---- the command ---- */

/* Of every measure that there is a chart. */
static elbo_status draw(const elbo_sweep *s, const request *q, json_t *json, elbo_error *err) {
    char *folder = elbo_format("%s/figures", s->folder), title[200];
    elbo_status status = folder ? ELBO_OK : elbo_no_memory(err);
    json_t *list = json_array();
    for (int k = 0; k < ELBO_SWEEP_MEASURES && status == ELBO_OK; k++) {
        elbo_sweep_measure m = (elbo_sweep_measure)k;
        bool drawn = false;
        if (!shown(s, m)) continue;
        snprintf(title, sizeof title, "%.80s: %s over %.60s", s->recipe, elbo_sweep_measures[m].label, s->key[0].key);
        elbo_figure f = {.folder = folder, .name = elbo_sweep_measures[m].key, .title = title, .svg = q->svg};
        status = elbo_figure_sweep(f, s, m, &drawn, err);
        if (status != ELBO_OK || !drawn) continue;
        char *path = elbo_format("%s/%s.png", folder, f.name);
        json_array_append_new(list, json_string(path ? path : ""));
        if (!json && path) printf("%s\n", path);
        free(path);
    }
    if (json)
        json_object_set_new(json, "figures", list);
    else
        json_decref(list);
    free(folder);
    return status;
}

/* What --data named, as it is found from any folder. */
static const char *data_name(const request *q, char place[PATH_MAX]) {
    if (!q->data) return NULL;
    return access(q->data, F_OK) == 0 && realpath(q->data, place) ? place : q->data;
}

static int finish(elbo_sweep *s, const request *q, elbo_status status, elbo_error *err) {
    int code = status == ELBO_OK ? CLI_OK : status == ELBO_STOPPED ? CLI_INTERRUPTED : CLI_FAILED;
    elbo_error why;
    elbo_sweep_summarize(s);
    if (code == CLI_FAILED) return cli_fail(err);
    if (elbo_sweep_write_csv(s, &why) != ELBO_OK) code = cli_fail(&why);
    json_t *json = q->json ? elbo_sweep_json(s) : NULL;
    int failed = 0;
    for (int i = 0; i < s->runs; i++) failed += s->run[i].state == ELBO_SWEEP_FAILED;
    if (!json && s->best >= 0) {
        print_table(s);
        print_choice(s);
    }
    if (s->best >= 0 && status == ELBO_OK && !q->no_charts && draw(s, q, json, &why) != ELBO_OK) code = cli_fail(&why);
    if (q->json) cli_print_json(json);
    if (status == ELBO_STOPPED && !q->json) fprintf(stderr, "%s; the same command continues\n", err->message);
    if (failed && code == CLI_OK) code = cli_fail_text("%d of %d runs failed", failed, s->runs);
    return code;
}

static int run(const cli_command *self, int argc, char **argv) {
    int code;
    request q = {.seeds = 3, .jobs = 1};
    if (!read_request(&q, self, argc, argv, &code)) return code;
    elbo_error err;
    elbo_sweep s;
    const elbo_device *device;
    char place[PATH_MAX];
    if (elbo_device_find(&device, q.device, &err) != ELBO_OK) return cli_fail(&err);
    q.no_charts = elbo_gnuplot_check(&err) != ELBO_OK; // known before hours of training
    if (q.no_charts) fprintf(stderr, "elbo: %s; no charts will be drawn\n", err.message);
    elbo_sweep_plan_options plan = {.recipe = q.recipe,
                                    .sets = q.sets.text,
                                    .set_count = q.sets.count,
                                    .over = q.over.text,
                                    .over_count = q.over.count,
                                    .seeds = q.seeds};
    if (elbo_sweep_plan(&s, &plan, &err) != ELBO_OK) return cli_fail(&err);
    char *folder = q.folder ? strdup(q.folder) : elbo_format("runs/%s-%s", s.recipe, s.key[0].key);
    elbo_status status = folder ? elbo_sweep_claim(&s, folder, data_name(&q, place), &err) : elbo_no_memory(&err);
    if (status != ELBO_OK) {
        code = cli_fail(&err);
    } else {
        telling t = {&q, isatty(STDERR_FILENO)};
        elbo_sweep_training training = {.jobs = q.jobs,
                                        .threads = q.threads,
                                        .device = q.device,
                                        .importance = q.importance,
                                        .open = open_data,
                                        .tell = tell,
                                        .context = &t};
        cli_catch_interrupts();
        status = elbo_sweep_train(&s, &training, &err);
        if (t.terminal && !q.quiet && !q.json) cli_draw_line("");
        code = finish(&s, &q, status, &err);
    }
    elbo_sweep_free(&s);
    free(folder);
    return code;
}

const cli_command cli_sweep = {
    .name = "sweep",
    .arguments = "RECIPE",
    .summary = "trains a recipe over values of a key and several seeds, and compares them",
    .details =
        "Each value is trained with each seed, in a run folder of its own: DIR/latent=2,seed=0. The table has the mean and\n"
        "the standard deviation over the seeds; charts go to DIR/figures, a line for each run to DIR/results.csv. Runs\n"
        "that are finished are not trained again: after Ctrl-C, a crash, or with more values or seeds, the same command\n"
        "goes on. A run that fails does not stop the others. Results do not depend on --jobs or --threads.\n"
        "\n"
        "Values are compared by the objective, by -ELBO where the objective itself is swept, or by log p(x) with\n"
        "--likelihood. The smallest value within two standard errors of the best mean is the one to take; the standard\n"
        "error comes from the spread over the seeds, pooled over all values.\n"
        "\n"
        "examples:\n"
        "  elbo sweep mnist-vae --over latent=2,10,20\n"
        "  elbo sweep mnist-vae --over latent=2,10,20 --over loss.kl=1,4 --seeds 5 --jobs 4 -o runs/beta\n"
        "  elbo sweep mine.yaml --over 'encoder=[flatten, linear 200, tanh],[flatten, linear 400, tanh]' -k 500\n",
    .run = run,
};
