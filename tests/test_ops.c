/* Every op inside a small network, from recipe text to gradients, by the checks of op_networks.h.
 *
 * A new op is a row of `layers`, some `problems`, and its plain loop in oracle.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "op_networks.h"

/* ---- problem strings ----
 *
 * "linear b33 i17 o40 bias=false": the op, then numbers behind letters, then arguments as a recipe has them. b is the
 * batch; i, or c, h and w, what goes in; the others are the op's. */

typedef struct problem {
    const char *text;
    char op[32], arguments[80];
    int letter[26];
} problem;

static problem parse_problem(const char *text) {
    problem p = {.text = text, .letter['s' - 'a'] = 1}; // a stride of 1, where none is given
    int end = 0;
    assert_int_equal(sscanf(text, "%31s%n", p.op, &end), 1);
    char word[64];
    for (const char *at = text + end; sscanf(at, "%63s%n", word, &end) == 1; at += end) {
        if (strchr(word, '=')) {
            strcat(strcat(p.arguments, " "), word);
            continue;
        }
        for (char *w = word; *w;) {
            int *number = &p.letter[*w - 'a'];
            *number = (int)strtol(w + 1, &w, 10);
            assert_true(*number >= 0);
        }
    }
    return p;
}

static int letter(const problem *p, char c) { return p->letter[c - 'a']; }

/* How each op is written in a recipe: %o stands for the letter's number. */
static const struct {
    const char *op, *layer;
} layers[] = {
    {"batch_norm1d", "batch_norm1d"},
    {"batch_norm2d", "batch_norm2d"},
    {"save", "save a, linear %o, relu, add a"},
    {"add", "save a, tanh, add a"},
    {"concat", "save a, linear %o, relu, concat a"},
    {"layer_norm", "layer_norm"},
    {"silu", "silu"},
    {"gelu", "gelu"},
    {"group_norm", "group_norm %g"},
    {"self_attention", "self_attention heads=%o"},
    {"max_pool2d", "max_pool2d kernel=%k"},
    {"avg_pool2d", "avg_pool2d kernel=%k"},
    {"upsample", "upsample"},
    {"conv2d", "conv2d %o kernel=%k stride=%s padding=%p"},
    {"conv_transpose2d", "conv_transpose2d %o kernel=%k stride=%s padding=%p"},
    {"linear", "linear %o"},
    {"relu", "relu"},
    {"leaky_relu", "leaky_relu"},
    {"tanh", "tanh"},
    {"sigmoid", "sigmoid"},
    {"flatten", "flatten"},
    {"unflatten", "unflatten"},
    {"dropout", "dropout"},
};

