/* The kernels of device `cuda` on the CPU: the same bits whatever the order of blocks and threads, barriers that are
 * needed, launches of a step, and what is said of a layer that has no kernel. That they compute the right thing is in
 * test_ops.c and test_golden.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device/cuda/shim/schedule.h"
#include "op_networks.h"

/* Three steps of training of a network that has all of a dense model's kernels, under a seed.  params: (param_floats) */
static size_t train(const network *n, uint32_t seed, float **params) {
    engine e;
    batch b;
    elbo_shim_seed = seed;
    assert_true(open_network(&e, n, "shim", ELBO_TRAIN));
    batch_make(&b, &e.network.graph, n->batch, 0);
    elbo_batch_args pass = pass_of(&e, &b, b.count);
    pass.given_noise = NULL;
    pass.no_update = false;
    elbo_run_report report;
    assert_ok(elbo_state_put(&e.state, &failure));
    for (int i = 0; i < 3; i++) assert_ok(elbo_plan_run(&e.plan, &pass, 1, &failure));
    assert_ok(elbo_plan_wait(&e.plan, &report, &failure)); // a broken barrier may well make it diverge
    assert_ok(elbo_state_get(&e.state, &failure));
    size_t bytes = e.network.graph.param_floats * sizeof(float);
    *params = malloc(bytes);
    memcpy(*params, e.network.params, bytes);
    engine_close(&e);
    batch_free(&b);
    elbo_shim_seed = 1;
    return bytes;
}

/* Whether training makes the same bits in every order; *bits: a checksum of them. */
static bool schedules_agree(const network *n, uint64_t *bits) {
    float *first, *other;
    size_t bytes = train(n, 0, &first);
    bool agree = true;
    for (uint32_t seed = 1; seed < 6 && agree; seed++) {
        train(n, seed, &other);
        agree = !memcmp(first, other, bytes);
        free(other);
    }
    *bits = 0;
    for (size_t i = 0; i < bytes; i++) *bits = *bits * 1099511628211u + ((const unsigned char *)first)[i];
    free(first);
    return agree;
}

static const network dense = {
    "ae", "flatten, linear 40, relu", "linear 37, tanh, linear 33, sigmoid", "5", "bce", 35, 33, 0};

static const network drawn = {
    "vae", "flatten, linear 40, relu, dropout p=0.2", "linear 37, silu, linear 33, sigmoid", "5", "bce", 35, 33, 0};

static const network spatial = {
    "ae",
    "unflatten 1 5 7, conv2d 9 kernel=3 padding=1, batch_norm2d, relu, conv2d 4 kernel=3 padding=1, max_pool2d kernel=2 "
    "stride=1, flatten",
    "linear 48, unflatten 8 2 3, upsample, conv_transpose2d 1 kernel=2, flatten, sigmoid",
    "5",
    "bce",
    5,
    35,
    0};

static void same_bits_in_every_order(void **state) {
    (void)state;
    uint64_t bits;
    assert_true(schedules_agree(&dense, &bits));
    assert_true(schedules_agree(&drawn, &bits));
    assert_true(schedules_agree(&spatial, &bits));
}

/* Breaks each barrier of the kernels that have some, one after the other: other bits, or NaN, whose step is not made. */
static void every_barrier_is_needed(void **state) {
    (void)state;
    static const struct {
        elbo_gpu_kernel kernel;
        int barriers;
        const network *network;
    } kernels[] = {{ELBO_GPU_product, 2, &dense},
                   {ELBO_GPU_verdict, 1, &dense},
                   {ELBO_GPU_conv_down, 2, &spatial},
                   {ELBO_GPU_conv_up, 2, &spatial},
                   {ELBO_GPU_conv_weights, 2, &spatial}};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        for (int barrier = 0; barrier < kernels[i].barriers; barrier++) {
            elbo_shim_broken_kernel = (int)kernels[i].kernel;
            elbo_shim_broken_barrier = barrier;
            uint64_t whole, broken;
            bool agree = schedules_agree(kernels[i].network, &broken);
            elbo_shim_broken_kernel = -1;
            assert_true(schedules_agree(kernels[i].network, &whole));
            if (agree && broken == whole)
                fail_msg("%s without barrier %d: the same bits", elbo_gpu_kernel_names[kernels[i].kernel], barrier);
        }
}

static int launches_of(const char *recipe) {
    engine e;
    elbo_program_info info;
    engine_open(&e, recipe, NULL, 0, (elbo_image_shape){1, 28, 28}, "shim", ELBO_TRAIN, 0);
    elbo_plan_options options = e.plan.options;
    options.keep_gradients = false;
    elbo_plan plan;
    assert_ok(elbo_plan_make(&plan, &e.state, &options, &failure));
    e.state.device->program_info(&plan, &info);
    elbo_plan_free(&plan);
    engine_close(&e);
    return info.launches;
}

/* Each costs about two microseconds, whatever it computes. */
static void launches_of_a_step(void **state) {
    (void)state;
    assert_int_equal(launches_of("mnist-ae"), 11);
    assert_int_equal(launches_of("mnist-vae"), 13);
    assert_int_equal(launches_of("mnist-cae"), 17);
    assert_int_equal(launches_of("mnist-conv-vae"), 24);
}

static void a_layer_without_a_kernel_is_named(void **state) {
    (void)state;
    const elbo_device *device;
    elbo_recipe r;
    elbo_network n;
    elbo_state s;
    elbo_plan plan;
    elbo_team *team;
    elbo_error err;
    assert_ok(elbo_recipe_open(&r, "cifar-attention-vae", NULL, 0, &failure));
    assert_ok(elbo_network_make(&n, &r, (elbo_image_shape){3, 32, 32}, &failure));
    assert_ok(elbo_team_make(&team, 1, &failure));
    assert_ok(elbo_device_find(&device, "shim", &failure));
    elbo_state_describe(&s, device, &n, team, NULL);
    elbo_plan_options options = {.mode = ELBO_EVAL, .batch = 4};
    assert_int_equal(elbo_plan_make(&plan, &s, &options, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "cifar-attention-vae.yaml:"));
    assert_non_null(strstr(err.message, "device `shim` cannot compute `"));
    elbo_team_free(team);
    elbo_network_free(&n);
    elbo_recipe_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits_in_every_order),
        cmocka_unit_test(every_barrier_is_needed),
        cmocka_unit_test(launches_of_a_step),
        cmocka_unit_test(a_layer_without_a_kernel_is_named),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
