#include "device/cpu/lower/by_image.h"

#include <string.h>

/* ---- between the layouts ---- */

static size_t size_of(const elbo_node *n) { return elbo_shape_size(n->shape); }

/* The image itself, or its plain copy. */
static const float *plain(const elbo_cpu_step *s, const elbo_cpu_tensor *t, const float *image, float *copy) {
    int channels = s->node->shape.dim[0];
    if (!t->blocked) return image;
    s->program->kernels->pointwise->to_plain(copy, image, channels, size_of(s->node) / (size_t)channels);
    return copy;
}

static void block(const elbo_cpu_step *s, float *to, const float *from) {
    int channels = s->node->shape.dim[0];
    s->program->kernels->pointwise->to_blocked(to, from, channels, size_of(s->node) / (size_t)channels);
}

/* ---- forward ---- */

void elbo_cpu_images_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread,
                             elbo_cpu_image_forward *of_image) {
    const elbo_cpu_tensor *tx = s->in[0], *ty = s->out[0], *tkept = s->out[1];
    const float *x = elbo_cpu_rows(tx, shard);
    float *y = elbo_cpu_rows(ty, shard), *kept = elbo_cpu_rows(tkept, shard);
    size_t n = size_of(s->node);
    float *x_copy = elbo_cpu_scratch(s->program, thread), *y_copy = x_copy + n, *scratch = y_copy + n;
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++, x += tx->per_image, y += ty->per_image, kept += tkept->per_image) {
        of_image(s, ty->blocked ? y_copy : y, kept, plain(s, tx, x, x_copy), scratch);
        if (ty->blocked) block(s, y, y_copy);
    }
    memset(y, 0, (size_t)(s->program->shard_rows - valid) * ty->per_image * sizeof *y);
}

elbo_status elbo_cpu_lower_images_forward(elbo_cpu_program *p, elbo_cpu_node *np, const elbo_cpu_image_op *op,
                                          elbo_cpu_step_run *run, elbo_error *err) {
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", op->kernels, run);
    if (!s) return elbo_no_memory(err);
    np->aux = elbo_cpu_new_tensor(p, np->node->name, op->kept, false);
    if (!np->aux) return elbo_no_memory(err);
    s->in[0] = np->x[0];
    s->out[0] = np->y;
    s->out[1] = np->aux;
    s->flop_per_image = op->flop;
    elbo_cpu_need_scratch(p, 2 * size_of(np->node) + op->scratch);
    return ELBO_OK;
}

/* ---- backward ---- */

void elbo_cpu_images_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread,
                              elbo_cpu_image_backward *of_image) {
    const elbo_cpu_tensor *ty = s->in[0], *tx = s->in[1], *tkept = s->in[2], *tdx = s->out[0]; // tdx: may be NULL
    const float *dy = elbo_cpu_rows(ty, shard), *x = elbo_cpu_rows(tx, shard), *kept = elbo_cpu_rows(tkept, shard);
    size_t n = size_of(s->node), floats = elbo_cpu_learned_floats(s->program, s->node);
    float *dx = tdx ? elbo_cpu_rows(tdx, shard) : NULL, *sums = s->work + (size_t)shard * floats;
    float *x_copy = elbo_cpu_scratch(s->program, thread), *dy_copy = x_copy + n, *dx_copy = dy_copy + n,
          *scratch = dx_copy + n;
    memset(sums, 0, floats * sizeof *sums);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    for (int r = 0; r < valid; r++, x += tx->per_image, dy += ty->per_image, kept += tkept->per_image) {
        bool blocked = dx && tdx->blocked;
        if (blocked && s->accumulate) plain(s, tdx, dx, dx_copy);
        elbo_cpu_image image = {.dy = plain(s, ty, dy, dy_copy),
                                .x = plain(s, tx, x, x_copy),
                                .kept = kept,
                                .dx = blocked ? dx_copy : dx,
                                .sums = sums};
        of_image(s, &image, scratch);
        if (blocked) block(s, dx, dx_copy);
        if (dx) dx += tdx->per_image;
    }
    // Rows that only fill the shard have no gradient.
    if (dx && !s->accumulate) memset(dx, 0, (size_t)(s->program->shard_rows - valid) * tdx->per_image * sizeof *dx);
}

elbo_status elbo_cpu_lower_images_backward(elbo_cpu_program *p, elbo_cpu_node *np, const elbo_cpu_image_op *op,
                                           elbo_cpu_step_run *run, elbo_error *err) {
    float *sums = elbo_cpu_work(p, (size_t)p->shards * elbo_cpu_learned_floats(p, np->node));
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", op->kernels, run);
    if (!s || !sums) return elbo_no_memory(err);
    s->work = sums;
    s->in[0] = np->dy;
    s->in[1] = np->x[0];
    s->in[2] = np->aux;
    s->out[0] = np->dx[0];
    s->accumulate = np->accumulate[0];
    if (s->accumulate) s->in[3] = np->dx[0];
    s->flop_per_image = 2 * op->flop;
    elbo_cpu_need_scratch(p, 3 * size_of(np->node) + op->scratch);
    return elbo_cpu_finish_sums(p, np->node, sums, err);
}
