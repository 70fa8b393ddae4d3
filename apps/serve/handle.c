#include "handle.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/memory.h"

elbo_status serve_need_model(serve_call *c, elbo_error *err) {
    return serve_run_open(c->run, serve_get_options(c->server), err);
}

elbo_status serve_need_data(serve_call *c, elbo_error *err) {
    return serve_run_open_data(serve_get_runs(c->server), c->run, err);
}

elbo_status serve_query_int(const serve_call *c, const char *name, long least, long most, long otherwise, long *value,
                            elbo_error *err) {
    char text[24], *end;
    *value = otherwise;
    if (!serve_query(c->request, name, text, sizeof text)) return ELBO_OK;
    errno = 0;
    *value = strtol(text, &end, 10);
    if (!text[0] || *end || errno || *value < least || *value > most)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: expected a whole number from %ld to %ld", name, least, most);
    return ELBO_OK;
}

elbo_status serve_body_json(const serve_call *c, json_t **o, elbo_error *err) {
    json_error_t why;
    *o = elbo_json_read((const char *)c->request->body, c->request->length, JSON_REJECT_DUPLICATES, &why);
    if (!*o && errno == ENOMEM) return elbo_no_memory(err);
    if (!*o) return elbo_fail(err, ELBO_BAD_INPUT, "the body is not JSON: %s", why.text);
    if (json_is_object(*o)) return ELBO_OK;
    json_decref(*o);
    *o = NULL;
    return elbo_fail(err, ELBO_BAD_INPUT, "the body is no JSON object");
}

elbo_status serve_body_codes(const serve_call *c, size_t most, float **z, size_t *n, elbo_error *err) {
    size_t Z = (size_t)c->run->model->network.graph.latent, bytes = c->request->length;
    *z = NULL;
    *n = bytes / (Z * sizeof **z);
    if (*n < 1 || *n > most || bytes % (Z * sizeof **z))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "a body of %zu bytes; expected (n, %zu) float32, n from 1 to %zu: %zu bytes each", bytes, Z,
                         most, Z * sizeof **z);
    if (!(*z = malloc(bytes))) return elbo_no_memory(err);
    memcpy(*z, c->request->body, bytes);
    for (size_t i = 0; i < *n * Z; i++) {
        if (fabsf((*z)[i]) <= 1e6f) continue;
        free(*z);
        *z = NULL;
        return elbo_fail(err, ELBO_BAD_INPUT, "code %zu: value %zu is not finite, or beyond a million", i / Z, i % Z);
    }
    return ELBO_OK;
}

static elbo_status read_points(const json_t *list, size_t all, size_t most, uint32_t **point, size_t *n,
                               elbo_error *err) {
    *n = json_array_size(list);
    if (!json_is_array(list) || *n < 1 || *n > most)
        return elbo_fail(err, ELBO_BAD_INPUT, "points: expected an array of 1 to %zu numbers", most);
    if (!(*point = elbo_alloc(*n, sizeof **point))) return elbo_no_memory(err);
    for (size_t i = 0; i < *n; i++) {
        const json_t *v = json_array_get(list, i);
        json_int_t p = json_integer_value(v);
        if (!json_is_integer(v) || p < 0 || (size_t)p >= all)
            return elbo_fail(err, ELBO_BAD_INPUT, "points: number %zu is no point; there are 0 to %zu", i, all - 1);
        (*point)[i] = (uint32_t)p;
    }
    return ELBO_OK;
}

elbo_status serve_body_points(const serve_call *c, size_t most, uint32_t **point, size_t *n, elbo_error *err) {
    const elbo_dataset *d = &c->run->data->set;
    json_t *o;
    *point = NULL;
    ELBO_TRY(serve_body_json(c, &o, err));
    size_t all = (size_t)d->train.count + d->test.count;
    elbo_status status = read_points(json_object_get(o, "points"), all, most, point, n, err);
    json_decref(o);
    if (status == ELBO_OK) return status;
    free(*point);
    *point = NULL;
    return status;
}

elbo_status serve_read_floats(const json_t *o, const char *name, float *v, size_t n, elbo_error *err) {
    const json_t *list = json_object_get(o, name);
    if (!json_is_array(list) || json_array_size(list) != n)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: expected an array of %zu numbers", name, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(list, i);
        v[i] = (float)json_number_value(x);
        if (!json_is_number(x) || !(fabsf(v[i]) <= 1e6f))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: value %zu is no number of at most a million", name, i);
    }
    return ELBO_OK;
}

json_t *serve_floats_json(const float *v, size_t width) {
    json_t *list = json_array();
    for (size_t k = 0; list && k < width; k++) json_array_append_new(list, json_real((double)v[k]));
    return list;
}

elbo_status serve_set_class(const serve_call *c, elbo_model *m, elbo_error *err) {
    char word[80];
    bool given = serve_query(c->request, "class", word, sizeof word);
    return elbo_model_set_class_word(m, given ? word : NULL, err);
}

void serve_to_bytes(const float *v, size_t n, float low, float high, uint8_t *bytes) {
    for (size_t i = 0; i < n; i++) {
        float grey = (v[i] - low) / (high - low) * 255.0f;
        bytes[i] = !(grey > 0) ? 0 : grey > 255 ? 255 : (uint8_t)lrintf(grey);
    }
}

serve_array serve_images_shape(const serve_run *run, size_t n) {
    elbo_image_shape s = run->model->network.graph.image;
    return (serve_array){"u8", 4, {n, (size_t)s.channels, (size_t)s.height, (size_t)s.width}};
}
