/* The public analyses (elbo/explore.h), beside the same computed from the model by encode and decode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <math.h>

#include "data/data.h"
#include "elbo/explore.h"
#include "engine.h"
#include "run/model.h"
#include "scratch.h"

enum { IMAGES = 160, TEST = 60, TRAIN = IMAGES - TEST, SIZE = 784, Z = 4, CLASSES = 10 };

static scratch here;
static char recipe[400], run[400];
static float *pixels; // (IMAGES, 1, 28, 28): the test images come last
static unsigned char labels[IMAGES];
static elbo_explorer *explorer;
static elbo_error refused; // why

#define VAE                                                                                                            \
    "kind: vae\ndata: digits\nlatent: 4\nencoder: [flatten, linear 24, relu]\n"                                        \
    "decoder: [linear 784, sigmoid]\ntrain: {epochs: 2, batch: 20}\n"

static elbo_explorer_options arrays(void) {
    return (elbo_explorer_options){.size = sizeof(elbo_explorer_options),
                                   .train_images = pixels,
                                   .train_count = TRAIN,
                                   .train_labels = labels,
                                   .test_images = pixels + (size_t)TRAIN * SIZE,
                                   .test_count = TEST,
                                   .test_labels = labels + TRAIN,
                                   .classes = CLASSES,
                                   .threads = 2};
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    elbo_images digits;
    assert_ok(elbo_digits_make(&digits, false, IMAGES, 1, &failure));
    pixels = malloc(IMAGES * SIZE * sizeof *pixels);
    elbo_images_to_floats(&digits, NULL, IMAGES, 0, 1, pixels);
    memcpy(labels, digits.labels, IMAGES);
    elbo_images_free(&digits);
    snprintf(recipe, sizeof recipe, "%s", scratch_write(&here, "vae.yaml", VAE, strlen(VAE)));
    snprintf(run, sizeof run, "%s", scratch_path(&here, "run"));
    elbo_training_options o = {.size = sizeof o,
                               .recipe = recipe,
                               .run = run,
                               .images = pixels,
                               .image_count = IMAGES,
                               .channels = 1,
                               .height = 28,
                               .width = 28,
                               .test_count = TEST};
    assert_ok(elbo_train_model(&o, &failure));
    elbo_explorer_options with = arrays();
    const char *runs[] = {run};
    assert_ok(elbo_explorer_open(&explorer, runs, 1, &with, &failure));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_explorer_close(explorer);
    free(pixels);
    scratch_remove(&here);
    return 0;
}

static const float *test_image(int i) { return pixels + (size_t)(TRAIN + i) * SIZE; }

static void encode(const float *image, float z[Z]) {
    assert_ok(elbo_encode(elbo_explorer_model(explorer, 0), 1, image, z, &failure));
}

static void expect_decoded(const float *image, const float z[Z], const char *what) {
    float again[SIZE];
    assert_ok(elbo_decode(elbo_explorer_model(explorer, 0), 1, z, again, &failure));
    for (int i = 0; i < SIZE; i++)
        if (image[i] != again[i]) fail_msg("%s: value %d is %g, decoded %g", what, i, image[i], again[i]);
}

static elbo_array array_of(const elbo_result *r, const char *name, int rank, const size_t *shape) {
    elbo_array a = elbo_result_array(r, name);
    assert_non_null(a.data);
    assert_int_equal(a.rank, rank);
    for (int i = 0; i < rank; i++) assert_int_equal(a.shape[i], shape[i]);
    return a;
}

static json_t *json_of(const elbo_result *r) {
    json_t *o = json_loads(elbo_result_json(r), 0, NULL);
    assert_non_null(o);
    return o;
}

static void reconstructions_are_decoded_codes(void **state) {
    (void)state;
    unsigned index[] = {7, 3, 59};
    elbo_reconstruct_query q = {.size = sizeof q, .count = 3, .index = index};
    elbo_result *r;
    assert_ok(elbo_explore_reconstructions(explorer, &q, &r, &failure));
    elbo_array a = array_of(r, "images", 5, (size_t[]){2, 3, 1, 28, 28});
    for (int i = 0; i < 3; i++) {
        float z[Z];
        assert_memory_equal(a.data + i * SIZE, test_image((int)index[i]), SIZE * sizeof(float));
        encode(test_image((int)index[i]), z);
        expect_decoded(a.data + (3 + i) * SIZE, z, "reconstruction");
    }
    elbo_result_free(r);
    index[1] = TEST;
    assert_int_equal(elbo_explore_reconstructions(explorer, &q, &r, &refused), ELBO_BAD_INPUT);
    assert_null(r);
    assert_message(refused, "image 60", "60 images");
}

static void an_interpolation_goes_through_the_middle(void **state) {
    (void)state;
    elbo_interpolate_query q = {.size = sizeof q, .from = "test:4", .to = "test:9", .steps = 3};
    elbo_result *r;
    assert_ok(elbo_explore_interpolation(explorer, &q, &r, &failure));
    elbo_array a = array_of(r, "images", 5, (size_t[]){1, 3, 1, 28, 28});
    elbo_array faded = array_of(r, "pixels", 4, (size_t[]){3, 1, 28, 28});
    float from[Z], to[Z], middle[Z];
    encode(test_image(4), from);
    encode(test_image(9), to);
    for (int d = 0; d < Z; d++) middle[d] = (float)(0.5 * from[d] + 0.5 * to[d]);
    expect_decoded(a.data, from, "from");
    expect_decoded(a.data + 2 * SIZE, to, "to");
    expect_decoded(a.data + SIZE, middle, "middle");
    for (int i = 0; i < SIZE; i++)
        assert_true(fabsf(faded.data[SIZE + i] - (test_image(4)[i] + test_image(9)[i]) / 2) < 1e-6f);
    json_t *o = json_of(r);
    assert_int_equal(json_integer_value(json_object_get(o, "steps")), 3);
    json_decref(o);
    elbo_result_free(r);
    assert_ok(elbo_explore_interpolation(explorer, NULL, &r, &failure)); // from a 3 to an 8
    array_of(r, "images", 5, (size_t[]){1, 10, 1, 28, 28});
    o = json_of(r);
    assert_string_equal(json_string_value(json_object_get(o, "from")), "class:3");
    json_decref(o);
    elbo_result_free(r);
    q.from = "a photo.png";
    assert_int_equal(elbo_explore_interpolation(explorer, &q, &r, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "from", "image file");
    q.from = "test:";
    assert_int_equal(elbo_explore_interpolation(explorer, &q, &r, &refused), ELBO_BAD_INPUT);
}

static void arithmetic_gives_the_code(void **state) {
    (void)state;
    elbo_result *r;
    assert_ok(elbo_explore_arithmetic(explorer, "2 * test:5 - train:3", &r, &failure));
    float a[Z], b[Z];
    encode(test_image(5), a);
    encode(pixels + 3 * SIZE, b);
    elbo_array code = array_of(r, "code", 1, (size_t[]){Z});
    for (int d = 0; d < Z; d++) assert_true(fabsf(code.data[d] - (2 * a[d] - b[d])) < 1e-5f);
    array_of(r, "images", 5, (size_t[]){2, 4, 1, 28, 28});
    assert_null(elbo_result_array(r, "points").data);
    elbo_result_free(r);
    assert_int_equal(elbo_explore_arithmetic(explorer, "test:5 +", &r, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "expression", "column");
}

static void a_traversal_changes_one_dimension(void **state) {
    (void)state;
    int dims[] = {2};
    elbo_traverse_query q = {.size = sizeof q, .dims = dims, .dim_count = 1, .steps = 3, .low = -2, .high = 2};
    elbo_result *r;
    assert_ok(elbo_explore_traversal(explorer, &q, &r, &failure));
    elbo_array a = array_of(r, "images", 5, (size_t[]){1, 3, 1, 28, 28});
    for (int s = 0; s < 3; s++) expect_decoded(a.data + s * SIZE, (float[Z]){0, 0, (float)(2 * s - 2), 0}, "traversal");
    elbo_result_free(r);
    dims[0] = Z;
    assert_int_equal(elbo_explore_traversal(explorer, &q, &r, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "dimension 4", "0 to 3");
}

static void a_manifold_is_a_grid(void **state) {
    (void)state;
    elbo_manifold_query q = {.size = sizeof q, .dims = {0, 1}, .steps = 5};
    elbo_result *r;
    assert_ok(elbo_explore_manifold(explorer, &q, &r, &failure));
    elbo_array a = array_of(r, "images", 5, (size_t[]){5, 5, 1, 28, 28});
    expect_decoded(a.data + 12 * SIZE, (float[Z]){0}, "the middle"); // the prior's median
    elbo_result_free(r);
}

static void samples_are_those_of_the_model(void **state) {
    (void)state;
    enum { N = 5 };
    elbo_sample_query q = {.size = sizeof q, .count = N, .seed = 3, .nearest = 1};
    elbo_result *r;
    float *own = malloc(N * SIZE * sizeof *own);
    assert_ok(elbo_explore_samples(explorer, &q, &r, &failure));
    elbo_array a = array_of(r, "images", 4, (size_t[]){N, 1, 28, 28});
    assert_ok(elbo_model_sample(elbo_explorer_model(explorer, 0), N, 3, own, NULL, &failure));
    assert_memory_equal(a.data, own, N * SIZE * sizeof *own);
    array_of(r, "neighbours", 4, (size_t[]){N, 1, 28, 28});
    free(own);
    elbo_result_free(r);
    q = (elbo_sample_query){.size = sizeof q, .from = "gmm", .count = N};
    assert_ok(elbo_explore_samples(explorer, &q, &r, &failure));
    assert_null(elbo_result_array(r, "neighbours").data);
    elbo_result_free(r);
    q.from = "thin air";
    assert_int_equal(elbo_explore_samples(explorer, &q, &r, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "thin air", "gmm");
}

static void a_projection_has_points_codes_and_labels(void **state) {
    (void)state;
    elbo_project_query q = {.size = sizeof q, .split = "all", .score = 1};
    elbo_result *r;
    assert_ok(elbo_explore_projection(explorer, &q, &r, &failure));
    array_of(r, "points", 2, (size_t[]){IMAGES, 2});
    elbo_array codes = array_of(r, "codes", 2, (size_t[]){IMAGES, Z});
    elbo_array classes = array_of(r, "labels", 1, (size_t[]){IMAGES});
    for (int i = 0; i < IMAGES; i++) {
        float z[Z];
        encode(pixels + (size_t)i * SIZE, z);
        assert_memory_equal(codes.data + i * Z, z, sizeof z);
        assert_true(classes.data[i] == labels[i]);
    }
    json_t *o = json_of(r);
    assert_string_equal(json_string_value(json_object_get(o, "method")), "pca");
    json_decref(o);
    elbo_result_free(r);
    q.split = "some";
    assert_int_equal(elbo_explore_projection(explorer, &q, &r, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "split some", "test, train or all");
}

static void scores_are_those_of_the_model(void **state) {
    (void)state;
    elbo_result *r;
    elbo_model_scores s = {.size = sizeof s};
    assert_ok(elbo_model_evaluate(elbo_explorer_model(explorer, 0), TEST, test_image(0), 0, &s, &failure));
    assert_ok(elbo_explore_scores(explorer, NULL, &r, &failure));
    json_t *o = json_of(r);
    assert_true(json_number_value(json_object_get(o, "loss")) == s.loss);
    assert_true(json_is_number(json_object_get(o, "knn_accuracy")));
    json_decref(o);
    elbo_result_free(r);
}

static void checks_and_comparisons_are_json(void **state) {
    (void)state;
    elbo_result *r;
    assert_ok(elbo_explore_diagnosis(explorer, &r, &failure));
    json_t *o = json_of(r);
    assert_true(json_array_size(json_object_get(o, "checks")) > 3);
    json_decref(o);
    elbo_result_free(r);
    elbo_explorer *two;
    const char *runs[] = {run, run};
    assert_ok(elbo_explorer_open(&two, runs, 2, NULL, &failure));
    assert_non_null(elbo_explorer_model(two, 1));
    assert_null(elbo_explorer_model(two, 2));
    assert_ok(elbo_explore_comparison(two, &r, &failure));
    elbo_explorer_close(two); // the result stays
    o = json_of(r);
    assert_int_equal(json_array_size(o), 2);
    json_decref(o);
    elbo_result_free(r);
}

static int stop(void *context, const char *what, double done) {
    (void)what, (void)done;
    return ++*(int *)context >= 1;
}

static void what_is_wrong_is_said(void **state) {
    (void)state;
    elbo_explorer *e;
    const char *runs[] = {run}, *none[] = {"nowhere"};
    elbo_explorer_options o = arrays();
    assert_int_equal(elbo_explorer_open(&e, none, 1, &o, &refused), ELBO_NOT_FOUND);
    assert_null(e);
    assert_message(refused, "nowhere");
    assert_int_equal(elbo_explorer_open(&e, runs, 0, &o, &refused), ELBO_BAD_INPUT);
    o.classes = 3;
    assert_int_equal(elbo_explorer_open(&e, runs, 1, &o, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "label", "classes");
    o = arrays();
    o.data = "digits";
    assert_int_equal(elbo_explorer_open(&e, runs, 1, &o, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "both data and images");
    o = (elbo_explorer_options){.threads = 1};
    assert_int_equal(elbo_explorer_open(&e, runs, 1, &o, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "size is 0");
    int calls = 0;
    o = arrays();
    o.progress = stop;
    o.context = &calls;
    elbo_result *r;
    assert_ok(elbo_explorer_open(&e, runs, 1, &o, &failure));
    assert_int_equal(elbo_explore_diagnosis(e, &r, &refused), ELBO_STOPPED);
    assert_null(r);
    elbo_explorer_close(e);
}

/* Places and codes lead to each other, whatever the map. */
static void a_map_goes_both_ways(void **state) {
    (void)state;
    elbo_model *m = elbo_explorer_model(explorer, 0);
    static float codes[IMAGES * Z];
    assert_ok(elbo_encode(m, IMAGES, pixels, codes, &failure));
    static const char *const methods[] = {NULL, "dims", "tsne"};
    for (int k = 0; k < 3; k++) {
        elbo_map *map;
        elbo_map_query q = {.size = sizeof q, .method = methods[k], .dims = {2, 0}};
        assert_ok(elbo_explore_map(explorer, &q, &map, &failure));
        elbo_array places = elbo_map_places(map), of = elbo_map_codes(map);
        assert_true(places.rank == 2 && places.shape[0] == IMAGES && of.shape[1] == Z);
        for (int i = 0; i < IMAGES * Z; i++) assert_true(fabsf(of.data[i] - codes[i]) < 1e-5f);
        float place[2], z[Z];
        elbo_map_landing at = {.size = sizeof at};
        assert_ok(elbo_map_place(map, 1, codes + 5 * Z, place, &failure));
        if (k == 1) assert_true(place[0] == codes[5 * Z + 2] && place[1] == codes[5 * Z]);
        assert_ok(elbo_map_locate(map, codes + 5 * Z, places.data + 18, z, &at, &failure));
        assert_true(at.exact == (k < 2) && (k == 2 || at.gap < 1e-4));
        assert_ok(elbo_map_locate(map, codes + 5 * Z, place, z, NULL, &failure));
        for (int i = 0; i < Z; i++) assert_true(fabsf(z[i] - codes[5 * Z + i]) < 1e-3f); // it is there already
        elbo_map_free(map);
    }
    elbo_map *none;
    assert_int_equal(elbo_explore_map(explorer, &(elbo_map_query){.size = sizeof(elbo_map_query), .method = "umap"},
                                      &none, &refused),
                     ELBO_BAD_INPUT);
    assert_message(refused, "umap", "pca, tsne or dims");
    assert_null(none);
    assert_int_equal(
        elbo_explore_map(explorer, &(elbo_map_query){.size = sizeof(elbo_map_query), .method = "dims", .dims = {0, Z}},
                         &none, &refused),
        ELBO_BAD_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reconstructions_are_decoded_codes),
        cmocka_unit_test(an_interpolation_goes_through_the_middle),
        cmocka_unit_test(arithmetic_gives_the_code),
        cmocka_unit_test(a_traversal_changes_one_dimension),
        cmocka_unit_test(a_manifold_is_a_grid),
        cmocka_unit_test(samples_are_those_of_the_model),
        cmocka_unit_test(a_projection_has_points_codes_and_labels),
        cmocka_unit_test(a_map_goes_both_ways),
        cmocka_unit_test(scores_are_those_of_the_model),
        cmocka_unit_test(checks_and_comparisons_are_json),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
