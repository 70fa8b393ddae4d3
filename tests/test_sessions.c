/* Sessions: many threads, one set of weights; and structs of options that grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>

#include "data/data.h"
#include "engine.h"
#include "run/model.h"
#include "scratch.h"
#include "train/trainer.h"

enum { TRAIN = 200, SIZE = 784, Z = 4, CODES = 150, THREADS = 4, ROUNDS = 20 };

static scratch here;
static char run[400];
static elbo_dataset digits;
static elbo_error refused; // why

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    static const char yaml[] = "kind: vae\ndata: digits\nlatent: 4\nencoder: [flatten, linear 24, relu]\n"
                               "decoder: [linear 24, relu, linear 784, sigmoid]\ntrain: {epochs: 1, batch: 20}\n";
    static char name[] = "digits", source[] = "built in";
    digits = (elbo_dataset){.name = name, .source = source, .classes = 10};
    assert_ok(elbo_digits_make(&digits.train, false, TRAIN, 1, &failure));
    elbo_recipe r;
    elbo_train_result result;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, "r.yaml", yaml, sizeof yaml - 1), NULL, 0, &failure));
    snprintf(run, sizeof run, "%s", scratch_path(&here, "run"));
    assert_ok(elbo_train(&result, &r, &digits, (elbo_train_options){.run = run}, &failure));
    elbo_recipe_close(&r);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_images_free(&digits.train);
    scratch_remove(&here);
    return 0;
}

static elbo_model *opened(void) {
    elbo_model *m;
    elbo_model_options o = {.size = sizeof o, .threads = 1};
    assert_ok(elbo_model_open_with(&m, run, &o, &failure));
    return m;
}

static elbo_model *session_of(const elbo_model *m, int rows) {
    elbo_model *s;
    elbo_model_options o = {.size = sizeof o, .threads = 1, .rows = rows};
    assert_ok(elbo_model_session(&s, m, &o, &failure));
    return s;
}

/* z: (CODES, Z), another set for each thread */
static void make_codes(float *z, int which) {
    for (int i = 0; i < CODES * Z; i++) z[i] = sinf(0.37f * (float)(i + 1000 * which));
}

typedef struct worker {
    elbo_model *session;
    float *z, *expected, *images; // (CODES, Z), (CODES, SIZE) twice
    int wrong;
} worker;

static void *decode_again_and_again(void *context) {
    worker *w = context;
    elbo_error err;
    for (int round = 0; round < ROUNDS; round++) {
        memset(w->images, 0, CODES * SIZE * sizeof(float));
        w->wrong += elbo_decode(w->session, CODES, w->z, w->images, &err) != ELBO_OK;
        w->wrong += memcmp(w->images, w->expected, CODES * SIZE * sizeof(float)) != 0;
    }
    return NULL;
}

static void threads_decode_with_one_set_of_weights_at_once(void **state) {
    (void)state;
    elbo_model *m = opened();
    worker w[THREADS];
    pthread_t thread[THREADS];
    for (int t = 0; t < THREADS; t++) {
        w[t] = (worker){.session = session_of(m, 0)};
        assert_ptr_equal(w[t].session->network.params, m->network.params); // not copied
        w[t].z = malloc(CODES * Z * sizeof(float));
        w[t].expected = malloc(CODES * SIZE * sizeof(float));
        w[t].images = malloc(CODES * SIZE * sizeof(float));
        make_codes(w[t].z, t);
        assert_ok(elbo_decode(m, CODES, w[t].z, w[t].expected, &failure));
    }
    assert_true(memcmp(w[0].expected, w[1].expected, CODES * SIZE * sizeof(float)) != 0);
    for (int t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&thread[t], NULL, decode_again_and_again, &w[t]), 0);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(thread[t], NULL);
        assert_int_equal(w[t].wrong, 0);
        free(w[t].z);
        free(w[t].expected);
        free(w[t].images);
        elbo_model_close(w[t].session);
    }
    elbo_model_close(m);
}

/* Under ASan: nothing is freed early, nothing is left. */
static void weights_live_as_long_as_any_session(void **state) {
    (void)state;
    elbo_model *m = opened(), *s = session_of(m, 0), *of_s = session_of(s, 0);
    float z[Z] = {0.5f, -1, 0, 2}, first[SIZE], later[SIZE];
    assert_ok(elbo_decode(m, 1, z, first, &failure));
    elbo_model_close(m);
    elbo_model_close(s);
    assert_string_equal(elbo_model_get_info(of_s).kind, "vae");
    assert_ok(elbo_decode(of_s, 1, z, later, &failure));
    assert_memory_equal(first, later, sizeof first);
    assert_int_equal(atomic_load(&of_s->weights->sessions), 1);
    elbo_model_close(of_s);
}

