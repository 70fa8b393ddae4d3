/* The list of metrics and all that walks it, on a list that no recipe has: several terms of a role, and one that is only
 * measured. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/run_folder.h"
#include "run/scores_json.h"

#include "close.h"
#include "engine.h"
#include "scratch.h"

static const elbo_metrics several = {
    .count = 6,
    .metric = {{"squares", "nats/image", ELBO_METRIC_RECONSTRUCTION, 1, false, ELBO_PLAYER_MODEL},
               {"edges", "nats/image", ELBO_METRIC_RECONSTRUCTION, 0.5, false, ELBO_PLAYER_MODEL},
               {"prior", "nats/image", ELBO_METRIC_KL, 4, false, ELBO_PLAYER_MODEL},
               {"labels", "nats/image", ELBO_METRIC_KL, 4, false, ELBO_PLAYER_MODEL},
               {"errors", "sum/image", ELBO_METRIC_SQUARED_ERROR, 0, false, ELBO_PLAYER_MODEL},
               {"right", "share", ELBO_METRIC_MEASURED, 0, false, ELBO_PLAYER_MODEL}}};
static const double batch[2][6] = {{30, 8, 6, 2, 20, 3}, {10, 4, 2, 0, 12, 1}};
enum { VALUES = 8 }; // of an image

static scratch folder;

static elbo_recipe recipe_with(const char *loss) {
    elbo_recipe r;
    char set[200];
    snprintf(set, sizeof set, "loss=%s", loss);
    assert_ok(elbo_recipe_open(&r, "mnist-vae", (const char *const[]){set}, 1, &failure));
    return r;
}

static elbo_metric_sums both(void) {
    elbo_metric_sums s = {0};
    for (int i = 0; i < 2; i++) elbo_metric_sums_add(&s, &several, batch[i]);
    return s;
}

static void sums_and_means_go_by_role(void **state) {
    (void)state;
    elbo_metric_sums sums = both();
    assert_true(sums.metric[0] == 40 && sums.metric[5] == 4);
    assert_true(sums.reconstruction == 40 + 0.5 * 12 && sums.kl == 10 && sums.squared_error == 32);
    elbo_scores s = elbo_scores_of(&several, &sums, 4, VALUES);
    assert_true(s.images == 4 && s.reconstruction == 11.5 && s.kl == 2.5 && s.loss == 14 && s.mse == 1);
    assert_true(s.metric[1] == 3 && s.metric[3] == 0.5 && s.metric[5] == 1);
    elbo_recipe r = recipe_with("{kl: 4}"), mean = recipe_with("{kl: 4, scale: mean}");
    elbo_scores_set_objective(&s, &r, 4, VALUES);
    assert_true(s.objective == 11.5 + 4 * 2.5);
    elbo_scores_set_objective(&s, &mean, 0.5, VALUES);
    assert_true(s.objective == (11.5 + 0.5 * 2.5) / VALUES);
    assert_true(elbo_scores_value(&s, &several, "loss") == 14 && elbo_scores_value(&s, &several, "kl") == 2.5);
    assert_true(elbo_scores_value(&s, &several, "labels") == 0.5 && isnan(elbo_scores_value(&s, &several, "bce")));
    assert_string_equal(elbo_scores_unit(&several, "right"), "share");
    assert_null(elbo_scores_unit(&several, "bce"));
    char names[ELBO_SCORES_NAMES];
    assert_string_equal(elbo_scores_names(&several, names),
                        "objective, loss, reconstruction, kl, mse, squares, edges, prior, labels, errors and right");
    elbo_recipe_close(&r);
    elbo_recipe_close(&mean);
}

/* What is unknown follows where it is the only one of its role. */
static void what_an_older_run_has_not_is_derived(void **state) {
    (void)state;
    elbo_metrics one = {.count = 3,
                        .metric = {{"edges", "", ELBO_METRIC_RECONSTRUCTION, 0.5, false, ELBO_PLAYER_MODEL},
                                   {"prior", "", ELBO_METRIC_KL, 4, false, ELBO_PLAYER_MODEL},
                                   {"errors", "", ELBO_METRIC_SQUARED_ERROR, 0, false, ELBO_PLAYER_MODEL}}};
    elbo_scores s = {.reconstruction = 10, .kl = 3, .mse = 2, .metric = {NAN, NAN, NAN}};
    elbo_scores_fill(&s, &one, VALUES);
    assert_true(s.metric[0] == 20 && s.metric[1] == 3 && s.metric[2] == 16);
    s = (elbo_scores){.reconstruction = 10, .kl = 3, .mse = 2, .metric = {NAN, 1, NAN, NAN, NAN, NAN}};
    elbo_scores_fill(&s, &several, VALUES);
    assert_true(isnan(s.metric[0]) && s.metric[1] == 1 && isnan(s.metric[2]) && s.metric[4] == 16 &&
                isnan(s.metric[5]));
}

