/* elbo project: the latent space as a projection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_text.h"
#include "embedding_scores.h"
#include "explore/projection.h"
#include "formats/npy.h"
#include "job.h"
#include "render/charts.h"
#include "render/figure.h"
#include "runs.h"
#include "tsne.h"

typedef struct request {
    const char *method, *split, *npy;
    bool json;
    elbo_projection_options projection;
} request;

/* Asked before the work, which may take minutes. */
static elbo_status check_output(const request *r, elbo_figure f, elbo_error *err) {
    ELBO_TRY(elbo_make_folder(f.folder, err));
    if (!r->npy) return ELBO_OK;
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, r->npy, err));
    elbo_writer_abandon(&w);
    return ELBO_OK;
}

static elbo_status check_split(const request *r, const elbo_dataset *d, elbo_error *err) {
    bool train = r->projection.splits & ELBO_TRAIN_SPLIT, test = r->projection.splits & ELBO_TEST_SPLIT;
    if ((train && d->train.count) || (test && d->test.count)) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "--split %s: it has no images", r->split);
}

/* Draws as soon as there are points; scoring them takes as long again. */
static elbo_status project(elbo_projection *p, const request *r, const cli_runs *runs, elbo_figure f,
                           const elbo_job *job, elbo_error *err) {
    ELBO_TRY(check_output(r, f, err));
    ELBO_TRY(check_split(r, &runs->data, err));
    ELBO_TRY(elbo_project(p, runs->run[0].model, &runs->data, &r->projection, job, err));
    ELBO_TRY(elbo_figure_projection(f, p, err));
    if (r->npy) ELBO_TRY(elbo_npy_write_f32(r->npy, p->xy, 2, (size_t[]){p->n, 2}, err));
    return p->stopped ? ELBO_OK : elbo_projection_score(p, job, err);
}

static void print_text(const elbo_projection *p) {
    const elbo_embedding_scores *s = &p->scores;
    if (p->raw)
        printf("the code has two dimensions: they are drawn as they are\n");
    else if (p->method == ELBO_PROJECT_TSNE)
        printf("KL divergence %.4f after %d iterations\n", p->tsne.kl, p->tsne.iterations);
    else
        printf("explained variance of the two axes: %.1f%% and %.1f%%\n", 100 * p->explained[0], 100 * p->explained[1]);
    if (!s->k) return;
    if (p->raw && p->labels)
        printf("%d-NN accuracy: %.2f%%\n", s->k, 100 * s->knn_points);
    else if (!p->raw)
        cli_print_embedding_scores(s, "the latent space");
}

