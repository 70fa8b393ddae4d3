/* elbo export: the C file is compiled and computes what the model computes; the ONNX graphs are read back node by node;
 * the PyTorch module holds the layers and its weights those of the run. tools/check_export.py runs the latter two in
 * PyTorch and onnxruntime. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <math.h>

#include "base/file.h"
#include "engine.h"
#include "export/export.h"
#include "formats/safetensors.h"
#include "run/run_folder.h"
#include "scratch.h"

enum { TRAIN = 96, SIZE = 784, MOST_Z = 64, IMAGES = 3 };

static scratch here;
static elbo_dataset digits;
static elbo_error refused; // why

static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    static char name[] = "digits", source[] = "built in";
    digits = (elbo_dataset){.name = name, .source = source, .classes = 10};
    assert_ok(elbo_digits_make(&digits.train, false, TRAIN, 1, &failure));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_images_free(&digits.train);
    scratch_remove(&here);
    return 0;
}

/* A run of the recipe, so little trained that no value is at its limit, opened. */
static elbo_model *trained(const char *name, const char *yaml) {
    char file[100], run[400];
    snprintf(file, sizeof file, "%s.yaml", name);
    elbo_recipe r;
    elbo_train_result result;
    elbo_model *m;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, file, yaml, strlen(yaml)), NULL, 0, &failure));
    snprintf(run, sizeof run, "%s", scratch_path(&here, name));
    assert_ok(elbo_train(&result, &r, &digits, (elbo_train_options){.run = run}, &failure));
    elbo_recipe_close(&r);
    assert_ok(elbo_model_open(&m, run, 1, &failure));
    return m;
}

#define DENSE                                                                                                          \
    "kind: vae\ndata: digits\nlatent: 4\nencoder: [flatten, linear 24, relu, dropout 0.2]\n"                           \
    "decoder: [linear 24, leaky_relu 1, linear 784, sigmoid]\ntrain: {epochs: 1, batch: 32}\n"
#define EVERY_LAYER                                                                                                    \
    "kind: vae\ndata: digits\nimage: {range: [-1, 1]}\nlatent: {channels: 1, head: conv2d kernel=3 padding=1}\n"       \
    "encoder: [conv2d 4 kernel=3x5 padding=1x2 bias=false, batch_norm2d eps=1e-3, leaky_relu 0.2, save a, conv2d 4 "   \
    "kernel=3 padding=2 dilation=2, add a, max_pool2d kernel=2, save b, conv2d 3 kernel=1, concat b, layer_norm, "     \
    "tanh, avg_pool2d kernel=2]\n"                                                                                     \
    "decoder: [upsample 2 mode=bilinear, conv_transpose2d 3 kernel=3x4 stride=2 padding=1 output_padding=1x0, relu, "  \
    "flatten, linear 20, batch_norm1d, sigmoid, linear 1568, unflatten 2 28 28, upsample, avg_pool2d kernel=3 "        \
    "stride=2 padding=1, conv2d 1 kernel=1]\n"                                                                         \
    "loss: {reconstruction: gaussian}\ntrain: {epochs: 1, batch: 32}\n"
#define ATTENTION                                                                                                      \
    "kind: vae\ndata: digits\nlatent: 6\n"                                                                             \
    "encoder: [conv2d 6 kernel=4 stride=4, group_norm 3 eps=1e-3, silu, save a, self_attention heads=2, add a, gelu, " \
    "flatten, linear 30, gelu approximate=tanh]\n"                                                                     \
    "decoder: [linear 98, group_norm 7, silu, unflatten 2 7 7, self_attention, upsample 4, conv2d 1 kernel=1, "        \
    "sigmoid]\ntrain: {epochs: 1, batch: 32}\n"
#define TOLD                                                                                                           \
    "kind: vae\ndata: digits\nlatent: 4\n"                                                                             \
    "encoder: [concat class, conv2d 4 kernel=3 stride=4 padding=1, relu, flatten, concat class]\n"                     \
    "decoder: [concat class, linear 196, unflatten 4 7 7, concat class, upsample 4, conv2d 1 kernel=1, sigmoid]\n"     \
    "train: {epochs: 1, batch: 32}\n"
