/* Whether a decoder looks at the code at all. One with skips across the latent need not; one of a VAE whose KL has gone
 * to 0 has nothing to look at (posterior collapse: Bowman et al., "Generating sentences from a continuous space",
 * 2016). */
#ifndef ELBO_CODE_USE_H
#define ELBO_CODE_USE_H

#include "run/model.h"

/* The reconstruction's loss, nats per image, from the mean code: each image's own, and another image's; skips across
 * the latent are the image's own in both. */
typedef struct elbo_code_use {
    size_t images; // looked at, 0 where there are fewer than two
    double own, other;
    double size; // what their difference is compared with: elbo_loss_size
} elbo_code_use;

/* On the first images of a set, at most 512.  mu: their codes, (images->count, latent), or NULL: they are encoded here. */
elbo_status elbo_code_use_measure(elbo_code_use *u, elbo_model *m, const elbo_images *images, const float *mu,
                                  elbo_error *err);

/* Another image's code does as well, or nearly: it costs less than 2% of the loss. */
bool elbo_code_is_ignored(const elbo_code_use *u);

#endif
