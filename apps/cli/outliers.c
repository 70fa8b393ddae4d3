/* elbo outliers: which images a model finds unlikely. */
#include "explore/outliers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "explore/image_files.h"
#include "explore/pick.h"
#include "job.h"
#include "base/memory.h"
#include "data/table.h"
#include "render/image_figures.h"
#include "runs.h"

typedef struct request {
    cli_look look;
    const char *input, *anomaly, *csv;
    elbo_outlier_options outliers;
    elbo_images own; // of a file or folder
    const elbo_images *images;
    char **name; // (names): of the files of a folder
    int names;
    elbo_outliers result;
    char title[200];
} request;

static bool is_split(const char *word) { return !strcmp(word, "test") || !strcmp(word, "train"); }

/* The class of an image in a folder that has a class's name; -1: none. */
static int class_of(const elbo_run_facts *f, const char *name) {
    size_t n = strcspn(name, "/");
    for (int k = 0; name[n] && f->class_names && k < f->classes; k++)
        if (strlen(f->class_names[k]) == n && !strncmp(f->class_names[k], name, n)) return k;
    return -1;
}

/* Folders of classes, as the model was trained on: where each image lies in one. */
static elbo_status label_by_folders(request *q, elbo_error *err) {
    const elbo_run_facts *f = &q->look.runs.run[0].model->facts;
    for (int i = 0; i < q->names; i++)
        if (class_of(f, q->name[i]) < 0) return ELBO_OK;
    if (!q->names || (uint32_t)q->names != q->own.count) return ELBO_OK;
    if (!(q->own.labels = elbo_alloc(q->own.count, 1))) return elbo_no_memory(err);
    for (int i = 0; i < q->names; i++) q->own.labels[i] = (uint8_t)class_of(f, q->name[i]);
    return ELBO_OK;
}

static elbo_status open_images(request *q, elbo_error *err) {
    elbo_model *m = q->look.runs.run[0].model;
    elbo_dataset *d = &q->look.runs.data;
    if (is_split(q->input)) {
        q->images = !strcmp(q->input, "test") ? &d->test : &d->train;
        return ELBO_OK;
    }
    elbo_model_info info = elbo_model_get_info(m);
    q->images = &q->own;
    if (elbo_shape_is_row(m->network.graph.image)) return cli_read_table(&q->own, m, q->input, q->look.threads, err);
    ELBO_TRY(elbo_image_files_read(&q->own, &info, q->input, err));
    elbo_model_see(m, &q->own);
    ELBO_TRY(elbo_image_files_names(&q->name, &q->names, q->input, err));
    return label_by_folders(q, err);
}

/* "class:8", or "8" */
static elbo_status find_anomaly(request *q, elbo_error *err) {
    q->outliers.anomaly = -1;
    if (!q->anomaly) return ELBO_OK;
    if (!q->images->labels)
        return elbo_fail(err, ELBO_BAD_INPUT, "--anomaly %s: %s has no labels that say which images are of it",
                         q->anomaly, q->input);
    const char *word = !strncmp(q->anomaly, "class:", 6) ? q->anomaly + 6 : q->anomaly;
    const elbo_run_facts *f = &q->look.runs.run[0].model->facts;
    const elbo_dataset named = {
        .name = (char *)(uintptr_t)q->input, .classes = f->classes, .class_names = f->class_names};
    ELBO_TRY(elbo_pick_class(&q->outliers.anomaly, is_split(q->input) ? &q->look.runs.data : &named, word, err));
    size_t found = 0;
    for (uint32_t i = 0; i < q->images->count; i++) found += q->images->labels[i] == q->outliers.anomaly;
    if (found && found < q->images->count) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT,
                     "--anomaly %s: %s of the %u images are of this class; there must be both kinds", q->anomaly,
                     found ? "all" : "none", q->images->count);
}

/* "test:17", or the file's name. */
static const char *name_of(const request *q, size_t i, char text[48]) {
    if ((int)i < q->names) return q->name[i];
    snprintf(text, 48, "%s%s%zu", is_split(q->input) ? q->input : "", is_split(q->input) ? ":" : "", i);
    return text;
}

static void put_quoted(FILE *to, const char *text) {
    if (!strpbrk(text, ",\"\n")) {
        fputs(text, to);
        return;
    }
    putc('"', to);
    for (; *text; text++) fprintf(to, *text == '"' ? "\"\"" : "%c", *text);
    putc('"', to);
}