static void an_objective_says_what_it_is(void **state) {
    (void)state;
    static const struct {
        const char *loss;
        bool elbo, stays;
        const char *text; // of `several`, with the recipe's full weight
    } rows[] = {
        {"{kl: 1}", true, true, "squares + 0.5 edges + prior + labels"},
        {"{kl: 0}", false, false, "squares + 0.5 edges + 0 prior + 0 labels"},
        {"{kl: {weight: 1, warmup: 2}}", true, false, "squares + 0.5 edges + prior + labels"},
        {"{kl: {weight: 1, schedule: sine}}", true, false, "squares + 0.5 edges + prior + labels"},
        {"{kl: 1, scale: mean}", false, false, "(squares + 0.5 edges + prior + labels) / 8 values"},
        {"{reconstruction: 2 mse}", false, false, "squares + 0.5 edges + prior + labels"},
        {"{reconstruction: [mse, 0.3 perceptual]}", true, true, NULL}, // which is off
        {"{reconstruction: [mse, 0.7 l1]}", false, false, NULL},
    };
    char text[ELBO_OBJECTIVE_TEXT];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elbo_recipe r = recipe_with(rows[i].loss), plain = recipe_with("{kl: 1}");
        if (elbo_objective_is_elbo(&r, r.loss.kl) != rows[i].elbo) fail_msg("%s", rows[i].loss);
        if (elbo_objective_stays_elbo(&r) != rows[i].stays) fail_msg("%s", rows[i].loss);
        if (rows[i].text) assert_string_equal(elbo_objective_text(&r, &several, r.loss.kl, VALUES, text), rows[i].text);
        assert_true(elbo_objective_same(&r, &r) && elbo_objective_same(&r, &plain) == (i == 0));
        elbo_recipe_close(&r);
        elbo_recipe_close(&plain);
    }
    elbo_recipe r = recipe_with("{kl: 1}");
    assert_string_equal(elbo_objective_text(&r, &several, NAN, VALUES, text),
                        "squares + 0.5 edges + w prior + w labels");
    elbo_recipe_close(&r);
}

/* Terms over the code have weights of their own, or factors of the KL's. */
static void terms_over_the_code_are_part_of_it(void **state) {
    (void)state;
    elbo_recipe r =
        recipe_with("{reconstruction: mse, kl: {weight: 0.5, mi: 0, tc: 6, free: 0.1}, mmd: 10, penalty: 0.1}");
    elbo_metrics m = elbo_metrics_of(&r);
    char text[ELBO_OBJECTIVE_TEXT];
    assert_string_equal(elbo_objective_text(&r, &m, 0.5, VALUES, text),
                        "mse + 0.5 kl + 0.5 free_bits - 0.5 mi + 2.5 tc + 10 mmd + 0.1 penalty");
    assert_string_equal(elbo_objective_text(&r, &m, NAN, VALUES, text),
                        "mse + w kl + w free_bits - w mi + 5 w tc + 10 mmd + 0.1 penalty");
    const double sums[] = {20, 6, 1, 2, 3, 4, 5, 20}; // of two images
    elbo_metric_sums of = {0};
    elbo_metric_sums_add(&of, &m, sums);
    elbo_scores s = elbo_scores_of(&m, &of, 2, VALUES);
    assert_true(s.loss == 10 + 3 && s.kl == 3); // the ELBO has none of them
    elbo_scores_set_objective(&s, &r, 0.25, VALUES);
    assert_near("objective", 0, s.objective, 10 + 0.25 * (3 + 0.5 - 1 + 5 * 1.5) + 10 * 2 + 0.1 * 2.5, 1e-6);
    static const char *const others[] = {
        "{reconstruction: mse, kl: {weight: 0.5, mi: 0, tc: 5, free: 0.1}, mmd: 10, penalty: 0.1}",
        "{reconstruction: mse, kl: {weight: 0.5, mi: 0, tc: 6}, mmd: 10, penalty: 0.1}",
        "{reconstruction: mse, kl: {weight: 0.5, mi: 0, tc: 6, free: 0.1}, mmd: {weight: 10, kernel: rbf}, penalty: 0.1}"};
    for (int i = 0; i < 3; i++) {
        elbo_recipe other = recipe_with(others[i]);
        assert_false(elbo_objective_same(&r, &other));
        elbo_recipe_close(&other);
    }
    elbo_recipe_close(&r);
    r = recipe_with("{penalty: 0.1}");
    assert_false(elbo_objective_is_elbo(&r, 1));
    elbo_recipe_close(&r);
}

