/* The table of losses, and what a recipe's losses measure. */
#include <string.h>

#include "nn/losses/loss.h"

const elbo_loss elbo_losses[] = {
#define PIXEL_LOSS(name, NAME) {&elbo_loss_##name, "nats/image", ELBO_METRIC_RECONSTRUCTION},
#define OTHER_LOSS PIXEL_LOSS
#include "recipe/losses.def"
    {&elbo_loss_kl, "nats/image", ELBO_METRIC_KL},
    {&elbo_loss_iwae, "nats/image", ELBO_METRIC_BOUND},
    {&elbo_loss_adversary, "nats/image", ELBO_METRIC_REGULARISER},
    {&elbo_loss_discriminator, "nats", ELBO_METRIC_MEASURED},
#define ROW_TERM(name, NAME, key, use, reads, unit, help)                                                              \
    {&elbo_latent_ops[ELBO_LATENT_##NAME], unit, ELBO_METRIC_REGULARISER},
#define BATCH_TERM ROW_TERM
#include "recipe/latent_terms.def"
    {0},
};

const elbo_loss *elbo_loss_find(const char *name) {
    for (const elbo_loss *l = elbo_losses; l->op; l++)
        if (!strcmp(l->op->name, name)) return l;
    return NULL;
}

elbo_status elbo_loss_shape(elbo_graph *g, elbo_node *n, elbo_error *err) {
    (void)g, (void)err;
    n->shape = (elbo_shape){1, {1}};
    return ELBO_OK;
}
