/* Shapes that fit, and those that do not: what a decoder reads of the encoder, and layers that are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "op_networks.h"

/* What the decoder reads of the encoder is an input of its plan, beside the code; what the encoder reads itself is
 * not. */
static void skips_across_the_latent(void **state) {
    (void)state;
    const network n = {"ae",
                       "flatten, linear 9, save a, relu, save b, linear 9, add b, linear 3",
                       "linear 9, save c, relu, add c, add a, linear 6",
                       "none",
                       "mse",
                       5,
                       6,
                       0};
    engine e;
    open_network(&e, &n, "cpu", ELBO_TRAIN);
    assert_int_equal(e.network.graph.skips, 1);
    assert_int_equal(e.network.graph.skip_floats, 9);
    engine_close(&e);
}

static void wrong_layers(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"flatten, max_pool2d kernel=2", "put `unflatten C H W` before it"},
        {"max_pool2d", "kernel is missing; usage: `max_pool2d kernel=K [stride=kernel] [padding=0]`"},
        {"max_pool2d kernel=2", "its input is 1x1x6, smaller than the kernel"},
        {"unflatten 1 2 3, avg_pool2d kernel=3 padding=2", "padding=2; expected at most half of the kernel, 1"},
        {"avg_pool2d kernel=1 stride=0", "stride=0; expected a number from 1 to 1024"},
        {"upsample scale=0", "scale=0; expected a number from 1 to 256"},
        {"upsample mode=cubic", "mode=cubic; expected nearest or bilinear"},
        {"upsample 2 bilinear, upsample scale=3 mode=nearest, upsample mode=Nearest",
         "mode=Nearest; expected nearest or bilinear"},
        {"upsample scale=256, upsample scale=256", "which leaves more than 65536 rows or columns"},
        {"flatten, upsample", "put `unflatten C H W` before it"},
        {"layer_norm eps=0", "eps=0; expected a number from 1e-12 to 1"},
        {"unflatten 3 1 2, group_norm 2", "its input has 3 channels; expected a multiple of groups=2"},
        {"group_norm", "groups is missing; usage: `group_norm GROUPS [eps=1e-5]`"},
        {"gelu approximate=erf", "approximate=erf; expected none or tanh"},
        {"flatten, self_attention", "put `unflatten C H W` before it"},
        {"unflatten 3 1 2, self_attention heads=2", "its input has 3 channels; expected a multiple of heads=2"},
        {"upsample 50, self_attention", "its input is 1x50x300, more than 8192 positions"},
        {"batch_norm1d", "use `batch_norm2d` for it"},
        {"flatten, batch_norm2d", "use `batch_norm1d` for it"},
        {"save a, conv2d 2 kernel=1, add a", "only equal shapes can be added"},
        {"save a, upsample, concat a", "only images of one height and width"},
        {"save a, save a", "the name is taken"},
        {"save first, add firts", "did you mean `first`?"},
        {"conv2d 2 kernel=1 output_padding=1", "`conv2d` has no argument `output_padding`"},
        {"conv2d 2 kernel_size=1",
         "`conv2d` has no argument `kernel_size`; did you mean `kernel`? usage: `conv2d OUT_CHANNELS"},
        {"conv2d 2 kernel=1 paddign=1", "did you mean `padding`?"},
        {"conv2d 2 kernel=3x", "kernel=3x; expected an integer, or one for the rows and one for the columns, as 3x5"},
        {"conv2d 2 kernel=3x5x7", "kernel=3x5x7; expected an integer, or one for the rows"},
        {"conv2d 2 kernel=x3", "kernel=x3; expected an integer, or"},
        {"conv2d 2 kernel=3x0", "kernel=3x0; expected a number from 1 to 1024"},
        {"max_pool2d kernel=2x1", "kernel=2x1; expected a number"},
        {"conv2d 2 kernel=2 padding=0", "use a smaller kernel or more padding"},
        {"conv_transpose2d 2 kernel=3 padding=2",
         "which leaves an output of -1 rows; use a larger kernel or less padding"},
        {"conv_transpose2d 2 kernel=99 stride=1024, conv_transpose2d 2 kernel=9 stride=1024",
         "use less padding or a smaller stride"},
        {"conv2d 65536 kernel=1, upsample 256, flatten", "gives 65536x256x1536, more than 2^28 values an image"},
        {"conv_transpose2d 2 kernel=1 stride=2 output_padding=2", "expected less than stride (2) or dilation (1)"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *yaml = text_of("kind: ae\nencoder: [%s]\nlatent: 2\ndecoder: [linear 6]\nloss: {reconstruction: mse}\n",
                             wrong[i][0]);
        scratch_write(&folder, "x.yaml", yaml, strlen(yaml));
        free(yaml);
        elbo_recipe r;
        elbo_network n;
        elbo_error err;
        assert_ok(elbo_recipe_open(&r, folder.path, NULL, 0, &failure));
        if (elbo_network_make(&n, &r, (elbo_image_shape){1, 1, 6}, &err) != ELBO_BAD_INPUT)
            fail_msg("%s is taken", wrong[i][0]);
        assert_message(err, "x.yaml:2: ", wrong[i][1]);
        elbo_recipe_close(&r);
    }
}