static const char *const problems[] = {
    "linear b5 i7 o3",
    "linear b1 i1 o1",
    "linear b33 i17 o40 bias=false",
    "linear b37 i65 o15",
    "relu b5 i9",
    "relu b33 i16",
    "leaky_relu b5 i9",
    "leaky_relu b31 i17 negative_slope=0.3",
    "tanh b5 i9",
    "tanh b64 i33",
    "sigmoid b5 i9",
    "sigmoid b65 i15",
    "flatten b5 c2h3w2",
    "unflatten b5 i12 channels=2 height=3 width=2",
    "conv2d b2c3h5w4 o4k3s2p1",
    "conv2d b1c1h1w1 o1k1",
    "conv2d b5c2h6w3 o3k2",
    "conv2d b35c3h4w5 o5k3p1 bias=false",
    "conv2d b3c9h4w4 o17k3p1",
    "conv2d b2c2h9w7 o3k3s3p2 dilation=2",
    "conv2d b2c16h5w5 o8k5p4",
    "conv_transpose2d b2c3h3w4 o2k3s2p1",
    "conv_transpose2d b1c1h1w1 o1k1",
    "conv_transpose2d b2c3h3w2 o4k3s2p1 output_padding=1",
    "conv_transpose2d b35c2h3w3 o3k2s2 bias=false",
    "conv_transpose2d b3c17h3w3 o9k3p1",
    "conv_transpose2d b2c2h3w2 o3k3s3p2 dilation=2 output_padding=2",
    "conv_transpose2d b2c16h3w3 o8k4s2p1",
    "conv_transpose2d b3c33h3w2 o3k3s2p1 output_padding=1",
    "batch_norm1d b5 i9",
    "batch_norm1d b37 i17 eps=0.01",
    "batch_norm2d b3 c2h3w2",
    "batch_norm2d b35 c9h2w2",
    "batch_norm2d b3 c17h1w3 eps=0.1 momentum=0.3",
    "save b5 i9 o9",
    "add b5 i9",
    "add b33 c9h2w3",
    "concat b5 i9 o4",
    "concat b35 i17 o16",
    "conv2d b5c1h7w5 o20k5p2",
    "conv2d b2c20h5w4 o17k4s3p1",
    "conv2d b1c17h5w7 o1k3s2p1",
    "conv2d b33c8h3w3 o3k3p1 bias=false",
    "conv2d b3c17h5w4 o1k3p1", // to few channels: run as a transposed convolution
    "conv2d b2c9h6w5 o2k5p3",
    "conv2d b2c16h7w6 o1k3p3 dilation=2",
    "conv2d b2c8h3w4 o1k2p3", // more padding than the kernel reaches: not so
    "conv2d b2c5h9w6 o9k3s2p3 dilation=2",
    "conv2d b3c3h4w5 o8k2s2",
    // from 8 channels or more to a few: a product, and its columns added to the picture
    "conv_transpose2d b5c20h3w4 o1k5s2p2 output_padding=1",
    "conv_transpose2d b2c8h2w3 o5k5s3p1",
    "conv_transpose2d b1c17h3w2 o3k3s2p1 dilation=2 output_padding=1",
    "conv_transpose2d b33c9h2w2 o1k3s2p1 bias=false",
    "conv_transpose2d b2c20h2w3 o3k2s3 output_padding=2",
    "conv_transpose2d b2c3h2w3 o20k4s2p1",
    "conv_transpose2d b5c5h3w3 o8k3s1p2 dilation=2",
    "conv_transpose2d b2c17h2w2 o20k1s2 output_padding=1",
    // an output_padding of the stride or more, below the dilation: up to the padding, and beyond
    "conv_transpose2d b3c9h3w4 o5k3p2 dilation=2 output_padding=1",
    "conv_transpose2d b2c3h3w2 o9k2p1 dilation=3 output_padding=2",
    "conv_transpose2d b2c17h2w3 o17k3s2p1 dilation=4 output_padding=3",
    "conv_transpose2d b33c2h3w2 o3k3 dilation=2 output_padding=1 bias=false",
    "conv_transpose2d b2c9h2w3 o1k2p0 dilation=3 output_padding=2",
    "max_pool2d b5 c2h4w6k2",
    "max_pool2d b3 c9h5w7k3 stride=2 padding=1",
    "max_pool2d b35 c17h3w4k2 stride=1",
    "max_pool2d b2 c3h5w5k2 padding=1",
    "max_pool2d b1 c16h7w4k4 stride=3 padding=2",
    "max_pool2d b2 c20h1w1k1",
    "avg_pool2d b5 c2h4w6k2",
    "avg_pool2d b3 c9h5w7k3 stride=2 padding=1",
    "avg_pool2d b35 c17h3w4k2 stride=1",
    "avg_pool2d b2 c3h5w5k2 padding=1",
    "avg_pool2d b1 c16h7w4k4 stride=3 padding=2",
    "upsample b5 c2h3w2",
    "upsample b3 c9h2w3 scale=3",
    "upsample b35 c17h1w2 mode=nearest",
    "upsample b5 c2h3w2 mode=bilinear",
    "upsample b3 c9h2w4 scale=3 mode=bilinear",
    "upsample b35 c17h1w2 mode=bilinear",
    "upsample b2 c8h2w2 scale=4 mode=bilinear",
    "upsample b2 c3h2w2 scale=1 mode=bilinear",
    "layer_norm b5 i9",
    "layer_norm b37 i17 eps=0.01",
    "layer_norm b3 c2h3w2",
    "layer_norm b35 c9h2w2",
    "layer_norm b2 c17h3w3 eps=0.1",
    "silu b5 i9",
    "silu b35 c9h2w3",
    "gelu b5 i17",
    "gelu b35 c9h2w3",
    "gelu b5 i17 approximate=tanh",
    "group_norm b5 i12 g3",
    "group_norm b37 c9h3w2 g3 eps=0.01",
    "group_norm b2 c16h2w3 g4",
    "group_norm b3 c3h2w2 g1",
    "group_norm b3 c5h3w5 g5",
    "self_attention b2 c4h2w3 o2",
    "self_attention b3 c9h3w2 o3",
    "self_attention b2 c16h3w3 o4",
    "self_attention b35 c2h1w2 o1",
    "self_attention b1 c1h1w1 o1",
    "dropout b5 i9 p=0.3",
    "dropout b37 i17",
    "dropout b3 i9 p=0",
    "reparameterize b5 z3",
    "reparameterize b33 z17",
    "reparameterize b1 z1",
    "bce b5 i9",
    "bce b35 i17",
    "mse b5 i9",
    "mse b33 i1",
    "l1 b5 i9",
    "l1 b2 i33",
    "mse_l1 b5 i9",
    "mse_l1 b33 i17",
    "cb b5 i9",
    "cb b35 i17",
    "gaussian b5 i9",
    "gaussian b37 i17",
    "gaussian b2 i1 sigma=0.3",
    "logistic b5 i9",
    "logistic b35 i17",
    "logistic b33 i2 sigma=0.07",
};

