/* Inputs besides the image: the class, a corrupted image, a binary one. That PyTorch computes the same is test_golden's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "data/binarise.h"
#include "data/corrupt/corrupt.h"
#include "device/cpu/kernels.h"
#include "explore/denoise.h"
#include "explore/interpolate.h"
#include "explore/operands.h"
#include "explore/sample.h"
#include "run/model.h"
#include "train/evaluate.h"
#include "training_runs.h"

enum { Z = 4, SIZE = 784, CLASSES = 10 };

static const char conditional[] = "kind: vae\ndata: digits\nlatent: 4\n"
                                  "encoder: [flatten, concat class, linear 32, relu]\n"
                                  "decoder: [concat class, linear 32, relu, linear 784, sigmoid]\n"
                                  "train: {epochs: 3, batch: 50, lr: 0.003}\n";
static const char denoising[] = "kind: ae\ndata: digits\nlatent: 8\ncorrupt: [noise 0.4, mask 0.25]\n"
                                "encoder: [flatten, linear 64, relu]\n"
                                "decoder: [linear 64, relu, linear 784, sigmoid]\n"
                                "train: {epochs: 40, batch: 20, lr: 0.003}\n";

static elbo_model *trained(const char *recipe, const char *run) {
    experiment x = {recipe, {NULL}};
    elbo_model *m;
    assert_ok(train(&x, (elbo_train_options){.run = run_path(run), .threads = 2, .replace = true}, &failure));
    assert_ok(elbo_model_open(&m, run_path(run), 2, &failure));
    return m;
}

/* ---- the class ---- */

/* A code decoded as a class is the plain network's output for code and class one behind the other. */
static void plain_decode(const elbo_model *m, const float *z, const float *label, double *image) {
    const elbo_graph *g = &m->network.graph;
    const float *w[4] = {0}; // weights and biases of the decoder's two linear layers
    int found = 0;
    for (int i = 0; i < g->params; i++)
        if (!strncmp(g->param[i].name, "decoder.", 8)) w[found++] = m->network.params + g->param[i].offset;
    assert_int_equal(found, 4);
    double hidden[32];
    for (int h = 0; h < 32; h++) {
        hidden[h] = (double)w[1][h];
        for (int k = 0; k < Z; k++) hidden[h] += (double)w[0][h * (Z + CLASSES) + k] * (double)z[k];
        for (int c = 0; c < CLASSES; c++) hidden[h] += (double)w[0][h * (Z + CLASSES) + Z + c] * (double)label[c];
        hidden[h] = fmax(hidden[h], 0);
    }
    for (int p = 0; p < SIZE; p++) {
        image[p] = (double)w[3][p];
        for (int h = 0; h < 32; h++) image[p] += (double)w[2][p * 32 + h] * hidden[h];
        image[p] = 1 / (1 + exp(-image[p]));
    }
}

static void a_code_is_decoded_as_a_class(void **state) {
    (void)state;
    elbo_model *m = trained(conditional, "cvae");
    assert_int_equal(elbo_model_classes(m), CLASSES);
    float z[3 * Z], images[3 * SIZE], again[SIZE];
    for (int i = 0; i < 3 * Z; i++) z[i] = sinf((float)i);
    int classes[] = {7, 0, 3};
    elbo_labels labels = {.size = sizeof labels, .count = 3, .classes = classes};
    assert_ok(elbo_decode_labelled(m, 3, z, &labels, images, &failure));
    double plain[SIZE];
    for (int i = 0; i < 3; i++) {
        float label[CLASSES] = {0};
        label[classes[i]] = 1;
        plain_decode(m, z + i * Z, label, plain);
        for (size_t p = 0; p < SIZE; p++) assert_near("pixel", p, (double)images[(size_t)i * SIZE + p], plain[p], 1e-5);
        elbo_labels weights = {.size = sizeof weights, .count = 1, .weights = label};
        assert_ok(elbo_decode_labelled(m, 1, z + i * Z, &weights, again, &failure));
        assert_memory_equal(again, images + (size_t)i * SIZE, sizeof again); // the same class, said as weights
    }
    const float half[CLASSES] = {[3] = 0.5f, [8] = 0.5f};
    elbo_labels mixed = {.size = sizeof mixed, .count = 1, .weights = half};
    assert_ok(elbo_decode_labelled(m, 1, z, &mixed, again, &failure));
    plain_decode(m, z, half, plain);
    for (size_t p = 0; p < SIZE; p++) assert_near("mixed", p, (double)again[p], plain[p], 1e-5);
    elbo_model_close(m);
}

