/* elbo pca: principal components of any matrix. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/threads.h"
#include "cli.h"
#include "formats/matrix.h"
#include "stats/pca.h"

enum { PIECE_ROWS = 4096, MOST_SHOWN = 20 };

typedef struct job {
    const elbo_pca *pca;
    const elbo_matrix *x;
    float *scores; // (rows, components)
    bool whiten;
} job;

static void project_piece(void *context, int piece) {
    const job *j = context;
    size_t first = (size_t)piece * PIECE_ROWS, rows = j->x->rows - first < PIECE_ROWS ? j->x->rows - first : PIECE_ROWS;
    size_t components = (size_t)j->pca->components;
    float *y = j->scores + first * components;
    elbo_pca_project(j->pca, j->x->value + first * (size_t)j->x->columns, rows, y);
    if (!j->whiten) return;
    for (size_t i = 0; i < rows * components; i++) {
        double deviation = sqrt(j->pca->variance[i % components]);
        y[i] = (float)(y[i] / deviation);
    }
}

static elbo_status write_doubles(const char *path, const double *value, size_t rows, int columns, elbo_error *err) {
    size_t count = rows * (size_t)columns;
    float *narrow = elbo_alloc(count, sizeof *narrow);
    if (!narrow) return elbo_no_memory(err);
    for (size_t i = 0; i < count; i++) narrow[i] = (float)value[i];
    elbo_status status = elbo_matrix_write(path, narrow, rows, columns, err);
    free(narrow);
    return status;
}

static double share(const elbo_pca *p, double variance) { return p->total > 0 ? variance / p->total : 0; }

static void print_json(const elbo_pca *p, const elbo_matrix *x, int asked, const char *output, bool whiten) {
    json_t *variance = json_array(), *ratio = json_array();
    for (int c = 0; c < p->components; c++) {
        json_array_append_new(variance, json_real(p->variance[c]));
        json_array_append_new(ratio, json_real(share(p, p->variance[c])));
    }
    json_t *o = json_pack("{s:s, s:I, s:i, s:i, s:b, s:o, s:o, s:f}", "scores", output, "rows", (json_int_t)x->rows,
                          "columns", x->columns, "components", p->components, "whitened", whiten, "explained_variance",
                          variance, "explained_variance_ratio", ratio, "total_variance", p->total);
    if (p->rank < asked) json_object_set_new(o, "rank", json_integer(p->rank));
    cli_print_json(o);
}

static void print_table(const elbo_pca *p, const elbo_matrix *x, int asked, const char *output) {
    char rows[32];
    if (p->rank < asked)
        fprintf(stderr, "rank %d: %d component%s, not %d; the other axes hold no variance beyond rounding\n", p->rank,
                p->rank, p->rank == 1 ? "" : "s", asked);
    printf("%s: %s rows on %d of %d principal axes\n\n", output, elbo_thousands((double)x->rows, rows), p->components,
           x->columns);
    printf("axis    variance   ratio  cumulative\n");
    double together = 0;
    for (int c = 0; c < p->components; c++) {
        together += share(p, p->variance[c]);
        if (c < MOST_SHOWN)
            printf("%4d  %10.4g  %5.1f%%    %5.1f%%\n", c + 1, p->variance[c], 100 * share(p, p->variance[c]),
                   100 * together);
    }
    if (p->components > MOST_SHOWN) printf(" ...                      %5.1f%%\n", 100 * together);
}

static elbo_status fit_and_write(elbo_pca *p, const elbo_matrix *x, const char *input, int components, bool whiten,
                                 int threads, const char *output, const char *axes, const char *mean, elbo_error *err) {
    ELBO_TRY(elbo_pca_fit(p, x->value, x->rows, x->columns, components, threads, err));
    if (p->rank == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: all %zu rows are equal; no variance, no principal axes", input,
                         x->rows);
    if (p->rank < p->components) p->components = p->rank;
    float *scores = elbo_alloc(x->rows, (size_t)p->components * sizeof *scores);
    if (!scores) return elbo_no_memory(err);
    job j = {p, x, scores, whiten};
    elbo_parallel_for(threads, (int)((x->rows + PIECE_ROWS - 1) / PIECE_ROWS), project_piece, &j);
    elbo_status status = elbo_matrix_write(output, scores, x->rows, p->components, err);
    if (status == ELBO_OK && axes) status = write_doubles(axes, p->axes, (size_t)p->components, x->columns, err);
    if (status == ELBO_OK && mean) status = write_doubles(mean, p->mean, 1, x->columns, err);
    free(scores);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *output = NULL, *axes = NULL, *mean = NULL;
    int components = 0, threads = 0;
    bool whiten = false, json = false;
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &output, "Y.npy|.csv", "where the scores go, (rows, components); required", 0, 0},
        {"components", 'k', CLI_INT, &components, "K", "how many axes: default 2, or 1 of a single column", 1, 1 << 20},
        {"axes", 0, CLI_OUTPUT, &axes, "A.npy|.csv", "also the axes, (components, columns), unit vectors", 0, 0},
        {"mean", 0, CLI_OUTPUT, &mean, "M.npy|.csv", "also the mean, (1, columns): scores = (x - mean) axes^T", 0, 0},
        {"whiten", 'w', CLI_FLAG, &whiten, NULL, "scores with variance 1", 0, 0},
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (!output) return cli_fail_text("pca: expected an output: add -o Y.npy"), CLI_USAGE;
    elbo_error err;
    elbo_matrix x;
    if (elbo_matrix_read(&x, argv[0], &err) != ELBO_OK) return cli_fail(&err);
    elbo_pca p = {0};
    int code = CLI_OK, asked = components ? components : x.columns < 2 ? x.columns : 2;
    if (components > x.columns)
        code = cli_fail_text("-k %d: %s has %d column%s, and no more axes", components, argv[0], x.columns,
                             x.columns == 1 ? "" : "s");
    else if (x.rows < 2)
        code = cli_fail_text("%s: one row; PCA needs 2 or more", argv[0]);
    else if (fit_and_write(&p, &x, argv[0], asked, whiten, threads, output, axes, mean, &err) != ELBO_OK)
        code = cli_fail(&err);
    else if (json)
        print_json(&p, &x, asked, output, whiten);
    else
        print_table(&p, &x, asked, output);
    elbo_pca_free(&p);
    elbo_matrix_free(&x);
    return code;
}

const cli_command cli_pca = {
    .name = "pca",
    .arguments = "X.npy",
    .summary = "principal components of any matrix, .npy or .csv",
    .details =
        "X is a .npy (rows, columns) of uint8, float32, float64, int32 or int64 (of more dimensions all but the first are one\n"
        "row), or text: a row per line, separated by commas, semicolons, tabs or spaces, with or without a header.\n"
        "Exact, and the same bits for any number of threads. Each axis has its largest entry positive. Where the rank of\n"
        "X is below K (K rows or fewer, dependent columns), the scores have that many columns and a line says so;\n"
        "variance within float rounding counts as 0.\n"
        "\n"
        "example:\n"
        "  elbo pca codes.npy -o scores.npy -k 5 --axes axes.npy\n",
    .run = run,
};
