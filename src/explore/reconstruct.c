#include "explore/reconstruct.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/opened_runs.h"
#include "explore/pick.h"

static elbo_status choose(elbo_reconstruct_result *r, const elbo_images *images, int classes,
                          const elbo_reconstruct_options *o, elbo_error *err) {
    r->count = o->count ? o->count : ELBO_RECONSTRUCT_COUNT;
    r->index = elbo_alloc((size_t)r->count, sizeof *r->index);
    if (!r->index) return elbo_no_memory(err);
    if (o->index)
        memcpy(r->index, o->index, (size_t)r->count * sizeof *r->index);
    else
        r->count = elbo_pick_variety(images, classes, r->count, r->index);
    return ELBO_OK;
}

/* out: (count, C, H, W) in the result's range */
static elbo_status reconstruct(const elbo_reconstruct_result *r, elbo_model *m, const elbo_images *images,
                               const char *class_word, float *out, elbo_error *err) {
    int class_number = 0;
    if (class_word) ELBO_TRY(elbo_model_find_class(&class_number, m, class_word, err));
    size_t n = (size_t)r->count;
    float *codes = elbo_alloc(n * (size_t)m->network.graph.latent, sizeof *codes); // (count, latent)
    if (!codes) return elbo_no_memory(err);
    elbo_status status = elbo_model_encode_images(m, images, r->index, n, codes, NULL, err);
    if (status == ELBO_OK) status = elbo_model_set_skips(m, images, r->index, n, err);
    if (status == ELBO_OK)
        status = class_word ? elbo_model_set_class(m, class_number, err)
                            : elbo_model_set_labels_of(m, images, r->index, n, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(m, n, codes, out, err);
    if (status == ELBO_OK)
        elbo_images_into_range(out, n * elbo_image_size(r->format.shape), elbo_model_image_format(m), r->format);
    free(codes);
    return status;
}

elbo_status elbo_reconstruct(elbo_reconstruct_result *r, elbo_run *runs, int count, const elbo_dataset *d,
                             const elbo_reconstruct_options *options, elbo_error *err) {
    const elbo_images *images = options->train ? &d->train : &d->test;
    *r = (elbo_reconstruct_result){
        .format = elbo_model_image_format(runs[0].model), .runs = count, .train = options->train};
    elbo_status status = choose(r, images, d->classes, options, err);
    if (status == ELBO_OK) status = elbo_runs_labels(&r->label, runs, count, err);
    size_t row = (size_t)r->count * elbo_image_size(r->format.shape);
    if (status == ELBO_OK && !(r->images = elbo_alloc((size_t)(count + 1) * row, sizeof *r->images)))
        status = elbo_no_memory(err);
    if (status == ELBO_OK)
        elbo_images_to_floats(images, r->index, (size_t)r->count, r->format.low, r->format.high, r->images);
    for (int i = 0; i < count && status == ELBO_OK; i++)
        status = reconstruct(r, runs[i].model, images, options->class_word, r->images + (size_t)(i + 1) * row, err);
    if (status != ELBO_OK) elbo_reconstruct_free(r);
    return status;
}

json_t *elbo_reconstruct_json(const elbo_reconstruct_result *r) {
    json_t *images = json_array();
    for (int i = 0; i < r->count; i++) json_array_append_new(images, json_integer(r->index[i]));
    return json_pack("{s:o}", "images", images);
}

void elbo_reconstruct_free(elbo_reconstruct_result *r) {
    free(r->index);
    free(r->images);
    elbo_texts_free(r->label, r->runs);
    *r = (elbo_reconstruct_result){0};
}
