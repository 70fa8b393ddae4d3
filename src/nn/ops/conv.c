/* conv2d and conv_transpose2d, as torch.nn has them (square kernels). The two share everything but the size of their
 * output and the order of their weights' first two dimensions.
 *
 * Weights are packed for the kernels once a step, before the first shard. Each shard leaves its share of the weights'
 * gradient; when all are through, one tile per layer adds them up in order and hands the sum to the optimiser. */
#include <math.h>
#include <stdio.h>

#include "nn/ops/op.h"

enum { OUT_CHANNELS, KERNEL, STRIDE, PADDING, OUTPUT_PADDING, DILATION, BIAS };

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

/* ---- shape ---- */

/* Rows or columns of the output; less than 1: nothing is left. */
static long output_size(const elbo_node *n, int in) {
    int s = value(n, STRIDE), p = value(n, PADDING), reach = value(n, DILATION) * (value(n, KERNEL) - 1) + 1;
    if (n->op == &elbo_op_conv_transpose2d) return (long)(in - 1) * s - 2L * p + reach + value(n, OUTPUT_PADDING);
    return in + 2 * p < reach ? 0 : (in + 2L * p - reach) / s + 1;
}

bool elbo_conv_argument_for(const elbo_node *n, elbo_shape x, elbo_shape y, char *text, size_t room) {
    static const struct {
        int argument;
        const char *name;
    } changes[] = {{OUTPUT_PADDING, "output_padding"}, {PADDING, "padding"}, {KERNEL, "kernel"}};
    int apart = value(n, STRIDE) > value(n, DILATION) ? value(n, STRIDE) : value(n, DILATION);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        int a = changes[i].argument, most = value(n, KERNEL) + 8;
        if (a == OUTPUT_PADDING) most = n->op == &elbo_op_conv_transpose2d ? apart - 1 : -1;
        for (int v = a == KERNEL; v <= most; v++) {
            elbo_node changed = *n;
            changed.value[a] = v;
            if (output_size(&changed, x.dim[1]) != y.dim[1] || output_size(&changed, x.dim[2]) != y.dim[2]) continue;
            snprintf(text, room, "%s=%d", changes[i].name, v);
            return true;
        }
    }
    return false;
}

static elbo_status set_shape(elbo_graph *g, elbo_node *n, bool transposed, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    char text[40];
    if (x.rank != 3)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, not channels x height x width; put `unflatten C H W` before it",
                              n->text, elbo_shape_text(x, text));
    int s = value(n, STRIDE), d = value(n, DILATION), size[2];
    if (transposed && value(n, OUTPUT_PADDING) >= s && value(n, OUTPUT_PADDING) >= d)
        return elbo_node_fail(n, err, "%s: output_padding=%d; it is smaller than stride (%d) or dilation (%d)", n->text,
                              value(n, OUTPUT_PADDING), s, d);
    for (int i = 0; i < 2; i++) {
        long out = output_size(n, x.dim[i + 1]);
        if (out < 1 || out > 1 << 16)
            return elbo_node_fail(n, err, "%s: its input is %s, which leaves an output of %ld %s; use %s", n->text,
                                  elbo_shape_text(x, text), out, i ? "columns" : "rows",
                                  out > 1      ? "less padding or a smaller stride"
                                  : transposed ? "a larger kernel or less padding"
                                               : "a smaller kernel or more padding");
        size[i] = (int)out;
    }
    n->shape = (elbo_shape){3, {value(n, OUT_CHANNELS), size[0], size[1]}};
    return ELBO_OK;
}

/* PyTorch's fan-in is the weight's second dimension times k^2: input channels, or output channels of the transposed
 * kind. */
static elbo_status add_params(elbo_graph *g, elbo_node *n, int first, int second, elbo_error *err) {
    int k = value(n, KERNEL);
    float bound = 1.0f / sqrtf((float)second * (float)k * (float)k);
    ELBO_TRY(elbo_graph_add_param(g, n, "weight", 4, (int[]){first, second, k, k}, bound, err));
    if (!value(n, BIAS)) return ELBO_OK;
    return elbo_graph_add_param(g, n, "bias", 1, (int[]){value(n, OUT_CHANNELS)}, bound, err);
}

static elbo_status conv_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    ELBO_TRY(set_shape(g, n, false, err));
    return add_params(g, n, value(n, OUT_CHANNELS), g->node[n->input[0]].shape.dim[0], err);
}

static elbo_status transpose_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    ELBO_TRY(set_shape(g, n, true, err));
    return add_params(g, n, g->node[n->input[0]].shape.dim[0], value(n, OUT_CHANNELS), err);
}

/* ---- running ---- */

