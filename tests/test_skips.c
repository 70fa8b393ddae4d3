/* Decoders that read what the encoder saved: trained as a whole, decoded with the activations of images that the model
 * holds, refused where there is only a code. Also heads that are layers, and whether a decoder looks at the code at
 * all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "data/data.h"
#include "engine.h"
#include "scratch.h"
#include "explore/metrics/code_use.h"

static scratch folder;

#define SKIPPED                                                                                                        \
    "kind: vae\nlatent: {channels: 3, head: conv2d kernel=3 stride=2 padding=1}\n"                                     \
    "encoder: [conv2d 9 kernel=3 stride=4 padding=1, relu, save a, conv2d 5 kernel=3 padding=1, save b, tanh]\n"       \
    "decoder: [conv_transpose2d 9 kernel=3 stride=2 padding=1, add a, relu, concat b, "                                \
    "conv_transpose2d 1 kernel=4 stride=4, sigmoid]\n"                                                                 \
    "loss: {reconstruction: [mse, 0.5 l1], scale: mean}\ntrain: {epochs: 1, batch: 32, lr: 0.003}\n"
#define PLAIN                                                                                                          \
    "kind: ae\nlatent: {channels: 3, head: conv2d kernel=3 stride=2 padding=1}\n"                                      \
    "encoder: [conv2d 9 kernel=3 stride=4 padding=1, relu]\n"                                                          \
    "decoder: [conv_transpose2d 9 kernel=3 stride=2 padding=1, relu, conv_transpose2d 1 kernel=4 stride=4, sigmoid]\n" \
    "loss: {reconstruction: mse}\ntrain: {epochs: 4, batch: 32, lr: 0.01}\n"

enum { IMAGES = 150, SIZE = 784 }; // more than a model takes at once
static elbo_dataset digits;

static elbo_model *trained(const char *yaml, const char *run) {
    elbo_recipe r;
    elbo_train_result result;
    elbo_model *m;
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder.folder, run);
    const char *file = scratch_write(&folder, "x.yaml", yaml, strlen(yaml));
    assert_ok(elbo_recipe_open(&r, file, NULL, 0, &failure));
    assert_ok(elbo_train(&result, &r, &digits, (elbo_train_options){.run = path, .threads = 2}, &failure));
    elbo_recipe_close(&r);
    assert_ok(elbo_model_open(&m, path, 2, &failure));
    return m;
}

static double mean_squared(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum / (double)n;
}

/* Encoding and decoding apart is the same network as evaluation, which runs it as a whole. */
static void halves_make_the_whole(elbo_model *m) {
    static float x[IMAGES * SIZE], y[IMAGES * SIZE];
    size_t Z = (size_t)m->network.graph.latent;
    float *z = malloc(IMAGES * Z * sizeof *z);
    elbo_scores s;
    assert_ok(
        elbo_evaluate(&s, &m->network, &m->recipe, &digits.test, (elbo_eval_options){.mean_code = true}, &failure));
    elbo_images_to_floats(&digits.test, NULL, IMAGES, 0, 1, x);
    assert_int_equal(elbo_model_encode_images(m, &digits.test, NULL, IMAGES, z, NULL, NULL), ELBO_OK);
    assert_ok(elbo_model_set_skips(m, &digits.test, NULL, IMAGES, &failure));
    assert_int_equal(elbo_model_decode_codes(m, IMAGES, z, y, NULL), ELBO_OK);
    assert_true(fabs(mean_squared(x, y, IMAGES * SIZE) - s.mse) <= 1e-6 * s.mse);
    free(z);
}

static void skips_across_the_latent(void **state) {
    (void)state;
    elbo_model *m = trained(SKIPPED, "skipped");
    assert_int_equal(m->network.graph.skips, 2);
    assert_int_equal(m->network.graph.latent, 3 * 4 * 4);
    assert_int_equal(m->network.graph.skip_floats, (9 + 5) * 7 * 7);
    halves_make_the_whole(m);

    // A walk: codes of several images, all with the skips of the first. One alone decodes to the same bits.
    static float z[3 * 48], y[3 * SIZE], one[SIZE], own[SIZE];
    assert_int_equal(elbo_model_encode_images(m, &digits.test, NULL, 3, z, NULL, NULL), ELBO_OK);
    assert_ok(elbo_model_set_skips(m, &digits.test, NULL, 1, &failure));
    assert_int_equal(elbo_model_decode_codes(m, 3, z, y, NULL), ELBO_OK);
    assert_int_equal(elbo_model_decode_codes(m, 1, z + 2 * 48, one, NULL), ELBO_OK);
    assert_memory_equal(one, y + 2 * SIZE, sizeof one);
    assert_ok(elbo_model_set_skips(m, &digits.test, (uint32_t[]){2}, 1, &failure));
    assert_int_equal(elbo_model_decode_codes(m, 1, z + 2 * 48, own, NULL), ELBO_OK);
    assert_true(mean_squared(one, own, SIZE) > 1e-6);

    elbo_error err;
    assert_int_equal(elbo_decode(m, 1, z, one, &err), ELBO_BAD_INPUT);
    assert_message(err, "its decoder reads what the encoder saved of an image (2 activations)", "photo-vae");
    elbo_model_close(m);

    char path[200];
    snprintf(path, sizeof path, "%s/skipped", folder.folder);
    assert_ok(elbo_model_open(&m, path, 1, &failure));
    assert_int_equal(elbo_model_decode_codes(m, 1, z, one, NULL),
                     ELBO_OK); // nothing is held: no picture that looks like one
    assert_true(isnan(one[0]) && isnan(one[SIZE - 1]));
    elbo_model_close(m);
}

