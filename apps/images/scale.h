/* An image in memory to the size wanted, as torchvision's Resize and CenterCrop do it. */
#ifndef ELBO_IMAGES_SCALE_H
#define ELBO_IMAGES_SCALE_H

#include <stdbool.h>
#include <stdint.h>

/* An image as it was decoded and lies in its file. */
typedef struct decoded_image {
    const uint8_t *bytes; // (height, width, bands)
    int height, width, bands;
    int full_height, full_width; // of the file's image, which the decoder may have shrunk
    int orientation;             // EXIF's, 1 to 8
} decoded_image;

/* What is wanted, upright. */
typedef struct scaled_size {
    int channels; // as many as bands, or 3 of one band
    int height, width;
} scaled_size;

/* The shorter side of the whole image goes to the size wanted, the centre is cut out, and the result is turned upright.
 * pixels: (channels, height, width) of `to`. False: no memory. */
bool scale_image(uint8_t *pixels, const decoded_image *image, scaled_size to);

#endif
