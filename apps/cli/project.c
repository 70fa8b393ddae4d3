/* elbo project: the latent space as a map. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/npy.h"
#include "embedding_scores.h"
#include "runs.h"
#include "tsne.h"
#include "render/figure.h"
#include "job.h"

enum { BOTH = ELBO_BOTH_SPLITS };

typedef struct job {
    const char *method, *split, *npy;
    cli_runs runs;
    int splits; // ELBO_TRAIN_SPLIT, ELBO_TEST_SPLIT or both
    elbo_job work;
    elbo_tsne_options options;
    size_t n;
    int dims;
    float *codes;    // (n, dims), of the training images before those of the test images
    uint8_t *labels; // (n) or NULL
    elbo_embedding map;
    bool tsne;
    elbo_tsne_result result;
    elbo_embedding_scores scores;
} job;

static elbo_status encode(job *j, elbo_error *err) {
    elbo_model *m = j->runs.run[0].model;
    const elbo_images *part[2] = {&j->runs.data.train, &j->runs.data.test};
    size_t count[2] = {j->splits & ELBO_TRAIN_SPLIT ? part[0]->count : 0,
                       j->splits & ELBO_TEST_SPLIT ? part[1]->count : 0};
    bool labelled = (!count[0] || part[0]->labels) && (!count[1] || part[1]->labels);
    j->dims = m->network.graph.latent;
    j->n = count[0] + count[1];
    if (!j->n) return elbo_fail(err, ELBO_BAD_INPUT, "--split %s: there is no image in it", j->split);
    j->codes = elbo_alloc(j->n * (size_t)j->dims, sizeof *j->codes);
    if (labelled) j->labels = elbo_alloc(j->n, 1);
    if (!j->codes || (labelled && !j->labels)) return elbo_no_memory(err);
    for (size_t i = 0, at = 0; i < 2; at += count[i++]) {
        if (!count[i]) continue;
        elbo_model_encode_images(m, part[i], NULL, count[i], j->codes + at * (size_t)j->dims, NULL);
        if (labelled) memcpy(j->labels + at, part[i]->labels, count[i]);
    }
    return ELBO_OK;
}

/* Where t-SNE was stopped the map is drawn as far as it got; *stopped then. */
static elbo_status make_map(job *j, bool *stopped, elbo_error *err) {
    if (!j->tsne) return elbo_embedding_of_codes(&j->map, j->codes, j->n, j->dims, j->work.threads, err);
    j->map = (elbo_embedding){.n = j->n, .tsne = true, .xy = elbo_alloc(2 * j->n, sizeof *j->map.xy)};
    if (!j->map.xy) return elbo_no_memory(err);
    elbo_status status = elbo_tsne(j->map.xy, &j->result, j->codes, j->n, j->dims, &j->options, &j->work, err);
    *stopped = status == ELBO_STOPPED && j->result.iterations > 0;
    return *stopped ? ELBO_OK : status;
}

/* Asked before the work, which may take minutes. */
static elbo_status check_output(const job *j, elbo_figure f, elbo_error *err) {
    ELBO_TRY(elbo_make_folder(f.folder, err));
    if (!j->npy) return ELBO_OK;
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, j->npy, err));
    elbo_writer_abandon(&w);
    return ELBO_OK;
}

static json_t *describe(const job *j) {
    const elbo_embedding_scores *s = &j->scores;
    json_t *o = json_pack("{s:s, s:s, s:I, s:i, s:b}", "method", j->method, "split", j->split, "points",
                          (json_int_t)j->n, "latent", j->dims, "raw_plane", j->map.raw);
    if (j->tsne) cli_tsne_json(o, &j->result);
    if (!j->map.raw && !j->tsne)
        json_object_set_new(o, "explained_variance_ratio",
                            json_pack("[f, f]", j->map.explained[0], j->map.explained[1]));
    if (s->k) json_object_set_new(o, "scores", cli_map_scores_json(s));
    return o;
}

static void print_text(const job *j) {
    const elbo_embedding_scores *s = &j->scores;
    if (j->map.raw)
        printf("the code has two dimensions: the map is the plane itself\n");
    else if (j->tsne)
        printf("KL divergence %.4f after %d iterations\n", j->result.kl, j->result.iterations);
    else
        printf("the two axes hold %.1f%% and %.1f%% of the variance\n", 100 * j->map.explained[0],
               100 * j->map.explained[1]);
    if (!s->k) return;
    if (j->map.raw && j->labels)
        printf("class by %d nearest neighbours: %.2f%% right\n", s->k, 100 * s->knn_points);
    else if (!j->map.raw)
        cli_map_scores_print(s, "the latent space");
}

