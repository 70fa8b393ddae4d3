/* From a name to images: where data sets are looked for, what is said when they are not there, and what is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/data.h"
#include "formats/npy.h"
#include "scratch.h"

static scratch s;
static char cache[96], data[96];

/* Each test has an empty $ELBO_DATA and an empty cache. */
static int make(void **state) {
    (void)state;
    scratch_make(&s);
    snprintf(cache, sizeof cache, "%s/cache", s.folder);
    snprintf(data, sizeof data, "%s/data", s.folder);
    setenv("XDG_CACHE_HOME", cache, 1);
    setenv("ELBO_DATA", data, 1);
    mkdir(data, 0777);
    return 0;
}

static int clean(void **state) {
    (void)state;
    scratch_remove(&s);
    return 0;
}

static void make_folder(const char *name) {
    char path[200];
    snprintf(path, sizeof path, "%s", name);
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p) continue;
        char end = *p;
        *p = 0;
        mkdir(path, 0777);
        *p = end;
        if (!end) return;
    }
}

enum { TRAIN_IMAGES = 1, TRAIN_LABELS = 2, TEST_IMAGES = 4, TEST_LABELS = 8, ALL = 15 };

/* IDX files of 2 x 2 images, 20 to train and 10 to test; the first pixel is `mark`, labels 0 .. classes-1. */
static void make_idx(const char *folder, int which, uint8_t mark, int classes) {
    static const char *const names[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                         "t10k-labels-idx1-ubyte"};
    make_folder(folder);
    for (int i = 0; i < 4; i++) {
        if (!(which >> i & 1)) continue;
        uint8_t bytes[16 + 80] = {0, 0, 8, i % 2 ? 1 : 3, 0, 0, 0, i < 2 ? 20 : 10, 0, 0, 0, 2, 0, 0, 0, 2, mark};
        int count = bytes[7];
        for (int k = 0; i % 2 && k < count; k++) bytes[8 + k] = (uint8_t)(k % classes);
        for (int k = 0; i == 3 && k < count; k++) // the test split lacks the last class
            if (bytes[8 + k] == classes - 1) bytes[8 + k] = 0;
        char path[200];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        fwrite(bytes, 1, (size_t)(i % 2 ? 8 + count : 16 + 4 * count), f);
        fclose(f);
    }
}

