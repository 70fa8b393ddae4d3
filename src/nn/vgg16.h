/* The network whose features the perceptual loss compares: VGG16's first 31 layers (Simonyan and Zisserman, "Very deep
 * convolutional networks", 2014), its weights frozen. Johnson, Alahi and Fei-Fei, "Perceptual losses", 2016. */
#ifndef ELBO_VGG16_H
#define ELBO_VGG16_H

#include "nn/graph.h"

/* Reads torchvision's state_dict (features.0.weight ... features.28.bias; what else is in the file is not looked at).
 * The layers are VGG16's, how wide they are is the file's business. */
elbo_status elbo_vgg16_open(elbo_network *n, const char *path, elbo_image_shape image, elbo_error *err);

/* What a recipe's losses need: *n is NULL where it has no perceptual term, or one that is off for want of weights. */
elbo_status elbo_features_open(elbo_network **n, const elbo_recipe *r, elbo_image_shape image, elbo_error *err);
void elbo_features_free(elbo_network *n);

#endif
