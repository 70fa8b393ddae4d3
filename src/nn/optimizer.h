/* Optimisers: what a rule keeps of each parameter, and the numbers of one step. The formulas are PyTorch's; each device
 * has them in its own kernels. */
#ifndef ELBO_NN_OPTIMIZER_H
#define ELBO_NN_OPTIMIZER_H

#include <stdbool.h>

#include "recipe/recipe.h"

enum { ELBO_MAX_OPTIMIZER_ARRAYS = 4 };

typedef struct elbo_optimizer_rule {
    elbo_optimizer kind;
    const char *name; // as a recipe says it
    int arrays;       // floats kept for each parameter
    struct {
        const char *name; // in a checkpoint
        const char *what; // for messages: "running means of the gradient"
    } array[ELBO_MAX_OPTIMIZER_ARRAYS];
} elbo_optimizer_rule;

const elbo_optimizer_rule *elbo_optimizer_rule_of(elbo_optimizer o);

/* One step's numbers; every field is set, whichever rule reads it. */
typedef struct elbo_update {
    float lr, momentum, weight_decay, beta1, beta2, eps;
    float correction1, correction2; // 1 - beta1^t, sqrt(1 - beta2^t)
    float gradient_scale;           // below 1 where the gradient's norm was clipped
    bool first;                     // SGD: momentum starts as the first gradient
} elbo_update;

#endif
