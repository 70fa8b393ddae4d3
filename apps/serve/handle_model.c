/* What the model does: codes to images, images to codes. Image after image, so that a result is the same alone or among
 * others. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "epochs.h"
#include "handle.h"
#include "maps.h"
#include "nn/distributions.h"

elbo_status serve_decode(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_model(c, err));
    elbo_model *m = c->run->one;
    size_t size = elbo_image_size(m->network.graph.image), n;
    int epoch;
    float *z;
    ELBO_TRY(serve_epoch_of_query(c, &epoch, err));
    if (epoch >= 0) ELBO_TRY(serve_epoch_open(c->run, epoch, &m, err));
    ELBO_TRY(elbo_model_decodes_alone(m, err));
    ELBO_TRY(serve_set_class(c, m, err));
    ELBO_TRY(serve_body_codes(c, SERVE_ROWS_MOST, &z, &n, err));
    float *images = elbo_alloc(n * size, sizeof *images);
    uint8_t *bytes = malloc(n * size);
    elbo_status status = images && bytes ? elbo_model_decode_checked(m, n, z, images, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        serve_to_bytes(images, n * size, m->recipe.image.low, m->recipe.image.high, bytes);
        serve_answer_array(&c->response, serve_images_shape(c->run, n), bytes);
        bytes = NULL;
    }
    free(bytes);
    free(images);
    free(z);
    return status;
}

static elbo_status encoded(serve_call *c, const float *mu, const float *logvar, size_t n, elbo_error *err) {
    size_t Z = (size_t)c->run->model->network.graph.latent;
    bool vae = c->run->model->recipe.kind == ELBO_VAE;
    const elbo_prior_model *prior = &c->run->model->prior;
    float *place = elbo_alloc(2 * n, sizeof *place);
    if (!place) return elbo_no_memory(err);
    elbo_latent_map *map;
    elbo_error ignored; // (t-SNE may not be there yet)
    bool placed = serve_run_find_points(serve_get_runs(c->server), c->run, &ignored) == ELBO_OK &&
                  serve_map_of_query(c, &map, &ignored) == ELBO_OK &&
                  elbo_latent_map_place(map, &c->run->points->of, mu, n, place, &ignored) == ELBO_OK;
    json_t *mus = json_array(), *logvars = json_array(), *kls = json_array(), *places = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(mus, serve_floats_json(mu + i * Z, Z));
        json_array_append_new(logvars, vae ? serve_floats_json(logvar + i * Z, Z) : json_null());
        json_array_append_new(kls, vae ? json_real(elbo_prior_kl(prior, mu + i * Z, logvar + i * Z, (uint32_t)i))
                                       : json_null());
        json_array_append_new(places, placed ? serve_floats_json(place + 2 * i, 2) : json_null());
    }
    free(place);
    serve_answer_json(&c->response,
                      json_pack("{s:o, s:o, s:o, s:o}", "mu", mus, "logvar", logvars, "kl", kls, "place", places));
    return ELBO_OK;
}

elbo_status serve_encode(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_model(c, err));
    elbo_model *m = c->run->one;
    elbo_image_shape shape = m->network.graph.image;
    size_t size = elbo_image_size(shape), n = c->request->length / size, Z = (size_t)m->network.graph.latent;
    if (n < 1 || n > SERVE_ENCODE_MOST || c->request->length % size)
        return elbo_fail(err, ELBO_BAD_INPUT, "a body of %zu bytes; expected (n, %d, %d, %d) bytes, n from 1 to %d",
                         c->request->length, shape.channels, shape.height, shape.width, SERVE_ENCODE_MOST);
    ELBO_TRY(serve_set_class(c, m, err));
    elbo_images images = {.shape = shape, .count = (uint32_t)n, .bytes = (uint8_t *)(uintptr_t)c->request->body};
    float *mu = elbo_alloc(2 * n * Z, sizeof *mu), *logvar = mu + n * Z;
    elbo_status status = mu ? elbo_model_encode_images(m, &images, NULL, n, mu, logvar, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = encoded(c, mu, logvar, n, err);
    free(mu);
    return status;
}
