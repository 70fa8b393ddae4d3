/* `dsprites`: white shapes on black, drawn by a procedure, one image for each combination of five factors, after the data
 * set of Matthey, Higgins, Hassabis and Lerchner, "dSprites: disentanglement testing sprites dataset", 2017: 3 shapes x 6
 * scales x 40 orientations x 32 x 32 positions, 737,280 images of 64 x 64. The images are not kept but made when they are
 * read: 3 GB would be needed, where the 720 sprites take 92 kB.
 *
 * The pixels are not those of the published file, whose outlines differ by a few pixels; the factors and their sizes are, except that
 * there the first and the last orientation are the same (0 and 2 pi), here they are 9 degrees apart. A square looks
 * the same after 10 of the 40 orientations, an ellipse after 20, in both. */
#ifndef ELBO_SPRITES_H
#define ELBO_SPRITES_H

#include "data/data.h"

enum { ELBO_SPRITE_FACTORS = 5, ELBO_SPRITE_SIDE = 64 };
extern const elbo_factor elbo_sprite_factors[ELBO_SPRITE_FACTORS]; // shape, scale, orientation, x, y

/* One split of the set: of all images the tenth that a fixed permutation puts first is the test split. Factors and labels
 * (the shape) are set, and `sprites`. `small`: every second orientation and position, 92,160 images of the same kind. */
elbo_status elbo_sprites_make(elbo_images *images, bool test, bool small, elbo_error *err);

/* Image `index` of images->sprites, black `low` and white `high`.  out: (64, 64) */
void elbo_sprites_draw(const elbo_images *images, uint32_t index, float *out, float low, float high);

#endif
