/* The list of activations (nn/activations.def) as numbers. */
#ifndef ELBO_ACTIVATION_H
#define ELBO_ACTIVATION_H

typedef enum elbo_activation {
#define ACTIVATION(name, NAME, ...) ELBO_##NAME,
#include "nn/activations.def"
#undef ACTIVATION
    ELBO_ACTIVATIONS
} elbo_activation;

#endif
