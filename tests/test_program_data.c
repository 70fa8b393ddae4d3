/* elbo train DATA: the recipe, the epochs and the run of data that come without one. */
#include "program.h"

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    write_data("my data: 'é'", 60, 20);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static double trained(json_t *o, const char *recipe, int epochs) {
    assert_string_equal(text(o, "recipe"), recipe);
    assert_int_equal((int)number(o, "epochs"), epochs);
    double loss = number(json_object_get(o, "test"), "loss");
    json_decref(o);
    return loss;
}

/* Few images are seen often, unless the user says how often; recipe.yaml repeats the run from anywhere. */
static void test_recipe_and_epochs(void **state) {
    (void)state;
    program p = elbo("train", "my data: 'é'", "-o", "few", "--json");
    double loss = trained(expect_json(&p), "mnist-vae", 300);
    p = elbo("train", "my data: 'é'", "-o", "two", "-e", "2", "--json");
    trained(expect_json(&p), "mnist-vae", 2);
    p = elbo("train", "my data: 'é'", "-o", "three", "--set", "train.epochs=3", "--json");
    trained(expect_json(&p), "mnist-vae", 3);
    p = elbo("train", "few/recipe.yaml", "-o", "again", "--json");
    assert_true(trained(expect_json(&p), "few", 300) == loss);
}

/* It says what it chose. */
static void test_says_so(void **state) {
    (void)state;
    program p = elbo("train", "my data: 'é'", "-o", "said");
    expect_code(&p, 0);
    assert_non_null(strstr(p.err, "recipe mnist-vae, 300 epochs of 60 images"));
    program_free(&p);
}

static void test_what_is_no_data(void **state) {
    (void)state;
    run_well("train", "mnist-ae", "-o", "run", "-e", "1", "-q", "-d", "my data: 'é'");
    char *empty = in_scratch("empty");
    assert_int_equal(mkdir(empty, 0777), 0);
    free(empty);
    refused(1, WORDS("empty", "data that elbo reads"), "train", "empty");
    refused(1, WORDS("run", "is a run"), "train", "run");
    refused(1, WORDS("nothing", "no such recipe"), "train", "nothing");
}

/* A folder in $ELBO_DATA is found by its name by every command, as data, as a recipe's `data:` and with -d. */
static void test_names_of_data(void **state) {
    (void)state;
    write_data("shared", 60, 20); // the scratch folder is $ELBO_DATA
    char *inside = in_scratch("deep");
    assert_int_equal(mkdir(inside, 0777), 0);
    free(inside);
    program p = elbo("data", "info", "shared", "--json"), q = elbo("data", "info", "-d", "shared", "--json");
    json_t *o = expect_json(&p), *same = expect_json(&q);
    assert_true(json_equal(o, same));
    json_decref(o);
    json_decref(same);
    world.folder = "deep"; // where no folder of this name lies
    run_well("train", "shared", "-o", "../named", "-e", "1", "-q");
    world.folder = "deep";
    run_well("train", "mnist-vae", "--data", "shared", "-o", "../given", "-e", "1", "-q");
    assert_same_bytes("named/model.safetensors", "given/model.safetensors");
    world.folder = "deep";
    p = elbo("eval", "../named", "--data", "shared", "--json");
    o = expect_json(&p);
    assert_true(number(o, "images") == 20);
    json_decref(o);
    p = elbo("eval", "given", "--json");
    o = expect_json(&p);
    assert_true(number(o, "images") == 20);
    json_decref(o);
    world.folder = "deep";
    refused(1, WORDS("shred", "$ELBO_DATA"), "eval", "../given", "--data", "shred");
    refused(1, WORDS("photo-vae", "`photos`", "--data FOLDER", "elbo data list"), "train", "photo-vae");
    refused(1, WORDS("dogs-sharp-vae", "--data FOLDER"), "train", "dogs-sharp-vae");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe_and_epochs),
        cmocka_unit_test(test_says_so),
        cmocka_unit_test(test_what_is_no_data),
        cmocka_unit_test(test_names_of_data),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