/* Losses, as a recipe says them. */
static const struct {
    const char *name, *loss;
} losses[] = {{"bce", "bce"},
              {"mse", "mse"},
              {"l1", "l1"},
              {"mse_l1", "[mse, 0.7 l1]"},
              {"cb", "cb"},
              {"gaussian", "1.3 gaussian"},
              {"logistic", "logistic"}};

/* A problem is a network with a layer in front of the op, which learns from the op's gradient, and one behind it. */
static network network_of(const problem *p, char room[2][200]) {
    network n = {.kind = "ae", .latent = "none", .loss = "bce", .batch = letter(p, 'b'), .pixels = 6};
    n.encoder = room[0], n.decoder = room[1];
    if (!strcmp(p->op, "reparameterize")) {
        n.kind = "vae";
        n.latent = room[0];
        snprintf(room[0], 200, "%d", letter(p, 'z'));
        n.encoder = "flatten, linear 7, tanh";
        n.decoder = "linear 6, sigmoid";
        return n;
    }
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        if (strcmp(p->op, losses[i].name)) continue;
        bool logits = !strcmp(p->op, "bce") || !strcmp(p->op, "cb");
        n.loss = room[0];
        const char *equals = strchr(p->arguments, '='); // sigma=0.3: another key of loss
        snprintf(room[0], 200, "%s%s%s", losses[i].loss, equals ? ", sigma: " : "", equals ? equals + 1 : "");
        n.pixels = letter(p, 'i');
        n.encoder = "flatten, linear 5, tanh";
        snprintf(room[1], 200, "linear %d%s", n.pixels, logits ? ", sigmoid" : "");
        return n;
    }
    char layer[80] = "", front[64];
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        if (strcmp(layers[i].op, p->op)) continue;
        for (const char *c = layers[i].layer; *c; c++) {
            size_t used = strlen(layer);
            if (*c == '%')
                snprintf(layer + used, sizeof layer - used, "%d", letter(p, *++c));
            else
                layer[used] = *c;
        }
    }
    if (!*layer) fail_msg("%s: `layers` has no such op", p->text);
    int c = letter(p, 'c'), h = letter(p, 'h'), w = letter(p, 'w');
    if (c)
        snprintf(front, sizeof front, "linear %d, unflatten %d %d %d", c * h * w, c, h, w);
    else
        snprintf(front, sizeof front, "linear %d", letter(p, 'i'));
    snprintf(room[0], 200, "flatten, %s, %s%s", front, layer, p->arguments);
    n.decoder = "flatten, linear 6, sigmoid";
    return n;
}

/* ---- the tests ---- */

static void every_op(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        problem p = parse_problem(problems[i]);
        char room[2][200];
        network n = network_of(&p, room);
        print_message("%s\n", p.text);
        check(&n);
    }
}

