/* Image files of any format, through the helper program elbo-images (image_protocol.h): found, started, asked, and
 * started again when a file was too much for it. */
#ifndef ELBO_IMAGE_PROGRAM_H
#define ELBO_IMAGE_PROGRAM_H

#include <stdatomic.h>
#include <sys/types.h>

#include "data/data.h"
#include "data/photos/image_protocol.h"

/* The helper's path, a new string: $ELBO_IMAGES where it is set, else beside the running program, else where `make
 * install` puts it. Not there: one line that says how to get it. */
elbo_status elbo_images_program_find(char **path, elbo_error *err);

/* One helper, used by one thread at a time. All zero but the first three: not started yet. */
typedef struct elbo_images_program {
    const char *path;        // of the program
    double seconds;          // that a file may take; 0: ELBO_IMAGES_SECONDS
    const atomic_bool *stop; // looked at while waiting; or NULL
    pid_t pid;
    int fd;
} elbo_images_program;

enum { ELBO_IMAGES_SECONDS = 60 };

/* What one file gave. */
typedef struct elbo_image_read {
    bool readable;
    int height, width;                   // of the file's image; 0: not known
    char reason[ELBO_IMAGES_MAX_REASON]; // where it is not readable
    bool passing;                        // for that reason, which may be another's: worth another try
} elbo_image_read;

/* Reads the file, scaled and cut to `shape`. A file that cannot be read is no failure: `result` says why. A failure is a helper
 * that cannot be started or talked to, or ELBO_STOPPED.  pixels: (C, H, W) */
elbo_status elbo_images_program_read(elbo_images_program *p, const char *path, elbo_image_shape shape, uint8_t *pixels,
                                     elbo_image_read *result, elbo_error *err);
void elbo_images_program_stop(elbo_images_program *p);

/* By the name's ending: .jpg, .png and so on, in any case. */
bool elbo_is_image_name(const char *name);

#endif
