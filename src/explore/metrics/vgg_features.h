/* What VGG16 sees in images, with weights that the user brings: features for distances between sets of images, and LPIPS
 * between two images. */
#ifndef ELBO_VGG_FEATURES_H
#define ELBO_VGG_FEATURES_H

#include "base/threads.h"
#include "data/data.h"

/* Images are brought to what torchvision's vgg16 was trained on: grey in three channels, less ImageNet's mean and over its standard
 * deviation, a side of less than 32 pixels enlarged to 32 (bilinear, as torch.nn.functional.interpolate). */
typedef struct elbo_vgg elbo_vgg;

/* vgg16: torchvision's state_dict as safetensors (features.0.weight ...). lpips: the package's linear layers for vgg
 * (lin0.model.1.weight, (1, channels, 1, 1), ... lin4), or NULL. `image` is the images' shape, the team runs them: two
 * images at a time on each thread. */
elbo_status elbo_vgg_open(elbo_vgg **v, const char *vgg16, const char *lpips, elbo_image_shape image, elbo_team *team,
                          elbo_error *err);
void elbo_vgg_close(elbo_vgg *v); // NULL is fine

/* Channels of relu5_3, 512 of the real network. */
int elbo_vgg_width(const elbo_vgg *v);
bool elbo_vgg_has_lpips(const elbo_vgg *v);

/* The mean of each channel of relu5_3 over positions.  images: (n, C, H, W) from 0 to 1; out: (n, width) */
elbo_status elbo_vgg_features_of(elbo_vgg *v, const float *images, size_t n, float *out, elbo_error *err);

/* Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual metric", 2018, equation
 * 1, version 0.1 of its program: at relu1_2, 2_2, 3_3, 4_3 and 5_3 the channels of each position are scaled to length 1, the
 * squared differences weighted, the mean over positions; their sum.  a, b: (n, C, H, W) from 0 to 1; out: (n) */
elbo_status elbo_vgg_lpips(elbo_vgg *v, const float *a, const float *b, size_t n, double *out, elbo_error *err);

#endif