#define SKIPS                                                                                                          \
    "kind: ae\ndata: digits\nlatent: 8\n"                                                                              \
    "encoder: [conv2d 4 kernel=3 stride=4 padding=1, relu, save s, flatten]\n"                                         \
    "decoder: [linear 196, unflatten 4 7 7, concat s, upsample 4, conv2d 1 kernel=3 padding=1, sigmoid]\n"             \
    "train: {epochs: 1, batch: 32}\n"

static elbo_export_files exported(const elbo_model *m, elbo_export_format format, const char *name) {
    elbo_export_files f;
    assert_ok(elbo_export_files_of(&f, format, scratch_path(&here, name), &failure));
    assert_ok(elbo_export(m, format, &f, &failure));
    return f;
}

static char *text_of(const char *path) {
    uint8_t *bytes = NULL;
    size_t n = 0;
    assert_ok(elbo_file_read(path, (size_t)1 << 30, &bytes, &n, &failure));
    char *text = strdup((const char *)bytes);
    free(bytes);
    assert_non_null(text);
    return text;
}

/* ---- C ---- */

typedef void (*encode_vae)(const float *image, float *mu, float *logvar, float *work);
typedef void (*decode_one)(const float *z, float *image, float *work);

static void expect_near(const float *a, const float *b, size_t n, const char *what) {
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-5f)) fail_msg("%s: value %zu is %g, the model's %g", what, i, a[i], b[i]);
}

/* The file as a library. */
static void *compiled(const char *path) {
    char library[500], command[1200];
    snprintf(library, sizeof library, "%s.so", path);
    snprintf(command, sizeof command, "cc -std=c17 -Wall -Wextra -Wpedantic -Werror -O1 -shared -fPIC '%s' -o '%s' -lm",
             path, library);
    assert_int_equal(system(command), 0);
    void *made = dlopen(library, RTLD_NOW);
    if (!made) fail_msg("%s", dlerror());
    return made;
}

static void *symbol(void *made, const elbo_model *m, const char *what) {
    char name[100];
    snprintf(name, sizeof name, "%s_%s", m->recipe.name, what);
    void *found = dlsym(made, name);
    if (!found) fail_msg("%s", dlerror());
    return found;
}

static void a_c_file_computes_the_same(elbo_model *m, const char *name) {
    elbo_export_files f = exported(m, ELBO_EXPORT_C, name);
    void *made = compiled(f.path[0]);
    encode_vae encode;
    decode_one decode;
    *(void **)&encode = symbol(made, m, "encode");
    *(void **)&decode = symbol(made, m, "decode");
    char *text = text_of(f.path[0]);
    const char *at = strstr(text, "_WORK = ");
    assert_non_null(at);
    float *work = malloc((size_t)atol(at + 8) * sizeof *work), images[IMAGES * SIZE], mu[IMAGES * MOST_Z],
          logvar[IMAGES * MOST_Z], decoded[IMAGES * SIZE];
    const elbo_recipe *r = &m->recipe;
    size_t Z = (size_t)elbo_model_get_info(m).latent;
    elbo_images_to_floats(&digits.train, NULL, IMAGES, r->image.low, r->image.high, images);
    assert_ok(elbo_encode_gaussian(m, IMAGES, images, mu, logvar, &failure));
    assert_ok(elbo_decode(m, IMAGES, mu, decoded, &failure));
    for (size_t i = 0; i < IMAGES; i++) {
        float own_mu[MOST_Z], own_logvar[MOST_Z], own[SIZE];
        encode(images + i * SIZE, own_mu, own_logvar, work);
        expect_near(own_mu, mu + i * Z, Z, "mu");
        expect_near(own_logvar, logvar + i * Z, Z, "logvar");
        encode(images + i * SIZE, own_mu, NULL, work);
        decode(mu + i * Z, own, work);
        expect_near(own, decoded + i * SIZE, SIZE, "image");
    }
    free(work);
    free(text);
    dlclose(made);
    elbo_export_files_free(&f);
}

