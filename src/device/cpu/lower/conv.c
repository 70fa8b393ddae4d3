/* Convolutions. Weights are packed for the kernels once a step, before the first shard. Each shard leaves its part of the
 * weights' gradient; when all are through, one tile per layer adds them up in a tree and hands the sum to the optimiser. */
#include "device/cpu/lower/lower.h"
#include "device/cpu/tree.h"

static int value(const elbo_node *n, int i) { return (int)n->value[i]; }

/* ---- running ---- */

static const elbo_conv_kernels *kernels(const elbo_cpu_step *s) { return s->program->kernels->conv; }
static const float *bias_of(const elbo_cpu_step *s) { return s->b != s->w ? s->program->params + s->b : NULL; }

static void run_pack(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    (void)args;
    (void)tile;
    elbo_cpu_expect(s->program, kernels(s)->pack(s->object, s->work, s->program->params + s->w,
                                                 elbo_cpu_scratch(s->program, thread), thread));
}

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    elbo_cpu_expect(s->program,
                    kernels(s)->forward(s->object, elbo_cpu_rows(s->out[0], shard), elbo_cpu_rows(s->in[0], shard),
                                        s->work, bias_of(s), elbo_cpu_scratch(s->program, thread), thread));
}

static void run_backward_data(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    elbo_cpu_expect(s->program, kernels(s)->backward_data(s->object, elbo_cpu_rows(s->out[0], shard),
                                                          elbo_cpu_rows(s->in[0], shard), s->work,
                                                          elbo_cpu_scratch(s->program, thread), thread));
}

static void run_backward_weights(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)args;
    float *share = s->work2 + (size_t)shard * kernels(s)->gradient_floats(s->object);
    elbo_cpu_expect(s->program, kernels(s)->backward_weights(s->object, share, elbo_cpu_rows(s->in[1], shard),
                                                             elbo_cpu_rows(s->in[0], shard),
                                                             elbo_cpu_scratch(s->program, thread), thread));
}

/* The sum of the shards' parts. A batch with fewer images than the plan has left the last shards out. */
static void run_finish(const elbo_cpu_step *s, const elbo_batch_args *args, int tile, int thread) {
    const elbo_cpu_program *p = s->program;
    elbo_shape x = elbo_input_shape(p->graph, s->node, 0);
    int taps = elbo_conv_value(s->node, ELBO_CONV_KERNEL, 0) * elbo_conv_value(s->node, ELBO_CONV_KERNEL, 1);
    size_t out = (size_t)s->node->shape.dim[0], weights = out * (size_t)x.dim[0] * (size_t)taps,
           room = kernels(s)->scratch_floats(s->object);
    bool bias = s->b != s->w;
    float *dw = elbo_cpu_gradient_tile(s, s->w, thread, room);
    float *db = bias ? elbo_cpu_gradient_tile(s, s->b, thread, room + weights) : NULL;
    int shards = (args->count + p->shard_rows - 1) / p->shard_rows;
    size_t floats = kernels(s)->gradient_floats(s->object);
    if (shards > 1) elbo_tree_sum(p->kernels, s->work2, s->work2, floats, shards, floats);
    elbo_cpu_expect(p, kernels(s)->unpack_gradient(s->object, dw, db, s->work2, elbo_cpu_scratch(p, thread), thread));
    elbo_cpu_finish_tile(s, args, tile, s->w, dw, weights);
    if (bias) elbo_cpu_finish_tile(s, args, tile, s->b, db, out);
}

/* ---- planning ---- */

static elbo_conv_shape shape_for(const elbo_cpu_program *p, const elbo_cpu_node *np) {
    const elbo_node *n = np->node;
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
        .kernel = {elbo_conv_value(n, ELBO_CONV_KERNEL, 0), elbo_conv_value(n, ELBO_CONV_KERNEL, 1)},
        .stride = {elbo_conv_value(n, ELBO_CONV_STRIDE, 0), elbo_conv_value(n, ELBO_CONV_STRIDE, 1)},
        .padding = {elbo_conv_value(n, ELBO_CONV_PADDING, 0), elbo_conv_value(n, ELBO_CONV_PADDING, 1)},
        .dilation = {elbo_conv_value(n, ELBO_CONV_DILATION, 0), elbo_conv_value(n, ELBO_CONV_DILATION, 1)},
        .bias = value(n, ELBO_CONV_BIAS),
        .x_blocked = np->x[0]->blocked,
        .y_blocked = np->y->blocked,
    };
}