/* A row for each image, in their own order. */
static elbo_status write_csv(const request *q, const char *path, elbo_error *err) {
    const elbo_outliers *r = &q->result;
    const elbo_dataset *d = &q->look.runs.data;
    elbo_writer w;
    char text[48];
    ELBO_TRY(elbo_writer_open(&w, path, err));
    fprintf(w.stream, "image%s", q->images->labels ? ",class" : "");
    for (int s = 0; s < ELBO_OUTLIER_SCORES; s++)
        if (r->score[s]) fprintf(w.stream, ",%s", elbo_outlier_score_name[s]);
    putc('\n', w.stream);
    for (size_t i = 0; i < r->n; i++) {
        put_quoted(w.stream, name_of(q, i, text));
        if (q->images->labels) {
            putc(',', w.stream);
            put_quoted(w.stream, d->class_names[q->images->labels[i]]);
        }
        for (int s = 0; s < ELBO_OUTLIER_SCORES; s++)
            if (r->score[s]) fprintf(w.stream, ",%.9g", r->score[s][i]);
        putc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

/* ---- what it prints ---- */

static const char *const heading[ELBO_OUTLIER_SCORES] = {"reconstr.", "KL", "-ELBO", "-log p(x)"};

static void say_scores(const request *q) {
    const elbo_outliers *r = &q->result;
    char text[48], count[32];
    printf("%s images, the most unusual first; nats, with the mean code\n", elbo_thousands((double)r->n, count));
    printf("  %-24s %-14s", "image", q->images->labels ? "class" : "");
    for (int s = 0; s < ELBO_OUTLIER_SCORES; s++)
        if (r->score[s]) printf("%11s", heading[s]);
    putchar('\n');
    for (int k = 0; k < r->shown; k++) {
        uint32_t i = r->order[k];
        printf("  %-24.40s %-14.14s", name_of(q, i, text),
               q->images->labels ? q->look.runs.data.class_names[q->images->labels[i]] : "");
        for (int s = 0; s < ELBO_OUTLIER_SCORES; s++)
            if (r->score[s]) printf("%11.2f", r->score[s][i]);
        putchar('\n');
    }
}

static void say_rankings(const request *q) {
    const elbo_outliers *r = &q->result;
    if (r->anomaly < 0) return;
    printf("%s as anomaly: %zu of %zu images (a random order has AUROC 0.5, AP %.3f)\n", q->anomaly,
           r->ranking[0].positives, r->n, (double)r->ranking[0].positives / (double)r->n);
    for (int s = 0; s < ELBO_OUTLIER_SCORES; s++)
        if (r->score[s])
            printf("  by %-10s AUROC %.4f   AP %.4f\n", heading[s], r->ranking[s].auroc,
                   r->ranking[s].average_precision);
}

static void say_pairs(const request *q) {
    enum { SHOWN = 20 };
    const elbo_outliers *r = &q->result;
    char a[48], b[48];
    double at = q->outliers.duplicate_at > 0 ? q->outliers.duplicate_at : ELBO_DUPLICATE_AT;
    printf("%zu pair%s of codes nearer than %g of the median distance to the nearest code%s\n",
           r->pairs + r->more_pairs, r->pairs + r->more_pairs == 1 ? "" : "s", at, r->pairs ? ":" : "");
    for (size_t i = 0; i < r->pairs && i < SHOWN; i++)
        printf("  %s  %s  %.3f\n", name_of(q, r->pair[i].a, a), name_of(q, r->pair[i].b, b), r->pair[i].distance);
    if (r->pairs > SHOWN) printf("  and %zu more (--json lists them)\n", r->pairs + r->more_pairs - SHOWN);
}

/* ---- the command ---- */

static elbo_status find(request *q, elbo_error *err) {
    cli_look *look = &q->look;
    ELBO_TRY(open_images(q, err));
    ELBO_TRY(find_anomaly(q, err));
    elbo_job work = cli_work(look->threads);
    elbo_status status = elbo_outliers_find(&q->result, look->runs.run[0].model, q->images, &q->outliers, &work, err);
    cli_work_end();
    cli_release_interrupts();
    if (status == ELBO_OK && q->csv) status = write_csv(q, q->csv, err);
    snprintf(q->title, sizeof q->title, "Outliers of %.100s by %s, in nats", look->runs.run[0].label,
             heading[q->result.by][0] == 'r' ? "reconstruction" : heading[q->result.by]);
    look->figure.title = q->title;
    look->no_figure = elbo_shape_is_row(q->images->shape); // rows of numbers are no pictures
    if (look->no_figure) return status;
    return status == ELBO_OK ? elbo_figure_outliers(look->figure, &q->result, err) : status;
}

static json_t *as_json(const request *q) {
    json_t *o = elbo_outliers_json(&q->result), *names = q->names ? json_array() : NULL;
    for (int i = 0; i < q->names; i++) json_array_append_new(names, json_string(q->name[i]));
    if (names) json_object_set_new(o, "names", names);
    if (q->csv) json_object_set_new(o, "csv", json_string(q->csv));
    return o;
}

static int look_and_find(request *q, char **argv) {
    cli_look *look = &q->look;
    if (look->output && cli_ends_with(look->output, ".csv")) { // the scores; the figure goes to its usual place
        q->csv = look->output;
        look->output = NULL;
    }
    int splits = !strcmp(q->input, "test") ? ELBO_TEST_SPLIT : !strcmp(q->input, "train") ? ELBO_TRAIN_SPLIT : 0;
    int code = cli_look_open(look, argv, 1, splits);
    if (code != CLI_OK) return code;
    if (q->outliers.importance && look->runs.run[0].model->recipe.kind != ELBO_VAE) {
        cli_runs_close(&look->runs);
        return cli_fail_text("--importance: %s is an autoencoder; only a VAE has a likelihood", argv[0]);
    }
    elbo_status status = find(q, &look->err);
    json_t *json = status == ELBO_OK && look->json ? as_json(q) : NULL;
    if (status == ELBO_OK && !look->json) {
        say_scores(q);
        say_rankings(q);
        if (q->outliers.duplicates) say_pairs(q);
        if (q->csv) printf("%s\n", q->csv);
    }
    code = cli_look_close(look, status, json);
    elbo_outliers_free(&q->result);
    elbo_images_free(&q->own);
    elbo_texts_free(q->name, q->names);
    return code;
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {.look = {.name = "outliers", .takes_tables = true}, .input = "test"};
    cli_option options[] = {
        {"count", 'n', CLI_INT, &q.outliers.shown, "N", "images shown of each end; default 10", 1, 40},
        {"importance", 'k', CLI_INT, &q.outliers.importance, "N",
         "order by the log-likelihood of a VAE from N importance samples", 1, 100000},
        {"anomaly", 'a', CLI_TEXT, &q.anomaly, "class:8", "a class that training left out: AUROC and average precision",
         0, 0},
        {"duplicates", 0, CLI_FLAG, &q.outliers.duplicates, NULL, "also pairs of near-duplicates, by their codes", 0,
         0},
        {"distance", 0, CLI_FLOAT, &q.outliers.duplicate_at, "T",
         "of near-duplicates at most, in medians of the distance to the nearest code; default 0.1", 0, 100},
        CLI_LOOK_OPTIONS_TO(q.look, "FILE.png|.svg|.csv", "a figure, or the scores; default RUN/figures/outliers.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (words > 1) q.input = argv[1];
    if (q.outliers.duplicate_at > 0) q.outliers.duplicates = true;
    return look_and_find(&q, argv);
}

const cli_command cli_outliers = {
    .name = "outliers",
    .arguments = "RUN [IN]",
    .summary = "the images that a model finds unlikely: scores, a figure, near-duplicates",
    .details =
        "IN is test (default), train, a .npy, an image file or a folder of these, as `elbo encode` reads them. Scores are\n"
        "the reconstruction's negative log-likelihood with the mean code, the KL of the code to the prior, and their sum,\n"
        "-ELBO with the mean code in the sample's place; larger is more unusual. An autoencoder has the first alone. They\n"
        "measure how well the model explains an image, which also depends on how simple the image is.\n"
        "\n"
        "The figure shows the most unusual images and, for comparison, some about the median score, each above its\n"
        "reconstruction. With --anomaly: the chance that an image of the class scores above another one (AUROC), and the\n"
        "average precision (AP), for each score.\n"
        "\n"
        "examples:\n"
        "  elbo outliers runs/mnist-vae\n"
        "  elbo outliers runs/photo-vae my/photos --duplicates -o scores.csv\n"
        "  elbo outliers runs/without-8 --anomaly class:8\n",
    .run = run,
};
