/* elbo train: a recipe, a data set, a run folder. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli.h"
#include "progress.h"
#include "recipe_for.h"
#include "run/run_folder.h"
#include "run/scores_json.h"
#include "training_figure.h"

/* A resumed run goes by its own recipe; only how long it lasts may change. */
static elbo_status open_recipe(elbo_recipe *r, const char *recipe, const char *run, const elbo_run_facts *facts,
                               const cli_texts *sets, elbo_error *err) {
    if (!facts->recipe) {
        ELBO_TRY(elbo_recipe_open(r, recipe, sets->text, sets->count, err));
        elbo_status status = elbo_recipe_check_schedules(r, err);
        if (status != ELBO_OK) elbo_recipe_close(r);
        return status;
    }
    for (int i = 0; i < sets->count; i++)
        if (strncmp(sets->text[i], "train.epochs=", 13))
            return elbo_fail(err, ELBO_BAD_INPUT,
                             "--set %s: only train.epochs can change on --resume; start a new run for "
                             "the rest",
                             sets->text[i]);
    if (recipe) { // the same by its name; what it says by now is not looked at
        ELBO_TRY(elbo_recipe_open(r, recipe, NULL, 0, err));
        elbo_status status =
            !strcmp(r->name, facts->recipe)
                ? ELBO_OK
                : elbo_fail(err, ELBO_BAD_INPUT,
                            "%s: was trained by the recipe %s, not %s; to continue it: elbo train --resume -o %s", run,
                            facts->recipe, r->name, run);
        elbo_recipe_close(r);
        ELBO_TRY(status);
    }
    return elbo_run_recipe_open(r, run, facts, sets->text, sets->count, err);
}

static const char *plural(int n) { return n == 1 ? "" : "s"; }

static void print_result_json(const elbo_train_result *result, const char *folder, const elbo_recipe *recipe,
                              const elbo_dataset *dataset, bool finished) {
    bool any = result->epochs > 0;
    const elbo_epoch_log *kept = &result->kept;
    double kl_weight = any ? kept->kl_weight : (double)recipe->loss.kl;
    char formula[ELBO_OBJECTIVE_TEXT];
    elbo_metrics m = elbo_metrics_of(recipe);
    elbo_objective_text(recipe, &m, kl_weight, elbo_image_size(dataset->train.shape), formula);
    json_t *o = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:s, s:s, s:o, s:o, s:o, s:f, s:f}", "run", folder, "recipe", recipe->name,
        "data", dataset->name, "epochs", result->epochs, "kept_epoch", any ? kept->epoch : 0, "finished", finished,
        "stopped_early", result->stopped_early, "unit", "nats/image", "objective_formula", formula, "metric_list",
        elbo_metrics_to_json(&m, kl_weight), "train", any ? elbo_scores_to_json(&kept->train, &m) : json_null(), "test",
        any ? elbo_scores_to_json(&kept->test, &m) : json_null(), "seconds", result->seconds, "images_per_second",
        result->last.images_per_second);
    if (o && any && kept->validation.images)
        json_object_set_new(o, "validation", elbo_scores_to_json(&kept->validation, &m));
    cli_print_json(o);
}

/* "test loss 105.30 nats/image"; "test objective 0.02013 (loss 117.20 nats/image)" */
static const char *result_text(const elbo_train_result *result, const elbo_recipe *r, char text[120]) {
    const elbo_scores *s = result->kept.test.images ? &result->kept.test : &result->kept.train;
    const char *split = result->kept.test.images ? "test" : "training";
    char number[ELBO_OBJECTIVE_NUMBER];
    if (elbo_objective_is_elbo(r, result->kept.kl_weight))
        snprintf(text, 120, "%s loss %.2f nats/image", split, s->loss);
    else
        snprintf(text, 120, "%s objective %s (loss %.2f nats/image)", split,
                 elbo_objective_number(r, s->objective, number), s->loss);
    return text;
}

