/* Networks in which the planner lets ops work in place, or must not, by the checks of op_networks.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "op_networks.h"

/* Where the planner lets an op write over its input: the input must be nobody else's, and no backward's. */
static const network in_place[] = {
    {"ae", "flatten, linear 9, tanh, relu", "linear 6, sigmoid", "none", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, relu, dropout p=0.3", "linear 6, sigmoid", "none", "bce", 33, 6, 0},
    {"ae", "flatten, linear 9, tanh, dropout", "linear 6, sigmoid", "4", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, sigmoid, linear 7, sigmoid", "linear 6, sigmoid", "3", "bce", 37, 6, 0},
    {"ae", "flatten, linear 9, relu, leaky_relu negative_slope=0.5", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh, tanh, sigmoid, tanh", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, dropout p=0.2, relu, dropout p=0.3, tanh", "linear 6, sigmoid", "3", "bce", 35, 6, 0},
    {"ae", "flatten, linear 9, dropout p=0.2, dropout p=0.3, dropout p=0.1", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 12, unflatten 3 2 2, relu, flatten, dropout p=0.2, leaky_relu", "linear 6, sigmoid", "3",
     "bce", 5, 6, 0},
    // convolutions keep their channels in blocks of 16, where there are enough; nothing may depend on it
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=3 padding=1, relu, conv2d 17 kernel=2, tanh, flatten, linear 4",
     "linear 6, sigmoid", "none", "bce", 35, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 8 kernel=2 padding=1, tanh, dropout p=0.3",
     "conv_transpose2d 1 kernel=2 padding=1, flatten, sigmoid", "none", "bce", 35, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 2 kernel=2", "conv_transpose2d 10 kernel=2, leaky_relu, conv2d 1 kernel=1, flatten",
     "none", "mse", 5, 6, 0},
    {"ae", "conv2d 16 kernel=1, unflatten 8 4 3, conv2d 2 kernel=1, relu", "flatten, linear 6, sigmoid", "none", "bce",
     5, 6, 0},
    {"vae", "conv2d 9 kernel=1, relu",
     "linear 18, unflatten 9 1 2, relu, conv_transpose2d 1 kernel=4 stride=2, unflatten 2 2 6, conv2d 1 kernel=1 "
     "stride=2, flatten, linear 6, sigmoid",
     "3", "bce", 37, 6, 0},
    {"ae", "dropout p=0.2, conv2d 12 kernel=1, sigmoid, sigmoid, dropout p=0.2", "conv2d 1 kernel=1, unflatten 1 1 6",
     "none", "l1", 70, 6, 100},
    // more than one reader
    {"ae", "flatten, linear 9, save a, relu, linear 9, add a, save b, tanh, add b, add b", "linear 6, sigmoid", "3",
     "bce", 35, 6, 0},
    {"ae", "flatten, save a, linear 6, relu, add a, add a", "linear 6, save b, sigmoid, add b", "none", "mse", 5, 6, 0},
    {"ae", "flatten, linear 12, save a, unflatten 3 2 2, relu, save b, flatten, add a, unflatten 3 2 2, concat b",
     "linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, batch_norm2d, relu, save a, conv2d 9 kernel=3 padding=1, batch_norm2d, add "
     "a, relu",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, save x, conv2d 9 kernel=1, save a, conv2d 16 kernel=1, concat a, concat x, concat a, save b, "
     "concat b, relu",
     "flatten, linear 6", "none", "mse", 5, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 16 kernel=1, save a, conv2d 16 kernel=1, tanh, concat a, dropout p=0.2",
     "conv2d 7 kernel=1, save c, conv2d 9 kernel=1, concat c, conv2d 1 kernel=1, flatten", "none", "l1", 35, 6, 0},
    {"ae", "flatten, linear 12, unflatten 3 2 2, batch_norm2d, tanh, save a, conv2d 3 kernel=3 padding=1, add a",
     "flatten, linear 6, batch_norm1d, sigmoid", "3", "bce", 33, 6, 0},
    {"ae", "flatten, linear 12, unflatten 3 2 2, save a, concat a, batch_norm2d, concat a",
     "flatten, linear 6, sigmoid", "none", "bce", 5, 6, 0},
    {"ae", "flatten, batch_norm1d, linear 9, batch_norm1d, batch_norm1d, relu",
     "linear 6, batch_norm1d, dropout p=0.2, sigmoid", "none", "bce", 40, 6, 64},
    {"ae", "flatten, linear 9, save a, batch_norm1d, add a, batch_norm1d", "save b, linear 6, concat b, linear 6", "3",
     "mse", 35, 6, 0},
    {"vae", "flatten, linear 9, save a, relu, add a", "save b, relu, add b, save c, tanh, concat c, linear 6, sigmoid",
     "3", "bce", 37, 6, 0},
    // every kind of reader beside another, so that each adds its share of the gradient to the other's; 37 images in
    // eight shards leave rows that only fill the last
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=3 padding=1, save a, batch_norm2d, add a, relu",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=1, save a, layer_norm, add a, relu", "conv2d 1 kernel=1, flatten, sigmoid",
     "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, save a, max_pool2d kernel=3 stride=1 padding=1, add a, save b, "
     "avg_pool2d kernel=3 stride=1 padding=1, concat b",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, save a, upsample, conv2d 9 kernel=2 stride=2, add a, save b, upsample "
     "mode=bilinear, avg_pool2d kernel=2, concat b",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 3 kernel=1, save a, layer_norm, max_pool2d kernel=3 stride=1 padding=1, add a, "
     "save b, upsample, avg_pool2d kernel=2, add b, save c, upsample mode=bilinear, max_pool2d kernel=2, add c",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 35, 6, 0},
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, save a, conv2d 9 kernel=3 padding=1, add a, save b, conv_transpose2d 9 "
     "kernel=3 padding=1, add b, save c, relu, add c, save d, dropout p=0.3, add d, save e, flatten, linear 54, "
     "unflatten 9 2 3, add e",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "flatten, linear 18, unflatten 2 3 3, save a, max_pool2d kernel=3 stride=1 padding=1, add a, layer_norm, save "
     "b, upsample, conv2d 2 kernel=2 stride=2, concat b, concat a",
     "flatten, linear 6, sigmoid", "none", "bce", 5, 6, 0},
    // behind a view, a tensor has another shape than its node
    {"ae", "flatten, linear 18, unflatten 2 3 3, upsample mode=bilinear, avg_pool2d kernel=2 stride=1, layer_norm",
     "flatten, linear 6, sigmoid", "none", "bce", 5, 6, 0},
    // on the image, for which nobody asks a gradient; and next to the loss
    {"ae",
     "layer_norm, unflatten 1 2 3, max_pool2d kernel=2 stride=1, upsample, avg_pool2d kernel=2, flatten, linear 3",
     "linear 6, layer_norm, sigmoid", "none", "bce", 37, 6, 0},
    {"ae", "flatten, linear 3", "linear 9, unflatten 9 1 1, upsample, conv2d 6 kernel=1, avg_pool2d kernel=2, flatten",
     "none", "mse", 33, 6, 0},
    // saved in the decoder, and read twice
    {"ae", "unflatten 1 2 3, conv2d 9 kernel=1, relu, max_pool2d kernel=2, flatten, linear 3",
     "linear 54, unflatten 9 2 3, relu, save a, max_pool2d kernel=2, upsample scale=6, conv2d 9 kernel=5 stride=1, "
     "avg_pool2d kernel=1, max_pool2d kernel=2 stride=1, save b, conv2d 6 kernel=1, flatten, linear 54, unflatten 9 2 3, add a, concat a, conv2d 1 kernel=1, flatten, "
     "sigmoid",
     "none", "bce", 35, 6, 0},
    // on the image itself, which the loss reads again
    {"ae", "flatten, dropout p=0.3, linear 9, relu", "linear 6, sigmoid", "3", "bce", 33, 6, 0},
    {"ae", "tanh, flatten, relu, linear 9", "linear 6, sigmoid", "3", "mse", 5, 6, 0},
    {"ae", "dropout p=0.4, tanh, dropout p=0.2, flatten, linear 9", "linear 6", "3", "l1", 5, 6, 0},
    // on the code, and on what goes into the loss
    {"ae", "flatten, linear 9, tanh", "relu, linear 6, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "dropout p=0.3, tanh, linear 6, dropout p=0.3, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, tanh, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, sigmoid, sigmoid", "3", "bce", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, sigmoid", "3", "mse", 5, 6, 0},
    {"ae", "flatten, linear 9, tanh", "linear 6, tanh, dropout p=0.3", "3", "mse", 33, 6, 0},
    {"ae", "flatten, linear 6", "sigmoid", "none", "bce", 33, 6, 0},
    // not in place themselves, beside those that are; and their share of a gradient that another wrote
    {"ae",
     "unflatten 1 2 3, conv2d 9 kernel=1, relu, save a, silu, tanh, add a, save b, gelu, dropout p=0.2, add b, save c, "
     "group_norm 3, relu, add c, save d, self_attention heads=3, add d",
     "conv2d 1 kernel=1, flatten, sigmoid", "none", "bce", 37, 6, 0},
    {"ae",
     "silu, unflatten 1 2 3, save a, self_attention, add a, gelu approximate=tanh, flatten, group_norm 2, linear 9",
     "linear 6, gelu, sigmoid", "3", "bce", 33, 6, 0},
    {"ae", "flatten, linear 12, unflatten 3 2 2, save a, self_attention heads=3, concat a, group_norm 2, concat a",
     "flatten, linear 6, silu", "none", "mse", 5, 6, 0},
    {"vae", "flatten, linear 9, tanh", "relu, linear 6, sigmoid", "3", "bce", 33, 6, 0},
    {"vae", "flatten, linear 9, relu", "dropout p=0.3, linear 7, tanh, linear 6, unflatten 1 1 6, tanh", "3", "mse", 5,
     6, 0},
    {"vae", "flatten", "linear 6, sigmoid", "3", "bce", 5, 6, 0},
};

static void ops_in_place(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof in_place / sizeof *in_place; i++) {
        print_message("[%s] [%s] %s\n", in_place[i].encoder, in_place[i].decoder, in_place[i].loss);
        check(&in_place[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ops_in_place),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
