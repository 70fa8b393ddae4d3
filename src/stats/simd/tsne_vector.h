/* Sixteen floats at a time, whatever the register: sixteen sequences are transformed side by side, and neighbours lie in
 * blocks of sixteen. */
#ifndef ELBO_TSNE_VECTOR_H
#define ELBO_TSNE_VECTOR_H

#define ELBO_VECTOR_LANES 16
#include "device/cpu/simd/vector.h"

#endif
