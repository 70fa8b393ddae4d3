/* upsample: each pixel becomes scale x scale, as torch.nn.Upsample (bilinear with align_corners=False). */
#include "nn/ops/resample.h"

enum { SCALE, MODE };
enum { NEAREST, BILINEAR };
static const char *const modes[] = {[NEAREST] = "nearest", [BILINEAR] = "bilinear", NULL};

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    elbo_shape x = g->node[n->input[0]].shape;
    int scale = (int)n->value[SCALE];
    char text[40];
    if (x.rank != 3)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, not channels x height x width; put `unflatten C H W` before it",
                              n->text, elbo_shape_text(x, text));
    if (x.dim[1] > (1 << 16) / scale || x.dim[2] > (1 << 16) / scale)
        return elbo_node_fail(n, err,
                              "%s: its input is %s, which leaves more than 65536 rows or columns; use a smaller scale",
                              n->text, elbo_shape_text(x, text));
    n->shape = (elbo_shape){3, {x.dim[0], x.dim[1] * scale, x.dim[2] * scale}};
    return ELBO_OK;
}

static elbo_resample geometry(const elbo_step *s, const elbo_tensor *x) {
    elbo_resample r = elbo_resample_of(s, x);
    r.scale = (int)s->node->value[SCALE];
    return r;
}

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_resample_kernels *k = s->plan->device->resample;
    elbo_resample r = geometry(s, s->in[0]);
    bool bilinear = s->node->value[MODE] == BILINEAR;
    (bilinear ? k->bilinear : k->nearest)(elbo_rows(s->out[0], shard), elbo_rows(s->in[0], shard), &r);
}

static void run_backward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)pass, (void)thread;
    const elbo_resample_kernels *k = s->plan->device->resample;
    elbo_resample r = geometry(s, s->out[0]);
    bool bilinear = s->node->value[MODE] == BILINEAR;
    (bilinear ? k->bilinear_backward : k->nearest_backward)(elbo_resample_dx(s, shard), elbo_rows(s->in[0], shard), &r);
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    return elbo_resample_forward(p, spot, run_forward, err);
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    return elbo_resample_backward(p, spot, false, run_backward, err);
}

const elbo_op elbo_op_upsample = {
    .name = "upsample",
    .usage = "upsample [scale=2] [mode=nearest|bilinear]",
    .values = {[SCALE] = {"scale", ELBO_INT, false, 2, 1, 256}, [MODE] = {"mode", ELBO_WORD, false, NEAREST, 0, 0}},
    .words = modes,
    .shape = shape,
    .forward = forward,
    .backward = backward,
};