/* NAME.json beside the picture. */
static elbo_status save_scores(elbo_figure f, json_t *o, elbo_error *err) {
    char *path = NULL, *text = elbo_json_text(o, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    elbo_status status = text ? elbo_figure_path(f, ".json", &path, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_file_write(path, text, strlen(text), err);
    free(path);
    free(text);
    return status;
}

static int finish(const elbo_projection *p, const request *r, elbo_figure f) {
    elbo_error err;
    json_t *o = elbo_projection_json(p);
    elbo_status status = o ? save_scores(f, o, &err) : elbo_no_memory(&err);
    if (status != ELBO_OK) {
        json_decref(o);
        return cli_fail(&err);
    }
    if (p->method == ELBO_PROJECT_TSNE) cli_tsne_say(&p->tsne, r->projection.tsne.perplexity, p->n);
    cli_say_figure(&f, r->json ? o : NULL);
    if (r->json)
        cli_print_json(json_incref(o));
    else
        print_text(p);
    json_decref(o);
    if (!p->stopped) return CLI_OK;
    fprintf(stderr, "elbo: stopped after %d of %d iterations: the embedding so far is drawn\n", p->tsne.iterations,
            r->projection.tsne.iterations);
    return CLI_INTERRUPTED;
}

/* What the words on the command line mean. */
static int read_request(request *r, const cli_tsne_options *tsne) {
    elbo_projection_options *o = &r->projection;
    *o = elbo_projection_defaults();
    if (!strcmp(r->method, "tsne"))
        o->method = ELBO_PROJECT_TSNE;
    else if (strcmp(r->method, "pca"))
        return cli_fail_text("--method %s: expected pca or tsne", r->method), CLI_USAGE;
    static const elbo_splits splits[] = {ELBO_TEST_SPLIT, ELBO_TRAIN_SPLIT, ELBO_BOTH_SPLITS};
    int i = 0;
    while (i < 3 && strcmp(r->split, elbo_splits_name(splits[i]))) i++;
    if (i == 3) return cli_fail_text("--split %s: expected test, train or all", r->split), CLI_USAGE;
    o->splits = splits[i];
    if (o->method == ELBO_PROJECT_PCA && cli_tsne_any(tsne))
        return cli_fail_text("project: options of t-SNE need --method tsne"), CLI_USAGE;
    cli_tsne_set(&o->tsne, tsne);
    return CLI_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    request r = {.method = "pca", .split = "test"};
    const char *output = NULL, *data = NULL, *device = NULL;
    int threads = 0;
    bool svg = false;
    cli_tsne_options tsne = CLI_TSNE_UNSET;
    cli_option options[] = {
        {"method", 'm', CLI_TEXT, &r.method, "METHOD", "pca (default) or tsne", 0, 0},
        {"split", 0, CLI_TEXT, &r.split, "SPLIT", "test (default), train or all", 0, 0},
        {"output", 'o', CLI_OUTPUT, &output, "FILE.png|.svg",
         "default RUN/figures/pca.png, latent.png of a code of two, tsne.png", 0, 0},
        {"npy", 0, CLI_OUTPUT, &r.npy, "Y.npy", "also the points, (N, 2) float32", 0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        CLI_TSNE_OPTIONS(tsne),
        CLI_DEVICE_OPTION(device),
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"svg", 0, CLI_FLAG, &svg, NULL, "also an SVG", 0, 0},
        {"json", 0, CLI_FLAG, &r.json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    int code = read_request(&r, &tsne);
    if (code != CLI_OK) return code;
    cli_runs runs;
    code = cli_runs_open(&runs, argv, 1, data, r.projection.splits, device, threads);
    if (code != CLI_OK) return code;

    cli_figure_place place;
    char title[200];
    const char *name = elbo_projection_method_name(r.projection.method), *what = "PCA of the l";
    if (r.projection.method == ELBO_PROJECT_TSNE)
        what = "t-SNE of the l";
    else if (elbo_model_get_info(runs.run[0].model).latent == 2) // the latent space as it is
        name = "latent", what = "L";
    snprintf(title, sizeof title, "%satent space of %.150s", what, runs.run[0].label);
    elbo_figure f = cli_figure(&place, argv[0], name, title, output, svg);
    elbo_error err;
    elbo_job job = cli_work(threads);
    elbo_projection p = {0};
    elbo_status status = project(&p, &r, &runs, f, &job, &err);
    cli_work_end();
    code = status == ELBO_OK ? finish(&p, &r, f) : cli_fail(&err);
    elbo_projection_free(&p);
    cli_runs_close(&runs);
    return code;
}

const cli_command cli_project = {
    .name = "project",
    .arguments = "RUN",
    .summary = "2-D projection of the latent space by PCA or t-SNE, coloured by class",
    .details = "Mean codes on their first two principal axes, or embedded by t-SNE; a 2-D code is drawn as it is by\n"
               "--method pca. The scores measure the projection: whether neighbours in it are neighbours in\n"
               "the latent space (trustworthiness), the converse (continuity), and the 10-NN recall.\n"
               "They are kept in a .json beside the figure. Ctrl-C draws t-SNE's embedding so far.\n"
               "\n"
               "examples:\n"
               "  elbo project runs/mnist-vae --method pca --npy points.npy\n"
               "  elbo project runs/mnist-vae --method tsne --split all\n",
    .run = run,
};