/* The run opens without its data, knows how many classes there were, and encodes images with their labels. */
static void an_image_is_encoded_with_its_class(void **state) {
    (void)state;
    elbo_model *m = trained(conditional, "cvae");
    assert_int_equal(m->recipe.labels, CLASSES);
    float mu[TEST_IMAGES * Z], one[Z], image[SIZE];
    assert_ok(elbo_model_encode_images(m, &digits.test, NULL, TEST_IMAGES, mu, NULL, &failure));
    int differs = 0;
    for (uint32_t i = 0; i < 5; i++) {
        elbo_images_to_floats(&digits.test, &i, 1, 0, 1, image);
        int class_number = digits.test.labels[i], other = (class_number + 1) % CLASSES;
        elbo_labels labels = {.size = sizeof labels, .count = 1, .classes = &class_number};
        assert_ok(elbo_encode_labelled(m, 1, image, &labels, one, NULL, &failure));
        assert_memory_equal(one, mu + i * Z, sizeof one);
        labels.classes = &other;
        assert_ok(elbo_encode_labelled(m, 1, image, &labels, one, NULL, &failure));
        differs += memcmp(one, mu + i * Z, sizeof one) != 0;
    }
    assert_int_equal(differs, 5);
    elbo_model_close(m);
}

static void samples_share_their_codes_across_classes(void **state) {
    (void)state;
    elbo_model *m = trained(conditional, "cvae");
    elbo_sample_options o = elbo_sample_defaults();
    elbo_sample_result all, three;
    elbo_job work = {.threads = 1};
    o.count = 2 * CLASSES;
    assert_ok(elbo_sample(&all, m, &digits, &o, &work, &failure));
    assert_int_equal(all.classes, CLASSES);
    o.class_word = "3";
    o.count = 2;
    assert_ok(elbo_sample(&three, m, &digits, &o, &work, &failure));
    assert_int_equal(three.classes, 1);
    assert_string_equal(three.class_name[0], "3");
    for (size_t row = 0; row < 2; row++)
        assert_memory_equal(all.images + (row * CLASSES + 3) * SIZE, three.images + row * SIZE, SIZE * sizeof(float));
    elbo_sample_free(&all);
    elbo_sample_free(&three);
    elbo_model_close(m);
}

static elbo_expression parsed(const char *text) {
    elbo_expression e;
    assert_ok(elbo_expression_parse(&e, text, &failure));
    return e;
}

/* The label follows the expression; --class holds it; a code of no class asks for one. */
static void a_label_is_an_expression_of_labels(void **state) {
    (void)state;
    elbo_model *m = trained(conditional, "cvae");
    char names[CLASSES][2], *name[CLASSES];
    for (int k = 0; k < CLASSES; k++) {
        snprintf(names[k], sizeof names[k], "%d", k);
        name[k] = names[k];
    }
    digits.class_names = name;
    elbo_operands w = {.model = m, .chooser = m, .data = &digits};
    uint32_t three = 0;
    while (digits.test.labels[three] != 3) three++;
    char text[100];
    snprintf(text, sizeof text, "test:%u + mean(class:8) - mean(class:3)", three);
    elbo_expression to_8 = parsed(text), half = parsed("lerp(class:3, class:8, 0.25)");
    float label[CLASSES];
    assert_ok(elbo_operands_label(&w, &to_8, label, &failure));
    for (int k = 0; k < CLASSES; k++) assert_true(label[k] == (k == 8));
    assert_ok(elbo_operands_label(&w, &half, label, &failure));
    for (int k = 0; k < CLASSES; k++) assert_true(label[k] == (k == 3 ? 0.75f : k == 8 ? 0.25f : 0));
    w.class_word = "5";
    assert_ok(elbo_operands_label(&w, &half, label, &failure));
    for (int k = 0; k < CLASSES; k++) assert_true(label[k] == (k == 5));
    w.class_word = NULL;
    elbo_expression nothing = parsed("class:3 - class:3");
    elbo_error err;
    assert_int_equal(elbo_operands_label(&w, &nothing, label, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "has no class"));
    elbo_expression_free(&to_8);
    elbo_expression_free(&half);
    elbo_expression_free(&nothing);
    digits.class_names = NULL;
    elbo_model_close(m);
}

