/* Functions for one image, x and y row-major (C, H, W); y is not x. */
#include "export/c_layers.h"

static const char linear[] =
    "/* y = w x + b.  w: (out, in) */\n"
    "static void linear(float *y, const float *x, const float *w, const float *b, int in, int out) {\n"
    "    for (int o = 0; o < out; o++) {\n"
    "        double sum = b ? b[o] : 0;\n"
    "        for (int i = 0; i < in; i++) sum += (double)w[(size_t)o * (size_t)in + (size_t)i] * x[i];\n"
    "        y[o] = (float)sum;\n"
    "    }\n"
    "}\n";

static const char conv[] =
    "/* in, out: channels, height, width; of rows and columns, k: kernel, s: stride, p: padding, d: dilation.\n"
    " * w: (out, in, k[0], k[1]) */\n"
    "static void conv2d(float *y, const float *x, const float *w, const float *b, const int in[3], const int out[3],\n"
    "                   const int k[2], const int s[2], const int p[2], const int d[2]) {\n"
    "    for (int o = 0; o < out[0]; o++)\n"
    "        for (int i = 0; i < out[1]; i++)\n"
    "            for (int j = 0; j < out[2]; j++, y++) {\n"
    "                float sum = b ? b[o] : 0;\n"
    "                for (int c = 0; c < in[0]; c++)\n"
    "                    for (int u = 0; u < k[0]; u++)\n"
    "                        for (int v = 0; v < k[1]; v++) {\n"
    "                            int row = i * s[0] - p[0] + u * d[0], column = j * s[1] - p[1] + v * d[1];\n"
    "                            if (row < 0 || row >= in[1] || column < 0 || column >= in[2]) continue;\n"
    "                            sum += w[((o * in[0] + c) * k[0] + u) * k[1] + v] * x[(c * in[1] + row) * in[2] + column];\n"
    "                        }\n"
    "                *y = sum;\n"
    "            }\n"
    "}\n";

static const char conv_transpose[] =
    "/* As conv2d backward: each value of x is spread over y.  w: (in, out, k[0], k[1]) */\n"
    "static void conv_transpose2d(float *y, const float *x, const float *w, const float *b, const int in[3],\n"
    "                             const int out[3], const int k[2], const int s[2], const int p[2], const int d[2]) {\n"
    "    int pixels = out[1] * out[2];\n"
    "    for (int o = 0; o < out[0]; o++)\n"
    "        for (int i = 0; i < pixels; i++) y[o * pixels + i] = b ? b[o] : 0;\n"
    "    for (int c = 0; c < in[0]; c++)\n"
    "        for (int i = 0; i < in[1]; i++)\n"
    "            for (int j = 0; j < in[2]; j++, x++)\n"
    "                for (int o = 0; o < out[0]; o++)\n"
    "                    for (int u = 0; u < k[0]; u++)\n"
    "                        for (int v = 0; v < k[1]; v++) {\n"
    "                            int row = i * s[0] - p[0] + u * d[0], column = j * s[1] - p[1] + v * d[1];\n"
    "                            if (row < 0 || row >= out[1] || column < 0 || column >= out[2]) continue;\n"
    "                            y[o * pixels + row * out[2] + column] += w[((c * out[0] + o) * k[0] + u) * k[1] + v] * *x;\n"
    "                        }\n"
    "}\n";

static const char batch_norm[] =
    "/* With the statistics of training. */\n"
    "static void batch_norm(float *y, const float *x, const float *weight, const float *bias, const float *mean,\n"
    "                       const float *var, int channels, size_t pixels, float eps) {\n"
    "    for (int c = 0; c < channels; c++) {\n"
    "        float scale = weight[c] / sqrtf(var[c] + eps);\n"
    "        for (size_t i = 0; i < pixels; i++, x++, y++) *y = (*x - mean[c]) * scale + bias[c];\n"
    "    }\n"
    "}\n";

static const char layer_norm[] =
    "static void layer_norm(float *y, const float *x, const float *weight, const float *bias, size_t n, double eps) {\n"
    "    double mean = 0, var = 0;\n"
    "    for (size_t i = 0; i < n; i++) mean += x[i] / (double)n;\n"
    "    for (size_t i = 0; i < n; i++) var += (x[i] - mean) * (x[i] - mean) / (double)n;\n"
    "    for (size_t i = 0; i < n; i++) y[i] = (float)((x[i] - mean) / sqrt(var + eps)) * weight[i] + bias[i];\n"
    "}\n";

