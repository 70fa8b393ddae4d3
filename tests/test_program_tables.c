/* Tables of numbers, labels from a file, and folders of class folders, as a user gives them. */
#include "program.h"

#include <math.h>

#include "data/table.h"

#include "formats/npy.h"

enum { ROWS = 400, COLUMNS = 6 };

static elbo_array array_of(const char *name) {
    elbo_array a;
    elbo_error err;
    if (elbo_npy_read(&a, scratch_path(&here, name), &err) != ELBO_OK) fail_msg("%s", err.message);
    return a;
}

static json_t *said(program p) { return expect_json(&p); }
#define json_of(...) said(elbo(__VA_ARGS__))

/* Three clouds, their columns on very different scales; a word for each. */
static void write_table(void) {
    static const char *const words[] = {"setosa", "versicolor", "virginica"};
    FILE *table = fopen(scratch_path(&here, "tab.csv"), "w"), *labels = fopen(scratch_path(&here, "species.txt"), "w");
    assert_true(table && labels);
    fputs("a,b,c,d,e,f\n", table);
    fputs("species\n", labels);
    for (int i = 0; i < ROWS; i++) {
        int k = i * 7 % 3;
        for (int c = 0; c < COLUMNS; c++) {
            double v = sin(i * 1.7 + c) + sin(i * 0.37 * (c + 1)) + 4 * (c % 3 == k);
            fprintf(table, c ? ",%.9g" : "%.9g", v * pow(10, c - 3) + 50 * c);
        }
        fputc('\n', table);
        fprintf(labels, "%s\n", words[k]);
    }
    fclose(table);
    fclose(labels);
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_table();
    write_data("mnist", 300, 60);
    run_well("train", "mnist-vae", "-o", "vae", "-e", "1", "-q");
    run_well("train", "tab.csv", "--labels", "species.txt", "-e", "30", "-q");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static void test_scales(void **state) {
    (void)state;
    elbo_dataset d, other;
    elbo_error err;
    elbo_data_options o = {.splits = ELBO_BOTH_SPLITS, .standardise = true};
    char path[400];
    snprintf(path, sizeof path, "%s", scratch_path(&here, "tab.csv"));
    o.labels = strdup(scratch_path(&here, "species.txt"));
    assert_int_equal(elbo_dataset_open_with(&d, path, NULL, &o, &err), ELBO_OK);
    assert_true(d.train.count == ROWS - ROWS / 10 && d.test.count == ROWS / 10 && d.classes == 3);
    assert_string_equal(d.class_names[1], "versicolor");
    for (uint32_t i = 0; i < d.test.count; i++) assert_int_equal(d.test.labels[i], (int)(d.train.count + i) * 7 % 3);
    for (int c = 0; c < COLUMNS; c++) {
        double sum = 0, squares = 0;
        for (uint32_t i = 0; i < d.train.count; i++) {
            double v = d.train.floats[i * COLUMNS + (uint32_t)c];
            sum += v;
            squares += v * v;
        }
        assert_true(fabs(sum / d.train.count) < 1e-4 && fabs(squares / d.train.count - 1) < 1e-3);
    }
    o.splits = ELBO_TEST_SPLIT; // alone: by the training rows all the same
    assert_int_equal(elbo_dataset_open_with(&other, path, NULL, &o, &err), ELBO_OK);
    assert_memory_equal(other.test.floats, d.test.floats, d.test.count * COLUMNS * sizeof(float));
    assert_memory_equal(other.test.labels, d.test.labels, d.test.count);
    elbo_dataset_close(&other);
    elbo_dataset_close(&d);
    free((char *)(uintptr_t)o.labels);
}

static void test_table(void **state) {
    (void)state;
    json_t *o = json_of("eval", "runs/table-vae", "--confusion", "--json");
    assert_true(number(o, "knn_accuracy") > 0.9 && number(o, "image_bytes") == 4 * COLUMNS);
    json_t *confusion = json_object_get(o, "confusion");
    assert_int_equal(json_array_size(json_object_get(confusion, "classes")), 3);
    json_decref(o);
    run_well("encode", "runs/table-vae", "test", "-o", "test.npy");
    run_well("encode", "runs/table-vae", "tab.csv", "-o", "all.npy"); // scaled as what the model learned from
    elbo_array test = array_of("test.npy"), all = array_of("all.npy");
    assert_true(all.shape[0] == ROWS && test.shape[0] == ROWS / 10);
    assert_memory_equal(test.data, (float *)all.data + (ROWS - ROWS / 10) * test.shape[1], test.count * sizeof(float));
    elbo_array_free(&test);
    elbo_array_free(&all);
    run_well("outliers", "runs/table-vae", "tab.csv", "-o", "scores.csv");
    run_well("project", "runs/table-vae", "-o", "map.png");
    run_well("sample", "runs/table-vae", "-o", "s.npy");
    run_well("report", "runs/table-vae", "-o", "page.html");
    refused(1, WORDS("table-vae", "tables of 6 columns", "encode"), "reconstruct", "runs/table-vae");
    refused(1, WORDS("tables of 6 columns"), "sample", "runs/table-vae");
    refused(1, WORDS("tables of 6 columns"), "interpolate", "runs/table-vae", "test:1", "test:2");
    run_well("train", "table-vae", "--data", "tab.csv", "-o", "by-name", "-e", "1", "-q");
    run_well("train", "./tab.csv", "-o", "wide", "-e", "1", "-q", "--set", "latent=2");
    o = json_of("eval", "wide", "--json");
    json_decref(o);
    refused(1, WORDS("species.txt", "400 labels", "360 rows"), "train", "mnist-vae", "--labels", "species.txt", "-o",
            "x");
    assert_false(there("x/model.safetensors"));
}

/* PNG files in folders that are named as classes. */
static void write_picture(const char *name, int value) {
    uint8_t pixels[28 * 28];
    for (int i = 0; i < 28 * 28; i++) pixels[i] = (uint8_t)(i % 28 > 10 && i % 28 < 16 ? value : 0);
    elbo_error err;
    assert_int_equal(elbo_png_write(scratch_path(&here, name), pixels, 28, 28, 1, &err), ELBO_OK);
}

static void test_folders(void **state) {
    (void)state;
    elbo_error err;
    assert_int_equal(elbo_make_folder(scratch_path(&here, "new/1"), &err), ELBO_OK);
    assert_int_equal(elbo_make_folder(scratch_path(&here, "new/3"), &err), ELBO_OK);
    write_picture("new/1/a.png", 250);
    write_picture("new/1/b.png", 200);
    write_picture("new/3/c.png", 100);
    run_well("encode", "vae", "new", "-o", "new.npy");
    elbo_array z = array_of("new.npy");
    assert_int_equal(z.shape[0], 3);
    elbo_array_free(&z);
    json_t *o = json_of("outliers", "vae", "new", "--anomaly", "class:3", "--duplicates", "--json");
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "names"), 2)), "3/c.png");
    json_decref(o);
    refused(1, WORDS("--anomaly 7", "none"), "outliers", "vae", "new", "--anomaly", "7");
}

