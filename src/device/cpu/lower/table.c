#include "device/cpu/lower/lower.h"

/* What the caller gives and reads, and the losses, have functions of their own in lower.c. */
const elbo_cpu_lowering *const elbo_cpu_lowerings[ELBO_WORK_KINDS] = {
    [ELBO_WORK_CORRUPT] = &elbo_cpu_lower_corrupt,
    [ELBO_WORK_LINEAR] = &elbo_cpu_lower_linear,
    [ELBO_WORK_CONV] = &elbo_cpu_lower_conv,
    [ELBO_WORK_ACTIVATION] = &elbo_cpu_lower_activation,
    [ELBO_WORK_GATE] = &elbo_cpu_lower_gate,
    [ELBO_WORK_GROUP_NORM] = &elbo_cpu_lower_group_norm,
    [ELBO_WORK_SELF_ATTENTION] = &elbo_cpu_lower_self_attention,
    [ELBO_WORK_DROPOUT] = &elbo_cpu_lower_dropout,
    [ELBO_WORK_BATCH_NORM] = &elbo_cpu_lower_batch_norm,
    [ELBO_WORK_LAYER_NORM] = &elbo_cpu_lower_layer_norm,
    [ELBO_WORK_POOL] = &elbo_cpu_lower_pool,
    [ELBO_WORK_UPSAMPLE] = &elbo_cpu_lower_upsample,
    [ELBO_WORK_RESHAPE] = &elbo_cpu_lower_reshape,
    [ELBO_WORK_ADD] = &elbo_cpu_lower_add,
    [ELBO_WORK_CONCAT] = &elbo_cpu_lower_concat,
    [ELBO_WORK_VERSUS] = &elbo_cpu_lower_versus,
    [ELBO_WORK_SAMPLE] = &elbo_cpu_lower_sample,
};