#define POOL(name, start, take, give)                                                                                  \
    "static void " name "(float *y, const float *x, const int in[3], const int out[3], int k, int s, int p) {\n"       \
    "    for (int c = 0; c < in[0]; c++)\n"                                                                            \
    "        for (int i = 0; i < out[1]; i++)\n"                                                                       \
    "            for (int j = 0; j < out[2]; j++, y++) {\n"                                                            \
    "                float all = " start ";\n"                                                                         \
    "                for (int u = 0; u < k; u++)\n"                                                                    \
    "                    for (int v = 0; v < k; v++) {\n"                                                              \
    "                        int row = i * s - p + u, column = j * s - p + v;\n"                                       \
    "                        if (row < 0 || row >= in[1] || column < 0 || column >= in[2]) continue;\n"                \
    "                        float one = x[(c * in[1] + row) * in[2] + column];\n"                                     \
    "                        " take ";\n"                                                                              \
    "                    }\n"                                                                                          \
    "                *y = " give ";\n"                                                                                 \
    "            }\n"                                                                                                  \
    "}\n"
static const char max_pool[] = POOL("max_pool2d", "-INFINITY", "if (one > all) all = one", "all");
static const char avg_pool[] = POOL("avg_pool2d", "0", "all += one", "all / (float)(k * k)");

static const char nearest[] =
    "static void upsample_nearest(float *y, const float *x, const int in[3], int scale) {\n"
    "    for (int c = 0; c < in[0]; c++)\n"
    "        for (int i = 0; i < in[1] * scale; i++)\n"
    "            for (int j = 0; j < in[2] * scale; j++, y++) *y = x[(c * in[1] + i / scale) * in[2] + j / scale];\n"
    "}\n";

static const char bilinear[] =
    "/* Pixel centres at halves, edges repeated: align_corners=False. */\n"
    "static void upsample_bilinear(float *y, const float *x, const int in[3], int scale) {\n"
    "    for (int c = 0; c < in[0]; c++)\n"
    "        for (int i = 0; i < in[1] * scale; i++)\n"
    "            for (int j = 0; j < in[2] * scale; j++, y++) {\n"
    "                float r = ((float)i + 0.5f) / (float)scale - 0.5f, q = ((float)j + 0.5f) / (float)scale - 0.5f;\n"
    "                if (r < 0) r = 0;\n"
    "                if (q < 0) q = 0;\n"
    "                int top = (int)r, left = (int)q;\n"
    "                int bottom = top + 1 < in[1] ? top + 1 : top, right = left + 1 < in[2] ? left + 1 : left;\n"
    "                const float *plane = x + c * in[1] * in[2];\n"
    "                float down = r - (float)top, along = q - (float)left;\n"
    "                float a = plane[top * in[2] + left] * (1 - along) + plane[top * in[2] + right] * along;\n"
    "                float b = plane[bottom * in[2] + left] * (1 - along) + plane[bottom * in[2] + right] * along;\n"
    "                *y = a * (1 - down) + b * down;\n"
    "            }\n"
    "}\n";

static const char group_norm[] =
    "static void group_norm(float *y, const float *x, const float *weight, const float *bias, int channels, int pixels,\n"
    "                       int groups, double eps) {\n"
    "    int each = channels / groups, n = each * pixels;\n"
    "    for (int g = 0; g < groups; g++) {\n"
    "        double mean = 0, var = 0;\n"
    "        for (int i = 0; i < n; i++) mean += x[g * n + i] / (double)n;\n"
    "        for (int i = 0; i < n; i++) var += (x[g * n + i] - mean) * (x[g * n + i] - mean) / (double)n;\n"
    "        for (int i = 0; i < n; i++) {\n"
    "            int c = g * each + i / pixels;\n"
    "            y[g * n + i] = (float)((x[g * n + i] - mean) / sqrt(var + eps)) * weight[c] + bias[c];\n"
    "        }\n"
    "    }\n"
    "}\n";