static void assert_refused(elbo_status status, const elbo_error *err, const char *words) {
    assert_int_equal(status, ELBO_BAD_INPUT);
    if (!strstr(err->message, words)) fail_msg("%s: says nothing of: %s", err->message, words);
}

static void classes_that_are_not_there_are_refused(void **state) {
    (void)state;
    elbo_model *m = trained(conditional, "cvae"), *plain = trained(denoising, "dae");
    elbo_error err;
    float z[Z] = {0}, image[SIZE] = {0};
    int c, ten = 10;
    elbo_labels labels = {.size = sizeof labels, .count = 1, .classes = &ten};
    assert_refused(elbo_decode(m, 1, z, image, &err), &err, "elbo_decode_labelled takes the classes");
    assert_refused(elbo_encode(m, 1, image, z, &err), &err, "elbo_encode_labelled takes the classes");
    assert_refused(elbo_decode_labelled(m, 1, z, &labels, image, &err), &err, "class 10;");
    assert_refused(elbo_decode_labelled(plain, 1, z, &labels, image, &err), &err, "is not conditional");
    assert_refused(elbo_model_find_class(&c, m, "10", &err), &err, "has classes 0 to 9");
    assert_refused(elbo_model_find_class(&c, m, "-1", &err), &err, "has classes 0 to 9");
    assert_refused(elbo_model_find_class(&c, plain, "1", &err), &err, "no layer `concat class`");
    labels.count = 0;
    assert_refused(elbo_decode_labelled(m, 1, z, &labels, image, &err), &err, "a count of 1 or more");
    elbo_model_close(m);
    elbo_model_close(plain);

    experiment x = {conditional, {NULL}};
    elbo_dataset with = digits;
    digits.classes = 0; // data without labels
    assert_refused(train(&x, (elbo_train_options){.threads = 1}, &err), &err, "yaml:4: concat class: digits");
    digits = with;
    digits.test.labels = NULL;
    assert_refused(train(&x, (elbo_train_options){.threads = 1}, &err), &err, "the test images of digits");
    digits = with;
    x.sets[0] = "labels=7";
    assert_refused(train(&x, (elbo_train_options){.threads = 1}, &err), &err,
                   "has 10 classes, the recipe's `labels` is 7");
    x.sets[0] = "encoder=[flatten, save class, linear 3]";
    assert_refused(train(&x, (elbo_train_options){.threads = 1}, &err), &err, "`class` is the image's label");
    x.sets[0] = "encoder=[flatten, linear 3, add class]";
    assert_refused(train(&x, (elbo_train_options){.threads = 1}, &err), &err, "write `concat class`");
    x.sets[0] = "corrupt=[occlude 29]";
    assert_refused(train(&x, (elbo_train_options){.threads = 1}, &err), &err, "expected at most 28");
}

/* ---- corruption ---- */

static elbo_corrupt corruption(const char *list) {
    elbo_layers layers;
    elbo_corrupt c;
    assert_ok(elbo_layers_parse(&layers, list, "x", &failure));
    assert_ok(elbo_corrupt_read(&c, &layers, &failure));
    elbo_layers_free(&layers);
    return c;
}

static void uniform(float *out, size_t n, elbo_stream s) { elbo_random_uniform(s, out, n); }
static void normal(float *out, size_t n, elbo_stream s) { elbo_random_normal(s, out, n); }

enum { SIDE = 100 };
static const elbo_image_shape colour = {3, SIDE, SIDE};

