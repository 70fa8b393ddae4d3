/* The colours of figures. */
#ifndef ELBO_VIEW_COLOUR_H
#define ELBO_VIEW_COLOUR_H

#include <stdint.h>

/* 0xRRGGBB for class or group `i` of `count`. */
uint32_t elbo_colour(int i, int count);

#endif
