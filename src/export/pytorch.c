/* A PyTorch module that reads as one wrote it by hand, and its weights, which load_state_dict takes strictly. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "export/formats.h"
#include "formats/safetensors.h"
#include "nn/losses/loss.h"
#include "nn/mixture_prior.h"
#include "run/run_folder.h"

typedef struct writer {
    const elbo_model *model;
    const elbo_graph *graph;
    FILE *out;
} writer;

static elbo_shape input_of(const elbo_graph *g, const elbo_node *n) { return g->node[n->input[0]].shape; }
static int value(const elbo_node *n, int i) { return (int)n->value[i]; }
static const char *bias_of(const elbo_node *n, int i) { return value(n, i) ? "" : ", bias=False"; }

/* ---- layers: the constructor of each ---- */

static void put_linear(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.Linear(%d, %d%s)", input_of(w->graph, n).dim[0], value(n, ELBO_LINEAR_OUT_FEATURES),
            bias_of(n, ELBO_LINEAR_BIAS));
}

/* "kernel_size" as 3, or as (3, 5). */
static void put_sides(const writer *w, const elbo_node *n, const char *name, int argument, int otherwise) {
    int rows = elbo_conv_value(n, argument, 0), columns = elbo_conv_value(n, argument, 1);
    if (rows == otherwise && columns == otherwise) return;
    fprintf(w->out, ", %s%s", name, *name ? "=" : "");
    if (rows == columns)
        fprintf(w->out, "%d", rows);
    else
        fprintf(w->out, "(%d, %d)", rows, columns);
}

static void put_conv(const writer *w, const elbo_node *n) {
    bool transposed = n->op == &elbo_op_conv_transpose2d;
    fprintf(w->out, "nn.Conv%s2d(%d, %d", transposed ? "Transpose" : "", input_of(w->graph, n).dim[0],
            value(n, ELBO_CONV_OUT_CHANNELS));
    put_sides(w, n, "", ELBO_CONV_KERNEL, 0);
    put_sides(w, n, "stride", ELBO_CONV_STRIDE, 1);
    put_sides(w, n, "padding", ELBO_CONV_PADDING, 0);
    if (transposed) put_sides(w, n, "output_padding", ELBO_CONV_OUTPUT_PADDING, 0);
    put_sides(w, n, "dilation", ELBO_CONV_DILATION, 1);
    fprintf(w->out, "%s)", bias_of(n, ELBO_CONV_BIAS));
}

static void put_relu(const writer *w, const elbo_node *n) {
    (void)n;
    fputs("nn.ReLU()", w->out);
}

static void put_leaky_relu(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.LeakyReLU(%g)", n->value[ELBO_ACTIVATION_SLOPE]);
}

static void put_tanh(const writer *w, const elbo_node *n) {
    (void)n;
    fputs("nn.Tanh()", w->out);
}

static void put_sigmoid(const writer *w, const elbo_node *n) {
    (void)n;
    fputs("nn.Sigmoid()", w->out);
}

static void put_flatten(const writer *w, const elbo_node *n) {
    (void)n;
    fputs("nn.Flatten()", w->out);
}

static void put_unflatten(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.Unflatten(1, (%d, %d, %d))", n->shape.dim[0], n->shape.dim[1], n->shape.dim[2]);
}

static void put_dropout(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.Dropout(%g)", n->value[ELBO_DROPOUT_P]);
}

static void put_batch_norm(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.BatchNorm%dd(%d", n->shape.rank == 3 ? 2 : 1, n->shape.dim[0]);
    if (n->value[ELBO_NORM_EPS] != 1e-5) fprintf(w->out, ", eps=%g", n->value[ELBO_NORM_EPS]);
    if (n->value[ELBO_NORM_MOMENTUM] != 0.1) fprintf(w->out, ", momentum=%g", n->value[ELBO_NORM_MOMENTUM]);
    fputc(')', w->out);
}

static void put_layer_norm(const writer *w, const elbo_node *n) {
    fputs("nn.LayerNorm([", w->out);
    for (int i = 0; i < n->shape.rank; i++) fprintf(w->out, "%s%d", i ? ", " : "", n->shape.dim[i]);
    fputc(']', w->out);
    if (n->value[ELBO_NORM_EPS] != 1e-5) fprintf(w->out, ", eps=%g", n->value[ELBO_NORM_EPS]);
    fputc(')', w->out);
}

static void put_pool(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.%sPool2d(%d, stride=%d, padding=%d)", n->op == &elbo_op_max_pool2d ? "Max" : "Avg",
            value(n, ELBO_POOL_KERNEL), value(n, ELBO_POOL_STRIDE), value(n, ELBO_POOL_PADDING));
}