static const elbo_conv_kernels *kernels(const elbo_step *s) { return s->plan->device->conv; }
static const float *bias_of(const elbo_step *s, const elbo_batch_args *pass) {
    return s->b != s->w ? pass->params + s->b : NULL;
}

static void run_pack(const elbo_step *s, const elbo_batch_args *pass, int tile, int thread) {
    (void)tile;
    kernels(s)->pack(s->object, s->work, pass->params + s->w, elbo_scratch(s->plan, thread), thread);
}

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    kernels(s)->forward(s->object, elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), s->work, bias_of(s, pass),
                        elbo_scratch(s->plan, thread), thread);
}

static void run_backward_data(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass;
    kernels(s)->backward_data(s->object, elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), s->work,
                              elbo_scratch(s->plan, thread), thread);
}

static void run_backward_weights(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass;
    kernels(s)->backward_weights(s->object, s->work2 + (size_t)shard * kernels(s)->gradient_floats(s->object),
                                 elbo_rows(s->in[1], shard), elbo_rows(s->in[0], shard), elbo_scratch(s->plan, thread),
                                 thread);
}

/* The sum of the shards' shares. A batch with fewer images than usual left the last shards out. */
static void run_finish(const elbo_step *s, const elbo_batch_args *pass, int tile, int thread) {
    const elbo_plan *p = s->plan;
    elbo_shape x = elbo_input_shape(p, s->node, 0);
    int k = value(s->node, KERNEL);
    size_t out = (size_t)s->node->shape.dim[0], weights = out * (size_t)x.dim[0] * (size_t)k * (size_t)k,
           room = kernels(s)->scratch_floats(s->object);
    bool bias = s->b != s->w;
    float *dw = elbo_gradient_tile(s, s->w, thread, room);
    float *db = bias ? elbo_gradient_tile(s, s->b, thread, room + weights) : NULL;
    int shards = (pass->count + p->shard_rows - 1) / p->shard_rows;
    kernels(s)->unpack_gradient(s->object, dw, db, s->work2, shards, elbo_scratch(p, thread), thread);
    elbo_finish_tile(s, pass, tile, s->w, dw, weights);
    if (bias) elbo_finish_tile(s, pass, tile, s->b, db, out);
}

/* ---- planning ---- */

static elbo_conv_shape shape_for(const elbo_plan *p, const elbo_node_plan *spot) {
    const elbo_node *n = spot->node;
    elbo_shape x = p->graph->node[n->input[0]].shape,
               y = n->shape; // a tensor's own may be that of a view before this one
    return (elbo_conv_shape){
        .transposed = n->op == &elbo_op_conv_transpose2d,
        .rows = p->shard_rows,
        .in = x.dim[0],
        .height = x.dim[1],
        .width = x.dim[2],
        .out = y.dim[0],
        .out_height = y.dim[1],
        .out_width = y.dim[2],
        .kernel = value(n, KERNEL),
        .stride = value(n, STRIDE),
        .padding = value(n, PADDING),
        .dilation = value(n, DILATION),
        .bias = value(n, BIAS),
        .x_blocked = spot->x[0]->blocked,
        .y_blocked = spot->y->blocked,
    };
}

/* A step with what all steps of a layer share. */
static elbo_step *new_step(elbo_plan *p, const elbo_node_plan *spot, const char *what,
                           void (*run)(const elbo_step *, const elbo_batch_args *, int, int)) {
    const elbo_node *n = spot->node;
    elbo_step *s = elbo_plan_step(p, n, what, p->device->conv->describe(spot->object), run);
    if (!s) return NULL;
    s->object = spot->object;
    s->work = spot->work;
    s->w = p->graph->param[n->first_param].offset;
    s->b =
        value(n, BIAS) ? p->graph->param[n->first_param + n->params / 2].offset : s->w; // of a stacked node, the first
    return s;
}

