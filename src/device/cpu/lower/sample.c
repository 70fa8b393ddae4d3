/* The latent of a VAE and its KL divergence, in one pass forward and one back. */
#include <string.h>

#include "device/cpu/lower/lower.h"
#include "nn/mixture_prior.h"

void elbo_cpu_draw_prior(const elbo_cpu_step *s, const elbo_batch_args *args, uint32_t image, float *z, size_t Z) {
    elbo_stream stream = args->noise;
    stream.purpose = ELBO_FOR_CODES | stream.purpose << 8;
    stream.sample = image;
    if (args->given_draws)
        memcpy(z, args->given_draws + image * Z, Z * sizeof *z);
    else
        s->program->kernels->loss->normal(z, Z, stream);
}

/* Where the adversary judges images of draws: in the model's step each image has one beside its own code, in the
 * adversary's every other image has it instead. */
static bool is_draw(const elbo_cpu_step *s, int shard, int row) {
    const elbo_cpu_program *p = s->program;
    if (p->plan->options.player == ELBO_PLAYER_MODEL) return elbo_cpu_row_is_draw(p, row);
    return p->graph->draws_images && (shard * p->shard_rows + row) % ELBO_SIDES;
}

/* Each of an image's samples is a function of seed, epoch, image and its place among them. */
static const float *noise_of(const elbo_cpu_step *s, const elbo_batch_args *args, uint32_t image, int sample,
                             float *room) {
    size_t Z = s->out[0]->per_image,
           samples = elbo_plan_draws_images(s->program->plan) ? 1 : (size_t)s->program->samples;
    if (args->no_noise) return NULL;
    if (args->given_noise) {
        memcpy(room, args->given_noise + (image * samples + (size_t)sample) * Z, Z * sizeof *room);
    } else {
        elbo_stream stream = args->noise;
        stream.purpose |= (uint32_t)sample << 8;
        stream.sample = image;
        s->program->kernels->loss->normal(room, Z, stream);
    }
    return room;
}

/* Whether the KL is that of the sample: log q(z|x) - log N(z; 0, I), to which lower/mixture.c adds its part. */
static bool kl_is_sampled(const elbo_cpu_step *s) { return elbo_prior_node(s->program->graph) != NULL; }

static void run_forward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    size_t Z = s->out[0]->per_image;
    float *z = elbo_cpu_rows(s->out[0], shard), *kl = elbo_cpu_rows(s->out[1], shard),
          *eps = elbo_cpu_rows(s->out[2], shard);
    int valid = elbo_cpu_valid_rows(s->program, args, shard);
    bool sampled = kl_is_sampled(s);
    for (int r = 0; r < s->program->shard_rows; r++, z += Z, eps += Z) {
        if (r >= valid) {
            memset(z, 0, Z * sizeof *z);
            continue;
        }
        uint32_t image = args->index[shard * s->program->shard_rows + r];
        const elbo_loss_kernels *k = s->program->kernels->loss;
        int sample = elbo_plan_draws_images(s->program->plan) ? 0 : r % s->program->samples;
        const float *noise = noise_of(s, args, image, sample, eps);
        const float *code = elbo_cpu_image_row(s->program, s->in[0], shard, r); // (2 Z)
        kl[r] = k->reparameterize(z, code, code + Z, noise, Z);
        if (noise && sampled) kl[r] = k->sampled_kl(z, code + Z, noise, Z);
        if (s->out[3]) elbo_cpu_rows(s->out[3], shard)[r] = noise ? k->sampled_kl(z, code + Z, noise, Z) : kl[r];
        if (is_draw(s, shard, r)) elbo_cpu_draw_prior(s, args, image, z, Z);
    }
}

/* What the head left, with the latent's numbers in their own order, so that neither noise nor the sum of the KL depends
 * on how the device lays channels out. */
static elbo_status plain_code(elbo_cpu_program *p, elbo_cpu_node *np, elbo_cpu_tensor **code, bool gradient,
                              elbo_error *err) {
    *code = gradient ? np->dx[0] : np->x[0];
    if (!(*code)->blocked) return ELBO_OK;
    *code = elbo_cpu_activation(p, np->node->name, (*code)->shape, false, gradient);
    return *code ? ELBO_OK : elbo_no_memory(err);
}

