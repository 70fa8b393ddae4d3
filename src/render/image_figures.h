/* Figures of images that a model decoded, each drawn from the result of an analysis and nothing else. Where the
 * figure's title is NULL, the result says it. */
#ifndef ELBO_IMAGE_FIGURES_H
#define ELBO_IMAGE_FIGURES_H

#include "explore/arithmetic.h"
#include "explore/clusters.h"
#include "explore/interpolate.h"
#include "explore/manifold.h"
#include "explore/denoise.h"
#include "explore/outliers.h"
#include "explore/reconstruct.h"
#include "explore/sample.h"
#include "explore/traverse.h"
#include "render/render.h"

/* A grid of images (rows, columns, C, H, W); labels are the caller's to add. */
elbo_grid elbo_image_grid(elbo_image_format format, int rows, int columns, const float *images);

/* Originals above each run's reconstructions; so many columns, the rest in more blocks of rows below (0: all in one). */
elbo_status elbo_figure_reconstruct(elbo_figure f, const elbo_reconstruct_result *r, int columns, elbo_error *err);

/* Corrupted, denoised, original, with their PSNR. */
elbo_status elbo_figure_denoise(elbo_figure f, const elbo_denoise_result *r, elbo_error *err);

/* A grid of the images as square as their number allows; with their nearest training images, each above its own and that
 * distance as a multiple of the median of reconstructed test images. */
elbo_status elbo_figure_sample(elbo_figure f, const elbo_sample_result *r, elbo_error *err);

/* A block of rows for each pair: pixels, then each run. */
elbo_status elbo_figure_interpolate(elbo_figure f, const elbo_interpolate_result *r, elbo_error *err);
/* All pairs at once, step after step: there and back again, with a pause at both ends. */
elbo_status elbo_interpolate_write_gif(const elbo_interpolate_result *r, const char *path, elbo_error *err);
/* The same steps as FOLDER/00000.png, ...; refuses a folder with frames beyond these. */
elbo_status elbo_interpolate_write_frames(const elbo_interpolate_result *r, const char *folder, elbo_error *err);

/* The most unusual images and typical ones, above their reconstructions, with their scores. */
elbo_status elbo_figure_outliers(elbo_figure f, const elbo_outliers *r, elbo_error *err);

/* A row of typical images for each cluster, with its size and most frequent class. */
elbo_status elbo_figure_clusters(elbo_figure f, const elbo_clusters *r, elbo_error *err);

/* Operands, result and nearest training image: above as pixels, below decoded. */
elbo_status elbo_figure_arithmetic(elbo_figure f, const elbo_arithmetic_result *r, elbo_error *err);
/* A row for each dimension with its score, the values above the columns. */
elbo_status elbo_figure_traverse(elbo_figure f, const elbo_traverse_result *r, elbo_error *err);
/* The plane with its coordinates at its edges. */
elbo_status elbo_figure_manifold(elbo_figure f, const elbo_manifold_result *r, elbo_error *err);

#endif
