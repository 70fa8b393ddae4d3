/* Animated GIF, through giflib: it plays in every browser, slide program and chat. 256 greys are kept as they are; of
 * colours at most 256 are chosen for the whole animation (median cut). */
#ifndef ELBO_VIEW_GIF_H
#define ELBO_VIEW_GIF_H

#include <stdint.h>

#include "base/status.h"

/* Frames one after the other, forever.  frames: (count, H, W, channels) bytes, channels 1 or 3; hundredths: (count),
 * how long each is shown */
elbo_status elbo_gif_write(const char *path, const uint8_t *const *frames, const int *hundredths, int count, int width,
                           int height, int channels, elbo_error *err);

#endif