static void a_session_of_one_row_computes_the_same_images(void **state) {
    (void)state;
    elbo_model *m = opened(), *one = session_of(m, 1);
    assert_int_equal(one->batch, 1);
    static float z[CODES * Z], a[CODES * SIZE], b[CODES * SIZE], mu[TRAIN * Z], again[TRAIN * Z];
    make_codes(z, 0);
    assert_ok(elbo_decode(m, CODES, z, a, &failure));
    assert_ok(elbo_decode(one, CODES, z, b, &failure));
    for (int i = 0; i < CODES * SIZE; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-6f)) fail_msg("value %d: %g, by one row %g", i, a[i], b[i]);
    assert_int_equal(elbo_model_encode_images(m, &digits.train, NULL, TRAIN, mu, NULL, NULL), ELBO_OK);
    assert_int_equal(elbo_model_encode_images(one, &digits.train, NULL, TRAIN, again, NULL, NULL), ELBO_OK);
    for (int i = 0; i < TRAIN * Z; i++)
        if (!(fabsf(mu[i] - again[i]) <= 1e-5f)) fail_msg("code value %d: %g, by one row %g", i, mu[i], again[i]);
    elbo_model_close(one);
    elbo_model_close(m);
}

static void a_session_keeps_the_device_or_takes_another(void **state) {
    (void)state;
    elbo_model *m, *s, *other;
    elbo_model_options o = {.size = sizeof o, .device = "ref"}, cpu = {.size = sizeof cpu, .device = "cpu"};
    assert_ok(elbo_model_open_with(&m, run, &o, &failure));
    assert_ok(elbo_model_session(&s, m, NULL, &failure));
    assert_ok(elbo_model_session(&other, m, &cpu, &failure));
    assert_string_equal(s->state.device->name, "ref");
    assert_string_equal(other->state.device->name, "cpu");
    elbo_model_close(s);
    elbo_model_close(other);
    elbo_model_close(m);
}

/* A caller of an older library has a shorter struct; of a newer one, members that this one does not know. */
static void options_grow(void **state) {
    (void)state;
    elbo_model *m;
    struct {
        elbo_model_options known;
        size_t later;
    } newer = {.known = {.size = sizeof newer, .threads = 1}};
    assert_ok(elbo_model_open_with(&m, run, &newer.known, &failure));
    elbo_model_close(m);
    newer.later = 1;
    assert_int_equal(elbo_model_open_with(&m, run, &newer.known, &refused), ELBO_BAD_INPUT);
    assert_null(m);
    assert_message(refused, "elbo_model_options", "newer");
    elbo_model_options o = {.size = offsetof(elbo_model_options, device), .threads = 1, .device = "nothing like it"};
    assert_ok(elbo_model_open_with(&m, run, &o, &failure)); // it had no device yet
    elbo_model_close(m);
    o = (elbo_model_options){.threads = 1};
    assert_int_equal(elbo_model_open_with(&m, run, &o, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "size is 0", "sizeof(elbo_model_options)");
    o = (elbo_model_options){.size = sizeof o, .rows = -1};
    assert_int_equal(elbo_model_open_with(&m, run, &o, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "rows -1");
    o = (elbo_model_options){.size = sizeof o, .device = "gpu"};
    assert_int_equal(elbo_model_open_with(&m, run, &o, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "gpu", "cpu, ref, cuda or auto");
}

/* Convolutions pack their weights once for as long as these stay the same, and anew after they changed. */
static void a_plan_sees_that_the_weights_changed(void **state) {
    (void)state;
    engine e;
    engine_open(&e, "mnist-cae", NULL, 0, digits.train.shape, "cpu", ELBO_ENCODE, 4);
    const uint32_t index[] = {0, 1, 2, 3};
    elbo_batch_args args = engine_args(&e, &digits.train, index, 4, 0, 0, 1);
    size_t n = 4 * elbo_shape_size(e.network.graph.node[e.network.graph.at.code].shape);
    float *first = malloc(n * sizeof *first), *second = malloc(n * sizeof *second), *fresh = malloc(n * sizeof *fresh);
    for (int again = 0; again < 2; again++) {
        engine_run(&e, &args);
        elbo_plan_read(&e.plan, e.plan.code, 0, 4, again ? second : first);
    }
    assert_memory_equal(first, second, n * sizeof *first);
    for (size_t i = 0; i < e.network.graph.param_floats; i++) e.network.params[i] *= 0.9f;
    assert_ok(elbo_state_put(&e.state, &failure));
    engine_run(&e, &args);
    elbo_plan_read(&e.plan, e.plan.code, 0, 4, second);
    assert_memory_not_equal(first, second, n * sizeof *first);
    engine plain; // packs nothing
    engine_open(&plain, "mnist-cae", NULL, 0, digits.train.shape, "ref", ELBO_ENCODE, 4);
    memcpy(plain.network.params, e.network.params, e.network.graph.param_floats * sizeof *plain.network.params);
    engine_run(&plain, &args);
    elbo_plan_read(&plain.plan, plain.plan.code, 0, 4, fresh);
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(second[i] - fresh[i]) <= 1e-5f)) fail_msg("value %zu: %g, on ref %g", i, second[i], fresh[i]);
    engine_close(&plain);
    engine_close(&e);
    free(first);
    free(second);
    free(fresh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_decode_with_one_set_of_weights_at_once),
        cmocka_unit_test(weights_live_as_long_as_any_session),
        cmocka_unit_test(a_session_of_one_row_computes_the_same_images),
        cmocka_unit_test(a_session_keeps_the_device_or_takes_another),
        cmocka_unit_test(options_grow),
        cmocka_unit_test(a_plan_sees_that_the_weights_changed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