/* "NAME inside $ELBO_DATA"; valid until the next call. */
static const char *in(const char *folder, const char *name) {
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static elbo_dataset open_good(const char *name, const char *path, elbo_splits splits) {
    elbo_dataset d;
    elbo_error err = {0};
    if (elbo_dataset_open(&d, name, path, splits, 2, &err) != ELBO_OK) fail_msg("%s", err.message);
    return d;
}

static elbo_error open_bad(const char *name, const char *path, elbo_splits splits, elbo_status status) {
    elbo_dataset d;
    elbo_error err = {0};
    assert_int_equal(elbo_dataset_open(&d, name, path, splits, 2, &err), status);
    assert_null(d.train.bytes);
    assert_null(d.name);
    assert_null(strchr(err.message, '\n'));
    return err;
}

static void a_name_is_looked_for_in_elbo_data_and_then_in_the_cache(void **state) {
    (void)state;
    elbo_error err = open_bad("mnist", NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    char cached[120], where[400];
    snprintf(cached, sizeof cached, "%s/elbo/mnist", cache);
    snprintf(where, sizeof where, "mnist: not found in $ELBO_DATA/mnist (ELBO_DATA=%s), %s; `elbo data fetch mnist`",
             data, cached);
    assert_message(err, where);
    assert_false(elbo_dataset_present("mnist"));

    make_idx(cached, ALL, 7, 10);
    elbo_dataset d = open_good("mnist", NULL, ELBO_BOTH_SPLITS);
    assert_string_equal(d.source, cached);
    assert_int_equal(d.train.bytes[0], 7);
    elbo_dataset_close(&d);
    assert_true(elbo_dataset_present("mnist"));

    make_idx(in(data, "mnist"), ALL, 8, 10);
    d = open_good("mnist", NULL, ELBO_BOTH_SPLITS);
    assert_string_equal(d.name, "mnist");
    assert_int_equal(d.train.bytes[0], 8);
    assert_int_equal(d.train.count, 20);
    assert_int_equal(d.test.count, 10);
    assert_int_equal(d.test.labels[3], 3);
    elbo_dataset_close(&d);

    unsetenv("ELBO_DATA");
    d = open_good("mnist", NULL, ELBO_BOTH_SPLITS);
    assert_int_equal(d.train.bytes[0], 7);
    elbo_dataset_close(&d);
    err = open_bad("fashion-mnist", NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    assert_message(err, "ELBO_DATA is not set", "elbo data fetch fashion-mnist");
}

static void the_cache_folder_follows_the_environment(void **state) {
    (void)state;
    char *path = elbo_dataset_cache_folder("mnist");
    assert_string_equal(path, in(cache, "elbo/mnist"));
    free(path);
    unsetenv("XDG_CACHE_HOME");
    setenv("HOME", "/home/someone", 1);
    path = elbo_dataset_cache_folder("mnist");
    assert_string_equal(path, "/home/someone/.cache/elbo/mnist");
    free(path);
}

static void a_split_that_is_not_asked_for_is_not_read(void **state) {
    (void)state;
    make_idx(in(data, "mnist"), TEST_IMAGES | TEST_LABELS, 1, 10);
    elbo_dataset d = open_good("mnist", NULL, ELBO_TEST_SPLIT);
    assert_null(d.train.bytes);
    assert_int_equal(d.train.count, 0);
    assert_int_equal(d.test.count, 10);
    assert_int_equal(d.classes, 10);
    elbo_dataset_close(&d);
    elbo_error err = open_bad("mnist", NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    assert_message(err, in(data, "mnist"), "lacks train-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
}

static void a_path_may_hold_the_files_or_a_folder_of_the_name(void **state) {
    (void)state;
    char here[160];
    snprintf(here, sizeof here, "%s/here", s.folder);
    make_idx(here, ALL, 3, 10);
    elbo_dataset d = open_good("fashion-mnist", here, ELBO_BOTH_SPLITS);
    assert_string_equal(d.name, "fashion-mnist");
    assert_string_equal(d.class_names[1], "Trouser");
    elbo_dataset_close(&d);

    make_idx(in(data, "fashion-mnist"), ALL, 4, 10);
    d = open_good("fashion-mnist", data, ELBO_BOTH_SPLITS);
    assert_string_equal(d.source, in(data, "fashion-mnist"));
    assert_int_equal(d.train.bytes[0], 4);
    elbo_dataset_close(&d);
    // a folder that has a known name is that data set, whatever the recipe says
    d = open_good("mnist", in(data, "fashion-mnist/"), ELBO_BOTH_SPLITS);
    assert_string_equal(d.name, "fashion-mnist");
    assert_string_equal(d.class_names[9], "Ankle boot");
    elbo_dataset_close(&d);
    // and so is its name alone
    d = open_good("mnist", "fashion-mnist", ELBO_BOTH_SPLITS);
    assert_string_equal(d.name, "fashion-mnist");
    elbo_dataset_close(&d);

    elbo_error err = open_bad("mnist", cache, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    assert_message(err, cache, "nor a folder or file");
    make_folder(cache);
    err = open_bad("mnist", cache, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, "nor its mnist/", "train-images-idx3-ubyte, train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                   "t10k-labels-idx1-ubyte", ".npy");
}

static void a_recipe_may_name_a_folder(void **state) {
    (void)state;
    char here[160];
    snprintf(here, sizeof here, "%s/my-digits", s.folder);
    make_idx(here, ALL, 3, 4);
    for (elbo_splits splits = ELBO_TRAIN_SPLIT; splits <= ELBO_BOTH_SPLITS; splits++) {
        elbo_dataset d = open_good(here, NULL, splits);
        assert_string_equal(d.name, "my-digits");
        assert_string_equal(d.source, here);
        assert_int_equal(d.classes, 4); // whichever split is read
        assert_string_equal(d.class_names[3], "3");
        elbo_dataset_close(&d);
    }
    // any folder inside $ELBO_DATA goes by its name
    make_idx(in(data, "kuzushiji"), ALL, 3, 10);
    elbo_dataset d = open_good("kuzushiji", NULL, ELBO_BOTH_SPLITS);
    assert_string_equal(d.name, "kuzushiji");
    elbo_dataset_close(&d);
}

static void labels_may_be_missing_only_altogether(void **state) {
    (void)state;
    char here[160];
    snprintf(here, sizeof here, "%s/bare", s.folder);
    make_idx(here, TRAIN_IMAGES | TEST_IMAGES, 3, 10);
    elbo_dataset d = open_good(here, NULL, ELBO_BOTH_SPLITS);
    assert_int_equal(d.classes, 0);
    assert_null(d.train.labels);
    assert_null(d.class_names);
    elbo_dataset_close(&d);
    make_idx(here, TRAIN_LABELS, 3, 10);
    elbo_error err = open_bad(here, NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    assert_message(err, here, "lacks t10k-labels-idx1-ubyte");
}

static void labels_beyond_the_known_classes_are_refused(void **state) {
    (void)state;
    make_idx(in(data, "mnist"), ALL, 3, 12);
    elbo_error err = open_bad("mnist", NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, in(data, "mnist"), "a label is 11", "0 to 9");
    char other[160]; // but the user's own folder in its place may have more
    snprintf(other, sizeof other, "%s/letters", s.folder);
    make_idx(other, ALL, 3, 12);
    elbo_dataset d = open_good("mnist", other, ELBO_BOTH_SPLITS);
    assert_int_equal(d.classes, 12);
    assert_string_equal(d.class_names[11], "11");
    elbo_dataset_close(&d);
}

static void unknown_names_are_answered_with_the_nearest(void **state) {
    (void)state;
    elbo_error err = open_bad("mnsit", NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    assert_message(err, "mnsit:", "mnist, fashion-mnist, cifar10, digits", "did you mean mnist?");
    err = open_bad("digits", "fashon-mnist", ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    assert_message(err, "fashon-mnist:", "did you mean fashion-mnist?");
    err = open_bad("zebra", NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    assert_null(strstr(err.message, "did you mean"));
    make_folder(in(data, "photos"));
    err = open_bad("photos", NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, in(data, "photos"), "is not data that elbo reads");
    err = open_bad("", NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND);
    make_folder(in(data, "empty"));
    err = open_bad(in(data, "empty"), NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, "is not data that elbo reads", "train-images-idx3-ubyte");
    err = open_bad(scratch_write(&s, "notes.txt", "x", 1), NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, "notes.txt: is not data");
}

static void what_is_wrong_inside_a_file_is_passed_on(void **state) {
    (void)state;
    make_idx(in(data, "mnist"), ALL, 3, 10);
    char path[200];
    snprintf(path, sizeof path, "%s/mnist/t10k-images-idx3-ubyte", data);
    assert_int_equal(truncate(path, 30), 0);
    elbo_error err = open_bad("mnist", NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, path, "truncated");
}

static void digits_are_made(void **state) {
    (void)state;
    assert_true(elbo_dataset_present("digits"));
    elbo_dataset d = open_good("digits", NULL, ELBO_TEST_SPLIT);
    assert_string_equal(d.source, "built in");
    assert_int_equal(d.test.count, 10000);
    assert_null(d.train.bytes);
    assert_int_equal(d.classes, 10);
    assert_string_equal(d.class_names[7], "7");
    elbo_dataset_close(&d);
    d = open_good("mnist", "digits", ELBO_TEST_SPLIT);
    assert_string_equal(d.name, "digits");
    elbo_dataset_close(&d);
}

static const char *save_u8(const char *name, int dims, const size_t *shape) {
    size_t count = 1;
    for (int i = 0; i < dims; i++) count *= shape[i];
    uint8_t *bytes = malloc(count);
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)(i / (count / shape[0])); // the image's number
    elbo_error err;
    assert_int_equal(elbo_npy_write_u8(scratch_path(&s, name), bytes, dims, shape, &err), ELBO_OK);
    free(bytes);
    return s.path;
}

static void an_npy_file_holds_out_its_last_tenth(void **state) {
    (void)state;
    for (elbo_splits splits = ELBO_TRAIN_SPLIT; splits <= ELBO_BOTH_SPLITS; splits++) {
        elbo_dataset d = open_good("mnist", save_u8("faces.npy", 3, (size_t[]){25, 4, 3}), splits);
        assert_string_equal(d.name, "faces");
        assert_int_equal(d.classes, 0);
        assert_int_equal(d.train.count, splits & ELBO_TRAIN_SPLIT ? 23 : 0);
        assert_int_equal(d.test.count, splits & ELBO_TEST_SPLIT ? 2 : 0);
        if (splits & ELBO_TRAIN_SPLIT)
            for (int i = 0; i < 23 * 12; i++) assert_int_equal(d.train.bytes[i], i / 12);
        if (splits & ELBO_TEST_SPLIT) {
            assert_int_equal(d.test.shape.height, 4);
            assert_int_equal(d.test.shape.width, 3);
            for (int i = 0; i < 2 * 12; i++) assert_int_equal(d.test.bytes[i], 23 + i / 12);
        }
        elbo_dataset_close(&d);
    }
    elbo_dataset d = open_good(save_u8("two.npy", 2, (size_t[]){2, 5}), NULL, ELBO_BOTH_SPLITS);
    assert_int_equal(d.train.count, 1);
    assert_int_equal(d.test.count, 1);
    elbo_dataset_close(&d);
}

static void npy_shapes_become_images(void **state) {
    (void)state;
    static const struct {
        int dims;
        size_t shape[5];
        elbo_image_shape image;
    } good[] = {
        {3, {10, 4, 3}, {1, 4, 3}},  {4, {10, 1, 4, 3}, {1, 4, 3}}, {4, {10, 3, 4, 5}, {3, 4, 5}},
        {2, {10, 784}, {1, 28, 28}}, {2, {10, 783}, {1, 1, 783}},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        elbo_dataset d = open_good(save_u8("x.npy", good[i].dims, good[i].shape), NULL, ELBO_BOTH_SPLITS);
        assert_memory_equal(&d.train.shape, &good[i].image, sizeof good[i].image);
        assert_memory_equal(&d.test.shape, &good[i].image, sizeof good[i].image);
        elbo_dataset_close(&d);
    }
    static const struct {
        int dims;
        size_t shape[5];
        const char *why;
    } bad[] = {
        {1, {10}, "shape (10,)"},
        {4, {10, 4, 5, 2}, "shape (10, 4, 5, 2)"},
        {4, {10, 2, 5, 5}, "shape (10, 2, 5, 5)"},
        {5, {10, 1, 1, 2, 2}, "shape (10, 1, 1, 2, 2)"},
        {3, {2, 1, 4097}, "4096"},
        {3, {1, 2, 2}, "2 or more"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elbo_error err = open_bad(save_u8("x.npy", bad[i].dims, bad[i].shape), NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
        assert_message(err, s.path, bad[i].why);
    }
}

static void npy_floats_stay_floats(void **state) {
    (void)state;
    float x[12];
    for (int i = 0; i < 12; i++) x[i] = (float)i / 11;
    elbo_error err;
    assert_int_equal(elbo_npy_write_f32(scratch_path(&s, "f.npy"), x, 2, (size_t[]){3, 4}, &err), ELBO_OK);
    elbo_dataset d = open_good(s.path, NULL, ELBO_BOTH_SPLITS);
    assert_null(d.train.bytes);
    assert_memory_equal(d.train.floats, x, 8 * sizeof *x);
    assert_memory_equal(d.test.floats, x + 8, 4 * sizeof *x);
    elbo_dataset_close(&d);

    const char dict[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1)}";
    char file[10 + sizeof dict - 1 + 16] = "\x93NUMPY\1\0";
    double wide[2] = {0.25, 1e300};
    file[8] = sizeof dict - 1;
    memcpy(file + 10, dict, sizeof dict - 1);
    memcpy(file + 10 + sizeof dict - 1, wide, sizeof wide);
    err = open_bad(scratch_write(&s, "d.npy", file, sizeof file), NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, "value 1 is 1e+300");
    wide[1] = 0.5;
    memcpy(file + 10 + sizeof dict - 1, wide, sizeof wide);
    d = open_good(scratch_write(&s, "d.npy", file, sizeof file), NULL, ELBO_BOTH_SPLITS);
    assert_true(d.train.floats[0] == 0.25f && d.test.floats[0] == 0.5f);
    elbo_dataset_close(&d);
    memcpy(strstr(file + 10, "<f8"), "<i8", 3);
    err = open_bad(scratch_write(&s, "d.npy", file, sizeof file), NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT);
    assert_message(err, "uint8 or float32");
}

/* EMNIST's letters: 2 x 2 images that lie transposed, labels from 1. */
static void make_letters(const char *folder, int count, uint8_t first_label, int side) {
    static const char *const names[4] = {
        "emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte",
        "emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte"};
    make_folder(folder);
    for (int i = 0; i < 4; i++) {
        uint8_t bytes[512] = {0, 0, 8, i % 2 ? 1 : 3, 0, 0, 0, (uint8_t)count, 0, 0, 0, 2, 0, 0, 0, (uint8_t)side};
        for (int k = 0; i % 2 && k < count; k++) bytes[8 + k] = (uint8_t)(first_label + k % 26);
        for (int k = 0; i % 2 == 0 && k < 2 * side * count; k++) bytes[16 + k] = (uint8_t)k;
        FILE *f = fopen(in(folder, names[i]), "wb");
        assert_non_null(f);
        fwrite(bytes, 1, (size_t)(i % 2 ? 8 + count : 16 + 2 * side * count), f);
        fclose(f);
    }
}

static void letters_stand_upright(void **state) {
    (void)state;
    char here[160];
    snprintf(here, sizeof here, "%s/letters", data);
    make_letters(here, 27, 1, 2);
    assert_true(elbo_dataset_present("letters"));
    elbo_dataset d = open_good("letters", NULL, ELBO_BOTH_SPLITS);
    assert_int_equal(d.classes, 26);
    assert_string_equal(d.class_names[0], "A");
    assert_string_equal(d.class_names[25], "Z");
    assert_int_equal(d.train.labels[0], 0);
    assert_int_equal(d.test.labels[25], 25);
    assert_int_equal(d.test.labels[26], 0);
    assert_memory_equal(d.train.bytes, ((uint8_t[]){0, 2, 1, 3, 4, 6, 5, 7}), 8);
    assert_int_equal(d.test.bytes[4 * 26 + 1], 4 * 26 + 2);
    elbo_dataset_close(&d);
    d = open_good("letters", NULL, ELBO_TEST_SPLIT); // one split alone: as many classes
    assert_int_equal(d.classes, 26);
    assert_null(d.train.bytes);
    elbo_dataset_close(&d);
    make_letters(here, 5, 0, 2);
    assert_message(open_bad("letters", NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT), "label 0 of image 0", "1 to 26");
    make_letters(here, 5, 1, 3);
    assert_message(open_bad("letters", NULL, ELBO_BOTH_SPLITS, ELBO_BAD_INPUT), "square");
    make_letters(here, 5, 1, 2);
    assert_int_equal(unlink(in(here, "emnist-letters-test-labels-idx1-ubyte")), 0);
    assert_message(open_bad("letters", NULL, ELBO_BOTH_SPLITS, ELBO_NOT_FOUND),
                   "lacks emnist-letters-test-labels-idx1-ubyte");
}

static void kmnist_has_names(void **state) {
    (void)state;
    make_idx(in(data, "kmnist"), ALL, 5, 10);
    elbo_dataset d = open_good("kmnist", NULL, ELBO_BOTH_SPLITS);
    assert_string_equal(d.class_names[3], "tsu");
    assert_int_equal(d.train.bytes[0], 5);
    elbo_dataset_close(&d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clean)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_looked_for_in_elbo_data_and_then_in_the_cache),
        TEST(the_cache_folder_follows_the_environment),
        TEST(a_split_that_is_not_asked_for_is_not_read),
        TEST(a_path_may_hold_the_files_or_a_folder_of_the_name),
        TEST(a_recipe_may_name_a_folder),
        TEST(labels_may_be_missing_only_altogether),
        TEST(labels_beyond_the_known_classes_are_refused),
        TEST(unknown_names_are_answered_with_the_nearest),
        TEST(what_is_wrong_inside_a_file_is_passed_on),
        TEST(digits_are_made),
        TEST(letters_stand_upright),
        TEST(kmnist_has_names),
        TEST(an_npy_file_holds_out_its_last_tenth),
        TEST(npy_shapes_become_images),
        TEST(npy_floats_stay_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
