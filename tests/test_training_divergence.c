/* A clear end when training diverges: the message says where, no weight is changed, the last good checkpoint stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "elbo/elbo.h"
#include "training_runs.h"

static void assert_unchanged(const char *run, const char *name, const file *before) {
    file now = read_run_file(run, name);
    if (now.size != before->size || memcmp(now.bytes, before->bytes, now.size))
        fail_msg("%s/%s was changed", run, name);
    free(now.bytes);
}

static void divergence_stops_and_keeps_the_last_good_checkpoint(void **state) {
    (void)state;
    static const experiment good = {"mnist-vae-2d", {"train.batch=100", "train.epochs=1", NULL}};
    static const experiment bad[] = {
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e20"}},
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e20", "train.optimizer=sgd"}},
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e20", "train.clip=1"}},
        {"mnist-vae-2d", {"train.batch=100", "train.epochs=3", "train.lr=1e38", "train.optimizer=adamw"}},
    };
    const char *run = run_path("diverges"), *model = "model.safetensors", *checkpoint = "checkpoint.safetensors";
    assert_ok(train(&good, (elbo_train_options){.run = run}, &failure));
    file before[] = {read_run_file(run, model), read_run_file(run, checkpoint)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elbo_error err = {0};
        elbo_status status = train(&bad[i], (elbo_train_options){.run = run, .resume = true}, &err);
        print_message("%s\n", err.message);
        assert_int_equal(status, ELBO_DIVERGED);
        assert_message(err, "step ", "epoch 2", "`", "train.lr");
        assert_unchanged(run, model, &before[0]);
        assert_unchanged(run, checkpoint, &before[1]);
        assert_int_equal(position_of(&good, run).epoch, 1);
    }
    elbo_model *m;
    assert_ok(elbo_model_open(&m, run, 1, &failure));
    elbo_model_close(m);
    free(before[0].bytes);
    free(before[1].bytes);
}

/* A step that breaks the weights may be the last of an epoch, when a checkpoint is due. */
static void divergence_in_the_last_step_of_an_epoch(void **state) {
    (void)state;
    static const experiment bad[] = {
        {"mnist-vae-2d", {"train.batch=500", "train.epochs=2", "train.lr=1e20"}},
        {"mnist-vae-2d", {"train.batch=500", "train.epochs=2", "train.lr=3e38", "train.optimizer=sgd"}},
        {"mnist-ae-2d", {"train.batch=500", "train.epochs=1", "train.lr=1e30", "loss.reconstruction=mse"}},
        // the loss, about 1e33, is finite, and so are the weights, but not the square of the encoder's gradient
        {"kind: ae\nlatent: 2\nimage: {range: [0, 1e15]}\nencoder: [flatten, linear 8]\ndecoder: [linear 784]\n"
         "loss: {reconstruction: mse}\ntrain: {batch: 500, epochs: 1}\n",
         {NULL}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[32];
        snprintf(name, sizeof name, "last-step-%zu", i);
        elbo_error err = {0};
        elbo_status status = train(&bad[i], (elbo_train_options){.run = run_path(name)}, &err);
        print_message("%s\n", err.message);
        assert_int_equal(status, ELBO_DIVERGED);
        assert_message(err, "step ", "epoch ", "train.lr");
    }
}

/* A weight that is infinite already: no update is made, by either device. */
static void nothing_is_updated_after_a_loss_that_is_not_finite(void **state) {
    (void)state;
    for (int d = 0; elbo_devices[d] && elbo_device_is_there(elbo_devices[d]); d++)
        for (int clip = 0; clip < 2; clip++)
            for (int which = 0; which < 3; which++) {
                engine e;
                const char *sets[] = {clip ? "train.clip=1" : "train.clip=0"};
                engine_open(&e, "mnist-vae-2d", sets, 1, digits.train.shape, elbo_devices[d]->name, ELBO_TRAIN, 40);
                size_t n = e.network.graph.param_floats;
                const elbo_param *p = &e.network.graph.param[which == 2 ? e.network.graph.params - 1 : 0];
                e.network.params[p->offset + 405] =
                    which ? NAN : INFINITY; // of the first weights, a pixel in the middle
                float *before = malloc(n * sizeof *before);
                memcpy(before, e.network.params, n * sizeof *before);
                uint32_t index[40];
                for (uint32_t i = 0; i < 40; i++) index[i] = i;
                elbo_batch_args args = engine_args(&e, &digits.train, index, 40, 0, 1, 1);
                engine_run(&e, &args);
                assert_true(e.diverged);
                assert_memory_equal(e.network.params, before, n * sizeof *before);
                for (size_t i = 0; i < n; i++) assert_true(e.state.array[0][i] == 0 && e.state.array[1][i] == 0);
                const char *what;
                const elbo_node *found = e.state.device->find_nonfinite(&e.plan, &args, &what);
                assert_non_null(found);
                assert_string_equal(found->name, which == 2 ? "decoder.2" : "encoder.1");
                free(before);
                engine_close(&e);
            }
}

/* A gradient whose squares no float holds: scaled by clip / infinity it would be 0, and training stand still. Losses and
 * all tensors are finite. */
static void a_gradient_too_long_to_clip_is_divergence(void **state) {
    (void)state;
    static const experiment bad = {"kind: ae\nlatent: 2\nimage: {range: [0, 1e11]}\nencoder: [flatten, linear 8]\n"
                                   "decoder: [linear 784]\nloss: {reconstruction: mse}\n"
                                   "train: {batch: 500, epochs: 1, clip: 1}\n",
                                   {NULL}};
    for (int d = 0; elbo_devices[d] && elbo_device_is_there(elbo_devices[d]); d++) {
        char name[40];
        snprintf(name, sizeof name, "too-long-%s", elbo_devices[d]->name);
        elbo_error err = {0};
        elbo_status status =
            train(&bad, (elbo_train_options){.run = run_path(name), .device = elbo_devices[d]->name}, &err);
        print_message("%s\n", err.message);
        assert_int_equal(status, ELBO_DIVERGED);
        assert_message(err, "step 1 ", "epoch 1", "gradient", "train.clip", "train.lr");

        engine e;
        const char *sets[] = {"train.clip=1", "image.range=[0,1e11]", "loss.reconstruction=mse",
                              "decoder=[linear 784]"};
        engine_open(&e, "mnist-ae-2d", sets, 4, digits.train.shape, elbo_devices[d]->name, ELBO_TRAIN, 40);
        size_t n = e.network.graph.param_floats;
        float *before = malloc(n * sizeof *before);
        memcpy(before, e.network.params, n * sizeof *before);
        uint32_t index[40];
        for (uint32_t i = 0; i < 40; i++) index[i] = i;
        for (int step = 1; step <= 2; step++) {
            float huge = step == 1 ? 1e11f : 1; // and a step that can be clipped goes on
            elbo_batch_args args = engine_args(&e, &digits.train, index, 40, 0, (uint64_t)step, 1);
            args.high = huge;
            engine_run(&e, &args);
            assert_int_equal(e.diverged, step == 1);
            assert_int_equal(memcmp(e.network.params, before, n * sizeof *before) == 0, step == 1);
            for (size_t i = 0; step == 1 && i < n; i++)
                assert_true(e.state.array[0][i] == 0 && e.state.array[1][i] == 0);
        }
        free(before);
        engine_close(&e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divergence_stops_and_keeps_the_last_good_checkpoint),
        cmocka_unit_test(divergence_in_the_last_step_of_an_epoch),
        cmocka_unit_test(nothing_is_updated_after_a_loss_that_is_not_finite),
        cmocka_unit_test(a_gradient_too_long_to_clip_is_divergence),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