/* ---- what else is done with runs and their codes ---- */

static void test_cluster(void **state) {
    (void)state;
    json_t *o = json_of("cluster", "runs/table-vae", "-k", "3", "-o", "clusters.csv", "--json");
    assert_int_equal(json_array_size(json_object_get(o, "clusters")), 3);
    assert_int_equal(json_array_size(json_object_get(o, "assignment")), ROWS / 10);
    assert_true(number(o, "purity") > 0.5 && number(o, "purity") <= 1);
    json_decref(o);
    assert_there("clusters.csv");
    run_well("cluster", "vae", "train", "-k", "5", "-o", "c.png");
    assert_there("c.png");
    refused(1, WORDS("61 clusters", "60"), "cluster", "vae", "-k", "61");
    refused(2, WORDS("cluster", "test or train"), "cluster", "vae", "tset");
}

/* A sweep's runs in the order of what it went over, whatever the order they are named in. */
static void test_differences(void **state) {
    (void)state;
    run_well("train", "tab.csv", "-o", "l4", "-e", "1", "-q", "--set", "latent=4", "--labels", "species.txt");
    run_well("train", "tab.csv", "-o", "l1", "-e", "1", "-q", "--set", "latent=1", "--labels", "species.txt");
    run_well("train", "tab.csv", "-o", "l2", "-e", "1", "-q", "--set", "latent=2", "--labels", "species.txt");
    json_t *o = json_of("compare", "l4", "l1", "l2", "--json"), *all = json_object_get(o, "differences");
    assert_int_equal(json_object_size(all), 1);
    json_t *values = json_object_get(all, "latent"), *runs = json_object_get(o, "runs");
    for (size_t i = 0; i < 3; i++) {
        static const char *const wanted[] = {"1", "2", "4"}, *const folder[] = {"l1", "l2", "l4"};
        assert_string_equal(json_string_value(json_array_get(values, i)), wanted[i]);
        assert_string_equal(json_string_value(json_object_get(json_array_get(runs, i), "label")), folder[i]);
    }
    json_decref(o);
    program p = elbo("compare", "l4", "runs/table-vae");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "train.epochs: l4 1 | table-vae 30"));
    program_free(&p);
}

/* Every option of every command is in its man page and in each completion. */
static void test_manual(void **state) {
    (void)state;
    program p = elbo("manual", "man", "train");
    expect_code(&p, 0);
    assert_non_null(strstr(p.out, "\\-\\-labels FILE"));
    program_free(&p);
    static const char *const shells[] = {"bash", "zsh", "fish"};
    for (int i = 0; i < 3; i++) {
        p = elbo("manual", shells[i]);
        expect_code(&p, 0);
        assert_true(strstr(p.out, "confusion") && strstr(p.out, "cluster"));
        program_free(&p);
    }
    refused(1, WORDS("tarin", "no such command"), "manual", "man", "tarin");
    refused(2, WORDS("ksh", "bash, zsh or fish"), "manual", "ksh");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scales),  cmocka_unit_test(test_table),       cmocka_unit_test(test_folders),
        cmocka_unit_test(test_cluster), cmocka_unit_test(test_differences), cmocka_unit_test(test_manual),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
