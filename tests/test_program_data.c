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
    assert_true(trained(expect_json(&p), "recipe", 300) == loss);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipe_and_epochs),
        cmocka_unit_test(test_says_so),
        cmocka_unit_test(test_what_is_no_data),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
