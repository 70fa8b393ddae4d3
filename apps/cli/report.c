/* elbo report: one page that tells what runs learned. */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "explore/report_data.h"
#include "explore_file.h"
#include "job.h"
#include "render/gnuplot.h"
#include "render/report_page.h"
#include "runs.h"

/* Asked before the work, which may take minutes. */
static elbo_status check_output(const char *path, elbo_error *err) {
    ELBO_TRY(elbo_gnuplot_check(err));
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    elbo_writer_abandon(&w);
    return ELBO_OK;
}

typedef struct request {
    const char *output, *data, *device;
    char *command; // what was typed
    int threads, points;
    bool json, explore;
} request;

/* `folder`: where the page and its figures go; that of several runs, or the first run. */
static int report_on(const cli_folders *runs, const char *folder, const request *q) {
    cli_runs r;
    int code = cli_runs_open(&r, (char **)(uintptr_t)runs->path, runs->count, q->data, ELBO_BOTH_SPLITS, q->device,
                             q->threads);
    if (code != CLI_OK) return code;
    elbo_error err;
    char *page = q->output ? NULL : elbo_path_join(folder, "report.html");
    const char *path = q->output ? q->output : page;
    elbo_report_data report = {0};
    elbo_report_options o = elbo_report_defaults();
    o.own_data = !q->data;
    elbo_job job = cli_work(q->threads);
    elbo_status status = path ? check_output(path, &err) : elbo_no_memory(&err);
    if (status == ELBO_OK) status = elbo_report_gather(&report, r.run, r.count, &r.data, &o, &job, &err);
    if (status == ELBO_OK) status = elbo_figure_report(path, folder, &report, q->command, &err);
    cli_work_end();
    if (status != ELBO_OK)
        code = cli_fail(&err);
    else if (q->json)
        cli_print_json(json_pack("{s:s, s:o}", "report", path, "runs", elbo_comparison_json(&report.comparison)));
    else
        printf("%s\n", path);
    elbo_report_data_free(&report);
    free(page);
    cli_runs_close(&r);
    return code;
}

/* ---- the explorer in one file ---- */

static elbo_status write_explorer(const char *path, cli_runs *r, const request *q, elbo_error *err) {
    elbo_page_network network;
    elbo_page_data data = {0};
    elbo_writer w; // asked before the work
    ELBO_TRY(elbo_writer_open(&w, path, err));
    elbo_writer_abandon(&w);
    ELBO_TRY(elbo_page_network_make(&network, r->run[0].model, err));
    elbo_job job = cli_work(q->threads);
    elbo_status status = elbo_page_gather(&data, r->run[0].model, &r->data, (size_t)q->points, &job, err);
    cli_work_end();
    if (status == ELBO_OK)
        status = elbo_page_network_add(&network, "codes", data.codes, data.n, (size_t)data.code, err);
    if (status == ELBO_OK) status = cli_write_explorer(path, &data, &network, err);
    elbo_page_data_free(&data);
    elbo_page_network_free(&network);
    return status;
}

static int explore(const cli_folders *runs, const request *q) {
    if (runs->count != 1) return cli_fail_text("--explore takes one run, not %d: name one of them", runs->count);
    cli_runs r;
    int code = cli_runs_open(&r, (char **)(uintptr_t)runs->path, 1, q->data, ELBO_BOTH_SPLITS, q->device, q->threads);
    if (code != CLI_OK) return code;
    elbo_error err;
    char *page = q->output ? NULL : elbo_path_join(runs->path[0], "explore.html");
    const char *path = q->output ? q->output : page;
    elbo_status status = path ? write_explorer(path, &r, q, &err) : elbo_no_memory(&err);
    code = cli_end(status, &err, q->json, json_pack("{s:s}", "explorer", path ? path : ""), "%s", path ? path : "");
    free(page);
    cli_runs_close(&r);
    return code;
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {.command = cli_command_text(self, argc, argv), .points = ELBO_PAGE_POINTS};
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &q.output, "FILE.html",
         "the page; default report.html in the first run's folder, or in FOLDER; explore.html", 0, 0},
        {"explore", 0, CLI_FLAG, &q.explore, NULL,
         "a page to explore one run in, which decodes by itself: map, sliders, paths, painting", 0, 0},
        {"points", 0, CLI_INT, &q.points, "N", "images on the map of --explore; default 4000", 1,
         ELBO_PAGE_MOST_POINTS},
        {"data", 'd', CLI_TEXT, &q.data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        CLI_DEVICE_OPTION(q.device),
        {"threads", 't', CLI_INT, &q.threads, "T", "default: all cores", 1, 1024},
        {"json", 0, CLI_FLAG, &q.json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    cli_folders found;
    int code = CLI_DONE(words) ? CLI_CODE(words) : cli_find_runs(&found, argv, words);
    if (!CLI_DONE(words) && code == CLI_OK) {
        code = q.explore ? explore(&found, &q) : report_on(&found, argv[0], &q);
        cli_folders_free(&found);
    }
    free(q.command);
    return code;
}

const cli_command cli_report = {
    .name = "report",
    .arguments = "RUN [RUN...] | FOLDER",
    .summary = "writes one HTML page with every figure, number and recipe",
    .details =
        "The page begins with what was found, in three sentences, and with pictures: originals and reconstructions, an\n"
        "interpolation, samples. Then curves, every score of `elbo eval`, which classes are taken for which, what `elbo\n"
        "doctor` finds, maps of the codes by PCA and t-SNE, arithmetic that works, what single dimensions do, the networks, a\n"
        "data sheet, and the recipes. It is self-contained: images are embedded. The figures stay in the first run's figures\n"
        "folder, each with its data and the gnuplot script that drew it; the page links to them. FOLDER is one in which runs\n"
        "lie, such as runs/demo: all of them.\n"
        "\n"
        "With --explore the page is one to play with: drag a point of the latent map and its image follows. Its scripts\n"
        "compute the network themselves, without a server, so that it can be mailed or put on a web page. Models of at most 8\n"
        "million weights and 64 million multiplications an image.\n"
        "\n"
        "examples:\n"
        "  elbo report runs/mnist-ae runs/mnist-vae -o mnist.html\n"
        "  elbo report runs/mnist-vae --explore -o explore.html\n",
    .run = run,
};