/* The metric of the KL, which is computed in the same pass; -1: the plan has none. */
static int kl_metric(const elbo_cpu_program *p) {
    for (int k = 0; k < p->graph->metrics.count; k++)
        if (p->graph->loss[k] >= 0 && p->graph->node[p->graph->loss[k]].op == &elbo_loss_kl) return k;
    return -1;
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_tensor *code;
    bool before = elbo_cpu_of_images(p, true);
    ELBO_TRY(plain_code(p, np, &code, false, err));
    if (code != np->x[0]) ELBO_TRY(elbo_cpu_convert(p, np->node, code, np->x[0], err));
    elbo_cpu_of_images(p, before);
    np->object = code; // backward reads it, too
    np->aux = elbo_cpu_new_tensor(p, "noise", np->y->per_image, false);
    if (elbo_metrics_count(&p->graph->metrics, ELBO_METRIC_BOUND) &&
        !(p->bound.kl = elbo_cpu_new_tensor(p, "kl", 1, false)))
        return elbo_no_memory(err);
    int metric = kl_metric(p);
    elbo_cpu_tensor *kl = metric < 0 ? elbo_cpu_new_tensor(p, "kl", 1, false) : elbo_cpu_metric(p, metric);
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "forward", p->kernels->loss->name, run_forward);
    if (!np->aux || !kl || !s) return elbo_no_memory(err);
    s->in[0] = code;
    s->out[0] = np->y;
    s->out[1] = kl;
    s->out[2] = np->aux;
    s->out[3] = p->bound.kl;
    return ELBO_OK;
}

/* Of one sample. */
static void sample_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int r, float *dcode) {
    const elbo_loss_kernels *k = s->program->kernels->loss;
    size_t Z = s->in[0]->per_image;
    float *dz = elbo_cpu_rows(s->in[0], shard) + (size_t)r * Z;
    if (is_draw(s, shard, r)) memset(dz, 0, Z * sizeof *dz); // the encoder has no part in it
    const float *code = elbo_cpu_image_row(s->program, s->in[1], shard, r),
                *eps = elbo_cpu_rows(s->in[2], shard) + (size_t)r * Z;
    float weight = (s->number < 0 ? 0 : args->loss_weight[s->number]) * args->loss_scale;
    if (s->in[4]) weight *= elbo_cpu_rows(s->in[4], shard)[r];
    if (s->in[3] && !args->no_noise)
        k->sampled_kl_backward(dcode, dcode + Z, dz, elbo_cpu_rows(s->in[3], shard) + (size_t)r * Z, code + Z, eps, Z,
                               weight);
    else
        k->reparameterize_backward(dcode, dcode + Z, dz, code, code + Z, args->no_noise ? NULL : eps, Z, weight);
}

/* in: gradient of z, code, noise, z where the KL is that of the sample, the samples' shares where there is a bound. The gradient of a code is the sum over
 * its samples. */
static void run_backward(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    const elbo_cpu_program *p = s->program;
    size_t width = 2 * s->in[0]->per_image;
    int valid = elbo_cpu_valid_rows(p, args, shard), of_code = p->shard_rows / s->out[0]->rows;
    float *room = elbo_cpu_scratch(p, thread);
    for (int r = 0; r < p->shard_rows; r++) {
        float *dcode = elbo_cpu_image_row(p, s->out[0], shard, r); // (2 Z)
        bool first = r % of_code == 0;
        if (r >= valid && first) memset(dcode, 0, width * sizeof *dcode);
        if (r >= valid) continue;
        sample_backward(s, args, shard, r, first ? dcode : room);
        if (!first) p->kernels->pointwise->add(dcode, room, width);
    }
}

static elbo_status backward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_tensor *gradient;
    bool before = elbo_cpu_of_images(p, true);
    ELBO_TRY(plain_code(p, np, &gradient, true, err));
    if (np->accumulate[0] && gradient == np->dx[0]) { // a term over the code was there before
        gradient = elbo_cpu_activation(p, np->node->name, gradient->shape, false, true);
        if (!gradient) return elbo_no_memory(err);
    }
    elbo_cpu_of_images(p, before);
    elbo_cpu_need_scratch(p, 2 * np->y->per_image);
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "backward", p->kernels->loss->name, run_backward);
    if (!s) return elbo_no_memory(err);
    s->in[0] = np->dy;
    s->in[1] = np->object;
    s->in[2] = np->aux;
    s->in[4] = p->bound.share;
    if (p->bound.share || kl_is_sampled(s)) s->in[3] = np->y;
    s->out[0] = gradient;
    s->number = kl_metric(p);
    elbo_cpu_of_images(p, true); // until the next work
    return elbo_cpu_give_gradient(p, np->node, np->dx[0], gradient, np->accumulate[0], err);
}

const elbo_cpu_lowering elbo_cpu_lower_sample = {.forward = forward, .to_input = backward, .layout = ELBO_LAYOUT_PLAIN};
