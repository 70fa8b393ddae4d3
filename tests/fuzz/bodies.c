/* Bodies of requests to `elbo serve`: the first byte says which, the rest is the body. What is read of it is in range. */
#include <math.h>

#include "apps/serve/handle.h"
#include "fuzz.h"

enum { TRAIN = 100, TEST = 20, LATENT = 3 };

static void check_points(const serve_call *c, elbo_error *err) {
    uint32_t *point;
    size_t n;
    if (!fuzz_succeeded(serve_body_points(c, SERVE_ROWS_MOST, &point, &n, err), err)) {
        FUZZ_ASSERT(!point, "points of a body that was refused");
        return;
    }
    FUZZ_ASSERT(n >= 1 && n <= SERVE_ROWS_MOST, "%zu", n);
    for (size_t i = 0; i < n; i++) FUZZ_ASSERT(point[i] < TRAIN + TEST, "point %u", point[i]);
    free(point);
}

static void check_codes(const serve_call *c, elbo_error *err) {
    float *z;
    size_t n;
    if (!fuzz_succeeded(serve_body_codes(c, SERVE_ROWS_MOST, &z, &n, err), err)) {
        FUZZ_ASSERT(!z, "codes of a body that was refused");
        return;
    }
    FUZZ_ASSERT(n >= 1 && n <= SERVE_ROWS_MOST, "%zu", n);
    for (size_t i = 0; i < n * LATENT; i++) FUZZ_ASSERT(isfinite(z[i]), "value %zu", i);
    free(z);
}

static void check_floats(const serve_call *c, elbo_error *err) {
    json_t *o;
    float v[LATENT];
    if (!fuzz_succeeded(serve_body_json(c, &o, err), err)) return;
    FUZZ_ASSERT(json_is_object(o), "no object");
    if (fuzz_succeeded(serve_read_floats(o, "from", v, LATENT, err), err))
        for (int i = 0; i < LATENT; i++) FUZZ_ASSERT(isfinite(v[i]), "value %d", i);
    json_decref(o);
}

static void run(const uint8_t *data, size_t size) {
    static void (*const checks[])(const serve_call *c, elbo_error *err) = {check_points, check_codes, check_floats};
    static serve_data set;
    static elbo_model model;
    static serve_run of = {.data = &set, .model = &model};
    set.set.train.count = TRAIN;
    set.set.test.count = TEST;
    model.network.graph.latent = LATENT;
    if (size < 1) return;
    uint8_t *body = malloc(size); // as long as it is
    FUZZ_ASSERT(body, "out of memory");
    memcpy(body, data + 1, size - 1);
    char query[] = "";
    serve_request r = {.method = SERVE_POST, .query = query, .body = body, .length = size - 1};
    serve_call c = {.request = &r, .run = &of};
    elbo_error err;
    checks[data[0] % 3](&c, &err);
    free(body);
}

const fuzz_target fuzz_bodies = {"bodies", 2048, run};