/* No op without a problem. */
static void none_is_forgotten(void **state) {
    (void)state;
    for (int i = 0; elbo_ops[i]; i++) {
        bool found = elbo_ops[i] == &elbo_op_input ||   // it is in front of all of them
                     elbo_ops[i] == &elbo_op_corrupt || // test_inputs.c
                     elbo_ops[i] == &elbo_op_versus;    // test_adversary.c
        for (size_t k = 0; k < sizeof problems / sizeof *problems && !found; k++) {
            problem p = parse_problem(problems[k]);
            found = !strcmp(p.op, elbo_ops[i]->name);
        }
        if (!found) fail_msg("op `%s` has no problem string in this test", elbo_ops[i]->name);
    }
}

/* How a batch is cut: one image, a whole shard, a shard and a row, fewer images than the plan has room for. */
static void batches(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 0}, {32, 0}, {33, 0}, {96, 0}, {97, 0}, {1, 64}, {31, 33}, {5, 200}, {64, 65}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        print_message("%d of %d\n", sizes[i][0], sizes[i][1]);
        network n = {"vae",
                     "flatten, linear 7, relu, dropout p=0.2",
                     "linear 7, tanh, linear 6, sigmoid",
                     "3",
                     "bce",
                     sizes[i][0],
                     6,
                     sizes[i][1]};
        check(&n);
        n.encoder = "flatten, linear 7, save a, linear 7, relu, add a"; // a gradient that is added to
        check(&n);
        n.encoder = "unflatten 1 2 3, conv2d 2 kernel=2, relu, dropout p=0.2";
        n.decoder = "linear 18, unflatten 9 1 2, conv_transpose2d 1 kernel=2, flatten, sigmoid";
        check(&n);
    }
}

/* Running statistics as PyTorch's: the mean, and the variance with n - 1, each moved by the momentum. A batch of one
 * value per channel has no variance and is left out (PyTorch stops there); one image of several pixels has. */
static void running_statistics(void **state) {
    (void)state;
    devices[2] = test_device();
    for (int d = 0; d < DEVICES; d++)
        for (int two = 0; two < 2; two++)
            for (int count = 1; count <= 33; count += 16) {
                network n = {"ae",
                             two ? "unflatten 1 2 3, batch_norm2d" : "flatten, batch_norm1d",
                             "flatten, linear 6, sigmoid",
                             "none",
                             "bce",
                             40,
                             6,
                             0};
                engine e;
                batch b;
                if (!open_network(&e, &n, devices[d], ELBO_TRAIN)) continue;
                const elbo_graph *g = &e.network.graph;
                batch_make(&b, g, count, 40);
                elbo_batch_args pass = pass_of(&e, &b, count);
                pass.no_update = false;
                const elbo_param *mean = NULL, *var = NULL;
                for (int i = 0; i < g->params; i++) {
                    if (strstr(g->param[i].name, "running_mean")) mean = &g->param[i];
                    if (strstr(g->param[i].name, "running_var")) var = &g->param[i];
                }
                assert_true(mean && var);
                size_t channels = mean->count, pixels = 6 / channels, values = (size_t)count * pixels;
                double before[2][6];
                for (size_t c = 0; c < channels; c++) {
                    before[0][c] = e.network.params[mean->offset + c];
                    before[1][c] = e.network.params[var->offset + c];
                }
                engine_run(&e, &pass);
                for (size_t c = 0; c < channels; c++) {
                    double m = 0, v = 0, share = values > 1 ? 0.1 : 0;
                    for (size_t i = 0; i < values; i++)
                        m += b.x[i / pixels * 6 + c * pixels + i % pixels] / (double)values;
                    for (size_t i = 0; i < values; i++)
                        v += pow(b.x[i / pixels * 6 + c * pixels + i % pixels] - m, 2) / fmax((double)values - 1, 1);
                    assert_near("running_mean", c, e.network.params[mean->offset + c],
                                before[0][c] + share * (m - before[0][c]), 1e-6);
                    assert_near("running_var", c, e.network.params[var->offset + c],
                                before[1][c] + share * (v - before[1][c]), 1e-6);
                }
                engine_close(&e);
                batch_free(&b);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op),
        cmocka_unit_test(none_is_forgotten),
        cmocka_unit_test(batches),
        cmocka_unit_test(running_statistics),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
