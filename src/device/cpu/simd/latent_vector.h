/* What kernels of codes share. */
#ifndef ELBO_SIMD_LATENT_VECTOR_H
#define ELBO_SIMD_LATENT_VECTOR_H

#include "device/cpu/simd/vector.h"
#include "nn/distributions.h"

/* elbo_logvar_bounded; NaN stays. */
static inline vec vlogvar(vec v) {
    vec least = vset(ELBO_LOGVAR_LEAST), most = vset(ELBO_LOGVAR_MOST);
    return vselect(v < least, least, vselect(v > most, most, v));
}

#endif