static void put_upsample(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.Upsample(scale_factor=%d, mode=\"%s\")", value(n, ELBO_UPSAMPLE_SCALE),
            value(n, ELBO_UPSAMPLE_MODE) == ELBO_UPSAMPLE_BILINEAR ? "bilinear" : "nearest");
}

static void put_group_norm(const writer *w, const elbo_node *n) {
    fprintf(w->out, "nn.GroupNorm(%d, %d", value(n, ELBO_GROUP_NORM_GROUPS), n->shape.dim[0]);
    if (n->value[ELBO_GROUP_NORM_EPS] != 1e-5) fprintf(w->out, ", eps=%g", n->value[ELBO_GROUP_NORM_EPS]);
    fputc(')', w->out);
}

static void put_silu(const writer *w, const elbo_node *n) {
    (void)n;
    fputs("nn.SiLU()", w->out);
}

static void put_gelu(const writer *w, const elbo_node *n) {
    fputs(value(n, ELBO_GELU_APPROXIMATE) ? "nn.GELU(approximate=\"tanh\")" : "nn.GELU()", w->out);
}

static void put_self_attention(const writer *w, const elbo_node *n) {
    fprintf(w->out, "SelfAttention(%d, %d, batch_first=True)", n->shape.dim[0], value(n, ELBO_ATTENTION_HEADS));
}

static const struct {
    const elbo_op *op;
    void (*put)(const writer *w, const elbo_node *n);
} layers[] = {
    {&elbo_op_linear, put_linear},     {&elbo_op_conv2d, put_conv},
    {&elbo_op_relu, put_relu},         {&elbo_op_conv_transpose2d, put_conv},
    {&elbo_op_tanh, put_tanh},         {&elbo_op_leaky_relu, put_leaky_relu},
    {&elbo_op_sigmoid, put_sigmoid},   {&elbo_op_flatten, put_flatten},
    {&elbo_op_dropout, put_dropout},   {&elbo_op_unflatten, put_unflatten},
    {&elbo_op_max_pool2d, put_pool},   {&elbo_op_batch_norm1d, put_batch_norm},
    {&elbo_op_avg_pool2d, put_pool},   {&elbo_op_batch_norm2d, put_batch_norm},
    {&elbo_op_upsample, put_upsample}, {&elbo_op_layer_norm, put_layer_norm},
    {&elbo_op_silu, put_silu},         {&elbo_op_group_norm, put_group_norm},
    {&elbo_op_gelu, put_gelu},         {&elbo_op_self_attention, put_self_attention},
};

static void (*put_of(const elbo_node *n))(const writer *, const elbo_node *) {
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (layers[i].op == n->op) return layers[i].put;
    return NULL;
}

static bool reads_saved(const elbo_node *n) { return n->op == &elbo_op_add || n->op == &elbo_op_concat; }

/* ---- halves ---- */

/* "encoder.3" of this half -> 3; -1: none of its numbered layers. */
static int number_of(const elbo_half *half, const elbo_node *n) {
    size_t k = strlen(half->name);
    return !strncmp(n->name, half->name, k) && n->name[k] == '.' ? atoi(n->name + k + 1) : -1;
}

/* Whether nodes other than the one before are read: then layers are called one by one. */
static bool has_skips(const elbo_graph *g, const elbo_half *half) {
    for (int i = half->first + 1; i <= half->last; i++)
        if (reads_saved(&g->node[i])) return true;
    return false;
}

