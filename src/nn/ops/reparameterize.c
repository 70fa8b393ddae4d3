/* The VAE's latent: z = mu + eps exp(logvar / 2), and its KL divergence to the prior. Kingma and Welling,
 * "Auto-encoding variational Bayes", 2013, equation 10 and appendix B. The input holds mu, then logvar, of each image:
 * (2 Z). */
#include <string.h>

#include "nn/ops/op.h"

static elbo_status shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)err;
    n->shape = g->node[n->input[0]].shape;
    n->shape.dim[0] /= 2;
    return ELBO_OK;
}

static const float *noise_of(const elbo_step *s, const elbo_batch_args *pass, uint32_t image, float *room, size_t Z) {
    if (pass->no_noise) return NULL;
    if (pass->given_noise) {
        memcpy(room, pass->given_noise + image * Z, Z * sizeof *room);
    } else {
        elbo_stream stream = pass->noise;
        stream.sample = image;
        s->plan->device->loss->normal(room, Z, stream);
    }
    return room;
}

static void run_forward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    size_t Z = s->out[0]->per_image;
    const float *code = elbo_rows(s->in[0], shard); // (rows, 2 Z)
    float *z = elbo_rows(s->out[0], shard), *kl = elbo_rows(s->out[1], shard), *eps = elbo_rows(s->out[2], shard);
    int valid = elbo_valid_rows(s->plan, pass, shard);
    for (int r = 0; r < s->plan->shard_rows; r++, code += 2 * Z, z += Z, eps += Z) {
        if (r >= valid) {
            memset(z, 0, Z * sizeof *z);
            continue;
        }
        uint32_t image = pass->index[shard * s->plan->shard_rows + r];
        kl[r] = s->plan->device->loss->reparameterize(z, code, code + Z, noise_of(s, pass, image, eps, Z), Z);
    }
}

/* What the head left, with the latent's numbers in their own order, so that neither noise nor the sum of the KL depends
 * on how the device lays channels out. */
static elbo_status plain_code(elbo_plan *p, elbo_node_plan *spot, elbo_tensor **code, bool gradient, elbo_error *err) {
    *code = gradient ? spot->dx[0] : spot->x[0];
    if (!(*code)->blocked) return ELBO_OK;
    *code = elbo_plan_activation(p, spot->node->name, (*code)->shape, false, gradient);
    return *code ? ELBO_OK : elbo_no_memory(err);
}

static elbo_status forward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_tensor *code;
    ELBO_TRY(plain_code(p, spot, &code, false, err));
    if (code != spot->x[0]) ELBO_TRY(elbo_plan_convert(p, spot->node, code, spot->x[0], err));
    spot->object = code; // backward reads it, too
    spot->aux = elbo_plan_tensor(p, "noise", spot->y->per_image, false);
    p->kl = elbo_plan_tensor(p, "kl", 1, false);
    elbo_step *s = elbo_plan_step(p, spot->node, "forward", p->device->loss->name, run_forward);
    if (!spot->aux || !p->kl || !s) return elbo_no_memory(err);
    p->kl->kept = true;
    s->in[0] = code;
    s->out[0] = spot->y;
    s->out[1] = p->kl;
    s->out[2] = spot->aux;
    return ELBO_OK;
}

static void run_backward(const elbo_step *s, const elbo_batch_args *pass, int shard, int thread) {
    (void)thread;
    size_t Z = s->in[0]->per_image;
    const float *dz = elbo_rows(s->in[0], shard), *code = elbo_rows(s->in[1], shard), *eps = elbo_rows(s->in[2], shard);
    float *dcode = elbo_rows(s->out[0], shard); // (rows, 2 Z)
    int valid = elbo_valid_rows(s->plan, pass, shard);
    for (int r = 0; r < s->plan->shard_rows; r++, dz += Z, code += 2 * Z, eps += Z, dcode += 2 * Z) {
        if (r >= valid)
            memset(dcode, 0, 2 * Z * sizeof *dcode);
        else
            s->plan->device->loss->reparameterize_backward(dcode, dcode + Z, dz, code, code + Z,
                                                           pass->no_noise ? NULL : eps, Z,
                                                           pass->kl_weight * pass->loss_scale);
    }
}

static elbo_status backward(elbo_plan *p, elbo_node_plan *spot, elbo_error *err) {
    elbo_tensor *gradient;
    ELBO_TRY(plain_code(p, spot, &gradient, true, err));
    elbo_step *s = elbo_plan_step(p, spot->node, "backward", p->device->loss->name, run_backward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = spot->dy;
    s->in[1] = spot->object;
    s->in[2] = spot->aux;
    s->out[0] = gradient;
    return gradient == spot->dx[0] ? ELBO_OK : elbo_plan_convert(p, spot->node, spot->dx[0], gradient, err);
}

const elbo_op elbo_op_reparameterize = {.name = "reparameterize",
                                        .internal = true,
                                        .layout = ELBO_LAYOUT_PLAIN,
                                        .shape = shape,
                                        .forward = forward,
                                        .backward = backward};
