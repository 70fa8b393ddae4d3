/* elbo traverse: what each latent dimension does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "formats/npy.h"
#include "explore/metrics/scores.h"
#include "lists.h"
#include "render/latent_figures.h"
#include "words.h"

enum { MOST_ROWS = 64 };

typedef struct traverse_options {
    cli_look look;
    const char *dims, *range, *at, *npy;
    double from, to;
    int rows, steps;
    elbo_expression centre; // of --at
} traverse_options;

/* What is shown: which dimensions, in which order, around which code. */
typedef struct traversal {
    int rows, *dim;   // (rows)
    double *score;    // (rows)
    float *centre;    // (latent)
    float *value, *z; // (rows, steps), (rows, steps, latent)
    double *shown;    // (steps)
} traversal;

/* Scores of the latent dimensions on the test images, or on the training images where there are no others. */
static elbo_status score(elbo_latent_scores *s, cli_runs *r, elbo_error *err) {
    elbo_model *m = r->run[0].model;
    const elbo_images *images = r->data.test.count ? &r->data.test : &r->data.train;
    size_t Z = (size_t)m->network.graph.latent, n = images->count;
    float *mu = elbo_alloc(n * Z, sizeof *mu),
          *logvar = m->recipe.kind == ELBO_VAE ? elbo_alloc(n * Z, sizeof *logvar) : NULL;
    elbo_status status = mu && (logvar || m->recipe.kind != ELBO_VAE) ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_model_encode_images(m, images, NULL, n, mu, logvar);
        status = elbo_latent_score(s, mu, logvar, n, (int)Z, err);
    }
    free(mu);
    free(logvar);
    return status;
}

/* The most informative dimensions first, by KL or, of an AE, by the spread of the codes. */
static elbo_status choose_rows(traverse_options *o, traversal *t, const elbo_latent_scores *s, elbo_error *err) {
    double *by = elbo_alloc((size_t)s->latent, sizeof *by);
    int *order = elbo_alloc((size_t)s->latent + MOST_ROWS, sizeof *order), chosen[MOST_ROWS], count = 0;
    elbo_status status = by && order ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK && o->dims) status = cli_read_dims(o->dims, s->latent, chosen, MOST_ROWS, &count, err);
    if (status == ELBO_OK) {
        for (int d = 0; d < s->latent; d++) by[d] = s->kl ? s->kl[d] : sqrt(s->variance[d]);
        elbo_order_by(by, s->latent, order);
        for (int i = 0; i < s->latent && t->rows < o->rows; i++) {
            bool wanted = !o->dims;
            for (int k = 0; k < count; k++) wanted |= chosen[k] == order[i];
            if (!wanted) continue;
            t->dim[t->rows] = order[i];
            t->score[t->rows++] = by[order[i]];
        }
    }
    free(by);
    free(order);
    return status;
}

static elbo_status fill(traverse_options *o, traversal *t, const elbo_latent_scores *s, elbo_error *err) {
    elbo_model *m = o->look.runs.run[0].model;
    int Z = s->latent;
    bool vae = s->kl != NULL;
    ELBO_TRY(choose_rows(o, t, s, err));
    for (int d = 0; d < Z && !vae; d++) t->centre[d] = (float)s->mean[d];
    if (o->at) {
        elbo_operands words = cli_operands(&o->look.runs);
        ELBO_TRY(elbo_expression_compute(&o->centre, (size_t)Z, elbo_operand_code, &words, t->centre, err));
        ELBO_TRY(elbo_operands_set_skips(&words, &o->centre, err));
    } else {
        ELBO_TRY(elbo_model_decodes_alone(m, err));
    }
    for (int k = 0; k < o->steps; k++) t->shown[k] = o->from + (o->to - o->from) * k / (o->steps - 1);
    for (int r = 0; r < t->rows; r++)
        for (int k = 0; k < o->steps; k++) {
            int d = t->dim[r];
            t->value[r * o->steps + k] = (float)(vae ? t->shown[k] : s->mean[d] + t->shown[k] * sqrt(s->variance[d]));
        }
    elbo_vary_one(t->centre, Z, t->dim, t->rows, t->value, o->steps, t->z);
    return elbo_figure_traversal(o->look.figure, m, t->z, t->rows, o->steps, t->dim, t->score, t->shown, err);
}

static elbo_status write_images(const traverse_options *o, const traversal *t, elbo_error *err) {
    elbo_model *m = o->look.runs.run[0].model;
    elbo_image_shape s = m->network.graph.image;
    size_t n = (size_t)t->rows * (size_t)o->steps;
    float *images = elbo_alloc(n * elbo_image_size(s), sizeof *images);
    if (!images) return elbo_no_memory(err);
    elbo_model_decode_codes(m, n, t->z, images);
    size_t shape[] = {(size_t)t->rows, (size_t)o->steps, (size_t)s.channels, (size_t)s.height, (size_t)s.width};
    elbo_status status = elbo_npy_write_f32(o->npy, images, 5, shape, err);
    free(images);
    return status;
}

