/* libelbo: use a trained autoencoder or variational autoencoder from C or C++.
 *
 *     #include <elbo/elbo.h>
 *     #include <stdio.h>
 *
 *     int main(void) {                                   // prints the first code of a blank image
 *         elbo_error err;
 *         elbo_model *model;
 *         if (elbo_model_open(&model, "runs/mnist-vae", 0, &err) != ELBO_OK) {
 *             fprintf(stderr, "%s\n", err.message);
 *             return 1;
 *         }
 *         static float image[784];                       // (1, 28, 28), zero: black
 *         float z[20];                                   // (1, 20)
 *         if (elbo_encode(model, 1, image, z, &err) == ELBO_OK) printf("%g\n", z[0]);
 *         elbo_model_close(model);
 *     }
 *
 *     cc program.c $(pkg-config --cflags --libs elbo)
 *
 * Arrays are row-major float32, one image behind the other: images (N, C, H, W) in the model's range, codes (N,
 * latent). Equal input gives equal bits, whatever N and whatever the number of threads. A model may be used by one
 * thread at a time; elbo_model_session makes another for a second thread. */
#ifndef ELBO_H
#define ELBO_H

#include <stddef.h>

#include "elbo/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ELBO_API __attribute__((visibility("default")))
#else
#define ELBO_API
#endif

typedef struct elbo_model elbo_model;

/* What a model reads and writes. The strings belong to the model. */
typedef struct elbo_model_info {
    const char *name;            /* the recipe's, "mnist-vae" */
    const char *kind;            /* "ae" or "vae" */
    int channels, height, width; /* of an image */
    int latent;                  /* numbers in a code */
    float low, high;             /* what black and white are: usually 0 and 1, or -1 and 1 */
} elbo_model_info;

/* Opens a run folder (recipe.yaml and model.safetensors). `threads` 0: all cores. On failure *model is NULL and err
 * holds one line. The caller closes the model. */
ELBO_API elbo_status elbo_model_open(elbo_model **model, const char *run, int threads, elbo_error *err);

/* Options may get more members: set `size` to sizeof(elbo_model_options), and what you leave out to 0. */
typedef struct elbo_model_options {
    size_t size;
    int threads;        /* 0: all cores. Results do not depend on it */
    const char *device; /* "cpu", or "ref": plain loops, slow, to check by; NULL: the first */
    int rows;           /* images computed at once; 0: the usual. 1 is for one image after the other, as an interactive
                           program decodes them: up to 18 times faster for that, slower for many. Results may
                           differ in their last bits from those with other rows */
} elbo_model_options;

/* As elbo_model_open. `options` NULL: all defaults. An unknown device fails with the names that there are. */
ELBO_API elbo_status elbo_model_open_with(elbo_model **model, const char *run, const elbo_model_options *options,
                                          elbo_error *err);

/* Another session of an open model, with the same weights, which are not read or copied again: for another thread, or
 * for other options. Sessions may be used at the same time, each by one thread, and closed in any order, the first
 * among them; each by elbo_model_close. `options` NULL: all defaults, on the model's device. */
ELBO_API elbo_status elbo_model_session(elbo_model **session, const elbo_model *model,
                                        const elbo_model_options *options, elbo_error *err);
ELBO_API void elbo_model_close(elbo_model *model); /* NULL is fine */

ELBO_API elbo_model_info elbo_model_get_info(const elbo_model *model);

/* Images to codes: a VAE's mean mu, not a sample.  images: (n, C, H, W), z: (n, latent), the caller's. */
ELBO_API elbo_status elbo_encode(elbo_model *model, size_t n, const float *images, float *z, elbo_error *err);

/* As elbo_encode, and the logarithm of the code's variance (a VAE only).  mu, logvar: (n, latent). */
ELBO_API elbo_status elbo_encode_gaussian(elbo_model *model, size_t n, const float *images, float *mu, float *logvar,
                                          elbo_error *err);

/* Codes to images.  z: (n, latent), images: (n, C, H, W), the caller's, in [low, high] where the output layer bounds it. */
ELBO_API elbo_status elbo_decode(elbo_model *model, size_t n, const float *z, float *images, elbo_error *err);

#ifdef __cplusplus
}
#endif
#endif
