/* The batch's rows: images, or codes. The plan gives them (plan/plan.c); the op is their node's name. */
#include "nn/ops/op.h"

const elbo_op elbo_op_input = {.name = "input", .internal = true};
