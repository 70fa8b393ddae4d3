/* An image in memory to the size wanted, as torchvision's Resize and CenterCrop do it. */
#ifndef ELBO_IMAGES_SCALE_H
#define ELBO_IMAGES_SCALE_H

#include <stdbool.h>
#include <stdint.h>

/* The shorter side of the whole image (of full_height x full_width, which the decoder may have shrunk on its way to height x
 * width) goes to the size wanted, the centre is cut out, and the result is turned upright by EXIF's `orientation`, 1 to 8.
 *   bytes: (height, width, bands); pixels: (channels, to_height, to_width), upright; channels is bands, or 3 of one band
 * False: no memory. */
bool scale_image(const uint8_t *bytes, int height, int width, int bands, int full_height, int full_width,
                 int orientation, int channels, int to_height, int to_width, uint8_t *pixels);

#endif