static const char self_attention[] =
    "/* rows x positions = w (rows, channels) x (channels, positions) + b */\n"
    "static void project(float *y, const float *x, const float *w, const float *b, int rows, int channels, int positions) {\n"
    "    for (int r = 0; r < rows; r++)\n"
    "        for (int t = 0; t < positions; t++) {\n"
    "            float sum = b[r];\n"
    "            for (int c = 0; c < channels; c++) sum += w[r * channels + c] * x[c * positions + t];\n"
    "            y[r * positions + t] = sum;\n"
    "        }\n"
    "}\n"
    "\n"
    "/* Behind y there is room for 4 times its size and `positions` more. */\n"
    "static void self_attention(float *y, const float *x, const float *w, const float *b, const float *out_w,\n"
    "                           const float *out_b, int channels, int positions, int heads) {\n"
    "    int n = channels * positions, d = channels / heads;\n"
    "    float *qkv = y + n, *mixed = qkv + 3 * n, *score = mixed + n;\n"
    "    project(qkv, x, w, b, 3 * channels, channels, positions);\n"
    "    for (int h = 0; h < heads; h++)\n"
    "        for (int t = 0; t < positions; t++) {\n"
    "            const float *q = qkv + h * d * positions, *k = q + n, *v = k + n;\n"
    "            float most = 0, total = 0;\n"
    "            for (int s = 0; s < positions; s++) {\n"
    "                float dot = 0;\n"
    "                for (int i = 0; i < d; i++) dot += q[i * positions + t] * k[i * positions + s];\n"
    "                score[s] = dot / sqrtf((float)d);\n"
    "                if (s == 0 || score[s] > most) most = score[s];\n"
    "            }\n"
    "            for (int s = 0; s < positions; s++) total += score[s] = expf(score[s] - most);\n"
    "            for (int i = 0; i < d; i++) {\n"
    "                float sum = 0;\n"
    "                for (int s = 0; s < positions; s++) sum += score[s] * v[i * positions + s];\n"
    "                mixed[(h * d + i) * positions + t] = sum / total;\n"
    "            }\n"
    "        }\n"
    "    project(y, mixed, out_w, out_b, channels, channels, positions);\n"
    "}\n";

static const char add[] = "static void add(float *y, const float *a, const float *b, size_t n) {\n"
                          "    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];\n"
                          "}\n";

static const char concat[] = "static void concat(float *y, const float *a, const float *b, size_t na, size_t nb) {\n"
                             "    memcpy(y, a, na * sizeof *y);\n"
                             "    memcpy(y + na, b, nb * sizeof *y);\n"
                             "}\n";

static const char planes[] =
    "/* Each number of a label as a plane of `pixels`, behind n values of x. */\n"
    "static void concat_planes(float *y, const float *x, const float *label, size_t n, int classes, int pixels) {\n"
    "    memcpy(y, x, n * sizeof *y);\n"
    "    y += n;\n"
    "    for (int c = 0; c < classes; c++)\n"
    "        for (int i = 0; i < pixels; i++) *y++ = label[c];\n"
    "}\n";

#define EACH(name, more, value)                                                                                        \
    "static void " name "(float *y, const float *x, size_t n" more ") {\n"                                             \
    "    for (size_t i = 0; i < n; i++) y[i] = " value ";\n"                                                           \
    "}\n"
static const char relu[] = EACH("relu", "", "x[i] > 0 ? x[i] : 0");
static const char leaky_relu[] = EACH("leaky_relu", ", float slope", "x[i] > 0 ? x[i] : slope * x[i]");
static const char hyperbolic[] = EACH("hyperbolic_tangent", "", "tanhf(x[i])");
static const char sigmoid[] = EACH("sigmoid", "", "1 / (1 + expf(-x[i]))");
static const char silu[] = EACH("silu", "", "x[i] / (1 + expf(-x[i]))");
static const char gelu[] = EACH("gelu", "", "0.5f * x[i] * erfcf(-0.70710678f * x[i])");
static const char gelu_tanh[] =
    EACH("gelu_tanh", "", "x[i] / (1 + expf(-1.5957691f * x[i] * (1 + 0.044715f * x[i] * x[i])))");

