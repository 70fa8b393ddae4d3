/* Two players: each moves its own parameters alone, what the adversary is shown, gradients, and layers that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "training_runs.h"

static const char *const games[] = {aae_recipe, gan_recipe, factor_recipe};
enum { GAMES = sizeof games / sizeof *games };
static const uint32_t chosen[7] = {4, 9, 2, 77, 1, 0, 5};

static void open_game(engine *e, const char *recipe, const char *set, const char *device) {
    const char *path = scratch_write(&folder, "game.yaml", recipe, strlen(recipe));
    engine_open(e, path, &set, set != NULL, digits.train.shape, device, ELBO_TRAIN, 7);
}

static void run_player(engine *e, elbo_player player, elbo_batch_args args) {
    elbo_batch_args own = elbo_adversary_args(&e->recipe, &args, 0, 1);
    elbo_plan *plan = player == ELBO_PLAYER_MODEL ? &e->plan : &e->adversary;
    memset(plan->total, 0, sizeof plan->total);
    assert_ok(elbo_plan_run_one(plan, player == ELBO_PLAYER_MODEL ? &args : &own, &failure));
}

static float *copy_params(const engine *e) {
    size_t bytes = e->network.graph.param_floats * sizeof(float);
    float *copy = malloc(bytes);
    assert_non_null(copy);
    return memcpy(copy, e->network.params, bytes);
}

/* Running statistics are the model's, too. */
static void each_moves_its_own_parameters(void **state) {
    (void)state;
    for (int k = 0; k < GAMES; k++)
        for (int clip = 0; clip < 2; clip++)
            for (int player = 0; player < ELBO_PLAYERS; player++) {
                engine e;
                open_game(&e, games[k], clip ? "train.clip=0.5" : "train.clip=0", "cpu");
                elbo_batch_args args = engine_args(&e, &digits.train, chosen, 7, 0, 1, 1);
                float *before = copy_params(&e);
                run_player(&e, (elbo_player)player, args);
                const elbo_graph *g = &e.network.graph;
                for (int i = 0; i < g->params; i++) {
                    const elbo_param *p = &g->param[i];
                    bool same = !memcmp(before + p->offset, e.network.params + p->offset, p->count * sizeof *before);
                    assert_true(!strncmp(p->name, "adversary.", 10) == (p->player == ELBO_PLAYER_ADVERSARY));
                    if (same != ((int)p->player != player)) fail_msg("game %d, player %d: %s", k, player, p->name);
                }
                free(before);
                engine_close(&e);
            }
}

/* A plan of the adversary whose layers' input is read. */
static void watch_sides(engine *e, elbo_plan *plan) {
    const elbo_graph *g = &e->network.graph;
    bool *watch = calloc((size_t)g->count, sizeof *watch);
    assert_non_null(watch);
    watch[g->at.versus] = true;
    elbo_plan_options o = {.mode = ELBO_TRAIN, .player = ELBO_PLAYER_ADVERSARY, .batch = 100, .watch = watch};
    assert_ok(elbo_plan_make(plan, &e->state, &o, &failure));
    free(watch);
}

/* Rows of the adversary's step: (count, 2, size), what the model gives and what that is held against. */
static float *sides_of(engine *e, elbo_plan *plan, const uint32_t *index, int count, int epoch) {
    const elbo_graph *g = &e->network.graph;
    size_t n = elbo_shape_size(g->node[g->at.versus].shape);
    float *rows = malloc(2 * (size_t)count * n * sizeof *rows);
    assert_non_null(rows);
    elbo_batch_args args = engine_args(e, &digits.train, index, count, epoch, 1, 1);
    args.no_update = true;
    assert_ok(elbo_plan_run_one(plan, &args, &failure));
    elbo_plan_read(plan, plan->watched[g->at.versus], 0, 2 * count, rows);
    return rows;
}

static void shuffled_codes_keep_each_dimension(void **state) {
    (void)state;
    enum { COUNT = 100 };
    uint32_t index[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) index[i] = 3 * i;
    for (int count = COUNT; count > 0; count -= 99) { // a single image is held against itself
        engine e;
        elbo_plan plan;
        open_game(&e, factor_recipe, NULL, "cpu");
        watch_sides(&e, &plan);
        float *rows = sides_of(&e, &plan, index, count, 0);
        for (int i = 0; i < count; i++)
            for (int d = 0; d < 5; d++)
                assert_true(rows[(2 * i + 1) * 5 + d] == rows[2 * ((i + 1 + d) % count) * 5 + d]);
        free(rows);
        elbo_plan_free(&plan);
        engine_close(&e);
    }
}

static void draws_are_of_the_prior(void **state) {
    (void)state;
    enum { COUNT = 100, EPOCHS = 20, Z = 4 };
    uint32_t index[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) index[i] = 3 * i;
    engine e;
    elbo_plan plan;
    open_game(&e, aae_recipe, NULL, "cpu");
    watch_sides(&e, &plan);
    double mean[Z] = {0}, square[Z] = {0};
    float first = 0;
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        float *rows = sides_of(&e, &plan, index, COUNT, epoch);
        for (int i = 0; i < COUNT; i++)
            for (int d = 0; d < Z; d++) {
                double z = rows[(2 * i + 1) * Z + d];
                mean[d] += z / (COUNT * EPOCHS);
                square[d] += z * z / (COUNT * EPOCHS);
            }
        assert_true(rows[Z] != first); // another epoch, another draw
        first = rows[Z];
        free(rows);
    }
    for (int d = 0; d < Z; d++) { // of 2,000 draws: four standard errors
        assert_near("mean", (size_t)d, mean[d], 0, 0.09);
        assert_near("square", (size_t)d, square[d], 1, 0.13);
    }
    elbo_plan_free(&plan);
    engine_close(&e);
}

