/* PNG files, by libspng. */
#ifndef ELBO_PNG_H
#define ELBO_PNG_H

#include <stdint.h>

#include "base/status.h"

/* (H, W, channels) bytes, channels 1 or 3, row by row from the top. */
elbo_status elbo_png_write(const char *path, const uint8_t *pixels, int width, int height, int channels,
                           elbo_error *err);
/* Reads any PNG to 1 or 3 channels (alpha over white). The caller frees *pixels. */
elbo_status elbo_png_read(const char *path, int channels, uint8_t **pixels, int *width, int *height, elbo_error *err);

#endif