static const struct {
    const char *function, *text;
} layers[ELBO_C_LAYERS] = {
    [ELBO_C_LINEAR] = {"linear", linear},
    [ELBO_C_CONV] = {"conv2d", conv},
    [ELBO_C_CONV_TRANSPOSE] = {"conv_transpose2d", conv_transpose},
    [ELBO_C_BATCH_NORM] = {"batch_norm", batch_norm},
    [ELBO_C_LAYER_NORM] = {"layer_norm", layer_norm},
    [ELBO_C_GROUP_NORM] = {"group_norm", group_norm},
    [ELBO_C_ATTENTION] = {"self_attention", self_attention},
    [ELBO_C_MAX_POOL] = {"max_pool2d", max_pool},
    [ELBO_C_AVG_POOL] = {"avg_pool2d", avg_pool},
    [ELBO_C_NEAREST] = {"upsample_nearest", nearest},
    [ELBO_C_BILINEAR] = {"upsample_bilinear", bilinear},
    [ELBO_C_ADD] = {"add", add},
    [ELBO_C_CONCAT] = {"concat", concat},
    [ELBO_C_PLANES] = {"concat_planes", planes},
    [ELBO_C_RELU] = {"relu", relu},
    [ELBO_C_LEAKY_RELU] = {"leaky_relu", leaky_relu},
    [ELBO_C_TANH] = {"hyperbolic_tangent", hyperbolic},
    [ELBO_C_SIGMOID] = {"sigmoid", sigmoid},
    [ELBO_C_SILU] = {"silu", silu},
    [ELBO_C_GELU] = {"gelu", gelu},
    [ELBO_C_GELU_TANH] = {"gelu_tanh", gelu_tanh},
};

const char *elbo_c_function(elbo_c_layer layer) { return layers[layer].function; }
const char *elbo_c_text(elbo_c_layer layer) { return layers[layer].text; }

elbo_c_layer elbo_c_layer_of(const elbo_node *n) {
    static const struct {
        const elbo_op *op;
        elbo_c_layer layer;
    } rows[] = {
        {&elbo_op_linear, ELBO_C_LINEAR},
        {&elbo_op_conv2d, ELBO_C_CONV},
        {&elbo_op_conv_transpose2d, ELBO_C_CONV_TRANSPOSE},
        {&elbo_op_batch_norm1d, ELBO_C_BATCH_NORM},
        {&elbo_op_batch_norm2d, ELBO_C_BATCH_NORM},
        {&elbo_op_layer_norm, ELBO_C_LAYER_NORM},
        {&elbo_op_group_norm, ELBO_C_GROUP_NORM},
        {&elbo_op_self_attention, ELBO_C_ATTENTION},
        {&elbo_op_silu, ELBO_C_SILU},
        {&elbo_op_max_pool2d, ELBO_C_MAX_POOL},
        {&elbo_op_avg_pool2d, ELBO_C_AVG_POOL},
        {&elbo_op_add, ELBO_C_ADD},
        {&elbo_op_concat, ELBO_C_CONCAT},
        {&elbo_op_relu, ELBO_C_RELU},
        {&elbo_op_leaky_relu, ELBO_C_LEAKY_RELU},
        {&elbo_op_tanh, ELBO_C_TANH},
        {&elbo_op_sigmoid, ELBO_C_SIGMOID},
        {&elbo_op_dropout, ELBO_C_NOTHING},
        {&elbo_op_flatten, ELBO_C_NOTHING},
        {&elbo_op_unflatten, ELBO_C_NOTHING},
    };
    if (n->op == &elbo_op_upsample)
        return (int)n->value[ELBO_UPSAMPLE_MODE] == ELBO_UPSAMPLE_BILINEAR ? ELBO_C_BILINEAR : ELBO_C_NEAREST;
    if (n->op == &elbo_op_gelu) return (int)n->value[ELBO_GELU_APPROXIMATE] ? ELBO_C_GELU_TANH : ELBO_C_GELU;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].op == n->op) return rows[i].layer;
    return ELBO_C_LAYERS;
}

size_t elbo_c_scratch(const elbo_node *n) {
    bool attends = n->op == &elbo_op_self_attention;
    return attends ? 4 * elbo_shape_size(n->shape) + (size_t)n->shape.dim[1] * (size_t)n->shape.dim[2] : 0;
}
