/* Recipes: the built-in ones, every key there and back, and overrides. What is refused is in test_recipe_errors.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "recipe/numbers.h"
#include "recipe/recipe.h"

/* Tests run inside a folder of their own, so that messages name `x.yaml`. */
static char folder[] = "/tmp/elbo-test-recipe-XXXXXX";

static int enter_folder(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state) {
    (void)state;
    unlink("x.yaml");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; // and nothing else was left in it
}

static void write_text(const char *path, const char *text, size_t n) {
    elbo_error err;
    assert_int_equal(elbo_file_write(path, text, n, &err), ELBO_OK);
}

/* Opens or shows why not. */
static elbo_recipe opened(const char *name, const char *const *sets, int count) {
    elbo_recipe r;
    elbo_error err;
    if (elbo_recipe_open(&r, name, sets, count, &err) != ELBO_OK) fail_msg("%s", err.message);
    return r;
}

static void assert_same_layers(const elbo_layers *a, const elbo_layers *b) {
    assert_int_equal(a->count, b->count);
    for (int i = 0; i < a->count; i++) {
        const elbo_layer *x = &a->layer[i], *y = &b->layer[i];
        assert_string_equal(x->text, y->text);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->argument_count, y->argument_count);
        for (int k = 0; k < x->argument_count; k++) {
            assert_string_equal(x->arguments[k].value, y->arguments[k].value);
            assert_string_equal(x->arguments[k].key ? x->arguments[k].key : "-",
                                y->arguments[k].key ? y->arguments[k].key : "-");
        }
    }
}

static void assert_same_recipe(const elbo_recipe *a, const elbo_recipe *b) {
    assert_string_equal(a->about, b->about);
    assert_string_equal(a->data, b->data);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->latent, b->latent);
    assert_int_equal(a->head.channels, b->head.channels);
    assert_same_layers(&a->head.layer, &b->head.layer);
    assert_string_equal(a->vgg16 ? a->vgg16 : "-", b->vgg16 ? b->vgg16 : "-");
    assert_same_layers(&a->encoder, &b->encoder);
    assert_same_layers(&a->decoder, &b->decoder);
    assert_memory_equal(&a->image, &b->image, sizeof a->image);
    assert_memory_equal(&a->loss, &b->loss, sizeof a->loss);
    assert_memory_equal(&a->train.betas, &b->train.betas, sizeof a->train.betas);
    assert_int_equal(a->train.epochs, b->train.epochs);
    assert_int_equal(a->train.batch, b->train.batch);
    assert_int_equal(a->train.optimizer, b->train.optimizer);
    assert_int_equal(a->train.schedule, b->train.schedule);
    assert_int_equal(a->train.step_size, b->train.step_size);
    assert_true(a->train.lr == b->train.lr && a->train.momentum == b->train.momentum);
    assert_true(a->train.weight_decay == b->train.weight_decay && a->train.eps == b->train.eps);
    assert_true(a->train.eta_min == b->train.eta_min && a->train.gamma == b->train.gamma);
    assert_true(a->train.clip == b->train.clip && a->train.seed == b->train.seed);
}

/* Text, read back, gives the same recipe and the same text. */
static void assert_round_trip(const elbo_recipe *r) {
    char *text = elbo_recipe_text(r);
    assert_non_null(text);
    write_text("x.yaml", text, strlen(text));
    elbo_recipe back = opened("x.yaml", NULL, 0);
    assert_same_recipe(r, &back);
    char *again = elbo_recipe_text(&back);
    assert_string_equal(text, again);
    free(again);
    free(text);
    elbo_recipe_close(&back);
}

/* ------------------------------------------------------------------------------------------------ good recipes */

static void every_builtin_opens_and_comes_back(void **state) {
    (void)state;
    const char *first[] = {"mnist-ae", "mnist-ae-2d", "mnist-vae", "mnist-vae-2d", "fashion-vae"}; // the order is kept
    int count = 0;
    for (const elbo_builtin_recipe *b = elbo_builtin_recipes; b->name; b++, count++) {
        if (count < (int)(sizeof first / sizeof *first)) assert_string_equal(b->name, first[count]);
        elbo_recipe r = opened(b->name, NULL, 0);
        assert_string_equal(r.name, b->name);
        assert_true(strlen(r.about) > 10);
        assert_true(strncmp(r.file, "recipes/", 8) == 0);
        assert_round_trip(&r);
        elbo_recipe_close(&r);
    }
    assert_true(count >= 5);
}