/* "; stopped early, epoch 7 is kept" */
static const char *kept_text(const elbo_train_result *result, char text[80]) {
    text[0] = 0;
    if (result->stopped_early) strcpy(text, "; stopped early");
    if (result->kept.epoch != result->last.epoch)
        sprintf(text + strlen(text), "%s epoch %d is kept", *text ? "," : ";", result->kept.epoch);
    return text;
}

static void print_result(const elbo_train_result *result, const char *folder, const elbo_recipe *recipe) {
    char losses[120], duration[32], kept[80];
    result_text(result, recipe, losses);
    kept_text(result, kept);
    if (result->was_finished) {
        printf("%s: already finished: %s after %d epoch%s%s%s\n", folder, losses, result->epochs,
               plural(result->epochs), kept, result->stopped_early ? "" : "; a larger --epochs N trains on");
        return;
    }
    printf("%s: %s after %d epoch%s, %s of training%s\n", folder, losses, result->epochs, plural(result->epochs),
           cli_duration(result->seconds, duration), kept);
    const char *quote = strpbrk(folder, " '\"()&;$*?") ? "'" : ""; // so that the line can be pasted
    printf("figures: elbo report %s%s%s; diagnosis: elbo doctor %s%s%s\n", quote, folder, quote, quote, folder, quote);
}

/* A decoder that reads the encoder's activations may have learned to do without the code. */
static void check_skips(const char *folder, const elbo_recipe *recipe, const elbo_dataset *d, const char *device,
                        int threads) {
    elbo_error err;
    elbo_model_options o = {.size = sizeof o, .threads = threads, .device = device};
    elbo_graph g;
    elbo_model *m;
    elbo_code_use use;
    elbo_recipe r = *recipe; // and what the data say
    if (elbo_recipe_take_classes(&r, d, &err) != ELBO_OK) return;
    if (elbo_graph_build(&g, &r, d->train.shape, &err) != ELBO_OK) return;
    int skips = g.skips;
    elbo_graph_free(&g);
    if (!skips || elbo_model_open_with(&m, folder, &o, &err) != ELBO_OK) return;
    if (elbo_code_use_measure(&use, m, d->test.count ? &d->test : &d->train, NULL, &err) == ELBO_OK)
        cli_say_code_use(m->run, &use, m->network.graph.skips > 0);
    elbo_model_close(m);
}

/* What was asked for. */
typedef struct request {
    const char *recipe, *run, *data, *device; // NULL: not said
    cli_texts sets, exclude;
    char exclude_set[1000];
    const char *labels;
    char labels_set[2 * PATH_MAX + 16];
    cli_table_sets table;
    char epochs_set[40], seed_set[40]; // --epochs and --seed as the --set that they are short for
    bool epochs;                       // the user said how many
    char data_set[2 * PATH_MAX + 8];   // the data as a --set, where they came in the recipe's place
    bool resume, force, json, quiet;
    int threads;
} request;

/* KEY='PATH', in YAML's single quotes, where '' is one. */
static void quote_path(char *out, const char *key, const char *path) {
    out += sprintf(out, "%s='", key);
    for (int left = PATH_MAX; *path && left > 0; path++, left--) {
        if (*path == '\'') *out++ = '\'';
        *out++ = *path;
    }
    strcpy(out, "'");
}

static bool add_set(cli_texts *sets, const char *text) {
    if (sets->count == (int)(sizeof sets->text / sizeof *sets->text)) return false;
    sets->text[sets->count++] = text;
    return true;
}

/* exclude=['8','Bag'], in YAML's single quotes, where '' is one. False: too long. */
static bool quote_words(char *out, size_t room, const char *key, const cli_texts *words) {
    size_t used = (size_t)snprintf(out, room, "%s=[", key);
    for (int i = 0; i < words->count; i++) {
        const char *text = words->text[i];
        if (used + 2 * strlen(text) + 8 > room) return false;
        used += (size_t)sprintf(out + used, "%s'", i ? "," : "");
        for (; *text; text++) {
            if (*text == '\'') out[used++] = '\'';
            out[used++] = *text;
        }
        out[used++] = '\'';
    }
    strcpy(out + used, "]");
    return true;
}

