/* elbo train: a recipe, a data set, a run folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli.h"
#include "data/photos.h"
#include "image_files.h"
#include "progress.h"
#include "train/run_folder.h"

static json_t *scores_json(const elbo_scores *s) {
    return json_pack("{s:f, s:f, s:f, s:f}", "loss", s->loss, "reconstruction", s->reconstruction, "kl", s->kl, "mse",
                     s->mse);
}

/* A run that is finished or under way is not overwritten by a slip. */
static int check_run_folder(const char *run, bool resume, bool force) {
    char *recipe = elbo_path_join(run, "recipe.yaml"), *model = elbo_path_join(run, "model.safetensors");
    bool begun = model && recipe && elbo_file_exists(model) && elbo_file_exists(recipe);
    free(recipe);
    free(model);
    if (resume && !begun)
        return cli_fail_text("%s: is not a run to resume (there is no recipe.yaml and model.safetensors in it); leave --resume "
                             "out to start anew", run);
    if (!resume && begun && !force)
        return cli_fail_text("%s: holds a trained run already; --resume goes on with it, --force replaces it, -o puts the "
                             "new one elsewhere", run);
    return CLI_OK;
}

/* A resumed run goes by its own recipe; only how long it lasts may change. */
static elbo_status open_recipe(elbo_recipe *r, const char *recipe, const char *run, const elbo_run_facts *facts,
                               const cli_texts *sets, elbo_error *err) {
    if (!facts->recipe) return elbo_recipe_open(r, recipe, sets->text, sets->count, err);
    for (int i = 0; i < sets->count; i++)
        if (strncmp(sets->text[i], "train.epochs=", 13))
            return elbo_fail(err, ELBO_BAD_INPUT, "--set %s: a resumed run may change train.epochs only; train anew for "
                                                  "the rest", sets->text[i]);
    if (recipe) { // the same by its name; what it says by now is not looked at
        ELBO_TRY(elbo_recipe_open(r, recipe, NULL, 0, err));
        elbo_status status = !strcmp(r->name, facts->recipe)
                                 ? ELBO_OK
                                 : elbo_fail(err, ELBO_BAD_INPUT, "%s: was trained by the recipe %s, not %s; to go on with it: "
                                                                  "elbo train --resume -o %s", run, facts->recipe, r->name, run);
        elbo_recipe_close(r);
        ELBO_TRY(status);
    }
    return elbo_run_recipe_open(r, run, facts, sets->text, sets->count, err);
}

/* What images of no known kind are trained with. */

/* --epochs and --seed are short for a --set; `text` keeps its words. */
static bool add_set(cli_texts *sets, const char *text) {
    if (sets->count == (int)(sizeof sets->text / sizeof *sets->text)) return false;
    sets->text[sets->count++] = text;
    return true;
}

static const char *plural(int n) { return n == 1 ? "" : "s"; }

static void print_result(const elbo_train_result *result, const char *folder, const elbo_recipe *recipe,
                         const elbo_dataset *dataset, bool finished, bool json) {
    const elbo_scores *s = result->last.test.images ? &result->last.test : &result->last.train;
    const char *split = result->last.test.images ? "test" : "training";
    char text[32];
    bool any = result->epochs > 0;
    if (json) {
        cli_print_json(json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:o, s:o, s:f, s:f}", "run", folder, "recipe", recipe->name,
                                 "data", dataset->name, "epochs", result->epochs, "finished", finished, "unit", "nats/image",
                                 "train", any ? scores_json(&result->last.train) : json_null(), "test",
                                 any ? scores_json(&result->last.test) : json_null(), "seconds", result->seconds,
                                 "images_per_second", result->last.images_per_second));
    } else if (result->was_finished) {
        printf("%s: is finished: %s loss %.2f nats/image after %d epoch%s; --epochs N with a larger N trains on\n", folder, split,
               s->loss, result->epochs, plural(result->epochs));
    } else {
        printf("%s: %s loss %.2f nats/image after %d epoch%s, %s of training\n", folder, split, s->loss, result->epochs,
               plural(result->epochs), cli_duration(result->seconds, text));
    }
}

