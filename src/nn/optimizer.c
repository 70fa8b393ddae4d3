#include "nn/optimizer.h"

static const elbo_optimizer_rule rules[] = {
#define OPTIMIZER(name, NAME, arrays, ...) {ELBO_##NAME, #name, arrays, {__VA_ARGS__}},
#include "recipe/optimizers.def"
};

const elbo_optimizer_rule *elbo_optimizer_rule_of(elbo_optimizer o) { return &rules[o]; }