static void the_tutorials_vae_is_what_the_tutorial_says(void **state) {
    (void)state;
    elbo_recipe r = opened("mnist-vae", NULL, 0);
    assert_string_equal(r.file, "recipes/mnist-vae.yaml");
    assert_string_equal(r.data, "mnist");
    assert_int_equal(r.kind, ELBO_VAE);
    assert_int_equal(r.latent, 20);
    assert_int_equal(r.latent_place.line, 4);
    assert_int_equal(r.encoder.count, 3);
    assert_string_equal(r.encoder.layer[1].text, "linear 400");
    assert_string_equal(r.encoder.layer[1].name, "linear");
    assert_string_equal(r.encoder.layer[1].arguments[0].value, "400");
    assert_null(r.encoder.layer[1].arguments[0].key);
    assert_int_equal(r.encoder_place.line, 6);
    assert_int_equal(r.encoder.layer[1].place.line, 8);
    assert_string_equal(r.encoder.layer[1].place.file, r.file);
    assert_string_equal(r.decoder.layer[3].name, "sigmoid");
    assert_int_equal(r.loss.reconstruction.term[0].kind, ELBO_BCE);
    assert_true(r.loss.kl == 1 && r.loss.kl_warmup == 0 && r.image.low == 0 && r.image.high == 1);
    assert_int_equal(r.train.epochs, 10);
    assert_int_equal(r.train.batch, 128);
    assert_int_equal(r.train.optimizer, ELBO_ADAM);
    assert_true(r.train.lr == 0.001f && r.train.betas[0] == 0.9f && r.train.betas[1] == 0.999f);
    assert_true(r.train.eps == 1e-8f && r.train.weight_decay == 0 && r.train.clip == 0 && r.train.seed == 0);
    elbo_recipe_close(&r);
}

static const char shortest[] = "kind: ae\nlatent: 3\nencoder: [flatten]\ndecoder: [linear 784]\n";

static void defaults_are_pytorchs(void **state) {
    (void)state;
    write_text("x.yaml", shortest, sizeof shortest - 1);
    elbo_recipe r = opened("x.yaml", NULL, 0);
    assert_string_equal(r.name, "x");
    assert_string_equal(r.file, "x.yaml");
    assert_string_equal(r.about, "");
    assert_string_equal(r.data, "mnist");
    assert_int_equal(r.loss_place.line, 0);
    assert_true(r.loss.kl == 0); // an autoencoder has none
    assert_round_trip(&r);
    elbo_recipe_close(&r);

    write_text("x.yaml", shortest, sizeof shortest - 1);
    r = opened("x.yaml", (const char *[]){"train.optimizer=adamw"}, 1);
    assert_true(r.train.weight_decay == 0.01f && r.train.betas[1] == 0.999f);
    assert_round_trip(&r);
    elbo_recipe_close(&r);

    r = opened("mnist-vae", (const char *[]){"train.optimizer=sgd", "train.schedule=step"}, 2);
    assert_true(r.train.weight_decay == 0 && r.train.momentum == 0 && r.train.gamma == 0.1f);
    assert_int_equal(r.train.step_size, 1);
    assert_round_trip(&r);
    elbo_recipe_close(&r);
}