/* An image of 0.5 in [-1, 1] that is corrupted. */
static float *corrupted(const char *list, uint32_t image) {
    size_t n = elbo_image_size(colour);
    float *x = malloc(n * sizeof *x), *room = malloc(n * sizeof *room);
    for (size_t i = 0; i < n; i++) x[i] = 0.5f;
    elbo_corrupt c = corruption(list);
    elbo_corrupt_run(&c,
                     (elbo_corruption_job){.stream = {.seed = 3, .purpose = ELBO_FOR_CORRUPTION, .sample = image},
                                           .shape = colour,
                                           .low = -1,
                                           .high = 1,
                                           .room = room,
                                           .uniform = uniform,
                                           .normal = normal},
                     x);
    free(room);
    return x;
}

static size_t count_of(const float *x, float value) {
    size_t n = 0;
    for (size_t i = 0; i < elbo_image_size(colour); i++) n += x[i] == value;
    return n;
}

static void corruptions_do_what_they_say(void **state) {
    (void)state;
    const size_t plane = SIDE * SIDE;
    float *mask = corrupted("[mask 0.25]", 0), *salt = corrupted("[salt 0.2]", 0),
          *square = corrupted("[occlude 7]", 0), *noise = corrupted("[noise 0.1 clip=false]", 0),
          *clipped = corrupted("[noise 2]", 0);
    double masked = (double)count_of(mask, -1) / (3 * plane), black = (double)count_of(salt, -1) / (3 * plane),
           white = (double)count_of(salt, 1) / (3 * plane), mean = 0, square_sum = 0;
    assert_near("mask", 0, masked, 0.25, 0.02); // a standard deviation is 0.004
    assert_near("salt", 0, white, 0.1, 0.015);
    assert_near("pepper", 0, black, 0.1, 0.015);
    for (size_t i = 0; i < plane; i++) { // all channels of a pixel together
        assert_true(mask[i] == mask[plane + i] && mask[i] == mask[2 * plane + i]);
        assert_true(salt[i] == salt[plane + i] && salt[i] == salt[2 * plane + i]);
    }
    assert_int_equal(count_of(square, -1), 3 * 49);
    assert_int_equal(count_of(square, 0.5f), 3 * (plane - 49));
    for (size_t i = 0; i < 3 * plane; i++) {
        mean += ((double)noise[i] - 0.5) / (3 * plane);
        square_sum += ((double)noise[i] - 0.5) * ((double)noise[i] - 0.5) / (3 * plane);
        assert_true(clipped[i] >= -1 && clipped[i] <= 1);
    }
    assert_near("mean of noise", 0, mean, 0, 0.005);
    assert_near("noise, a share of the range of 2", 0, sqrt(square_sum), 0.2, 0.005);
    assert_true(count_of(clipped, 1) > plane / 4);
    free(mask), free(salt), free(square), free(noise), free(clipped);
}

/* A list is applied in order, each with numbers of its own; another image is corrupted otherwise. */
static void a_list_of_corruptions(void **state) {
    (void)state;
    size_t bytes = elbo_image_size(colour) * sizeof(float);
    float *one = corrupted("[mask 0.5]", 0), *same = corrupted("[mask 0.5]", 0), *other = corrupted("[mask 0.5]", 1),
          *twice = corrupted("[mask 0.5, mask 0.5]", 0), *salted = corrupted("[mask 1, salt 1]", 0),
          *all = corrupted("[salt 1, mask 1]", 0);
    assert_memory_equal(one, same, bytes);
    assert_true(memcmp(one, other, bytes) != 0);
    assert_near("two masks", 0, (double)count_of(twice, -1) / (3 * SIDE * SIDE), 0.75, 0.02);
    assert_true(count_of(salted, 1) > 0 && count_of(all, -1) == elbo_image_size(colour));
    free(one), free(same), free(other), free(twice), free(salted), free(all);
}

