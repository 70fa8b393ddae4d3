#include "explore/traverse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/metrics/scores.h"
#include "explore/operands.h"
#include "run/model.h"
#include "stats/plane.h"

/* Scores of the latent dimensions on the test images, or on the training images where there are no others. */
static elbo_status score(elbo_latent_scores *s, elbo_model *m, const elbo_dataset *d, elbo_error *err) {
    const elbo_images *images = d->test.count ? &d->test : &d->train;
    size_t Z = (size_t)m->network.graph.latent, n = images->count;
    float *mu = elbo_alloc(n * Z, sizeof *mu),
          *logvar = m->recipe.kind == ELBO_VAE ? elbo_alloc(n * Z, sizeof *logvar) : NULL;
    elbo_status status = mu && (logvar || m->recipe.kind != ELBO_VAE) ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_encode_images(m, images, NULL, n, mu, logvar, err);
    if (status == ELBO_OK) status = elbo_latent_score(s, mu, logvar, n, (int)Z, err);
    free(mu);
    free(logvar);
    return status;
}

static bool wanted(const elbo_traverse_options *o, int dim) {
    for (int k = 0; k < o->dim_count; k++)
        if (o->dims[k] == dim) return true;
    return !o->dims;
}

/* The most informative dimensions first, by KL or, of an autoencoder, by the spread of the codes. */
static elbo_status choose_rows(elbo_traverse_result *r, const elbo_traverse_options *o, const elbo_latent_scores *s,
                               elbo_error *err) {
    int most = o->dims ? o->dim_count : o->rows ? o->rows : ELBO_TRAVERSE_ROWS;
    double *by = elbo_alloc((size_t)s->latent, sizeof *by);
    int *order = elbo_alloc((size_t)s->latent, sizeof *order);
    r->dim = elbo_alloc((size_t)most, sizeof *r->dim);
    r->score = elbo_alloc((size_t)most, sizeof *r->score);
    elbo_status status = by && order && r->dim && r->score ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        for (int d = 0; d < s->latent; d++) by[d] = s->kl ? s->kl[d] : sqrt(s->variance[d]);
        elbo_order_by(by, s->latent, order);
        for (int i = 0; i < s->latent && r->rows < most; i++) {
            if (!wanted(o, order[i])) continue;
            r->dim[r->rows] = order[i];
            r->score[r->rows++] = by[order[i]];
        }
    }
    free(by);
    free(order);
    return status;
}

/* The code that all rows share but for one dimension.  centre: (latent), zero */
static elbo_status find_centre(elbo_model *m, const elbo_dataset *d, const elbo_traverse_options *o,
                               const elbo_latent_scores *s, float *centre, elbo_error *err) {
    if (!o->at) {
        ELBO_TRY(elbo_model_set_class_word(m, o->class_word, err));
        for (int k = 0; k < s->latent && !s->kl; k++) centre[k] = (float)s->mean[k];
        return elbo_model_decodes_alone(m, err);
    }
    elbo_operands words = {.model = m, .chooser = m, .data = d, .read_image = o->read_image};
    words.class_word = o->class_word;
    ELBO_TRY(elbo_expression_compute(o->at, (size_t)s->latent, elbo_operand_code, &words, centre, err));
    ELBO_TRY(elbo_operands_set_label(&words, o->at, err));
    return elbo_operands_set_skips(&words, o->at, err);
}

/* values: room for (rows, steps); z: room for (rows, steps, latent); centre: (latent) */
static elbo_status decode(elbo_traverse_result *r, elbo_model *m, const elbo_latent_scores *s, const float *centre,
                          float *values, float *z, elbo_error *err) {
    for (int k = 0; k < r->steps; k++) r->value[k] = r->from + (r->to - r->from) * k / (r->steps - 1);
    for (int i = 0; i < r->rows; i++)
        for (int k = 0; k < r->steps; k++) {
            int d = r->dim[i];
            values[i * r->steps + k] = (float)(r->vae ? r->value[k] : s->mean[d] + r->value[k] * sqrt(s->variance[d]));
        }
    elbo_vary_one(centre, s->latent, r->dim, r->rows, values, r->steps, z);
    return elbo_model_decode_codes(m, (size_t)r->rows * (size_t)r->steps, z, r->images, err);
}

static elbo_status fill(elbo_traverse_result *r, elbo_model *m, const elbo_dataset *d, const elbo_traverse_options *o,
                        const elbo_latent_scores *s, elbo_error *err) {
    ELBO_TRY(choose_rows(r, o, s, err));
    size_t Z = (size_t)s->latent, cells = (size_t)r->rows * (size_t)r->steps;
    r->value = elbo_alloc((size_t)r->steps, sizeof *r->value);
    r->images = elbo_alloc(cells * elbo_image_size(r->format.shape), sizeof *r->images);
    r->at = o->at ? strdup(o->at->text) : NULL;
    float *centre = elbo_alloc(Z, sizeof *centre), *values = elbo_alloc(cells, sizeof *values),
          *z = elbo_alloc(cells * Z, sizeof *z);
    bool memory = r->value && r->images && (r->at || !o->at) && centre && values && z;
    elbo_status status = memory ? find_centre(m, d, o, s, centre, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = decode(r, m, s, centre, values, z, err);
    free(centre);
    free(values);
    free(z);
    return status;
}

elbo_status elbo_traverse(elbo_traverse_result *r, elbo_model *m, const elbo_dataset *d,
                          const elbo_traverse_options *options, elbo_error *err) {
    bool given = options->from != 0 || options->to != 0;
    *r = (elbo_traverse_result){.format = elbo_model_image_format(m),
                                .vae = m->recipe.kind == ELBO_VAE,
                                .steps = options->steps ? options->steps : ELBO_TRAVERSE_STEPS,
                                .from = given ? options->from : -3,
                                .to = given ? options->to : 3};
    elbo_latent_scores s = {0};
    elbo_status status = score(&s, m, d, err);
    if (status == ELBO_OK) status = fill(r, m, d, options, &s, err);
    elbo_latent_scores_free(&s);
    if (status != ELBO_OK) elbo_traverse_free(r);
    return status;
}

json_t *elbo_traverse_json(const elbo_traverse_result *r) {
    json_t *rows = json_array();
    for (int i = 0; i < r->rows; i++)
        json_array_append_new(rows, json_pack("{s:i, s:f}", "dim", r->dim[i], r->vae ? "kl" : "sd", r->score[i]));
    return json_pack("{s:[f, f], s:i, s:o}", "range", r->from, r->to, "steps", r->steps, "dims", rows);
}

void elbo_traverse_free(elbo_traverse_result *r) {
    free(r->dim);
    free(r->score);
    free(r->value);
    free(r->at);
    free(r->images);
    *r = (elbo_traverse_result){0};
}
