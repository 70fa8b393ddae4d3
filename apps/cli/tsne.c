/* elbo tsne: an embedding of any points. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "formats/matrix.h"
#include "explore/projection.h"
#include "embedding_scores.h"
#include "runs.h"
#include "tsne.h"
#include "job.h"

void cli_tsne_set(elbo_tsne_options *o, const cli_tsne_options *words) {
    *o = elbo_tsne_defaults();
    if (words->perplexity > 0) o->perplexity = words->perplexity;
    if (words->iterations >= 0) o->iterations = words->iterations;
    if (words->exaggeration > 0) o->exaggeration = words->exaggeration;
    if (words->exaggerated >= 0) o->exaggerated = words->exaggerated;
    if (words->learning_rate > 0) o->learning_rate = words->learning_rate;
    if (words->momentum >= 0) o->momentum = words->momentum;
    if (words->late_momentum >= 0) o->late_momentum = words->late_momentum;
    if (words->longest_step > 0) o->longest_step = words->longest_step;
    if (words->seed != UINT64_MAX) o->seed = words->seed;
}

bool cli_tsne_any(const cli_tsne_options *o) {
    return o->perplexity > 0 || o->iterations >= 0 || o->exaggeration > 0 || o->exaggerated >= 0 ||
           o->learning_rate > 0 || o->momentum >= 0 || o->late_momentum >= 0 || o->longest_step > 0 ||
           o->seed != UINT64_MAX;
}

void cli_tsne_say(const elbo_tsne_result *r, double wanted_perplexity, size_t n) {
    if (r->perplexity < wanted_perplexity)
        fprintf(stderr, "perplexity lowered from %g to %.4g: %zu points have no more neighbours than that\n",
                wanted_perplexity, r->perplexity, n);
    if (r->recall < 1) fprintf(stderr, "nearest neighbours are approximate: %.1f %% of them found\n", 100 * r->recall);
}

/* Classes of points from a file of whole numbers.  labels: (rows), new */
static elbo_status read_labels(uint8_t **labels, int *classes, const char *path, size_t rows, elbo_error *err) {
    elbo_matrix m;
    ELBO_TRY(elbo_matrix_read(&m, path, err));
    elbo_status status = ELBO_OK;
    size_t count = m.rows * (size_t)m.columns;
    *labels = elbo_alloc(count, 1);
    *classes = 0;
    if (!*labels)
        status = elbo_no_memory(err);
    else if (count != rows || (m.columns != 1 && m.rows != 1))
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: holds %zu x %d numbers; the labels of %zu points are one for each",
                           path, m.rows, m.columns, rows);
    for (size_t i = 0; status == ELBO_OK && i < count; i++) {
        float v = m.value[i];
        if (!(v >= 0) || v >= ELBO_MAX_CLASSES || v != (float)(int)v)
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: label %zu is %g; labels are whole numbers from 0 to %d", path,
                               i + 1, (double)v, ELBO_MAX_CLASSES - 1);
        else
            (*labels)[i] = (uint8_t)v;
        if (status == ELBO_OK && (int)v >= *classes) *classes = (int)v + 1;
    }
    elbo_matrix_free(&m);
    if (status != ELBO_OK) free(*labels);
    if (status != ELBO_OK) *labels = NULL;
    return status;
}

/* An embedding of as many points as x has. */
static elbo_status read_embedding(elbo_matrix *embedding, const char *path, const elbo_matrix *x, const char *x_path,
                                  elbo_error *err) {
    ELBO_TRY(elbo_matrix_read(embedding, path, err));
    if (embedding->rows == x->rows && embedding->columns == 2) return ELBO_OK;
    elbo_status status =
        elbo_fail(err, ELBO_BAD_INPUT, "%s: is %zu x %d; an embedding of the %zu points of %s is %zu x 2", path,
                  embedding->rows, embedding->columns, x->rows, x_path, x->rows);
    elbo_matrix_free(embedding);
    return status;
}

typedef struct job {
    const char *input, *output, *from, *new_points, *embedding, *labels, *figure;
    bool json, svg, score;
    elbo_job work;
    elbo_tsne_options options;
    elbo_matrix x, other, fresh; // points; the embedding to go on from or to place in; new points
    float *y;                    // (rows, 2)
    uint8_t *label;              // (rows), or NULL
    int classes;
    size_t rows;
    elbo_tsne_result result;
    elbo_embedding_scores scores;
} job;