static json_t *as_json(const traverse_options *o, const traversal *t, bool vae) {
    json_t *rows = json_array();
    for (int r = 0; r < t->rows; r++)
        json_array_append_new(rows, json_pack("{s:i, s:f}", "dim", t->dim[r], vae ? "kl" : "sd", t->score[r]));
    return json_pack("{s:[f, f], s:i, s:o}", "range", o->from, o->to, "steps", o->steps, "dims", rows);
}

static int look_and_draw(traverse_options *o, char **argv) {
    cli_look *look = &o->look;
    int splits = ELBO_TEST_SPLIT | (o->at ? elbo_operands_splits(&o->centre) : 0);
    int code = cli_look_open(look, argv, 1, splits);
    if (code != CLI_OK) return code;
    size_t Z = (size_t)look->runs.run[0].model->network.graph.latent, rows = (size_t)o->rows,
           cells = rows * (size_t)o->steps;
    char title[200];
    snprintf(title, sizeof title,
             o->at ? "One latent dimension at a time, around %.100s" : "One latent dimension at a time",
             o->at ? o->at : "");
    look->figure.title = title;
    traversal t = {.dim = elbo_alloc(rows, sizeof(int)),
                   .score = elbo_alloc(rows, sizeof(double)),
                   .centre = elbo_alloc(Z, sizeof(float)),
                   .value = elbo_alloc(cells, sizeof(float)),
                   .z = elbo_alloc(cells * Z, sizeof(float)),
                   .shown = elbo_alloc((size_t)o->steps, sizeof(double))};
    elbo_latent_scores s = {0};
    bool memory = t.dim && t.score && t.centre && t.value && t.z && t.shown;
    elbo_status status = memory ? score(&s, &look->runs, &look->err) : elbo_no_memory(&look->err);
    if (status == ELBO_OK) status = fill(o, &t, &s, &look->err);
    if (status == ELBO_OK && o->npy) status = write_images(o, &t, &look->err);
    json_t *json = status == ELBO_OK && look->json ? as_json(o, &t, s.kl != NULL) : NULL;
    elbo_latent_scores_free(&s);
    free(t.dim);
    free(t.score);
    free(t.centre);
    free(t.value);
    free(t.z);
    free(t.shown);
    return cli_look_close(look, status, json);
}

static int run(const cli_command *self, int argc, char **argv) {
    traverse_options o = {.look = {.name = "traversal"}, .range = "-3..3", .rows = 20, .steps = 11};
    cli_option options[] = {
        {"count", 'n', CLI_INT, &o.rows, "N", "how many dimensions at most; default 20", 1, MOST_ROWS},
        {"dims", 0, CLI_TEXT, &o.dims, "LIST", "these dimensions: 3,7,12; default the most informative ones", 0, 0},
        {"steps", 0, CLI_INT, &o.steps, "N", "images in a row; default 11", 2, 100},
        {"range", 'r', CLI_TEXT, &o.range, "A..B",
         "default -3..3; of an autoencoder in standard deviations of its codes", 0, 0},
        {"at", 'a', CLI_TEXT, &o.at, "CODE",
         "around test:17, 'mean(class:3)', ...; default the origin, an autoencoder's mean code", 0, 0},
        {"npy", 0, CLI_TEXT, &o.npy, "X.npy", "also the images, (dims, steps, C, H, W) float32", 0, 0},
        CLI_LOOK_OPTIONS(o.look, "default RUN/figures/traversal.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (cli_read_range(o.range, &o.from, &o.to, &o.look.err) != ELBO_OK) return cli_fail(&o.look.err), CLI_USAGE;
    if (o.dims) o.rows = MOST_ROWS;
    elbo_error why;
    if (o.at && elbo_expression_parse_end(&o.centre, o.at, &why) != ELBO_OK)
        return cli_fail_text("--at: %s", why.message);
    int code = look_and_draw(&o, argv);
    elbo_expression_free(&o.centre);
    return code;
}

const cli_command cli_traverse = {
    .name = "traverse",
    .arguments = "RUN",
    .summary = "one row per latent dimension: what changing it alone does",
    .details =
        "The most informative dimensions first: by their KL to the prior in nats, a mean over the test images; of an\n"
        "autoencoder, by the standard deviation (sd) of its codes. A dimension of 0 nats is not used by the model, and its\n"
        "row does not change.\n"
        "\n"
        "examples:\n"
        "  elbo traverse runs/mnist-vae\n"
        "  elbo traverse runs/mnist-vae --at test:17 -n 8 --range -2..2\n",
    .run = run,
};