/* NAME.json beside the picture. */
static elbo_status save_scores(elbo_figure f, json_t *o, elbo_error *err) {
    char *path = NULL, *text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    elbo_status status = text ? elbo_figure_path(f, ".json", &path, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_file_write(path, text, strlen(text), err);
    free(path);
    free(text);
    return status;
}

static elbo_status draw(job *j, elbo_figure f, elbo_error *err) {
    ELBO_TRY(elbo_figure_map_of(f, &j->map, &j->runs.data, j->labels, err));
    if (j->npy) ELBO_TRY(elbo_npy_write_f32(j->npy, j->map.xy, 2, (size_t[]){j->n, 2}, err));
    return ELBO_OK;
}

static int finish(job *j, elbo_figure f, bool json, bool stopped) {
    elbo_error err;
    json_t *o = describe(j);
    elbo_status status = o ? save_scores(f, o, &err) : elbo_no_memory(&err);
    if (status != ELBO_OK) {
        json_decref(o);
        return cli_fail(&err);
    }
    if (j->tsne) cli_tsne_say(&j->result, j->options.perplexity, j->n);
    cli_say_figure(&f, json ? o : NULL);
    if (json)
        cli_print_json(json_incref(o));
    else
        print_text(j);
    json_decref(o);
    if (!stopped) return CLI_OK;
    fprintf(stderr, "elbo: stopped after %d of %d iterations: the map is as far as it got\n", j->result.iterations,
            j->options.iterations);
    return CLI_INTERRUPTED;
}

static int run(const cli_command *self, int argc, char **argv) {
    job j = {.method = "pca", .split = "test"};
    const char *output = NULL, *data = NULL;
    int threads = 0;
    bool json = false, svg = false;
    cli_tsne_options o = CLI_TSNE_UNSET;
    cli_option options[] = {
        {"method", 'm', CLI_TEXT, &j.method, "METHOD", "pca (default) or tsne", 0, 0},
        {"split", 0, CLI_TEXT, &j.split, "SPLIT", "test (default), train or all", 0, 0},
        {"output", 'o', CLI_TEXT, &output, "FILE.png",
         "default RUN/figures/pca.png, latent.png of a code of two, tsne.png", 0, 0},
        {"npy", 0, CLI_TEXT, &j.npy, "Y.npy", "also the points, (N, 2) float32", 0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        CLI_TSNE_OPTIONS(o),
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"svg", 0, CLI_FLAG, &svg, NULL, "also an SVG", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    j.tsne = !strcmp(j.method, "tsne");
    j.splits = !strcmp(j.split, "train") ? ELBO_TRAIN_SPLIT : !strcmp(j.split, "test") ? ELBO_TEST_SPLIT : BOTH;
    if (!j.tsne && strcmp(j.method, "pca")) return cli_fail_text("--method %s: it is pca or tsne", j.method), CLI_USAGE;
    if (j.splits == BOTH && strcmp(j.split, "all"))
        return cli_fail_text("--split %s: it is test, train or all", j.split), CLI_USAGE;
    if (!j.tsne && cli_tsne_any(&o))
        return cli_fail_text("project: options of t-SNE mean nothing to --method pca; add --method tsne"), CLI_USAGE;
    cli_tsne_set(&j.options, &o);
    int code = cli_runs_open(&j.runs, argv, 1, data, j.splits, threads);
    if (code != CLI_OK) return code;

    elbo_error err;
    bool stopped = false;
    cli_figure_place place;
    char title[200];
    bool plane = !j.tsne && j.runs.run[0].model->network.graph.latent == 2; // the latent space as it is
    snprintf(title, sizeof title, "%satent space of %.150s",
             j.tsne  ? "t-SNE of the l"
             : plane ? "L"
                     : "PCA of the l",
             j.runs.run[0].label);
    j.work = cli_work(threads);
    elbo_figure f = cli_figure(&place, argv[0], j.tsne ? "tsne" : plane ? "latent" : "pca", title, output, svg);
    elbo_status status = check_output(&j, f, &err);
    if (status == ELBO_OK) status = encode(&j, &err);
    if (status == ELBO_OK) status = make_map(&j, &stopped, &err);
    if (status == ELBO_OK) status = draw(&j, f, &err);
    if (status == ELBO_OK && j.n > 2 && !stopped)
        status = elbo_embedding_score(&j.scores, j.map.xy, j.codes, j.n, j.dims, j.labels, &j.work, &err);
    cli_work_end();
    code = status == ELBO_OK ? finish(&j, f, json, stopped) : cli_fail(&err);
    elbo_embedding_free(&j.map);
    free(j.codes);
    free(j.labels);
    cli_runs_close(&j.runs);
    return code;
}

const cli_command cli_project = {
    .name = "project",
    .arguments = "RUN",
    .summary = "a map of the latent space, coloured by class",
    .details =
        "Mean codes on their first two principal axes, or as a t-SNE map; a code of two dimensions is shown as it is by\n"
        "--method pca. The scores say how far to trust the picture: whether neighbours in the map are "
        "neighbours in the\n"
        "latent space (trustworthiness), the other way round (continuity), and how many of the 10 nearest are the same.\n"
        "They are kept in a .json beside the figure. Ctrl-C draws a t-SNE map as far as it got.\n"
        "\n"
        "examples:\n"
        "  elbo project runs/mnist-vae --method pca --npy map.npy\n"
        "  elbo project runs/mnist-vae --method tsne --split all\n",
    .run = run,
};