/* Whether there is something to do; else `*code` is the exit code. */
static bool read_request(request *q, const cli_command *self, int argc, char **argv, int *code) {
    int epochs = 0;
    uint64_t seed = UINT64_MAX;
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &q->run, "RUN", "the run folder; default runs/RECIPE", 0, 0},
        {"data", 'd', CLI_TEXT, &q->data, "PATH", "a folder of photographs or IDX files, a .npy, or a name", 0, 0},
        {"set", 0, CLI_TEXTS, &q->sets, "KEY=VALUE", "overrides a key of the recipe, as train.lr=3e-4; repeatable", 0,
         0},
        {"epochs", 'e', CLI_INT, &epochs, "N", "the same as --set train.epochs=N", 1, 1e6},
        {"seed", 's', CLI_U64, &seed, "N", "the same as --set train.seed=N", 0, 0},
        {"exclude", 0, CLI_TEXTS, &q->exclude, "CLASS",
         "a class not to train on, as class:8 or Bag; repeatable; the test images keep it", 0, 0},
        {"labels", 0, CLI_TEXT, &q->labels, "FILE", "of a .npy or .csv: a file with a label for each row, .npy or text",
         0, 0},
        {"resume", 0, CLI_FLAG, &q->resume, NULL, "continues from the checkpoint; the result has the same bits", 0, 0},
        {"force", 0, CLI_FLAG, &q->force, NULL, "replaces an existing run", 0, 0},
        {"threads", 't', CLI_INT, &q->threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        CLI_DEVICE_OPTION(q->device),
        {"json", 0, CLI_FLAG, &q->json, NULL, "prints the result as one JSON object, and nothing else", 0, 0},
        {"quiet", 'q', CLI_FLAG, &q->quiet, NULL, "no progress", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 0, 1);
    if (CLI_DONE(words)) return *code = CLI_CODE(words), false;
    *code = CLI_USAGE;
    if (words == 0 && !(q->resume && q->run)) {
        fprintf(stderr,
                "elbo: train: expected a recipe; `elbo recipes` lists them; usage: elbo train RECIPE [options]\n");
        return false;
    }
    if (words) q->recipe = argv[0];
    snprintf(q->epochs_set, sizeof q->epochs_set, "train.epochs=%d", epochs);
    snprintf(q->seed_set, sizeof q->seed_set, "train.seed=%llu", (unsigned long long)seed);
    q->epochs = epochs > 0;
    for (int i = 0; i < q->sets.count; i++)
        if (!strncmp(q->sets.text[i], "train.epochs=", 13)) q->epochs = true;
    bool all = (!epochs || add_set(&q->sets, q->epochs_set)) && (seed == UINT64_MAX || add_set(&q->sets, q->seed_set));
    if (q->exclude.count)
        all = all && quote_words(q->exclude_set, sizeof q->exclude_set, "exclude", &q->exclude) &&
              add_set(&q->sets, q->exclude_set);
    if (q->labels) {
        char place[PATH_MAX];
        quote_path(q->labels_set, "label_file", realpath(q->labels, place) ? place : q->labels);
        all = all && add_set(&q->sets, q->labels_set);
    }
    if (!all) cli_fail_text("train: too many --set, or --exclude");
    return all;
}

