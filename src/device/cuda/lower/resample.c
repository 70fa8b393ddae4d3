/* Pooling and upsampling. */
#include "device/cuda/lower/lower.h"

static elbo_status lower(elbo_gpu_program *p, const elbo_work *w, elbo_gpu_kernel kernel, const int numbers[4],
                         elbo_error *err) {
    bool back = w->direction != ELBO_FORWARD;
    elbo_gpu_tensor *to = elbo_gpu_tensor_of(p, w->out[0]), *from = elbo_gpu_tensor_of(p, w->in[0]);
    elbo_gpu_tensor *x = back ? elbo_gpu_tensor_of(p, w->in[1]) : NULL; // what max_pool2d reads again
    if (!to || !from || (back && w->in[1] && !x)) return elbo_no_memory(err);
    elbo_gpu_work *g =
        elbo_gpu_new_work(p, kernel, w->node, back ? "backward" : "forward", elbo_gpu_blocks(p, to->per_row));
    if (!g) return elbo_no_memory(err);
    elbo_shape in = elbo_input_shape(p->graph, w->node, 0), out = w->node->shape;
    int *n = g->item.n;
    n[0] = (int)to->per_row;
    n[1] = in.dim[1], n[2] = in.dim[2], n[3] = out.dim[1], n[4] = out.dim[2];
    for (int k = 0; k < 4; k++) n[5 + k] = numbers[k];
    g->t[0] = elbo_gpu_at(to);
    g->t[1] = elbo_gpu_at(from);
    g->t[2] = elbo_gpu_at(x);
    elbo_gpu_gives(g, to);
    return ELBO_OK;
}

elbo_status elbo_gpu_lower_pool(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    const double *v = w->node->value;
    int numbers[] = {(int)v[ELBO_POOL_KERNEL], (int)v[ELBO_POOL_STRIDE], (int)v[ELBO_POOL_PADDING],
                     w->node->op == &elbo_op_max_pool2d};
    return lower(p, w, w->direction == ELBO_FORWARD ? ELBO_GPU_pool : ELBO_GPU_pool_back, numbers, err);
}

elbo_status elbo_gpu_lower_upsample(elbo_gpu_program *p, const elbo_work *w, elbo_error *err) {
    const double *v = w->node->value;
    int numbers[4] = {(int)v[ELBO_UPSAMPLE_SCALE], v[ELBO_UPSAMPLE_MODE] == ELBO_UPSAMPLE_BILINEAR};
    return lower(p, w, w->direction == ELBO_FORWARD ? ELBO_GPU_upsample : ELBO_GPU_upsample_back, numbers, err);
}