static void a_dense_model_in_c(void **state) {
    (void)state;
    elbo_model *m = trained("dense", DENSE);
    a_c_file_computes_the_same(m, "dense-model.c");
    elbo_model_close(m);
}

static void every_layer_in_c(void **state) {
    (void)state;
    elbo_model *m = trained("every", EVERY_LAYER);
    a_c_file_computes_the_same(m, "every.c");
    elbo_model_close(m);
    m = trained("attends", ATTENTION);
    a_c_file_computes_the_same(m, "attends.c");
    elbo_model_close(m);
}

/* The class is one more array, behind features and as planes behind channels. */
static void a_conditional_model_in_c(void **state) {
    (void)state;
    elbo_model *m = trained("told", TOLD);
    elbo_export_files f = exported(m, ELBO_EXPORT_C, "told-model.c");
    char *text = text_of(f.path[0]);
    assert_non_null(strstr(text, "`label` is one of 10 classes"));
    float *work = malloc((size_t)atol(strstr(text, "_WORK = ") + 8) * sizeof *work), image[SIZE], own[SIZE], z[4],
          mu[4], label[10] = {[7] = 1};
    void *made = compiled(f.path[0]);
    void (*encode)(const float *, const float *, float *, float *, float *);
    void (*decode)(const float *, const float *, float *, float *);
    *(void **)&encode = symbol(made, m, "encode");
    *(void **)&decode = symbol(made, m, "decode");
    elbo_labels labels = {.size = sizeof labels, .count = 1, .weights = label};
    uint32_t which = 3;
    elbo_images_to_floats(&digits.train, &which, 1, 0, 1, image);
    assert_ok(elbo_encode_labelled(m, 1, image, &labels, mu, NULL, &failure));
    encode(image, label, z, NULL, work);
    expect_near(z, mu, 4, "mu");
    decode(z, label, own, work);
    assert_ok(elbo_decode_labelled(m, 1, mu, &labels, image, &failure));
    expect_near(own, image, SIZE, "image");
    label[7] = 0;
    decode(z, label, own, work);
    assert_memory_not_equal(own, image, sizeof own);
    free(work);
    free(text);
    dlclose(made);
    elbo_export_files_free(&f);
    elbo_model_close(m);
}

/* ---- ONNX ---- */

typedef struct reader {
    const uint8_t *at, *end;
} reader;

static uint64_t varint(reader *r) {
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(r->at < r->end);
        v |= (uint64_t)(*r->at & 0x7f) << shift;
        if (!(*r->at++ & 0x80)) return v;
    }
}

/* The next field's number; its bytes, of a message or a text, in `inner`. 0 at the end. */
static int field(reader *r, reader *inner, uint64_t *number) {
    if (r->at == r->end) return 0;
    uint64_t key = varint(r);
    *inner = (reader){0};
    switch (key & 7) {
    case 0: *number = varint(r); break;
    case 5: r->at += 4; break;
    case 2: {
        uint64_t n = varint(r);
        assert_true(n <= (uint64_t)(r->end - r->at));
        *inner = (reader){r->at, r->at + n};
        r->at += n;
        break;
    }
    default: fail_msg("wire type %d", (int)(key & 7));
    }
    assert_true(r->at <= r->end);
    return (int)(key >> 3);
}