static int train(const request *q, const char *folder, const elbo_recipe *recipe, const elbo_dataset *dataset,
                 const char *data_path) {
    cli_catch_interrupts();
    cli_bar bar = {.off = q->quiet || q->json};
    elbo_train_options o = {.run = folder,
                            .data_path = data_path,
                            .resume = q->resume,
                            .replace = q->force,
                            .threads = q->threads,
                            .device = q->device,
                            .progress = cli_bar_update,
                            .context = &bar};
    cli_training_figure figure = {.run = folder, .data = dataset, .device = q->device, .threads = q->threads};
    if (!bar.off) {
        o.saved = cli_training_figure_draw;
        o.saved_context = &figure;
    }
    if (!bar.off) cli_say_losses(recipe);
    if (!bar.off) cli_bar_begin(&bar, recipe, dataset);
    elbo_error err;
    elbo_train_result result;
    elbo_status status = elbo_train(&result, recipe, dataset, o, &err);
    cli_bar_end(&bar);
    bool finished = status == ELBO_OK, stopped = status == ELBO_STOPPED;
    if (!finished && !stopped) return cli_fail(&err);
    if (q->json)
        print_result_json(&result, folder, recipe, dataset, finished);
    else if (finished && !q->quiet)
        print_result(&result, folder, recipe);
    if (finished && !bar.off && !result.was_finished) check_skips(folder, recipe, dataset, q->device, q->threads);
    if (stopped && !q->json)
        fprintf(stderr, "stopped: %s holds the model so far; `elbo train --resume -o %s` continues\n", folder, folder);
    return stopped ? CLI_INTERRUPTED : CLI_OK;
}

/* Opens what the run needs, trains, closes it. */
static int train_into(const char *folder, const request *q) {
    elbo_error err;
    elbo_run_facts facts = {0}; // of the run to resume
    elbo_recipe recipe;
    elbo_dataset dataset = {0};
    int code = CLI_OK;
    if (q->resume && elbo_run_folder_check(folder, true, q->force, &err) != ELBO_OK) return cli_fail(&err);
    if ((q->resume && elbo_run_facts_load(folder, &facts, &err) != ELBO_OK) ||
        open_recipe(&recipe, q->recipe, folder, &facts, &q->sets, &err) != ELBO_OK) {
        elbo_run_facts_free(&facts);
        return cli_fail(&err);
    }
    // before minutes of reading data; elbo_train looks again
    if (!q->resume && elbo_run_folder_check(folder, false, q->force, &err) != ELBO_OK) {
        code = cli_fail(&err);
    } else if (cli_open_data(&dataset, &recipe, q->data, facts.data, ELBO_BOTH_SPLITS, q->threads, &err) != ELBO_OK) {
        code = cli_fail(&err);
    } else {
        char *data_path = cli_data_to_remember(&dataset, &recipe, q->data ? q->data : facts.data);
        code = train(q, folder, &recipe, &dataset, data_path);
        free(data_path);
    }
    elbo_dataset_close(&dataset);
    elbo_recipe_close(&recipe);
    elbo_run_facts_free(&facts);
    return code;
}

/* Before those that were typed, which go beyond them. */
static bool add_table_sets(request *q, int columns) {
    enum { ROOM = sizeof q->sets.text / sizeof *q->sets.text };
    cli_table_sets_make(&q->table, columns);
    if (q->sets.count + CLI_TABLE_SETS > ROOM) return false;
    memmove(q->sets.text + CLI_TABLE_SETS, q->sets.text, (size_t)q->sets.count * sizeof *q->sets.text);
    for (int i = 0; i < CLI_TABLE_SETS; i++) q->sets.text[i] = q->table.text[i];
    q->sets.count += CLI_TABLE_SETS;
    return true;
}

