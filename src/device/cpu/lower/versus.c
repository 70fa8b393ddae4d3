/* The adversary's own step: two rows of each image, one behind the other in its shard: what the model gives, and what that
 * is held against. */
#include <string.h>

#include "device/cpu/lower/lower.h"

/* Dimension d of image i is that of image i + 1 + d, around the batch: a batch is in random order, so these are codes with
 * independent dimensions. */
static void shuffle(const elbo_cpu_step *s, const elbo_batch_args *args, int image, float *to) {
    size_t n = s->out[0]->per_image, images = (size_t)(args->count / ELBO_SIDES);
    for (size_t d = 0; d < n; d++) to[d] = s->in[0]->base[((size_t)image + 1 + d) % images * n + d];
}

static void run(const elbo_cpu_step *s, const elbo_batch_args *args, int shard, int thread) {
    (void)thread;
    const elbo_cpu_program *p = s->program;
    size_t n = s->out[0]->per_image;
    int first = shard * p->shard_rows, valid = elbo_cpu_valid_rows(p, args, shard);
    float *to = elbo_cpu_rows(s->out[0], shard);
    for (int r = 0; r < p->shard_rows; r++, to += n) {
        if (r >= valid)
            memset(to, 0, n * sizeof *to);
        else if (r % ELBO_SIDES == 0)
            memcpy(to, elbo_cpu_image_row(p, s->in[0], shard, r), n * sizeof *to);
        else if (s->in[1])
            memcpy(to, elbo_cpu_image_row(p, s->in[1], shard, r), n * sizeof *to);
        else if (s->number == ELBO_AGAINST_SHUFFLED)
            shuffle(s, args, (first + r) / ELBO_SIDES, to);
        else
            elbo_cpu_draw_prior(s, args, args->index[first + r], to, n);
    }
}

static elbo_status forward(elbo_cpu_program *p, elbo_cpu_node *np, elbo_error *err) {
    elbo_cpu_tensor *model;
    bool before = elbo_cpu_of_images(p, true);
    ELBO_TRY(elbo_cpu_plain(p, np->node->input[0], &model, err));
    elbo_cpu_of_images(p, before);
    elbo_cpu_step *s = elbo_cpu_new_step(p, np->node, "two sides", "copy", run);
    if (!s) return elbo_no_memory(err);
    s->in[0] = model;
    s->in[1] = np->x[1];
    s->out[0] = np->y;
    s->number = (int)np->node->value[0];
    if (np->x[1] || s->number != ELBO_AGAINST_SHUFFLED) return ELBO_OK;
    s->barrier = true; // it reads the codes of all shards
    model->whole_batch = true;
    return ELBO_OK;
}

const elbo_cpu_lowering elbo_cpu_lower_versus = {.forward = forward, .layout = ELBO_LAYOUT_PLAIN};
