/* Images and codes in files: .npy, image files, a folder of these. */
#ifndef ELBO_IMAGE_FILES_H
#define ELBO_IMAGE_FILES_H

#include "data/data.h"
#include "elbo/elbo.h"

/* Images for a model to read: a .npy ((N,C,H,W), (N,H,W,C), (N,H,W), (N,D) of uint8, or of float32 or float64 in the
 * model's range), an IDX file, packed or not, an image file (scaled and cut to the model's size), or a folder of these and
 * of folders of them in the order of their names. Freed by elbo_images_free. */
elbo_status elbo_image_files_read(elbo_images *images, const elbo_model_info *m, const char *path, elbo_error *err);

/* The names of a folder's image files, "Maltese/a.jpg", in the order in which they are read; none for another path. Freed by
 * elbo_texts_free. */
elbo_status elbo_image_files_names(char ***names, int *count, const char *path, elbo_error *err);

/* An elbo_read_image (explore/result.h): a file of one image.  image: (C, H, W) */
elbo_status elbo_image_file_one(const elbo_model *m, const char *path, float *image, elbo_error *err);

/* float32 rows of `width` numbers from a .npy or a .csv; `what` names them in messages ("codes").  *rows: (*n, width), malloc'd */
elbo_status elbo_rows_file_read(float **rows, size_t *n, size_t width, const char *what, const char *path,
                                elbo_error *err);

/* Images to a .npy (float32, in the model's range), a .png (a grid as square as n allows, or the image itself), or, for any
 * other name, a folder of 00000.png, ...  images: (n, C, H, W) */
elbo_status elbo_image_files_write(const char *path, const elbo_model_info *m, const float *images, size_t n,
                                   elbo_error *err);

#endif