/* The message names the layer whose size is wrong, and its end says what would be right. */
static void wrong_decoders(void **state) {
    (void)state;
    static const struct {
        elbo_image_shape image;
        const char *encoder, *decoder, *message;
    } wrong[] = {
        {{1, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "conv_transpose2d 1 kernel=3 stride=2 padding=1, tanh",
         "conv_transpose2d 1 kernel=3 stride=2 padding=1: the decoder gives 1x11x11, an image is 1x12x12; expected "
         "output_padding=1"},
        {{3, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "conv_transpose2d 1 kernel=4 stride=2, batch_norm2d, tanh",
         "conv_transpose2d 1 kernel=4 stride=2: the decoder gives 1x14x14, an image is 3x12x12; expected 3 channels, "
         "padding=1"},
        {{1, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "upsample, conv2d 1 kernel=5 padding=1",
         "conv2d 1 kernel=5 padding=1: the decoder gives 1x10x10, an image is 1x12x12; expected padding=2"},
        {{1, 12, 12},
         "max_pool2d kernel=4",
         "conv2d 4 kernel=1",
         "conv2d 4 kernel=1: the decoder gives 4x3x3, an image is 1x12x12; expected 1 channel, `upsample 4` after it"},
        {{3, 12, 12},
         "conv2d 5 kernel=1",
         "upsample, avg_pool2d kernel=2",
         "avg_pool2d kernel=2: the decoder gives 5x12x12, an image is 3x12x12; expected `conv2d 3 kernel=1` after it"},
        {{1, 12, 5},
         "max_pool2d kernel=4",
         "upsample 3",
         "upsample 3: the decoder gives 1x9x3, an image is 1x12x5; expected `flatten, linear 60` after it"},
        {{1, 12, 12},
         "conv2d 4 kernel=1",
         "conv2d 2 kernel=1, flatten, tanh",
         "conv2d 2 kernel=1: the decoder gives 2x12x12, an image is 1x12x12; expected 1 channel"},
        // as many values as an image has, and yet no image
        {{1, 12, 12},
         "conv2d 4 kernel=3 stride=2 padding=1",
         "conv_transpose2d 4 kernel=3 padding=1",
         "conv_transpose2d 4 kernel=3 padding=1: the decoder gives 4x6x6, an image is 1x12x12; expected 1 channel, "
         "`upsample 2` after it"},
        {{1, 12, 12},
         "flatten",
         "linear 7",
         "linear 7: the decoder gives 7 values, an image is 1x12x12 (144); end with `linear 144`"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *yaml = text_of("kind: ae\nencoder: [%s]\nlatent: none\ndecoder: [%s]\nloss: {reconstruction: mse}\n",
                             wrong[i].encoder, wrong[i].decoder);
        scratch_write(&folder, "x.yaml", yaml, strlen(yaml));
        free(yaml);
        elbo_recipe r;
        elbo_network n;
        elbo_error err;
        assert_ok(elbo_recipe_open(&r, folder.path, NULL, 0, &failure));
        if (elbo_network_make(&n, &r, wrong[i].image, &err) != ELBO_BAD_INPUT)
            fail_msg("%s is taken", wrong[i].decoder);
        assert_message(err, "x.yaml:4: ", wrong[i].message);
        elbo_recipe_close(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skips_across_the_latent),
        cmocka_unit_test(wrong_layers),
        cmocka_unit_test(wrong_decoders),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
