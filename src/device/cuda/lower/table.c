/* The table of lowerings. */
#include "device/cuda/lower/lower.h"

elbo_gpu_lowering *const elbo_gpu_lowerings[ELBO_WORK_KINDS] = {
    // clang-format off
    [ELBO_WORK_ROWS] = elbo_gpu_lower_given,
    [ELBO_WORK_TARGET] = elbo_gpu_lower_given,
    [ELBO_WORK_LABEL] = elbo_gpu_lower_given,
    [ELBO_WORK_CORRUPT] = elbo_gpu_lower_given,
    [ELBO_WORK_SKIP] = elbo_gpu_lower_given,
    [ELBO_WORK_READ] = elbo_gpu_lower_read,
    [ELBO_WORK_LINEAR] = elbo_gpu_lower_linear,
    [ELBO_WORK_CONV] = elbo_gpu_lower_conv,
    [ELBO_WORK_ACTIVATION] = elbo_gpu_lower_activation,
    [ELBO_WORK_GATE] = elbo_gpu_lower_gate,
    [ELBO_WORK_DROPOUT] = elbo_gpu_lower_dropout,
    [ELBO_WORK_BATCH_NORM] = elbo_gpu_lower_batch_norm,
    [ELBO_WORK_POOL] = elbo_gpu_lower_pool,
    [ELBO_WORK_UPSAMPLE] = elbo_gpu_lower_upsample,
    [ELBO_WORK_RESHAPE] = elbo_gpu_lower_reshape,
    [ELBO_WORK_ADD] = elbo_gpu_lower_add,
    [ELBO_WORK_CONCAT] = elbo_gpu_lower_concat,
    [ELBO_WORK_SAMPLE] = elbo_gpu_lower_sample,
    [ELBO_WORK_PIXEL_LOSS] = elbo_gpu_lower_pixel_loss,
    [ELBO_WORK_KL] = elbo_gpu_lower_kl,
    // clang-format on
};
