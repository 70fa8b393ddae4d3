/* elbo cluster: groups of codes. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/table.h"
#include "explore/clusters.h"
#include "job.h"
#include "render/image_figures.h"
#include "runs.h"

enum { MOST_DRAWN = 60 };

typedef struct request {
    cli_look look;
    const char *split, *csv;
    int k;
    uint64_t seed;
    const elbo_images *images;
    elbo_clusters result;
} request;

static elbo_status write_csv(const request *q, elbo_error *err) {
    elbo_writer w;
    const elbo_images *images = q->images;
    ELBO_TRY(elbo_writer_open(&w, q->csv, err));
    fputs(images->labels ? "image,cluster,class\n" : "image,cluster\n", w.stream);
    for (size_t i = 0; i < q->result.n; i++) {
        fprintf(w.stream, "%s:%zu,%d", q->split, i, q->result.means.cluster[i]);
        if (images->labels) fprintf(w.stream, ",%d", images->labels[i]);
        fputc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

static void say(const request *q) {
    const elbo_clusters *r = &q->result;
    char number[32];
    printf("%s codes in %d clusters by k-means", elbo_thousands((double)r->n, number), r->means.k);
    if (isfinite(r->silhouette)) printf("; silhouette %.3f (-1 to 1; 0: no clusters)", r->silhouette);
    if (isfinite(r->purity)) printf("; purity %.1f%%", 100 * r->purity);
    puts("\n  cluster     images  silhouette  most frequent class");
    for (int k = 0; k < r->means.k; k++) {
        printf("  %7d  %9s  %10.3f", k, elbo_thousands(r->means.size[k], number), r->each[k]);
        if (r->majority[k] >= 0) printf("  %s, %.1f%%", r->class_name[r->majority[k]], 100 * r->majority_share[k]);
        putchar('\n');
    }
}

static elbo_status find(request *q, elbo_error *err) {
    cli_look *look = &q->look;
    elbo_dataset *d = &look->runs.data;
    q->images = !strcmp(q->split, "test") ? &d->test : &d->train;
    if (q->images->count == 0) return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no %s images", d->name, q->split);
    elbo_job work = cli_work(look->threads);
    elbo_status status =
        elbo_clusters_find(&q->result, look->runs.run[0].model, q->images, d, q->k, q->seed, &work, err);
    cli_work_end();
    cli_release_interrupts();
    if (status == ELBO_OK && q->csv) status = write_csv(q, err);
    look->no_figure = elbo_shape_is_row(q->images->shape) || q->k > MOST_DRAWN;
    if (status == ELBO_OK && !look->no_figure) status = elbo_figure_clusters(look->figure, &q->result, err);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {.look = {.name = "clusters", .takes_tables = true}, .split = "test", .k = 10};
    cli_look *look = &q.look;
    cli_option options[] = {
        {"clusters", 'k', CLI_INT, &q.k, "N", "how many; default 10", 1, ELBO_KMEANS_MOST},
        {"seed", 's', CLI_U64, &q.seed, "N", "of the first centres; default 0", 0, 0},
        CLI_LOOK_OPTIONS_TO(q.look, "FILE.png|.svg|.csv",
                            "a figure, or the assignments; default RUN/figures/clusters.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (words == 2) q.split = argv[1];
    if (strcmp(q.split, "test") != 0 && strcmp(q.split, "train") != 0)
        return cli_fail_text("cluster: `%s`: expected test or train", q.split), CLI_USAGE;
    if (look->output && cli_ends_with(look->output, ".csv")) { // the figure goes to its usual place
        q.csv = look->output;
        look->output = NULL;
    }
    int code = cli_look_open(look, argv, 1, !strcmp(q.split, "test") ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT);
    if (code != CLI_OK) return code;
    elbo_status status = find(&q, &look->err);
    json_t *json = status == ELBO_OK && look->json ? elbo_clusters_json(&q.result) : NULL;
    if (json && q.csv) json_object_set_new(json, "csv", json_string(q.csv));
    if (status == ELBO_OK && !look->json) {
        say(&q);
        if (q.csv) printf("%s\n", q.csv);
    }
    code = cli_look_close(look, status, json);
    elbo_clusters_free(&q.result);
    return code;
}

const cli_command cli_cluster = {
    .name = "cluster",
    .arguments = "RUN [test|train]",
    .summary = "clusters of codes: assignments, silhouette, purity, typical images",
    .details =
        "k-means on the mean codes, the best of four starts from k-means++ centres. The silhouette, of at most 2,000 codes,\n"
        "says how much nearer a code is to its own cluster than to the next: 1 is far, 0 is none, below 0 is the wrong one.\n"
        "Purity, where there are labels, is the share of images that are of their cluster's most frequent class; the model\n"
        "and the clusters were not told the classes. The figure shows the images nearest to each centre. Of a table there is\n"
        "no figure.\n"
        "\n"
        "examples:\n"
        "  elbo cluster runs/mnist-vae -k 10\n"
        "  elbo cluster runs/mnist-vae train -k 30 -o clusters.csv\n",
    .run = run,
};