/* The graph's nodes as "Gemm Relu ", the floats of its constants, and its inputs and outputs as "images>mu,logvar,". */
static void read_onnx(const char *path, char nodes[1000], size_t *floats, char ports[200]) {
    uint8_t *bytes;
    size_t n;
    assert_ok(elbo_file_read(path, (size_t)1 << 30, &bytes, &n, &failure));
    reader model = {bytes, bytes + n}, graph, inner, deep;
    uint64_t number, opset = 0;
    nodes[0] = ports[0] = 0;
    *floats = 0;
    for (int f; (f = field(&model, &graph, &number));) {
        if (f == 8) // opset_import
            while (field(&graph, &inner, &opset)) {}
        if (f != 7) continue;
        for (int g; (g = field(&graph, &inner, &number));) {
            uint64_t type = 0, size = 0;
            for (int k; (g == 1 || g == 5 || g == 11 || g == 12) && (k = field(&inner, &deep, &number));) {
                if (g == 1 && k == 4) sprintf(nodes + strlen(nodes), "%.*s ", (int)(deep.end - deep.at), deep.at);
                if (g == 5 && k == 2) type = number;
                if (g == 5 && k == 9) size = (uint64_t)(deep.end - deep.at) / sizeof(float);
                if (g > 5 && k == 1)
                    sprintf(ports + strlen(ports), "%.*s%s", (int)(deep.end - deep.at), deep.at, g == 11 ? ">" : ",");
            }
            if (type == 1) *floats += size;
        }
    }
    assert_int_equal(opset, 17);
    free(bytes);
}

static void onnx_graphs_have_the_layers(void **state) {
    (void)state;
    elbo_model *m = trained("onnx", DENSE);
    elbo_export_files f = exported(m, ELBO_EXPORT_ONNX, "m.onnx");
    char nodes[1000], ports[200];
    size_t encoder, decoder;
    assert_non_null(strstr(f.path[0], "m-encoder.onnx"));
    read_onnx(f.path[0], nodes, &encoder, ports);
    assert_string_equal(nodes, "Reshape Gemm Relu Identity Gemm Reshape Split ");
    assert_string_equal(ports, "images>mu,logvar,");
    read_onnx(f.path[1], nodes, &decoder, ports);
    assert_string_equal(nodes, "Gemm LeakyRelu Gemm Sigmoid Reshape ");
    assert_string_equal(ports, "z>images,");
    assert_int_equal(encoder + decoder, m->network.graph.weights);
    elbo_export_files_free(&f);
    elbo_model_close(m);
    m = trained("onnx-attends", ATTENTION);
    f = exported(m, ELBO_EXPORT_ONNX, "a.onnx");
    read_onnx(f.path[0], nodes, &encoder, ports);
    assert_string_equal(
        nodes, "Conv Reshape ReduceMean Sub Mul ReduceMean Add Sqrt Div Reshape Mul Add Sigmoid Mul Reshape MatMul Add "
               "Reshape Split Transpose MatMul Mul Softmax Transpose MatMul Reshape MatMul Add Reshape Add Mul Erf Add "
               "Mul Mul Reshape Gemm Mul Mul Add Mul Sigmoid Mul Gemm Reshape Split ");
    elbo_export_files_free(&f);
    elbo_model_close(m);
    m = trained("onnx-skips", SKIPS);
    f = exported(m, ELBO_EXPORT_ONNX, "s.onnx");
    read_onnx(f.path[0], nodes, &encoder, ports);
    assert_string_equal(ports, "images>v2,z,");
    read_onnx(f.path[1], nodes, &decoder, ports);
    assert_string_equal(ports, "z>v2>images,");
    elbo_export_files_free(&f);
    elbo_model_close(m);
}

/* ---- PyTorch ---- */