/* A step with what all steps of a layer share. */
static elbo_cpu_step *new_step(elbo_cpu_program *p, const elbo_cpu_node *np, const char *what,
                               void (*run)(const elbo_cpu_step *, const elbo_batch_args *, int, int)) {
    const elbo_node *n = np->node;
    elbo_cpu_step *s = elbo_cpu_new_step(p, n, what, p->kernels->conv->describe(np->object), run);
    if (!s) return NULL;
    s->object = np->object;
    s->work = np->work;
    s->w = p->graph->param[n->first_param].offset;
    s->b = value(n, ELBO_CONV_BIAS) ? p->graph->param[n->first_param + n->params / 2].offset
                                    : s->w; // of a stacked node, the first
    return s;
}

static double flop_per_image(const elbo_cpu_program *p, const elbo_cpu_node *np) {
    // Each small pixel meets as many large ones as the kernel has taps, for every pair of channels: the small side is a convolution's output.
    const elbo_node *n = np->node;
    elbo_shape x = p->graph->node[n->input[0]].shape, y = n->shape, small = n->op == &elbo_op_conv_transpose2d ? x : y;
    double pixels = (double)small.dim[1] * small.dim[2],
           taps = n->value[ELBO_CONV_KERNEL] * n->across[ELBO_CONV_KERNEL];
    return 2 * pixels * taps * x.dim[0] * y.dim[0];
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    const elbo_conv_kernels *k = p->kernels->conv;
    elbo_conv_shape shape = shape_for(p, np);
    // What comes in front learns when any node before this one has parameters: then dx is asked for, too.
    bool learns = elbo_cpu_learns(p),
         need_dx = elbo_plan_goes_back(p->plan) && elbo_plan_learns_before(p->plan, np->node);
    elbo_conv *conv;
    elbo_error why;
    elbo_status status = k->make(&conv, &shape, learns, need_dx, elbo_team_threads(p->team), &why);
    if (status == ELBO_BAD_INPUT) return elbo_node_fail(np->node, err, "%s: %s", np->node->text, why.message);
    if (status != ELBO_OK) return elbo_fail(err, status, "%s", why.message);
    ELBO_TRY(elbo_cpu_own(p, conv, k->free, err));
    np->object = conv;
    np->work = elbo_cpu_work(p, k->packed_floats(conv));
    if (!np->work) return elbo_no_memory(err);
    elbo_cpu_need_scratch(p, k->scratch_floats(conv));

    elbo_cpu_step *s = new_step(p, np, "pack weights", run_pack);
    if (!s) return elbo_no_memory(err);
    s->tiles = 1;
    s->early = true;

    s = new_step(p, np, "forward", run_forward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->flop_per_image = flop_per_image(p, np);
    return ELBO_OK;
}

static elbo_status to_weights(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    const elbo_conv_kernels *k = p->kernels->conv;
    size_t share = k->gradient_floats(np->object);
    float *shares = elbo_cpu_work(p, (size_t)p->shards * share);
    if (!shares)
        return elbo_no_room(err, (double)p->shards * (double)share * sizeof(float),
                            "a convolution's shares of its gradient", NULL);

    elbo_cpu_step *s = new_step(p, np, "backward weights", run_backward_weights);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->in[1] = np->x[0];
    s->work2 = shares;
    s->flop_per_image = flop_per_image(p, np);

    s = new_step(p, np, "sum and update", run_finish);
    if (!s) return elbo_no_memory(err);
    s->work2 = shares;
    s->tiles = 1;
    elbo_cpu_need_scratch(p, k->scratch_floats(np->object) + share);
    return ELBO_OK;
}

static elbo_status to_input(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    // Where another consumer has written dx already, ours is made beside it and added.
    elbo_cpu_tensor *dx = np->dx[0];
    if (np->accumulate[0]) dx = elbo_cpu_activation(p, np->node->name, dx->shape, dx->blocked, true);
    elbo_cpu_step *s = new_step(p, np, "backward data", run_backward_data);
    if (!s || !dx) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->out[0] = dx;
    s->flop_per_image = flop_per_image(p, np);
    return np->accumulate[0] ? elbo_cpu_add(p, np->node, np->dx[0], dx, err) : ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_conv = {
    .forward = forward, .to_weights = to_weights, .to_input = to_input, .layout = ELBO_LAYOUT_BLOCKED};