/* Reconstruction loss of given inputs: the encoder reads what is corrupted, the target is clean. */
static void the_target_is_clean(void **state) {
    (void)state;
    engine e;
    const char *path = scratch_write(&folder, "dae.yaml", denoising, strlen(denoising));
    engine_open(&e, path, NULL, 0, digits.train.shape, "cpu", ELBO_TRAIN, 0);
    const elbo_taps *at = &e.network.graph.at;
    assert_true(at->input != at->target);
    uint32_t index[20];
    for (uint32_t i = 0; i < 20; i++) index[i] = i;
    float *clean = malloc(digits.train.count * SIZE * sizeof *clean);
    elbo_images_to_floats(&digits.train, NULL, digits.train.count, 0, 1, clean);
    double of_clean[20], of_given[20], of_corrupted[20];
    elbo_batch_args args = engine_args(&e, &digits.train, index, 20, 0, 1, 1);
    args.no_update = true;
    args.corrupt = NULL;
    engine_run(&e, &args);
    engine_losses(&e, ELBO_METRIC_RECONSTRUCTION, 20, of_clean);
    args.given_input = clean; // the same as no corruption
    engine_run(&e, &args);
    engine_losses(&e, ELBO_METRIC_RECONSTRUCTION, 20, of_given);
    assert_memory_equal(of_clean, of_given, sizeof of_clean);
    memset(clean, 0,
           digits.train.count * SIZE * sizeof *clean); // one reconstruction of all images; their targets differ
    engine_run(&e, &args);
    engine_losses(&e, ELBO_METRIC_RECONSTRUCTION, 20, of_given);
    for (int i = 1; i < 20; i++) assert_true(fabs(of_given[i] - of_given[0]) > 1e-3);
    args.given_input = NULL;
    args.corrupt = e.recipe.corrupts;
    engine_run(&e, &args);
    engine_losses(&e, ELBO_METRIC_RECONSTRUCTION, 20, of_corrupted);
    for (int i = 0; i < 20; i++) {
        assert_true(of_corrupted[i] != of_clean[i]);
        assert_near("near the loss of the clean image", (size_t)i, of_corrupted[i], of_clean[i], 0.1 * of_clean[i]);
    }
    free(clean);
    engine_close(&e);
}

/* It learns to denoise; what it says is what its parts are; and the test loss corrupts the same way each time. */
static void a_model_denoises(void **state) {
    (void)state;
    elbo_model *m = trained(denoising, "dae");
    elbo_denoise_result r;
    elbo_job work = {.threads = 2};
    const uint32_t index[] = {5, 17};
    assert_ok(elbo_denoise(&r, m, &digits, &(elbo_denoise_options){.count = 2, .index = index}, &work, &failure));
    assert_int_equal(r.measured, TEST_IMAGES);
    assert_string_equal(r.corruption, "noise 0.4, mask 0.25");
    if (!(r.psnr_after > r.psnr_before + 2)) fail_msg("PSNR %g dB, denoised %g dB", r.psnr_before, r.psnr_after);
    float out[2 * SIZE];
    elbo_images noisy = {.shape = digits.test.shape, .count = 2, .floats = r.images};
    assert_ok(elbo_denoise_images(m, &noisy, out, &failure));
    assert_memory_equal(out, r.images + 2 * SIZE, sizeof out);
    for (int i = 0; i < 2; i++) {
        double squares = 0;
        const float *a = r.images + (size_t)i * SIZE, *b = r.images + (size_t)(4 + i) * SIZE;
        for (int k = 0; k < SIZE; k++) squares += ((double)a[k] - b[k]) * ((double)a[k] - b[k]) / SIZE;
        assert_near("PSNR", (size_t)i, (double)r.before[i], -10 * log10(squares), 1e-4);
    }
    elbo_scores a, b;
    elbo_eval_options o = {.threads = 1};
    assert_ok(elbo_evaluate(&a, &m->network, &m->recipe, &digits.test, o, &failure));
    o.threads = 3;
    assert_ok(elbo_evaluate(&b, &m->network, &m->recipe, &digits.test, o, &failure));
    assert_memory_equal(&a, &b, sizeof a);
    elbo_denoise_free(&r);
    elbo_model_close(m);
}

/* ---- binary images ---- */

static void bytes_are_binarised_exactly(void **state) {
    (void)state;
    enum { N = 4 };
    const uint8_t bytes[N] = {0, 255, 128, 128};
    const float u[N] = {0, 1 - 0x1p-24f, 128.0f / 255 - 0x1p-20f, 128.0f / 255 + 0x1p-20f};
    float out[N];
    elbo_binarise_bytes(out, bytes, u, N, -1, 1);
    assert_true(out[0] == -1 && out[1] == 1 && out[2] == 1 && out[3] == -1);
}