static void a_layer_as_head(void **state) {
    (void)state;
    elbo_model *m = trained(PLAIN, "plain");
    assert_int_equal(m->network.graph.skips, 0);
    assert_int_equal(m->network.graph.code_shape.rank, 3);
    halves_make_the_whole(m);
    float z[48] = {0}, image[SIZE];
    assert_ok(elbo_decode(m, 1, z, image, &failure));

    elbo_code_use use;
    assert_ok(elbo_code_use_measure(&use, m, &digits.test, NULL, &failure));
    assert_int_equal(use.images, IMAGES);
    assert_true(use.other > 1.5 * use.own && !elbo_code_is_ignored(&use)); // it has nothing else to look at
    elbo_images one = {.shape = digits.test.shape, .count = 1, .bytes = digits.test.bytes};
    assert_ok(elbo_code_use_measure(&use, m, &one, NULL, &failure));
    assert_true(use.images == 0 && !elbo_code_is_ignored(&use)); // no other image, no answer
    elbo_model_close(m);
}

/* The shortest way to ignore a code: all of an image goes round it. */
static void an_ignored_code(void **state) {
    (void)state;
    elbo_model *m =
        trained("kind: vae\nlatent: 2\nencoder: [flatten, save a, linear 3]\n"
                "decoder: [linear 784, add a, linear 784, sigmoid]\ntrain: {epochs: 1, batch: 32, lr: 0.0001}\n",
                "ignored");
    size_t head = 0; // no weights behind the code: nothing of it reaches the image
    for (int i = 0; i < m->network.graph.params; i++)
        if (!strcmp(m->network.graph.param[i].name, "decoder.0.weight")) head = m->network.graph.param[i].offset;
    assert_true(head > 0);
    memset(m->network.params + head, 0, 2 * 784 * sizeof(float));
    elbo_code_use use;
    assert_ok(elbo_code_use_measure(&use, m, &digits.test, NULL, &failure));
    assert_true(use.own == use.other && elbo_code_is_ignored(&use));
    elbo_model_close(m);
}

static void wrong_heads(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"{channels: 3}", "x.yaml:2: latent: has no head"},
        {"{head: conv2d kernel=3}", "x.yaml:2: latent: has no channels"},
        {"{channels: 0, head: conv2d kernel=3}", "latent.channels: expected an integer from 1 to 65536, got `0`"},
        {"{channels: 3, head: conv2d kernel=3, size: 2}", "latent.size: unknown key"},
        {"{channels: 3, head: [conv2d]}", "latent.head: layer 1 is a list"},
        {"{channels: 3, head: conv_transpose2d kernel=3}", "latent.head: conv_transpose2d kernel=3; expected a conv2d"},
        {"{channels: 3, head: conv2d 3 kernel=3}", "latent.head: conv2d 3 kernel=3; its channels are latent.channels"},
        {"{channels: 3, head: conv2d kernel=99}", "use a smaller kernel or more padding"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char yaml[300];
        int n = snprintf(yaml, sizeof yaml, "kind: ae\nlatent: %s\nencoder: [relu]\ndecoder: [relu]\n", wrong[i][0]);
        elbo_recipe r;
        elbo_graph g;
        elbo_error err;
        elbo_status status = elbo_recipe_open(&r, scratch_write(&folder, "x.yaml", yaml, (size_t)n), NULL, 0, &err);
        if (status == ELBO_OK) {
            status = elbo_graph_build(&g, &r, digits.test.shape, &err);
            elbo_recipe_close(&r);
        }
        assert_int_equal(status, ELBO_BAD_INPUT);
        assert_message(err, wrong[i][1]);
    }
}

static int begin(void **state) {
    (void)state;
    scratch_make(&folder);
    static char name[] = "digits";
    digits = (elbo_dataset){.name = name, .source = name};
    assert_ok(elbo_digits_make(&digits.train, true, 640, 2, &failure));
    assert_ok(elbo_digits_make(&digits.test, false, IMAGES, 2, &failure));
    return 0;
}

static int end(void **state) {
    (void)state;
    elbo_images_free(&digits.train);
    elbo_images_free(&digits.test);
    scratch_remove(&folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skips_across_the_latent),
        cmocka_unit_test(a_layer_as_head),
        cmocka_unit_test(an_ignored_code),
        cmocka_unit_test(wrong_heads),
    };
    return cmocka_run_group_tests_name("skips", tests, begin, end);
}