static elbo_status check(const elbo_graph *g, const elbo_half *half, elbo_error *err) {
    for (int i = half->first + 1; i <= half->last; i++)
        if (!put_of(&g->node[i]) && !reads_saved(&g->node[i]) && !elbo_half_is_given(g, i))
            return elbo_export_refuse(&g->node[i], "PyTorch", err);
    return ELBO_OK;
}

/* self.encoder = nn.Sequential(...), with the numbers that the weights' names have. */
static void put_layers(const writer *w, const elbo_half *half) {
    int next = 0;
    bool skips = has_skips(w->graph, half);
    fprintf(w->out, "        self.%s = nn.%s(%s\n", half->name, skips ? "ModuleList" : "Sequential", skips ? "[" : "");
    for (int i = half->first + 1; i <= half->last; i++) {
        const elbo_node *n = &w->graph->node[i];
        int number = number_of(half, n);
        if (number < 0) continue;                                                    // the head's
        for (; next < number; next++) fputs("            nn.Identity(),\n", w->out); // where an activation is saved
        fputs("            ", w->out);
        if (reads_saved(n)) {
            fprintf(w->out, "nn.Identity(),  # %s\n", n->text);
        } else {
            put_of(n)(w, n);
            fputs(",\n", w->out);
        }
        next++;
    }
    fprintf(w->out, "        %s)\n", skips ? "]" : "");
}

/* The head: mu and logvar, or code. */
static void put_head(const writer *w) {
    const elbo_node *n = &w->graph->node[w->graph->at.code];
    if (strncmp(n->name, "mu+logvar", 9) && strcmp(n->name, "code")) return;
    for (int k = 0; k < (n->stacked ? 2 : 1); k++) {
        elbo_node one = *n;
        if (n->stacked) one.value[0] /= 2; // out_features, or out_channels: the first argument of both
        fprintf(w->out, "        self.%s = ", n->stacked ? n->stacked[k] : n->name);
        put_of(n)(w, &one);
        fputc('\n', w->out);
    }
}

/* The class behind features, or as planes behind channels. */
static void put_label(const writer *w, const elbo_node *n, int i) {
    int x = n->input[0];
    if (n->shape.rank == 1)
        fprintf(w->out, "        v%d = torch.cat([v%d, label], dim=1)  # %s\n", i, x, n->text);
    else
        fprintf(w->out,
                "        planes = label[:, :, None, None].expand(-1, -1, %d, %d)\n"
                "        v%d = torch.cat([v%d, planes], dim=1)  # %s\n",
                n->shape.dim[1], n->shape.dim[2], i, x, n->text);
}

/* Lines that compute a half whose layers are called one by one; node i's value is v<i>. */
static void put_calls(const writer *w, const elbo_half *half) {
    for (int i = half->first + 1; i <= half->last; i++) {
        const elbo_node *n = &w->graph->node[i];
        int number = number_of(half, n);
        if (number < 0) continue;
        if (n->op == &elbo_op_add)
            fprintf(w->out, "        v%d = v%d + v%d  # %s\n", i, n->input[0], n->input[1], n->text);
        else if (n->op == &elbo_op_concat && n->input[1] == half->label)
            put_label(w, n, i);
        else if (n->op == &elbo_op_concat)
            fprintf(w->out, "        v%d = torch.cat([v%d, v%d], dim=1)  # %s\n", i, n->input[0], n->input[1], n->text);
        else
            fprintf(w->out, "        v%d = self.%s[%d](v%d)\n", i, half->name, number, n->input[0]);
    }
}

static int last_layer(const elbo_graph *g, const elbo_half *half) {
    for (int i = half->last; i > half->first; i--)
        if (number_of(half, &g->node[i]) >= 0) return i;
    return half->first;
}

