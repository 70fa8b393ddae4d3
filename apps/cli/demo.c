/* elbo demo: an AE and a VAE side by side, every figure, one page. Two more with codes of two dimensions give plots of
 * the whole latent space, which twenty dimensions cannot. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "progress.h"
#include "runs.h"
#include "table.h"
#include "render/gnuplot.h"
#include "render/report_page.h"
#include "job.h"

enum { MOST_MODELS = 4 };

typedef struct demo_cast {
    const char *model[MOST_MODELS];
    int models, epochs;
    const char *folder;
} demo_cast;

static const demo_cast dense = {{"mnist-ae", "mnist-vae", "mnist-ae-2d", "mnist-vae-2d"}, 4, 10, "runs/demo"};
static const demo_cast convolutional = {{"mnist-cae", "mnist-conv-vae"}, 2, 5, "runs/demo-conv"};

typedef struct request {
    const char *device;
    const char *command; // what was typed
    int epochs, threads;
    uint64_t seed;
    bool json;
} request;

/* Trains one of the models into its folder, whatever was there. */
static elbo_status train(const char *name, const char *folder, const elbo_dataset *d, const char *data_name,
                         const char *data_path, const request *q, elbo_error *err) {
    char epochs_set[40], seed_set[40], data_set[300];
    snprintf(epochs_set, sizeof epochs_set, "train.epochs=%d", q->epochs);
    snprintf(seed_set, sizeof seed_set, "train.seed=%llu", (unsigned long long)q->seed);
    snprintf(data_set, sizeof data_set, "data=%s", data_name);
    const char *sets[] = {epochs_set, seed_set, data_set};
    elbo_recipe recipe;
    ELBO_TRY(elbo_recipe_open(&recipe, name, sets, 3, err));
    cli_bar bar = {.off = q->json};
    if (!q->json) cli_bar_begin(&bar, &recipe, d);
    elbo_train_options o = {.run = folder,
                            .data_path = data_path,
                            .replace = true,
                            .threads = q->threads,
                            .device = q->device,
                            .progress = cli_bar_update,
                            .context = &bar};
    elbo_train_result result;
    elbo_status status = elbo_train(&result, &recipe, d, o, err);
    cli_bar_end(&bar);
    elbo_recipe_close(&recipe);
    return status;
}

/* The best data at hand: what --data names; else MNIST where it is found; else the built-in digits. */
static elbo_status open_data(elbo_dataset *d, const char *data, const char **name, int threads, bool quiet,
                             elbo_error *err) {
    bool mnist = data || elbo_dataset_present("mnist");
    *name = mnist ? "mnist" : "digits";
    if (!mnist && !quiet)
        fprintf(stderr, "MNIST was not found; using the built-in digits (`elbo data fetch mnist` downloads MNIST)\n");
    return cli_open_dataset(d, *name, data, NULL, ELBO_BOTH_SPLITS, threads, err);
}

static int tell(const demo_cast *cast, const char *folder, char **folders, const elbo_dataset *d, const request *q) {
    elbo_error err;
    cli_runs r = {.count = cast->models};
    char *page = elbo_path_join(folder, "report.html");
    int code = CLI_OK;
    if (!page) return cli_fail_text("out of memory");
    const char *paths[MOST_MODELS];
    for (int i = 0; i < cast->models; i++) paths[i] = folders[i];
    if (elbo_runs_open(r.run, paths, cast->models, q->device, q->threads, &err) != ELBO_OK) {
        free(page);
        return cli_fail(&err);
    }
    elbo_report_data report = {0};
    elbo_report_options o = elbo_report_defaults();
    elbo_job job = cli_work(q->threads);
    elbo_status status = elbo_report_gather(&report, r.run, cast->models, d, &o, &job, &err);
    if (status == ELBO_OK) status = elbo_figure_report(page, folder, &report, q->command, &err);
    cli_work_end();
    if (status != ELBO_OK) {
        code = cli_fail(&err);
    } else if (q->json) {
        cli_print_json(json_pack("{s:s, s:s, s:o}", "data", d->name, "report", page, "runs",
                                 elbo_comparison_json(&report.comparison)));
    } else {
        putchar('\n');
        cli_print_runs(&report.comparison);
        printf(
            "\nlosses in nats per image, on the test images of %s\n\nreport: %s\nto explore the models: elbo serve %s\n",
            d->name, page, folder);
    }
    elbo_report_data_free(&report);
    elbo_runs_close(r.run, cast->models);
    free(page);
    return code;
}