static void every_key_comes_back(void **state) {
    (void)state;
    static const char adamw[] = "# a comment\n"
                                "about: 'it''s: \"all\" # of it'\nkind: vae\ndata: /data/my images, 2\nlatent: 65536\n"
                                "image: {range: [-0.5, 0.7]}\n"
                                "encoder:\n  - conv2d 16 kernel=3   stride=2 padding=1\n  - leaky_relu 0.01\n"
                                "decoder: [conv_transpose2d 32 kernel=3,\n  unflatten 64 7 7]\n"
                                "loss: {reconstruction: l1, kl: {weight: 0.1, warmup: 2.5}}\n"
                                "train:\n  epochs: 1000000\n  batch: 65536\n  optimizer: adamw\n  lr: 3e-4\n"
                                "  weight_decay: 1.1754944e-38\n  betas: [0.5, 0.99999]\n  eps: 0.0000001\n"
                                "  schedule: cosine\n  eta_min: .0001\n  clip: 3.4e38\n  seed: 18446744073709551615\n";
    write_text("x.yaml", adamw, sizeof adamw - 1);
    elbo_recipe r = opened("x.yaml", NULL, 0);
    assert_string_equal(r.about, "it's: \"all\" # of it");
    assert_string_equal(r.data, "/data/my images, 2");
    assert_int_equal(r.encoder.layer[0].argument_count, 4);
    assert_string_equal(r.encoder.layer[0].arguments[2].key, "stride");
    assert_string_equal(r.encoder.layer[0].arguments[2].value, "2");
    assert_int_equal(r.decoder_place.line, 10);
    assert_int_equal(r.decoder.layer[1].place.line, 11); // its own line, inside a flow list too
    assert_int_equal(r.loss_place.line, 12);
    assert_int_equal(r.loss.reconstruction.term[0].kind, ELBO_L1);
    assert_true(r.loss.kl == 0.1f && r.loss.kl_warmup == 2.5f && r.image.low == -0.5f && r.image.high == 0.7f);
    assert_true(r.train.lr == 3e-4f && r.train.betas[1] == 0.99999f && r.train.eta_min == 1e-4f);
    assert_true(r.train.seed == UINT64_MAX);
    assert_round_trip(&r);
    elbo_recipe_close(&r);

    static const char sgd[] =
        "{kind: ae, latent: none, encoder: [a], decoder: [b c=d], loss: {reconstruction: mse},\n"
        "train: {optimizer: sgd, momentum: 0.9, weight_decay: 0.1, schedule: step, step_size: 7,\n"
        "gamma: 0.3333333, seed: 00012}, about: null-ish}";
    write_text("x.yaml", sgd, sizeof sgd - 1);
    r = opened("x.yaml", NULL, 0);
    assert_int_equal(r.latent, 0);
    assert_int_equal(r.train.step_size, 7);
    assert_int_equal(r.train.seed, 12);
    assert_round_trip(&r);
    elbo_recipe_close(&r);
}

/* Terms over the code: a resolved recipe says those that are on, and what else they have. */
static void terms_over_the_code_come_back(void **state) {
    (void)state;
    const char *sets[] = {"loss.kl={free: 0.1, capacity: 25, over: 7, tc: 6}", "loss.mmd={weight: 12, kernel: rbf}",
                          "loss.penalty=1e-4"};
    elbo_recipe r = opened("mnist-vae", sets, 3);
    assert_true(r.loss.latent[ELBO_LATENT_FREE_BITS].number == 0.1f && r.loss.latent[ELBO_LATENT_TC].number == 6);
    assert_true(r.loss.latent[ELBO_LATENT_CAPACITY].number == 25 && r.loss.latent[ELBO_LATENT_CAPACITY].argument == 7);
    assert_true(r.loss.latent[ELBO_LATENT_MMD].choice == ELBO_MMD_RBF &&
                r.loss.latent[ELBO_LATENT_PENALTY].number == 1e-4f);
    assert_true(r.loss.latent[ELBO_LATENT_MI].number == 1); // as the plain KL has it
    assert_round_trip(&r);
    char *text = elbo_recipe_text(&r);
    assert_non_null(strstr(text,
                           "  kl: {weight: 1, warmup: 0, schedule: constant, free: 0.1, capacity: 25, over: 7, tc: 6}\n"
                           "  mmd: {weight: 12, kernel: rbf}\n  penalty: {weight: 0.0001}\n"));
    free(text);
    elbo_recipe_close(&r);
    r = opened("mnist-vae", NULL, 0);
    text = elbo_recipe_text(&r);
    assert_non_null(strstr(text, "  kl: {weight: 1, warmup: 0, schedule: constant}\ntrain:"));
    free(text);
    elbo_recipe_close(&r);
}

static void texts_that_look_like_something_else_come_back(void **state) {
    (void)state;
    const char *sets[] = {"about='null'",        "about=\"line\\nline\\n\"",
                          "about=' blanks '",    "about='# no comment'",
                          "about='- no list'",   "about=\"\\x07\\x85\"",
                          "about=\"\\uFEFF\"",   "about='007'",
                          "about='&a *b !c %d'", "about=\"\\u2028 \\t\"",
                          "about='---'",         "about='a: b'",
                          "about=é ☃ 𝄞",         "about=''",
                          "about='true'",        "about='1.5'"};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        elbo_recipe r = opened("mnist-ae", &sets[i], 1);
        assert_round_trip(&r);
        elbo_recipe_close(&r);
    }
}