/* The word that should name a recipe names data: the recipe and the epochs that suit them. */
static elbo_status take_data(request *q, elbo_error *err) {
    cli_suited suited;
    q->data = q->recipe;
    ELBO_TRY(cli_recipe_for(&suited, q->data, q->threads, err));
    q->recipe = suited.recipe;
    if (q->resume) return ELBO_OK;
    char place[PATH_MAX]; // recipe.yaml says it, so that it repeats the run from any folder
    quote_path(q->data_set, "data", realpath(q->data, place) ? place : q->data);
    if (!add_set(&q->sets, q->data_set)) return elbo_fail(err, ELBO_BAD_INPUT, "train: too many --set");
    if (suited.columns && !add_table_sets(q, suited.columns))
        return elbo_fail(err, ELBO_BAD_INPUT, "train: too many --set");
    if (q->epochs) return ELBO_OK;
    snprintf(q->epochs_set, sizeof q->epochs_set, "train.epochs=%d", suited.epochs);
    if (!add_set(&q->sets, q->epochs_set)) return elbo_fail(err, ELBO_BAD_INPUT, "train: too many --set");
    if (!q->quiet && !q->json)
        fprintf(stderr,
                "%s: recipe %s, %d epochs of %u images; --epochs N or `elbo train RECIPE --data %s` choose otherwise\n",
                q->data, suited.recipe, suited.epochs, suited.images, q->data);
    return ELBO_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    int code;
    request q = {0};
    if (!read_request(&q, self, argc, argv, &code)) return code;
    elbo_error err;
    if (q.recipe && q.resume && !q.run && cli_names_run(q.recipe)) { // train r1 --resume, train --resume r1
        q.run = q.recipe;
        q.recipe = NULL;
    }
    if (q.recipe && cli_names_run(q.recipe))
        return cli_fail_text(
            "%s: is a run, not a recipe; `elbo train --resume '%s'` continues it, '%s/recipe.yaml' repeats it",
            q.recipe, q.recipe, q.recipe);
    if (q.recipe && !strcmp(q.recipe, "table-vae") && q.data && !q.resume) { // as `train tab.csv`: by its columns
        q.recipe = q.data;
        q.data = NULL;
    }
    if (q.recipe && !q.data && cli_names_data(q.recipe) && take_data(&q, &err) != ELBO_OK) return cli_fail(&err);
    if (q.run) return train_into(q.run, &q);
    elbo_recipe recipe; // which the run is named after
    if (elbo_recipe_open(&recipe, q.recipe, NULL, 0, &err) != ELBO_OK) return cli_fail(&err);
    char *folder = cli_default_run(&recipe);
    elbo_recipe_close(&recipe);
    code = folder ? train_into(folder, &q) : (elbo_no_memory(&err), cli_fail(&err));
    free(folder);
    return code;
}

const cli_command cli_train = {
    .name = "train",
    .arguments = "RECIPE",
    .summary = "trains a model and writes a run folder",
    .details =
        "RECIPE is a built-in name (`elbo recipes` lists them) or a YAML file. A folder of photos or a .npy in its place\n"
        "trains photo-vae on it, or cifar-vae where no image is larger than 48 x 48 (mnist-vae where they are grey and\n"
        "28 x 28), with more epochs for fewer images. A table of numbers, .csv or a .npy (N, columns), trains table-vae:\n"
        "columns are standardised, layers as wide as it needs; --labels names a file with a class for each row.\n"
        "\n"
        "The run folder gets recipe.yaml, model.safetensors, checkpoint.safetensors and log.jsonl; figures/training.png\n"
        "shows reconstructions after each epoch. Ctrl-C stops after the current step with a usable model. The same seed\n"
        "gives the same bits, for any number of threads and for a run that was interrupted.\n"
        "\n"
        "examples:\n"
        "  elbo train mnist-vae\n"
        "  elbo train my/photos                    recipe chosen by image size\n"
        "  elbo train mnist-vae -o runs/beta4 --set loss.kl=4 --set latent=10\n"
        "  elbo train tab.csv --labels species.txt\n"
        "  elbo train --resume runs/beta4\n"
        "  elbo train mnist-vae -o runs/no-8 --exclude class:8      the test images keep the class\n"
        "  elbo train mine.yaml --set train.validation=0.1 --set train.keep=best --set train.patience=5\n",
    .run = run,
};