static int run_as(const cli_command *self, int argc, char **argv, const char *command) {
    const char *folder = NULL, *data = NULL;
    request q = {.command = command};
    bool conv = false;
    cli_option options[] = {
        {"conv", 0, CLI_FLAG, &conv, NULL, "the convolutional pair, mnist-cae and mnist-conv-vae", 0, 0},
        {"output", 'o', CLI_OUTPUT, &folder, "FOLDER", "default runs/demo, or runs/demo-conv; replaces an earlier one",
         0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "28x28 images; default MNIST where it is found, else built-in digits", 0,
         0},
        {"epochs", 'e', CLI_INT, &q.epochs, "N", "for each model; default 10, or 5 of the convolutional ones", 1, 1e6},
        {"seed", 's', CLI_U64, &q.seed, "N", "default 0", 0, 0},
        CLI_DEVICE_OPTION(q.device),
        {"threads", 't', CLI_INT, &q.threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &q.json, NULL, "prints the result as one JSON object, and nothing else", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 0, 0);
    if (CLI_DONE(words)) return CLI_CODE(words);
    const demo_cast *cast = conv ? &convolutional : &dense;
    if (!folder) folder = cast->folder;
    if (!q.epochs) q.epochs = cast->epochs;
    elbo_error err;
    elbo_dataset d;
    const char *name;
    if (elbo_gnuplot_check(&err) != ELBO_OK) return cli_fail(&err); // before a minute of training, not after it
    if (open_data(&d, data, &name, q.threads, q.json, &err) != ELBO_OK) return cli_fail(&err);
    elbo_image_shape s = d.train.shape;
    if (s.channels != 1 || s.height != 28 || s.width != 28) {
        cli_fail_text(
            "%s: its images are %dx%dx%d, the demo's models read 1x28x28; `elbo train RECIPE` trains one for yours",
            d.source, s.channels, s.height, s.width);
        elbo_dataset_close(&d);
        return CLI_FAILED;
    }
    char *folders[MOST_MODELS] = {0}, *data_path = NULL;
    int code = CLI_OK;
    if (data) {
        elbo_recipe named = {.data = (char *)(uintptr_t)name}; // only read
        data_path = cli_data_to_remember(&d, &named, data);
    }
    cli_catch_interrupts();
    for (int i = 0; i < cast->models && code == CLI_OK; i++) {
        folders[i] = elbo_path_join(folder, cast->model[i]);
        elbo_status status =
            folders[i] ? train(cast->model[i], folders[i], &d, name, data_path, &q, &err) : elbo_no_memory(&err);
        if (status == ELBO_STOPPED) {
            fprintf(stderr, "stopped; `elbo train --resume -o %s` continues this model\n", folders[i]);
            code = CLI_INTERRUPTED;
        } else if (status != ELBO_OK) {
            code = cli_fail(&err);
        }
    }
    cli_release_interrupts();
    if (code == CLI_OK) code = tell(cast, folder, folders, &d, &q);
    for (int i = 0; i < cast->models; i++) free(folders[i]);
    free(data_path);
    elbo_dataset_close(&d);
    return code;
}

static int run(const cli_command *self, int argc, char **argv) {
    char *command = cli_command_text(self, argc, argv);
    int code = run_as(self, argc, argv, command);
    free(command);
    return code;
}

const cli_command cli_demo = {
    .name = "demo",
    .arguments = "",
    .summary = "trains an AE and a VAE, draws every figure, writes one HTML page",
    .details =
        "Trains mnist-ae and mnist-vae on the same images, then both with a 2-D latent space, and draws loss\n"
        "curves, reconstructions, latent spaces, an interpolation and samples into one HTML page. With --conv it\n"
        "does so for a convolutional autoencoder and VAE, which takes about a minute.\n"
        "\n"
        "example:\n"
        "  elbo demo && xdg-open runs/demo/report.html\n",
    .run = run,
};