/* A decoder that reads the encoder's activations may have learned to do without the code. */
static void check_skips(const char *folder, const elbo_recipe *recipe, const elbo_dataset *d, int threads) {
    elbo_error err;
    elbo_graph g;
    elbo_model *m;
    elbo_code_use use;
    if (elbo_graph_build(&g, recipe, d->train.shape, &err) != ELBO_OK) return;
    int skips = g.skips;
    elbo_graph_free(&g);
    if (!skips || elbo_model_open(&m, folder, threads, &err) != ELBO_OK) return;
    if (elbo_code_use_measure(&use, m, d->test.count ? &d->test : &d->train, &err) == ELBO_OK) cli_say_code_use(m, &use);
    elbo_model_close(m);
}

/* `elbo train my/photos`: data where a recipe is asked for. A built-in recipe of that name comes first. */
static bool names_data(const char *word) {
    struct stat at;
    for (const elbo_builtin_recipe *b = elbo_builtin_recipes; b->name; b++)
        if (!strcmp(b->name, word)) return false;
    if (stat(word, &at) != 0) return false;
    if (!S_ISDIR(at.st_mode)) return cli_ends_with(word, ".npy");
    char *recipe = elbo_path_join(word, "recipe.yaml"); // a run, which is no data
    bool run = recipe && elbo_file_exists(recipe);
    free(recipe);
    return !run && elbo_photos_there(word);
}