/* Against the loss of the player whose step it is; of each tensor the parameter with the largest gradient. */
static void check_differences(engine *e, elbo_player player, const elbo_batch_args *args, const char *loss) {
    const elbo_graph *g = &e->network.graph;
    elbo_plan *plan = player == ELBO_PLAYER_MODEL ? &e->plan : &e->adversary;
    int metric = elbo_metrics_find(&g->metrics, loss);
    float *grads = malloc(g->param_floats * sizeof *grads);
    assert_non_null(grads);
    run_player(e, player, *args);
    elbo_plan_read_gradients(plan, grads);
    for (int i = 0; i < g->params; i++) {
        const elbo_param *p = &g->param[i];
        size_t most = p->offset;
        if (p->player != player || p->buffer) continue;
        for (size_t k = most; k < p->offset + p->count; k++)
            if (fabsf(grads[k]) > fabsf(grads[most])) most = k;
        float was = e->network.params[most], step = 0.01f;
        double side[2];
        for (int k = 0; k < 2; k++) {
            e->network.params[most] = k ? was + step : was - step;
            run_player(e, player, *args);
            side[k] = plan->total[metric] / args->count;
        }
        e->network.params[most] = was;
        double want = (side[1] - side[0]) / (2 * (double)step);
        assert_near(p->name, (size_t)player, grads[most], want, 0.02 * fabs(want) + 2e-4); // losses of 1 in floats
    }
    free(grads);
}

static void gradients_are_differences(void **state) {
    (void)state;
    static const char tanh_game[] = "kind: vae\nlatent: 3\nencoder: [flatten, linear 9, tanh]\n"
                                    "decoder: [linear 9, tanh, linear 784, sigmoid]\n"
                                    "adversary: {on: %s, layers: [flatten, linear 9, layer_norm, tanh, linear 1]%s}\n";
    static const char *const how[][2] = {{"code", ""}, {"code", ", against: shuffled"}, {"image", ""}};
    for (int k = 0; k < 3; k++) {
        char recipe[400];
        snprintf(recipe, sizeof recipe, tanh_game, how[k][0], how[k][1]);
        engine e;
        open_game(&e, recipe, NULL, "ref");
        elbo_batch_args args = engine_args(&e, &digits.train, chosen, 7, 0, 1, 1);
        args.no_update = true;
        check_differences(&e, ELBO_PLAYER_ADVERSARY, &args, "discriminator");
        for (int m = 0; m < e.network.graph.metrics.count; m++)
            args.loss_weight[m] = 0; // the rest has tests of its own
        args.loss_weight[elbo_metrics_find(&e.network.graph.metrics, "adversary")] = 1;
        check_differences(&e, ELBO_PLAYER_MODEL, &args, "adversary");
        engine_close(&e);
    }
}

static void wrong_layers(void **state) {
    (void)state;
    static const struct {
        const char *on, *layers, *message;
    } wrong[] = {
        {"code", "linear 8", "x.yaml:5: linear 8: the adversary gives 8; it ends in one value: end with `linear 1`"},
        {"code", "linear 1, sigmoid", "x.yaml:5: sigmoid: an adversary ends in a logit; leave the sigmoid out"},
        {"image", "conv2d 2 kernel=3",
         "x.yaml:5: conv2d 2 kernel=3: the adversary gives 2x26x26; it ends in one value: end with `flatten, linear 1`"},
        {"code", "unflatten 4 2 1, flatten, linear 1",
         "x.yaml:5: unflatten 4 2 1: its input is 3 (3 values), 4x2x1 takes 8; let the layer before give 8"},
        {"code", "linear 8, batch_norm1d, linear 1",
         "x.yaml:5: batch_norm1d: an adversary's batches are of other images in each player's step; use layer_norm or "
         "group_norm"},
        {"code", "linear 8, add a, linear 1",
         "x.yaml:5: add a: nothing is saved as `a`; put `save a` after an earlier layer"},
        {"code", "concat class, linear 1",
         "x.yaml:5: concat class: an adversary is not told the class; leave the layer out"},
        {"image", "linear 1", "x.yaml:5: linear 1: its input is 1x28x28; put `flatten` before it"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char yaml[400];
        snprintf(yaml, sizeof yaml,
                 "kind: ae\nlatent: 3\nencoder: [flatten, save a, linear 9]\ndecoder: [linear 784, sigmoid]\n"
                 "adversary: {on: %s, layers: [%s]}\n",
                 wrong[i].on, wrong[i].layers);
        elbo_recipe r;
        elbo_network n;
        elbo_error err;
        assert_ok(elbo_recipe_open(&r, scratch_write(&folder, "x.yaml", yaml, strlen(yaml)), NULL, 0, &failure));
        if (elbo_network_make(&n, &r, digits.train.shape, &err) != ELBO_BAD_INPUT) fail_msg("%s", wrong[i].layers);
        const char *message = strstr(err.message, "x.yaml");
        assert_string_equal(message ? message : err.message, wrong[i].message);
        elbo_recipe_close(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_moves_its_own_parameters),
        cmocka_unit_test(shuffled_codes_keep_each_dimension),
        cmocka_unit_test(draws_are_of_the_prior),
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(wrong_layers),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
