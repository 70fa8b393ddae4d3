/* What elbo and its helper program elbo-images say to each other over one socket, on one machine (so: its own byte
 * order).
 *
 * The helper greets; then elbo asks for a file and the helper answers, as often as elbo likes, until elbo hangs up.
 * Only the helper is linked with libvips and the hundred libraries below it: elbo starts without them, and a file that
 * brings a decoder down, or has it turn for ever, costs that one file. */
#ifndef ELBO_IMAGE_PROTOCOL_H
#define ELBO_IMAGE_PROTOCOL_H

#include <stdint.h>

enum {
    ELBO_IMAGES_VERSION = 1,
    ELBO_IMAGES_GREETING = 0x49626c65, // "elbI"
    ELBO_IMAGES_MAX_PATH = 4096,
    ELBO_IMAGES_MAX_REASON = 200,
    ELBO_IMAGES_MAX_SIDE = 4096, // of the image asked for
    /* Of the file's image. More would be a mistake or an attack: a few hundred bytes can claim any size. */
    ELBO_IMAGES_MAX_PIXELS = 1000000000,
};

typedef struct elbo_images_greeting {
    uint32_t greeting, version;
} elbo_images_greeting;

/* Followed by the path's bytes. */
typedef struct elbo_images_request {
    uint32_t channels, height, width; // 1 or 3; 1 to ELBO_IMAGES_MAX_SIDE each
    uint32_t path_bytes;
} elbo_images_request;

/* Followed by (C, H, W) bytes, or, where the file cannot be read, by one line that says why. */
typedef struct elbo_images_reply {
    uint32_t readable;
    uint32_t height, width; // of the file's image, as it is seen upright
    uint32_t bytes;         // that follow
} elbo_images_reply;

#endif