static void overrides_override_in_order(void **state) {
    (void)state;
    const char *sets[] = {"train.lr=3e-4",
                          "train.lr=0.5",
                          "loss.kl.warmup=5",     // `kl: 1` becomes {weight: 1, warmup: 5}
                          "image.range=[0, 0.5]", // a map that was not there
                          "encoder=[flatten, linear 7 bias=no]",
                          "data=/some where/x=y.npy"};
    elbo_recipe r = opened("mnist-vae", sets, sizeof sets / sizeof *sets);
    assert_true(r.train.lr == 0.5f && r.loss.kl == 1 && r.loss.kl_warmup == 5 && r.image.high == 0.5f);
    assert_string_equal(r.data, "/some where/x=y.npy");
    assert_int_equal(r.encoder.count, 2);
    assert_string_equal(r.encoder.layer[1].arguments[1].key, "bias");
    assert_string_equal(r.encoder.layer[1].place.file, "--set encoder=[flatten, linear 7 bias=no]");
    assert_int_equal(r.encoder.layer[1].place.line, 0);
    assert_int_equal(r.decoder.layer[0].place.line, 12);
    assert_round_trip(&r);
    elbo_recipe_close(&r);

    r = opened("mnist-vae", (const char *[]){"loss={kl: {warmup: 3}}", "loss.kl=4", "loss.kl.warmup=2"}, 3);
    assert_true(r.loss.kl == 4 && r.loss.kl_warmup == 2);
    elbo_recipe_close(&r);

    write_text("x.yaml", "", 0); // even a whole recipe
    r = opened("x.yaml", (const char *[]){"kind=ae", "latent=none", "encoder=[a]", "decoder=[b]"}, 4);
    assert_round_trip(&r);
    elbo_recipe_close(&r);
}

static void floats_are_printed_short_and_come_back(void **state) {
    (void)state;
    char text[ELBO_FLOAT_TEXT];
    assert_string_equal(elbo_print_float(0.001f, text), "0.001");
    assert_string_equal(elbo_print_float(1e-8f, text), "1.0e-8");
    assert_string_equal(elbo_print_float(2.5e-7f, text), "2.5e-7");
    assert_string_equal(elbo_print_float(3.4028235e38f, text), "3.4028235e+38");
    assert_string_equal(elbo_print_float(-1, text), "-1");
    assert_string_equal(elbo_print_float(0, text), "0");
    uint32_t bits = 1;
    for (int i = 0; i < 20000; i++) { // a walk over the positive finite floats, denormal ones too
        float value, back;
        bits = (bits * 1664525u + 1013904223u);
        uint32_t finite = bits % 0x7f800000u;
        memcpy(&value, &finite, sizeof value);
        assert_true(elbo_parse_float(elbo_print_float(value, text), &back));
        assert_memory_equal(&value, &back, sizeof value);
    }
}

static void a_comma_locale_changes_nothing(void **state) {
    (void)state;
    const char *names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8", NULL};
    bool found = false;
    for (int i = 0; names[i] && !found; i++) found = setlocale(LC_NUMERIC, names[i]) != NULL;
    if (!found) skip();
    elbo_recipe r = opened("mnist-vae", NULL, 0);
    char *text = elbo_recipe_text(&r);
    float lr = r.train.lr;
    char *point = strstr(text, "lr: 0.001\n");
    elbo_recipe_close(&r);
    free(text);
    setlocale(LC_NUMERIC, "C");
    assert_true(lr == 0.001f);
    assert_non_null(point);
}

static void the_list_of_keys_has_every_key(void **state) {
    (void)state;
    char *text = elbo_recipe_keys();
    assert_non_null(strstr(text, "kind: ae or vae; required\n"));
    assert_non_null(strstr(text, "train.seed: "));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_builtin_opens_and_comes_back),
        cmocka_unit_test(the_tutorials_vae_is_what_the_tutorial_says),
        cmocka_unit_test(defaults_are_pytorchs),
        cmocka_unit_test(every_key_comes_back),
        cmocka_unit_test(terms_over_the_code_come_back),
        cmocka_unit_test(texts_that_look_like_something_else_come_back),
        cmocka_unit_test(overrides_override_in_order),
        cmocka_unit_test(floats_are_printed_short_and_come_back),
        cmocka_unit_test(a_comma_locale_changes_nothing),
        cmocka_unit_test(the_list_of_keys_has_every_key),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