static void a_module_has_the_layers_and_the_weights(void **state) {
    (void)state;
    elbo_model *m = trained("torch", EVERY_LAYER);
    elbo_export_files f = exported(m, ELBO_EXPORT_PYTORCH, "torch-model.py");
    char *text = text_of(f.path[0]);
    static const char *const lines[] = {"nn.Conv2d(1, 4, (3, 5), padding=(1, 2), bias=False),",
                                        "nn.BatchNorm2d(4, eps=0.001),",
                                        "nn.LayerNorm([7, 14, 14]),",
                                        "self.mu = nn.Conv2d(7, 1, 3, padding=1)",
                                        "nn.Upsample(scale_factor=2, mode=\"bilinear\"),",
                                        "# add a",
                                        "from torch_model import Model",
                                        "from -1 to 1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!strstr(text, lines[i])) fail_msg("no %s in\n%s", lines[i], text);
    free(text);
    elbo_safetensors weights;
    assert_ok(elbo_safetensors_open(&weights, f.path[1], &failure));
    const elbo_graph *g = &m->network.graph;
    assert_int_equal(weights.count, g->params);
    for (int i = 0; i < g->params; i++) {
        const elbo_st_tensor *t = elbo_safetensors_find(&weights, g->param[i].name);
        assert_non_null(t);
        assert_memory_equal(t->data, m->network.params + g->param[i].offset, g->param[i].count * sizeof(float));
    }
    elbo_safetensors_close(&weights);
    elbo_export_files_free(&f);
    elbo_model_close(m);
}

/* ---- and back ---- */

static void weights_come_back_as_a_run(void **state) {
    (void)state;
    elbo_model *m = trained("out", EVERY_LAYER), *back;
    elbo_export_files f = exported(m, ELBO_EXPORT_PYTORCH, "out.py");
    char run[400];
    snprintf(run, sizeof run, "%s", scratch_path(&here, "back"));
    elbo_network n;
    assert_ok(elbo_network_make(&n, &m->recipe, m->network.graph.image, &failure));
    assert_ok(elbo_network_import(&n, f.path[1], &failure));
    assert_ok(elbo_run_make(run, &m->recipe, &n, NULL, false, &failure));
    assert_int_equal(elbo_run_make(run, &m->recipe, &n, NULL, false, &refused), ELBO_BAD_INPUT); // it is there
    assert_ok(elbo_model_open(&back, run, 1, &failure));
    assert_memory_equal(back->network.params, m->network.params, n.graph.param_floats * sizeof(float));
    elbo_model_close(back);
    elbo_train_result result; // the seed would lead elsewhere
    assert_int_equal(
        elbo_train(&result, &m->recipe, &digits, (elbo_train_options){.run = run, .resume = true}, &refused),
        ELBO_BAD_INPUT);
    assert_message(refused, "back", "imported");
    elbo_network_free(&n);
    elbo_model *other = trained("other", SKIPS);
    assert_ok(elbo_network_make(&n, &other->recipe, other->network.graph.image, &failure));
    assert_int_equal(elbo_network_import(&n, f.path[1], &refused), ELBO_BAD_INPUT);
    assert_message(refused, "encoder.0.");
    elbo_network_free(&n);
    elbo_model_close(other);
    elbo_model_close(m);
    elbo_export_files_free(&f);
}

/* ---- refusals ---- */

static void what_cannot_be_is_said(void **state) {
    (void)state;
    elbo_export_files f;
    assert_int_equal(elbo_export_files_of(&f, ELBO_EXPORT_C, "model.py", &refused), ELBO_BAD_INPUT);
    assert_message(refused, "model.py", ".c");
    assert_int_equal(elbo_export_files_of(&f, ELBO_EXPORT_ONNX, "a/.onnx", &refused), ELBO_BAD_INPUT);
    elbo_model *m = trained("skips", SKIPS);
    assert_ok(elbo_export_files_of(&f, ELBO_EXPORT_C, scratch_path(&here, "skips.c"), &failure));
    assert_int_equal(elbo_export(m, ELBO_EXPORT_C, &f, &refused), ELBO_BAD_INPUT);
    assert_message(refused, "pytorch or onnx");
    assert_false(elbo_file_exists(f.path[0]));
    elbo_export_files_free(&f);
    elbo_export_format format;
    assert_false(elbo_export_format_named(&format, "caffe"));
    elbo_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dense_model_in_c),
        cmocka_unit_test(every_layer_in_c),
        cmocka_unit_test(a_conditional_model_in_c),
        cmocka_unit_test(onnx_graphs_have_the_layers),
        cmocka_unit_test(a_module_has_the_layers_and_the_weights),
        cmocka_unit_test(weights_come_back_as_a_run),
        cmocka_unit_test(what_cannot_be_is_said),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