/* The recipe for data that come without one, by the size of the images: photographs are decoded for it once, and then kept. */
static elbo_status recipe_for(const char **recipe, const char *data, int threads, elbo_error *err) {
    enum { SMALL = 48 }; // pixels: nearer to 32 than to 64
    elbo_dataset d;
    ELBO_TRY(cli_open_dataset(&d, data, data, NULL, ELBO_BOTH_SPLITS, threads, err));
    elbo_image_shape shape = d.train.count ? d.train.shape : d.test.shape;
    int height = d.largest[0] ? d.largest[0] : shape.height, width = d.largest[1] ? d.largest[1] : shape.width;
    elbo_dataset_close(&d);
    if (shape.channels == 1 && height == 28 && width == 28)
        *recipe = "mnist-vae";
    else
        *recipe = height <= SMALL && width <= SMALL ? "cifar-vae" : "photo-vae";
    return ELBO_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *run_folder = NULL, *data = NULL, *device = NULL;
    cli_texts sets = {0};
    bool resume = false, force = false, json = false, quiet = false;
    int threads = 0, epochs = 0;
    uint64_t seed = UINT64_MAX;
    cli_option options[] = {
        {"output", 'o', CLI_TEXT, &run_folder, "RUN", "the run folder; default runs/RECIPE", 0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "a folder of photographs or IDX files, a .npy, or a name", 0, 0},
        {"set", 0, CLI_TEXTS, &sets, "KEY=VALUE", "overrides a key of the recipe, as train.lr=3e-4; repeatable", 0, 0},
        {"epochs", 'e', CLI_INT, &epochs, "N", "the same as --set train.epochs=N", 1, 1e6},
        {"seed", 's', CLI_U64, &seed, "N", "the same as --set train.seed=N", 0, 0},
        {"resume", 0, CLI_FLAG, &resume, NULL, "goes on from the run's checkpoint, to the same bits", 0, 0},
        {"force", 0, CLI_FLAG, &force, NULL, "replaces a run that is there already", 0, 0},
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"device", 0, CLI_TEXT, &device, "NAME", "cpu, or ref: plain loops, slow, to check by", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints the result as one JSON object, and nothing else", 0, 0},
        {"quiet", 'q', CLI_FLAG, &quiet, NULL, "no progress", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 0, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (words == 0 && !(resume && run_folder)) {
        fprintf(stderr, "elbo: train: which recipe? `elbo recipes` lists them; usage: elbo train RECIPE [options]\n");
        return CLI_USAGE;
    }
    if (words && !data && names_data(argv[0])) {
        elbo_error err;
        const char *chosen;
        data = argv[0];
        if (recipe_for(&chosen, data, threads, &err) != ELBO_OK) return cli_fail(&err);
        argv[0] = (char *)(uintptr_t)chosen; // (argv's strings are only read)
    }
    char epochs_set[40], seed_set[40];
    if (epochs) {
        snprintf(epochs_set, sizeof epochs_set, "train.epochs=%d", epochs);
        if (!add_set(&sets, epochs_set)) return cli_fail_text("train: --set is given too often"), CLI_USAGE;
    }
    if (seed != UINT64_MAX) {
        snprintf(seed_set, sizeof seed_set, "train.seed=%llu", (unsigned long long)seed);
        if (!add_set(&sets, seed_set)) return cli_fail_text("train: --set is given too often"), CLI_USAGE;
    }

    elbo_error err;
    elbo_recipe recipe;
    elbo_dataset dataset = {0};
    elbo_run_facts facts = {0}; // of the run to resume
    char *folder = run_folder ? strdup(run_folder) : NULL, *data_path = NULL;
    if (!folder) { // named after the recipe, which a resumed run finds in its folder
        if (elbo_recipe_open(&recipe, argv[0], NULL, 0, &err) != ELBO_OK) return cli_fail(&err);
        folder = cli_default_run(&recipe);
        elbo_recipe_close(&recipe);
    }
    int code = check_run_folder(folder, resume, force);
    if (code != CLI_OK) {
        free(folder);
        return code;
    }
    if ((resume && elbo_run_facts_load(folder, &facts, &err) != ELBO_OK) ||
        open_recipe(&recipe, words ? argv[0] : NULL, folder, &facts, &sets, &err) != ELBO_OK) {
        free(folder);
        elbo_run_facts_free(&facts);
        return cli_fail(&err);
    }
    if (cli_open_data(&dataset, &recipe, data, facts.data, ELBO_BOTH_SPLITS, threads, &err) != ELBO_OK) {
        code = cli_fail(&err);
        goto end;
    }
    data_path = cli_data_to_remember(&dataset, &recipe, data ? data : facts.data);

    cli_catch_interrupts();
    cli_bar bar = {.off = quiet || json};
    elbo_train_options o = {.run = folder, .data_path = data_path, .resume = resume, .threads = threads, .device = device,
                            .progress = cli_bar_update, .context = &bar};
    if (!bar.off) cli_say_losses(&recipe);
    if (!bar.off) cli_bar_begin(&bar, &recipe, &dataset);
    elbo_train_result result;
    elbo_status status = elbo_train(&result, &recipe, &dataset, o, &err);
    cli_bar_end(&bar);
    if (status != ELBO_OK && status != ELBO_STOPPED) code = cli_fail(&err);
    else if (json || (status == ELBO_OK && !quiet))
        print_result(&result, folder, &recipe, &dataset, status == ELBO_OK, json);
    if (status == ELBO_OK && !quiet && !json && !result.was_finished) check_skips(folder, &recipe, &dataset, threads);
    if (status == ELBO_STOPPED && !json)
        fprintf(stderr, "stopped: %s holds the model as it is; `elbo train --resume -o %s` goes on\n", folder, folder);
    if (status == ELBO_STOPPED) code = CLI_INTERRUPTED;
end:
    elbo_dataset_close(&dataset);
    elbo_recipe_close(&recipe);
    free(folder);
    free(data_path);
    elbo_run_facts_free(&facts);
    return code;
}

const cli_command cli_train = {
    .name = "train",
    .arguments = "RECIPE",
    .summary = "trains a model and writes a run folder",
    .details =
        "RECIPE is a built-in name (`elbo recipes` lists them) or a YAML file. A folder of photos or a .npy in its place\n"
        "trains photo-vae on it, or cifar-vae where no image is larger than 48 x 48 (mnist-vae where they are grey and\n"
        "28 x 28). The run folder gets recipe.yaml, model.safetensors, checkpoint.safetensors and log.jsonl. Ctrl-C stops\n"
        "after the current step with a usable model. The same seed gives the same bits, for any number of threads and\n"
        "for a run that was interrupted.\n"
        "\n"
        "examples:\n"
        "  elbo train mnist-vae\n"
        "  elbo train my/photos                    by the recipe that their size asks for\n"
        "  elbo train mnist-vae -o runs/beta4 --set loss.kl=4 --set latent=10\n"
        "  elbo train --resume -o runs/beta4\n",
    .run = run,
};