/* The loss of grey test images is that of the set made binary once: both read the same numbers. A binary set stays. */
static void a_set_is_binarised_as_training_measures_it(void **state) {
    (void)state;
    const char *set = "image.binary=dynamic";
    elbo_recipe r;
    elbo_network n;
    assert_ok(elbo_recipe_open(&r, "mnist-vae-2d", &set, 1, &failure));
    assert_ok(elbo_network_make(&n, &r, digits.test.shape, &failure));
    elbo_images binary = {.shape = digits.test.shape, .count = TEST_IMAGES, .bytes = malloc(TEST_IMAGES * SIZE)};
    memcpy(binary.bytes, digits.test.bytes, TEST_IMAGES * SIZE);
    assert_ok(elbo_images_binarise(&binary, r.train.seed, 0, 1, &failure));
    size_t grey = 0, white = 0, expected = 0;
    for (size_t i = 0; i < TEST_IMAGES * SIZE; i++) {
        grey += binary.bytes[i] != 0 && binary.bytes[i] != 255;
        white += binary.bytes[i] == 255;
        expected += digits.test.bytes[i];
    }
    assert_int_equal(grey, 0);
    assert_near("white", 0, (double)white, (double)expected / 255, 0.02 * (double)expected / 255);
    elbo_scores a, b, c;
    elbo_eval_options o = {.threads = 2};
    assert_ok(elbo_evaluate(&a, &n, &r, &digits.test, o, &failure));
    assert_ok(elbo_evaluate(&b, &n, &r, &binary, o, &failure));
    assert_memory_equal(&a, &b, sizeof a);
    r.image.binary = ELBO_BINARY_NONE;
    assert_ok(elbo_evaluate(&c, &n, &r, &digits.test, o, &failure));
    assert_true(a.loss != c.loss);
    elbo_images_free(&binary);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

/* Training images: fixed ones are the same in each epoch, dynamic ones are not. */
static void binary_training_images_by_epoch(void **state) {
    (void)state;
    static const char *const how[] = {"image.binary=fixed", "image.binary=dynamic"};
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        engine e;
        engine_open(&e, "mnist-ae-2d", &how[dynamic], 1, digits.train.shape, "cpu", ELBO_TRAIN, 20);
        uint32_t index[20];
        for (uint32_t i = 0; i < 20; i++) index[i] = i;
        double loss[2][20];
        for (int epoch = 0; epoch < 2; epoch++) {
            elbo_batch_args args = engine_args(&e, &digits.train, index, 20, epoch, 1, 1);
            args.no_update = true;
            engine_run(&e, &args);
            engine_losses(&e, ELBO_METRIC_RECONSTRUCTION, 20, loss[epoch]);
        }
        assert_true((memcmp(loss[0], loss[1], sizeof loss[0]) != 0) == dynamic);
        engine_close(&e);
    }
}

/* Every set of kernels draws the same uniform numbers as the base library, to the bit. */
static void uniform_numbers_are_exact(void **state) {
    (void)state;
    const elbo_kernels *of[] = {elbo_kernels_here(), &elbo_kernels_ref};
    for (int k = 0; k < 2; k++)
        for (size_t n = 1; n < 300; n += 37) {
            float got[300], want[300];
            elbo_stream s = {.seed = 0x123456789abcdefu, .purpose = ELBO_FOR_BINARY, .epoch = 7, .sample = (uint32_t)n};
            of[k]->loss->uniform(got, n, s);
            elbo_random_uniform(s, want, n);
            assert_memory_equal(got, want, n * sizeof *got);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_is_decoded_as_a_class),
        cmocka_unit_test(an_image_is_encoded_with_its_class),
        cmocka_unit_test(samples_share_their_codes_across_classes),
        cmocka_unit_test(a_label_is_an_expression_of_labels),
        cmocka_unit_test(classes_that_are_not_there_are_refused),
        cmocka_unit_test(corruptions_do_what_they_say),
        cmocka_unit_test(a_list_of_corruptions),
        cmocka_unit_test(the_target_is_clean),
        cmocka_unit_test(a_model_denoises),
        cmocka_unit_test(bytes_are_binarised_exactly),
        cmocka_unit_test(a_set_is_binarised_as_training_measures_it),
        cmocka_unit_test(binary_training_images_by_epoch),
        cmocka_unit_test(uniform_numbers_are_exact),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
