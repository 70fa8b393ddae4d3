/* Activations of the form x g(x), whose derivative needs the input. */
#ifndef ELBO_GATE_H
#define ELBO_GATE_H

typedef enum elbo_gate {
    ELBO_SILU,      // g is the sigmoid
    ELBO_GELU,      // g is the normal distribution function
    ELBO_GELU_TANH, // the same, approximated with a tanh
    ELBO_GATES
} elbo_gate;

#endif
