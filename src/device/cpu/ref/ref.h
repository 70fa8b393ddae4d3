/* The reference kernels: plain loops, written to be read and to be believed. */
#ifndef ELBO_KERNELS_REF_H
#define ELBO_KERNELS_REF_H

#include "device/cpu/kernels.h"

extern const elbo_linear_kernels elbo_ref_linear;
extern const elbo_pointwise_kernels elbo_ref_pointwise;
extern const elbo_loss_kernels elbo_ref_loss;
extern const elbo_update_kernels elbo_ref_update;
extern const elbo_norm_kernels elbo_ref_norm;
extern const elbo_resample_kernels elbo_ref_resample;
extern const elbo_gate_kernels elbo_ref_gate;
extern const elbo_attention_kernels elbo_ref_attention;
extern const elbo_latent_kernels elbo_ref_latent;

#endif