static elbo_status open_job(job *j, elbo_error *err) {
    const char *embedding = j->from ? j->from : j->embedding;
    ELBO_TRY(elbo_matrix_read(&j->x, j->input, err));
    if (embedding) ELBO_TRY(read_embedding(&j->other, embedding, &j->x, j->input, err));
    if (j->new_points) {
        ELBO_TRY(elbo_matrix_read(&j->fresh, j->new_points, err));
        if (j->fresh.columns != j->x.columns)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: has %d columns; the points of %s have %d", j->new_points,
                             j->fresh.columns, j->input, j->x.columns);
    }
    j->rows = j->new_points ? j->fresh.rows : j->x.rows;
    if (j->labels) ELBO_TRY(read_labels(&j->label, &j->classes, j->labels, j->rows, err));
    ELBO_TRY(elbo_matrix_writable(j->output, err)); // now, not after minutes of work
    j->y = elbo_alloc(j->rows * 2, sizeof *j->y);
    return j->y ? ELBO_OK : elbo_no_memory(err);
}

static elbo_status embed(job *j, elbo_error *err) {
    if (j->new_points) {
        elbo_tsne_placement what = {.new_points = j->fresh.value,
                                    .m = j->fresh.rows,
                                    .embedding = j->other.value,
                                    .x = j->x.value,
                                    .n = j->x.rows,
                                    .dims = j->x.columns};
        return elbo_tsne_transform(j->y, &what, &j->options, &j->work, err);
    }
    if (j->from) j->options.start = j->other.value;
    return elbo_tsne(j->y, &j->result, j->x.value, j->x.rows, j->x.columns, &j->options, &j->work, err);
}

static void tell(job *j, double seconds, const elbo_figure *figure) {
    char time[32], count[32];
    if (!j->new_points) cli_tsne_say(&j->result, j->options.perplexity, j->rows);
    if (j->json) {
        json_t *o = json_pack("{s:I, s:i, s:s, s:f}", "points", (json_int_t)j->rows, "dims", j->x.columns, "output",
                              j->output, "seconds", seconds);
        if (!j->new_points) elbo_tsne_result_to_json(o, &j->result);
        if (j->scores.k) json_object_set_new(o, "scores", elbo_embedding_scores_json(&j->scores));
        if (figure) cli_say_figure(figure, o);
        cli_print_json(o);
        return;
    }
    if (figure) cli_say_figure(figure, NULL);
    if (j->new_points)
        printf("%s: %s points placed, %s\n", j->output, elbo_thousands((double)j->rows, count),
               cli_duration(seconds, time));
    else
        printf("%s: %s points, KL divergence %.4f after %d iterations, %s\n", j->output,
               elbo_thousands((double)j->rows, count), j->result.kl, j->result.iterations, cli_duration(seconds, time));
    if (j->scores.k) cli_print_embedding_scores(&j->scores, "the points");
}

static elbo_status finish(job *j, const char *name, double seconds, elbo_error *err) {
    ELBO_TRY(elbo_matrix_write(j->output, j->y, j->rows, 2, err));
    cli_figure_place place;
    elbo_figure f = cli_figure(&place, "", "", name, j->figure, j->svg);
    elbo_status status = ELBO_OK;
    if (j->score)
        status = elbo_embedding_score(&j->scores, j->y, j->x.value, j->rows, j->x.columns, j->label, &j->work, err);
    if (status == ELBO_OK && j->figure)
        status = elbo_draw_scatter(f,
                                   &(elbo_scatter){.x_label = "t-SNE 1",
                                                   .y_label = "t-SNE 2",
                                                   .xy = j->y,
                                                   .labels = j->label,
                                                   .n = j->rows,
                                                   .classes = j->classes},
                                   err);
    if (status == ELBO_OK) tell(j, seconds, j->figure ? &f : NULL);
    return status;
}

