/* New or remembered: the training images nearest to what a code decodes to. What is needed for it, an index of the
 * images and how near reconstructions of test images come, is made as an errand when it is first asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "explore/image_index.h"
#include "handle.h"

enum { SHOWN = 6, ASKED = 200 };

typedef struct nearest_work {
    serve_data *data;
    elbo_model *session;
    float *images; // (n, C, H, W): what the codes decode to
    size_t n;
    double usual, rare; // NaN: not known yet
} nearest_work;

static void free_work(void *work) {
    nearest_work *w = work;
    if (!w) return;
    elbo_model_close(w->session);
    free(w->images);
    free(w);
}

static void clip(float *v, size_t n, float low, float high) {
    for (size_t i = 0; i < n; i++) v[i] = v[i] > low ? v[i] < high ? v[i] : high : low;
}

static elbo_status make_index(nearest_work *w, const elbo_job *job, elbo_error *err) {
    if (atomic_load(&w->data->index)) return ELBO_OK;
    const elbo_images *train = &w->data->set.train;
    const elbo_recipe *r = &w->session->recipe;
    elbo_image_choice choice = {.images = train, .n = train->count, .low = r->image.low, .high = r->image.high};
    elbo_image_index *x = elbo_alloc(1, sizeof *x);
    if (!x) return elbo_no_memory(err);
    elbo_status status = elbo_image_index_make(x, &choice, job, err);
    if (status == ELBO_OK)
        atomic_store(&w->data->index, x); // (errands are done one after the other: nobody else makes it)
    else
        free(x);
    return status;
}

/* As elbo_novelty_measure asks, of fewer images. */
static elbo_status measure_usual(nearest_work *w, elbo_error *err) {
    const elbo_images *test = &w->data->set.test;
    elbo_model *m = w->session;
    size_t count = test->count, asked = count < ASKED ? count : ASKED, size = elbo_image_size(test->shape);
    uint32_t index[ASKED], ignored;
    float distance[ASKED];
    if (asked == 0) return ELBO_OK;
    for (size_t i = 0; i < asked; i++) index[i] = (uint32_t)(i * count / asked);
    float *z = elbo_alloc(asked * (size_t)m->network.graph.latent, sizeof *z);
    float *images = elbo_alloc(asked * size, sizeof *images);
    elbo_status status = z && images ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_set_labels_of(m, test, index, asked, err);
    if (status == ELBO_OK) status = elbo_model_encode_images(m, test, index, asked, z, NULL, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(m, asked, z, images, err);
    if (status == ELBO_OK) clip(images, asked * size, m->recipe.image.low, m->recipe.image.high);
    for (size_t i = 0; i < asked && status == ELBO_OK; i++)
        status = elbo_image_index_find(atomic_load(&w->data->index), images + i * size, 1, &ignored, &distance[i], err);
    if (status == ELBO_OK) {
        qsort(distance, asked, sizeof *distance, elbo_ascending_floats);
        w->usual = (double)distance[asked / 2];
        w->rare = (double)distance[asked / 100];
    }
    free(z);
    free(images);
    return status;
}

static elbo_status answer(serve_call *c, const nearest_work *w, elbo_error *err) {
    const elbo_image_index *x = atomic_load(&w->data->index);
    int k = x->of.n < SHOWN ? (int)x->of.n : SHOWN;
    uint32_t point[SHOWN];
    float distance[SHOWN];
    json_t *nearest = json_array(), *verdicts = json_array(), *ratios = json_array();
    elbo_status status = ELBO_OK;
    for (size_t i = 0; i < w->n && status == ELBO_OK; i++) {
        status = elbo_image_index_find(x, w->images + i * x->size, k, point, distance, err);
        if (status != ELBO_OK) break;
        json_t *points = json_array();
        for (int j = 0; j < k; j++) json_array_append_new(points, json_integer(point[j]));
        json_array_append_new(
            nearest, json_pack("{s:o, s:o}", "points", points, "distances", serve_floats_json(distance, (size_t)k)));
        bool known = isfinite(w->usual) && w->usual > 0;
        json_array_append_new(verdicts,
                              known ? json_string((double)distance[0] < w->rare ? "remembered" : "new") : json_null());
        json_array_append_new(ratios, known ? json_real((double)distance[0] / w->usual) : json_null());
    }
    if (status == ELBO_OK)
        serve_answer_json(&c->response,
                          json_pack("{s:O, s:O, s:O}", "nearest", nearest, "verdict", verdicts, "ratio", ratios));
    json_decref(nearest);
    json_decref(verdicts);
    json_decref(ratios);
    return status;
}

static elbo_status prepare(serve_call *c, elbo_error *err) {
    nearest_work *w = c->work;
    elbo_job job = serve_job(c->server);
    ELBO_TRY(make_index(w, &job, err));
    if (!isfinite(w->usual)) ELBO_TRY(measure_usual(w, err));
    return answer(c, w, err);
}

static elbo_status remember(serve_call *c, elbo_error *err) {
    (void)err;
    const nearest_work *w = c->work;
    bool same = c->run->model && c->run->model->weights == w->session->weights;
    if (!c->failed && same) {
        c->run->nearest_usual = w->usual;
        c->run->nearest_rare = w->rare;
    }
    return ELBO_OK;
}

/* What the codes of the body decode to, clipped as a picture is. */
static elbo_status decode(serve_call *c, nearest_work *w, elbo_error *err) {
    elbo_model *m = c->run->one;
    size_t size = elbo_image_size(m->network.graph.image);
    float *z;
    ELBO_TRY(elbo_model_decodes_alone(m, err));
    ELBO_TRY(serve_set_class(c, m, err));
    ELBO_TRY(serve_body_codes(c, SERVE_NEAREST_MOST, &z, &w->n, err));
    w->images = elbo_alloc(w->n * size, sizeof *w->images);
    elbo_status status = w->images ? elbo_model_decode_checked(m, w->n, z, w->images, err) : elbo_no_memory(err);
    if (status == ELBO_OK) clip(w->images, w->n * size, m->recipe.image.low, m->recipe.image.high);
    free(z);
    return status;
}

elbo_status serve_find_nearest(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_data(c, err));
    serve_run *run = c->run;
    nearest_work *w = calloc(1, sizeof *w);
    if (!w) return elbo_no_memory(err);
    *w = (nearest_work){.data = run->data, .usual = run->nearest_usual, .rare = run->nearest_rare};
    elbo_status status = decode(c, w, err);
    bool ready = atomic_load(&run->data->index) && (isfinite(w->usual) || !run->data->set.test.count);
    if (status == ELBO_OK && ready) status = answer(c, w, err);
    if (status == ELBO_OK && !ready) {
        elbo_model_options o = {.size = sizeof o, .threads = serve_job(c->server).threads};
        status = elbo_model_session(&w->session, run->model, &o, err);
        if (status == ELBO_OK) {
            serve_hand_on(c, prepare, remember, w, free_work);
            return ELBO_OK;
        }
    }
    free_work(w);
    return status;
}
