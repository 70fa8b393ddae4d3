#include "explore/manifold.h"

#include <stdlib.h>

#include "base/memory.h"
#include "run/model.h"
#include "stats/plane.h"

static elbo_status lay_out(elbo_plane *p, elbo_model *m, const elbo_images *images, elbo_plane_options o,
                           elbo_error *err) {
    int Z = m->network.graph.latent;
    float *codes = elbo_alloc((size_t)images->count * (size_t)Z, sizeof *codes); // (n, latent)
    if (!codes) return elbo_no_memory(err);
    elbo_status status = elbo_model_encode_images(m, images, NULL, images->count, codes, NULL, err);
    if (status == ELBO_OK) status = elbo_plane_make(p, codes, images->count, Z, o, err);
    free(codes);
    return status;
}

elbo_status elbo_manifold(elbo_manifold_result *r, elbo_model *m, const elbo_dataset *d,
                          const elbo_manifold_options *options, elbo_error *err) {
    *r = (elbo_manifold_result){.format = elbo_model_image_format(m), .latent = m->network.graph.latent};
    bool chosen = options->dims[0] != options->dims[1];
    r->principal = !chosen && r->latent > 2;
    r->dims[0] = chosen ? options->dims[0] : 0;
    r->dims[1] = chosen ? options->dims[1] : 1;
    r->prior = m->prior.is && !elbo_prior_is_mixture(&m->prior); // whose quantiles are known
    elbo_plane_options o = {.dims = {r->principal ? -1 : r->dims[0], r->dims[1]},
                            .steps = options->steps ? options->steps : ELBO_MANIFOLD_STEPS,
                            .prior = r->prior,
                            .threads = options->threads};
    elbo_plane p;
    ELBO_TRY(elbo_model_decodes_alone(m, err));
    ELBO_TRY(lay_out(&p, m, &d->train, o, err));
    r->steps = p.steps;
    r->rows = p.rows;
    size_t n = (size_t)p.rows * (size_t)p.steps;
    r->images = elbo_alloc(n * elbo_image_size(r->format.shape), sizeof *r->images);
    elbo_status status = r->images ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_set_class_word(m, options->class_word, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(m, n, p.z, r->images, err);
    for (int k = 0; k < 2; k++) {
        r->explained[k] = p.explained[k];
        r->at[k] = p.at[k]; // taken over
        p.at[k] = NULL;
    }
    elbo_plane_free(&p);
    if (status != ELBO_OK) elbo_manifold_free(r);
    return status;
}

json_t *elbo_manifold_json(const elbo_manifold_result *r) {
    json_t *at[2] = {json_array(), json_array()};
    for (int k = 0; k < 2; k++)
        for (int s = 0; s < (k ? r->rows : r->steps); s++) json_array_append_new(at[k], json_real(r->at[k][s]));
    json_t *json = json_pack("{s:i, s:o, s:o}", "steps", r->steps, "across", at[0], "up", at[1]);
    if (r->principal)
        json_object_set_new(json, "explained_variance_ratio", json_pack("[f, f]", r->explained[0], r->explained[1]));
    else
        json_object_set_new(json, "dims", json_pack("[i, i]", r->dims[0], r->dims[1]));
    return json;
}

void elbo_manifold_free(elbo_manifold_result *r) {
    free(r->at[0]);
    free(r->at[1]);
    free(r->images);
    *r = (elbo_manifold_result){0};
}
