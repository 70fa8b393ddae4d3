#include "nn/optimizer.h"

static const elbo_optimizer_rule rules[] = {
    [ELBO_SGD] = {ELBO_SGD, "sgd", 1, {{"m", "momentum of"}}},
    [ELBO_ADAM] = {ELBO_ADAM,
                   "adam",
                   2,
                   {{"m", "running means of the gradient of"}, {"v", "running means of the squared gradient of"}}},
    [ELBO_ADAMW] = {ELBO_ADAMW,
                    "adamw",
                    2,
                    {{"m", "running means of the gradient of"}, {"v", "running means of the squared gradient of"}}},
};

const elbo_optimizer_rule *elbo_optimizer_rule_of(elbo_optimizer o) { return &rules[o]; }
