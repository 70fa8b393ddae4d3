/* Any image file to a small image of a fixed size. */
#ifndef ELBO_IMAGES_DECODE_H
#define ELBO_IMAGES_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/photos/image_protocol.h"

/* Fills `pixels` (C, H, W) as `want` says, and the sizes of `reply`; false where the file cannot be read, with one line
 * in `reason`. */
bool decode_image(const char *path, const elbo_images_request *want, uint8_t *pixels, elbo_images_reply *reply,
                  char reason[ELBO_IMAGES_MAX_REASON]);

#endif
