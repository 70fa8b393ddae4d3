/* Figures of images that a model decoded, each drawn from the result of an analysis and nothing else. Where the
 * figure's title is NULL, the result says it. */
#ifndef ELBO_IMAGE_FIGURES_H
#define ELBO_IMAGE_FIGURES_H

#include "explore/reconstruct.h"
#include "explore/sample.h"
#include "render/render.h"

/* A grid of images (rows, columns, C, H, W); labels are the caller's to add. */
elbo_grid elbo_image_grid(elbo_image_format format, int rows, int columns, const float *images);

/* Originals above each run's reconstructions. */
elbo_status elbo_figure_reconstruct(elbo_figure f, const elbo_reconstruct_result *r, elbo_error *err);

/* A grid of the images as square as their number allows; with their nearest training images, each above its own and that
 * distance as a multiple of the median of reconstructed test images. */
elbo_status elbo_figure_sample(elbo_figure f, const elbo_sample_result *r, elbo_error *err);

#endif