static void put_encode(const writer *w) {
    const elbo_graph *g = w->graph;
    elbo_half half = elbo_half_of(g, false);
    const elbo_node *code = &g->node[g->at.code];
    bool calls = has_skips(g, &half) || g->skips;
    fprintf(w->out, "    def encode(self, images%s):\n", half.label >= 0 ? ", label" : "");
    int last = last_layer(g, &half);
    if (calls) {
        fprintf(w->out, "        v%d = images\n", half.first);
        put_calls(w, &half);
        fprintf(w->out, "        h = v%d\n", last);
    } else {
        fputs("        h = self.encoder(images)\n", w->out);
    }
    bool head = number_of(&half, code) < 0 && g->at.code != half.first;
    if (head && code->input[0] != last) fputs("        h = torch.flatten(h, 1)\n", w->out);
    fputs("        return ", w->out);
    for (int k = 0; k < (code->stacked ? 2 : 1); k++) {
        char call[80];
        if (head)
            snprintf(call, sizeof call, "self.%s(h)", code->stacked ? code->stacked[k] : "code");
        else
            snprintf(call, sizeof call, "h");
        if (k) fputs(", ", w->out);
        if (g->code_shape.rank == 3)
            fprintf(w->out, "torch.flatten(%s, 1)", call);
        else
            fputs(call, w->out);
    }
    for (int s = 0; s < g->skips; s++)
        fprintf(w->out, "%sv%d%s", s ? ", " : ", (", g->skip[s], s + 1 < g->skips ? "" : ",)");
    fputs("\n\n", w->out);
}

static void put_decode(const writer *w) {
    const elbo_graph *g = w->graph;
    elbo_half half = elbo_half_of(g, true);
    elbo_shape image = g->node[g->at.input].shape;
    fprintf(w->out, "    def decode(self, z%s%s):\n", g->skips ? ", skips" : "", half.label >= 0 ? ", label" : "");
    if (g->code_shape.rank == 3)
        fprintf(w->out, "        z = z.view(-1, %d, %d, %d)\n", g->code_shape.dim[0], g->code_shape.dim[1],
                g->code_shape.dim[2]);
    if (has_skips(g, &half)) {
        fprintf(w->out, "        v%d = z\n", half.first);
        for (int s = 0; s < g->skips; s++) fprintf(w->out, "        v%d = skips[%d]\n", g->skip[s], s);
        put_calls(w, &half);
        fprintf(w->out, "        images = v%d\n", half.last);
    } else {
        fputs("        images = self.decoder(z)\n", w->out);
    }
    if (g->node[half.last].shape.rank == 1)
        fprintf(w->out, "        return images.view(-1, %d, %d, %d)\n\n", image.dim[0], image.dim[1], image.dim[2]);
    else
        fputs("        return images\n\n", w->out);
}

static void put_forward(const writer *w) {
    const elbo_graph *g = w->graph;
    bool vae = g->kind == ELBO_VAE, skips = g->skips > 0;
    const char *to_encoder = g->encoder_reads_label ? ", label" : "",
               *to_decoder = g->decoder_reads_label ? ", label" : "";
    fprintf(w->out, "    def forward(self, images%s):\n", g->at.label >= 0 ? ", label" : "");
    fprintf(w->out, "        %s%s = self.encode(images%s)\n", vae ? "mu, logvar" : "z", skips ? ", skips" : "",
            to_encoder);
    if (vae) fputs("        z = mu + torch.randn_like(mu) * torch.exp(logvar / 2) if self.training else mu\n", w->out);
    fprintf(w->out, "        return self.decode(z%s%s)%s\n\n", skips ? ", skips" : "", to_decoder,
            vae ? ", mu, logvar" : "");
}

/* What reads a safetensors file with nothing but PyTorch. */
static const char loader[] = "    @classmethod\n"
                             "    def load(cls, path):\n"
                             "        \"\"\"The trained model, from the .safetensors file beside this one.\"\"\"\n"
                             "        with open(path, \"rb\") as f:\n"
                             "            header = json.loads(f.read(int.from_bytes(f.read(8), \"little\")))\n"
                             "            data = bytearray(f.read())\n"
                             "        header.pop(\"__metadata__\", None)\n"
                             "        state = {}\n"
                             "        for name, t in header.items():\n"
                             "            start, end = t[\"data_offsets\"]\n"
                             "            values = torch.frombuffer(data[start:end], dtype=torch.float32)\n"
                             "            state[name] = values.reshape(t[\"shape\"])\n"
                             "        model = cls()\n"
                             "        model.load_state_dict(state, strict=True)\n"
                             "        return model.eval()\n";