static void scores_come_back_from_json_by_name(void **state) {
    (void)state;
    elbo_recipe r = recipe_with("{kl: 4}");
    elbo_metric_sums sums = both();
    elbo_scores s = elbo_scores_of(&several, &sums, 4, VALUES), back;
    elbo_scores_set_objective(&s, &r, 4, VALUES);
    json_t *o = elbo_scores_to_json(&s, &several);
    assert_non_null(o);
    assert_true(elbo_scores_from_json(&back, o, &several, &r, 4, VALUES));
    assert_memory_equal(&s, &back, sizeof s);
    // another list: what it has not is passed over, what the JSON has not is unknown
    elbo_metrics other = several;
    other.metric[0].name = "bce";
    other.metric[5].name = "wrong";
    assert_true(elbo_scores_from_json(&back, o, &other, &r, 4, VALUES));
    assert_true(isnan(back.metric[0]) && back.metric[1] == 3 && isnan(back.metric[5]) && back.loss == 14);
    json_object_del(o, "objective"); // format 1
    json_object_del(o, "metrics");
    assert_true(elbo_scores_from_json(&back, o, &several, &r, 0.25, VALUES));
    assert_true(back.objective == 11.5 + 0.25 * 2.5 && isnan(back.metric[0]) && back.metric[4] == 8);
    json_object_del(o, "kl");
    assert_false(elbo_scores_from_json(&back, o, &several, &r, 4, VALUES));
    json_decref(o);
    o = elbo_metrics_to_json(&several, 0.25);
    assert_int_equal(json_array_size(o), 6);
    const json_t *prior = json_array_get(o, 2), *right = json_array_get(o, 5);
    assert_string_equal(json_string_value(json_object_get(prior, "name")), "prior");
    assert_true(json_is_true(json_object_get(prior, "trained")));
    assert_true(json_real_value(json_object_get(prior, "weight")) == 0.25);
    assert_true(json_is_false(json_object_get(right, "trained")));
    json_decref(o);
    elbo_recipe_close(&r);
}

/* Of an epoch under way, with the same list and with another. */
static void a_checkpoint_keeps_sums_by_name(void **state) {
    (void)state;
    elbo_recipe r = recipe_with("{kl: 4}");
    elbo_network n;
    assert_ok(elbo_network_make(&n, &r, (elbo_image_shape){1, 28, 28}, &failure));
    elbo_team *team;
    elbo_state s;
    assert_ok(elbo_team_make(&team, 1, &failure));
    assert_ok(elbo_state_open(&s, elbo_devices[0], &n, team, elbo_optimizer_rule_of(r.train.optimizer), &failure));
    elbo_metrics *list = &n.graph.metrics;
    *list = several;
    elbo_position at = {.epoch = 3, .images_done = 4, .images = 10, .step = 7, .seconds = 2, .epoch_seconds = 1}, back;
    at.sums = both();
    at.has_fingerprint = true;
    at.fingerprint = 0xfedcba9876543210;
    assert_ok(elbo_checkpoint_save(folder.folder, &s, &at, NULL, &failure));
    assert_ok(elbo_checkpoint_load(folder.folder, &s, &back, NULL, &failure));
    assert_memory_equal(&at, &back, sizeof at);
    elbo_metrics other = several;
    other.count = 5;
    other.metric[0].name = "bce";
    other.metric[4].name = "squared_error";
    *list = other;
    assert_ok(elbo_checkpoint_load(folder.folder, &s, &back, NULL, &failure));
    assert_true(isnan(back.sums.metric[0]) && back.sums.metric[1] == 12 && back.sums.metric[4] == 32);
    assert_true(back.sums.reconstruction == 46 && back.sums.kl == 10 && back.seconds == 2);
    // the next batch leaves it unknown, and what is known goes on
    elbo_metric_sums_add(&back.sums, &other, batch[0]);
    assert_true(isnan(back.sums.metric[0]) && back.sums.reconstruction == 46 + 34);
    assert_ok(elbo_checkpoint_save(folder.folder, &s, &back, NULL, &failure)); // (no file has a NaN)
    at.images_done = 0;                                                        // nothing was summed: nothing is unknown
    at.sums = (elbo_metric_sums){0};
    *list = several;
    assert_ok(elbo_checkpoint_save(folder.folder, &s, &at, NULL, &failure));
    *list = other;
    assert_ok(elbo_checkpoint_load(folder.folder, &s, &back, NULL, &failure));
    assert_true(back.sums.metric[0] == 0);
    elbo_state_close(&s);
    elbo_team_free(team);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

static int set_up(void **state) {
    (void)state;
    scratch_make(&folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&folder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_means_go_by_role),       cmocka_unit_test(what_an_older_run_has_not_is_derived),
        cmocka_unit_test(an_objective_says_what_it_is),    cmocka_unit_test(scores_come_back_from_json_by_name),
        cmocka_unit_test(a_checkpoint_keeps_sums_by_name), cmocka_unit_test(terms_over_the_code_are_part_of_it),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