static int check_usage(const job *j) {
    if (!j->output) return cli_fail_text("tsne: expected an output: add -o Y.npy"), CLI_USAGE;
    if (!j->new_points != !j->embedding)
        return cli_fail_text(
                   "tsne: --transform NEW and --embedding Y belong together: new points, and the embedding of %s to "
                   "place them in",
                   j->input),
               CLI_USAGE;
    if (j->from && j->new_points)
        return cli_fail_text("tsne: --from continues an embedding, --transform keeps it fixed; choose one"), CLI_USAGE;
    if (j->labels && !j->figure && !j->score)
        return cli_fail_text("tsne: --labels colours a figure and is scored; add --figure F.png or --scores"),
               CLI_USAGE;
    if (j->score && j->new_points) return cli_fail_text("tsne: --scores does not go with --transform"), CLI_USAGE;
    return CLI_OK;
}

static int run(const cli_command *self, int argc, char **argv) {
    job j = {0};
    int threads = 0;
    cli_tsne_options o = CLI_TSNE_UNSET;
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &j.output, "Y.npy|.csv", "the embedding, (N, 2); required", 0, 0},
        {"figure", 0, CLI_OUTPUT, &j.figure, "F.png|.svg", "also a figure", 0, 0},
        {"labels", 0, CLI_TEXT, &j.labels, "L.npy", "class of each point, 0 to 255, as its colour; .npy or .csv", 0, 0},
        {"scores", 0, CLI_FLAG, &j.score, NULL, "trustworthiness, continuity and 10-NN recall of the embedding", 0, 0},
        {"svg", 0, CLI_FLAG, &j.svg, NULL, "also an SVG", 0, 0},
        {"from", 0, CLI_TEXT, &j.from, "Y.npy", "continues from this embedding of the same points", 0, 0},
        {"transform", 0, CLI_TEXT, &j.new_points, "NEW.npy", "embeds these points in --embedding, which stays fixed", 0,
         0},
        {"embedding", 0, CLI_TEXT, &j.embedding, "Y.npy", "the embedding of X, for --transform", 0, 0},
        {"map", 0, CLI_TEXT, &j.embedding, "Y.npy", NULL, 0, 0}, // its name in earlier releases
        CLI_TSNE_OPTIONS(o),
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &j.json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    j.input = argv[0];
    int code = check_usage(&j);
    if (code != CLI_OK) return code;
    cli_tsne_set(&j.options, &o);

    elbo_error err, stop;
    double start = elbo_now();
    elbo_status status = open_job(&j, &err);
    if (status == ELBO_OK) {
        j.work = cli_work(threads);
        status = embed(&j, &err);
        cli_work_end();
        cli_release_interrupts();
    }
    bool cut_short = status == ELBO_STOPPED && !j.new_points && j.result.iterations > 0;
    if (cut_short) {
        stop = err;
        status = ELBO_OK;
    }
    char title[200];
    const char *slash = strrchr(j.input, '/');
    snprintf(title, sizeof title, "t-SNE of %.150s", slash ? slash + 1 : j.input);
    if (status == ELBO_OK) status = finish(&j, title, elbo_now() - start, &err);
    if (status != ELBO_OK) code = cli_fail(&err);
    if (status == ELBO_OK && cut_short) {
        fprintf(stderr, "elbo: %s: %s holds the embedding so far; `elbo tsne %s --from %s -o %s` continues\n",
                stop.message, j.output, j.input, j.output, j.output);
        code = CLI_INTERRUPTED;
    }
    elbo_matrix_free(&j.x);
    elbo_matrix_free(&j.other);
    elbo_matrix_free(&j.fresh);
    free(j.y);
    free(j.label);
    return code;
}

const cli_command cli_tsne = {
    .name = "tsne",
    .arguments = "X.npy",
    .summary = "t-SNE of any points",
    .details =
        "X is (N, D), .npy or .csv, up to a million points. Similarities are those of the 3 * perplexity nearest\n"
        "neighbours, exact up to 150,000 points; forces are exact for few points and by interpolation on a grid for\n"
        "many. Ctrl-C saves the embedding so far; --from continues it.\n"
        "\n"
        "examples:\n"
        "  elbo tsne codes.npy -o y.npy --figure y.png --labels classes.npy\n"
        "  elbo tsne codes.npy --from y.npy --iterations 250 -o longer.npy\n"
        "  elbo tsne codes.npy --transform new.npy --embedding y.npy -o placed.npy\n",
    .run = run,
};