static void put_doc(const writer *w, const char *stem) {
    const elbo_graph *g = w->graph;
    const elbo_recipe *r = &w->model->recipe;
    bool vae = g->kind == ELBO_VAE;
    const char *skips = g->skips ? ", skips" : "";
    fprintf(w->out,
            "\"\"\"%s, trained and exported by elbo %s.\n\n    from %s import Model\n"
            "    model = Model.load(\"%s.safetensors\")\n    %s%s = model.encode(images%s)\n"
            "    images = model.decode(%s%s%s)\n\n"
            "images: (N, %d, %d, %d) from %g to %g; %s: (N, %d)",
            r->name, ELBO_VERSION, stem, stem, vae ? "mu, logvar" : "z", skips, g->encoder_reads_label ? ", label" : "",
            vae ? "mu" : "z", skips, g->decoder_reads_label ? ", label" : "", g->image.channels, g->image.height,
            g->image.width, (double)r->image.low, (double)r->image.high, vae ? "mu, logvar" : "z", g->latent);
    if (g->at.label >= 0) fprintf(w->out, "; label: (N, %d), one-hot", g->classes);
    fputs("\n\"\"\"\n", w->out);
}

/* MultiheadAttention takes sequences; a layer of a network here takes images. */
static const char self_attention[] = "class SelfAttention(nn.MultiheadAttention):\n"
                                     "    \"\"\"Among the positions of (N, channels, height, width).\"\"\"\n\n"
                                     "    def forward(self, images):\n"
                                     "        x = images.flatten(2).transpose(1, 2)\n"
                                     "        y = super().forward(x, x, x, need_weights=False)[0]\n"
                                     "        return y.transpose(1, 2).reshape(images.shape)\n\n\n";

static bool has_op(const elbo_graph *g, const elbo_op *op) {
    for (int i = 0; i < g->count; i++)
        if (g->node[i].op == op) return true;
    return false;
}

static void put_module(const writer *w, const char *stem) {
    elbo_half encoder = elbo_half_of(w->graph, false), decoder = elbo_half_of(w->graph, true);
    put_doc(w, stem);
    fputs("import json\n\nimport torch\nfrom torch import nn\n\n\n", w->out);
    if (has_op(w->graph, &elbo_op_self_attention)) fputs(self_attention, w->out);
    fputs("class Model(nn.Module):\n    def __init__(self):\n        super().__init__()\n", w->out);
    put_layers(w, &encoder);
    put_head(w);
    put_layers(w, &decoder);
    const elbo_node *loss = elbo_loss_scaled(w->graph);
    if (loss && loss->params)
        fputs("        self.loss = nn.Module()  # log sigma = -6 + softplus(log_sigma + 6)\n"
              "        self.loss.log_sigma = nn.Parameter(torch.zeros(1))\n",
              w->out);
    const elbo_node *prior = elbo_prior_node(w->graph);
    if (prior) {
        const int *size = w->graph->param[prior->first_param + 1].dim;
        fprintf(w->out,
                "        self.prior = nn.Module()  # p(z): a mixture of %d Gaussians\n"
                "        self.prior.logits = nn.Parameter(torch.zeros(%d))\n"
                "        self.prior.mu = nn.Parameter(torch.zeros(%d, %d))\n"
                "        self.prior.logvar = nn.Parameter(torch.zeros(%d, %d))\n",
                size[0], size[0], size[0], size[1], size[0], size[1]);
    }
    fputc('\n', w->out);
    put_encode(w);
    put_decode(w);
    put_forward(w);
    fputs(loader, w->out);
}

elbo_status elbo_export_pytorch(const elbo_model *m, const elbo_export_files *f, elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    elbo_half encoder = elbo_half_of(g, false), decoder = elbo_half_of(g, true);
    ELBO_TRY(check(g, &encoder, err));
    ELBO_TRY(check(g, &decoder, err));
    elbo_writer file;
    char stem[ELBO_IDENTIFIER];
    ELBO_TRY(elbo_params_write(f->path[1], g, 1, m->network.params, NULL, 0, err));
    ELBO_TRY(elbo_writer_open(&file, f->path[0], err));
    put_module(&(writer){m, g, file.stream}, elbo_stem(f->path[0], stem));
    return elbo_writer_commit(&file, err);
}