static double flop_per_image(const elbo_plan *p, const elbo_node_plan *spot) {
    // Each small pixel meets k^2 large ones, for every pair of channels: the small side is a convolution's output.
    const elbo_node *n = spot->node;
    elbo_shape x = p->graph->node[n->input[0]].shape, y = n->shape, small = n->op == &elbo_op_conv_transpose2d ? x : y;
    double pixels = (double)small.dim[1] * small.dim[2], k = n->value[KERNEL];
    return 2 * pixels * k * k * x.dim[0] * y.dim[0];
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    const elbo_conv_kernels *k = p->device->conv;
    elbo_conv_shape shape = shape_for(p, spot);
    // What comes in front learns when any node before this one has parameters: then dx is asked for, too.
    bool learns = elbo_plan_learns(p), need_dx = elbo_plan_goes_back(p) && elbo_plan_learns_before(p, spot->node);
    elbo_conv *conv;
    elbo_error why;
    elbo_status status = k->make(&conv, &shape, learns, need_dx, elbo_team_threads(p->options.team), &why);
    if (status == ELBO_BAD_INPUT) return elbo_node_fail(spot->node, err, "%s: %s", spot->node->text, why.message);
    if (status != ELBO_OK) return elbo_fail(err, status, "%s", why.message);
    ELBO_TRY(elbo_plan_own(p, conv, k->free, err));
    spot->object = conv;
    spot->work = elbo_plan_work(p, k->packed_floats(conv));
    if (!spot->work) return elbo_no_memory(err);
    elbo_plan_need_scratch(p, k->scratch_floats(conv));

    elbo_step *s = new_step(p, spot, "pack weights", run_pack);
    if (!s) return elbo_no_memory(err);
    s->tiles = 1;
    s->early = true;

    s = new_step(p, spot, "forward", run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->x[0];
    s->out[0] = spot->y;
    s->flop_per_image = flop_per_image(p, spot);
    return ELBO_OK;
}

static elbo_status backward_weights(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    const elbo_conv_kernels *k = p->device->conv;
    size_t share = k->gradient_floats(spot->object);
    float *shares = elbo_plan_work(p, (size_t)p->shards * share);
    if (!shares)
        return elbo_no_room(err, (double)p->shards * (double)share * sizeof(float),
                            "a convolution's shares of its gradient", NULL);

    elbo_step *s = new_step(p, spot, "backward weights", run_backward_weights);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->dy;
    s->in[1] = spot->x[0];
    s->work2 = shares;
    s->flop_per_image = flop_per_image(p, spot);

    s = new_step(p, spot, "sum and update", run_finish);
    if (!s) return elbo_no_memory(err);
    s->work2 = shares;
    s->tiles = 1;
    elbo_plan_need_scratch(p, k->scratch_floats(spot->object) + share);
    return ELBO_OK;
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    if (elbo_plan_learns(p)) ELBO_TRY(backward_weights(p, spot, err));
    if (!spot->dx[0]) return ELBO_OK;

    // Where another consumer has written dx already, ours is made beside it and added.
    elbo_tensor *dx = spot->dx[0];
    if (spot->accumulate[0]) dx = elbo_plan_activation(p, spot->node->name, dx->shape, dx->blocked, true);
    elbo_step *s = new_step(p, spot, "backward data", run_backward_data);
    if (!s || !dx) return elbo_no_memory(err);
    s->in[0] = spot->dy;
    s->out[0] = dx;
    s->flop_per_image = flop_per_image(p, spot);
    return spot->accumulate[0] ? elbo_plan_add(p, spot->node, spot->dx[0], dx, err) : ELBO_OK;
}

const elbo_op elbo_op_conv2d = {
    .name = "conv2d",
    .usage = "conv2d OUT_CHANNELS kernel=K [stride=1] [padding=0] [dilation=1] [bias=true]",
    .values = {[OUT_CHANNELS] = {"out_channels", ELBO_INT, true, 0, 1, 1 << 16},
               [KERNEL] = {"kernel", ELBO_INT, true, 0, 1, 1024},
               [STRIDE] = {"stride", ELBO_INT, false, 1, 1, 1024},
               [PADDING] = {"padding", ELBO_INT, false, 0, 0, 1024},
               [OUTPUT_PADDING] = {"output_padding", ELBO_INT, false, 0, 0, 0},
               [DILATION] = {"dilation", ELBO_INT, false, 1, 1, 1024},
               [BIAS] = {"bias", ELBO_BOOL, false, 1, 0, 1}},
    .layout = ELBO_LAYOUT_BLOCKED,
    .shape = conv_shape,
    .forward = forward,
    .backward = backward,
};
const elbo_op elbo_op_conv_transpose2d = {
    .name = "conv_transpose2d",
    .usage =
        "conv_transpose2d OUT_CHANNELS kernel=K [stride=1] [padding=0] [output_padding=0] [dilation=1] [bias=true]",
    .values = {[OUT_CHANNELS] = {"out_channels", ELBO_INT, true, 0, 1, 1 << 16},
               [KERNEL] = {"kernel", ELBO_INT, true, 0, 1, 1024},
               [STRIDE] = {"stride", ELBO_INT, false, 1, 1, 1024},
               [PADDING] = {"padding", ELBO_INT, false, 0, 0, 1024},
               [OUTPUT_PADDING] = {"output_padding", ELBO_INT, false, 0, 0, 1023},
               [DILATION] = {"dilation", ELBO_INT, false, 1, 1, 1024},
               [BIAS] = {"bias", ELBO_BOOL, false, 1, 0, 1}},
    .layout = ELBO_LAYOUT_BLOCKED,
    .shape = transpose_shape,
    .forward = forward,
    .backward = backward,
};
