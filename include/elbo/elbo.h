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
 * latent). Equal input gives equal bits, whatever N and whatever the number of threads, on one device and with one
 * number of rows. A model may be used by one thread at a time; elbo_model_session makes another for a second. */
#ifndef ELBO_H
#define ELBO_H

#include <stddef.h>
#include <stdint.h>

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
                           program decodes them: 2 to 15 times faster for that, slower for many. Results may
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
/* Finished epochs that the weights are of; 0 of imported ones, -1 where an earlier release did not say. */
ELBO_API int elbo_model_epoch(const elbo_model *model);
/* A text of 16 letters that other weights do not have; the model's. */
ELBO_API const char *elbo_model_fingerprint(const elbo_model *model);

/* Images to codes: a VAE's mean mu, not a sample.  images: (n, C, H, W), z: (n, latent), the caller's. */
ELBO_API elbo_status elbo_encode(elbo_model *model, size_t n, const float *images, float *z, elbo_error *err);

/* As elbo_encode, and the logarithm of the code's variance (a VAE only).  mu, logvar: (n, latent). */
ELBO_API elbo_status elbo_encode_gaussian(elbo_model *model, size_t n, const float *images, float *mu, float *logvar,
                                          elbo_error *err);

/* Codes to images.  z: (n, latent), images: (n, C, H, W), the caller's, in [low, high] where the output layer bounds it. */
ELBO_API elbo_status elbo_decode(elbo_model *model, size_t n, const float *z, float *images, elbo_error *err);

/* ---- conditional models ---- */

/* Of how many classes a conditional model (a layer `concat class` in its recipe) is told; 0: it is not conditional. */
ELBO_API int elbo_model_classes(const elbo_model *model);
/* The name of a class, from 0 to elbo_model_classes - 1; the model's. NULL where it is not known. */
ELBO_API const char *elbo_model_class_name(const elbo_model *model, int class_number);

/* The classes of images or codes: image i goes with label i % count. Zero it, set `size` to sizeof(elbo_labels) and one of
 * `classes` and `weights`.
 *
 *     int three = 3;
 *     elbo_labels labels = {.size = sizeof labels, .count = 1, .classes = &three};
 *     elbo_decode_labelled(model, n, z, &labels, images, &err);                      // n codes, all as threes */
typedef struct elbo_labels {
    size_t size;
    size_t count;         /* of labels, 1 or more */
    const int *classes;   /* (count), each from 0 to elbo_model_classes - 1 */
    const float *weights; /* (count, elbo_model_classes): a weight for each class, as half a 3 and half an 8 */
} elbo_labels;

/* As elbo_encode_gaussian (`logvar` may be NULL), elbo_decode and elbo_model_sample, of a conditional model: those fail
 * where the encoder, or the decoder, is told the class. Fails for a model that is not conditional. */
ELBO_API elbo_status elbo_encode_labelled(elbo_model *model, size_t n, const float *images, const elbo_labels *labels,
                                          float *mu, float *logvar, elbo_error *err);
ELBO_API elbo_status elbo_decode_labelled(elbo_model *model, size_t n, const float *z, const elbo_labels *labels,
                                          float *images, elbo_error *err);
ELBO_API elbo_status elbo_model_sample_labelled(elbo_model *model, size_t n, uint64_t seed, const elbo_labels *labels,
                                                float *images, float *z, elbo_error *err);

/* ---- measuring ---- */

/* What a model scores on images, each a mean over them. Zero it and set `size` to sizeof(elbo_model_scores). */
typedef struct elbo_model_scores {
    size_t size;
    double loss;           /* nats per image: reconstruction + kl, the KL once: of a VAE usually the negative ELBO */
    double reconstruction; /* nats per image */
    double kl;             /* nats per image; 0 of an autoencoder */
    double mse;            /* per value of an image, in the model's range */
    double objective;      /* what training minimises: with the recipe's weights and scale */
} elbo_model_scores;

/* Losses of images, as `elbo eval` measures them: with one sample of the code for each image, drawn from `seed` and the
 * image's number. Fails where an image is not finite, or lies outside 0 to 1 and the loss is bce.
 * images: (n, C, H, W), n at least 1. */
ELBO_API elbo_status elbo_model_evaluate(elbo_model *model, size_t n, const float *images, uint64_t seed,
                                         elbo_model_scores *scores, elbo_error *err);

/* As elbo_model_evaluate, of a conditional model: each image has the class labels[i].  labels: (n) */
ELBO_API elbo_status elbo_model_evaluate_labelled(elbo_model *model, size_t n, const float *images,
                                                  const uint8_t *labels, uint64_t seed, elbo_model_scores *scores,
                                                  elbo_error *err);

/* New images from the prior N(0, I) of a VAE: image i is a function of the seed and i, the one that `elbo sample` draws.
 * Fails for an autoencoder, which has no prior.  images: (n, C, H, W), z: (n, latent) their codes, or NULL; the caller's. */
ELBO_API elbo_status elbo_model_sample(elbo_model *model, size_t n, uint64_t seed, float *images, float *z,
                                       elbo_error *err);

/* ---- training ---- */

/* How far training is. */
typedef struct elbo_training_progress {
    size_t size;                /* of this struct, in the library that fills it in */
    int epoch, epochs;          /* the current one, from 1 */
    size_t images_done, images; /* of this epoch */
    double loss;                /* nats per image, the mean over this epoch so far */
    double seconds_left;        /* of the whole training, estimated */
    int epoch_is_done;          /* 1 in one call at the end of each epoch, else 0 */
    double test_loss;           /* nats per image, where epoch_is_done and there are test images; else NaN */
} elbo_training_progress;

/* Set `size` to sizeof(elbo_training_options), `recipe` and `run`, and what you leave out to 0. */
typedef struct elbo_training_options {
    size_t size;
    const char *recipe;      /* a built-in name, "mnist-vae", or a YAML file */
    const char *run;         /* the run folder, made where it is not there */
    const char *const *sets; /* (set_count) "train.epochs=3": keys of the recipe, overridden as by --set; or NULL */
    int set_count;
    /* The images: what --data reads (a folder, a .npy, or a name as "digits"); or an array; or neither, for the data
     * set that the recipe names. */
    const char *data;
    const float *images; /* (image_count, C, H, W), in the recipe's range; only read while training; or NULL */
    size_t image_count;
    int channels, height, width; /* of `images` */
    size_t test_count;           /* the last so many of them are not trained on but measured after each epoch */
    int replace;                 /* 1: a run that is there already is replaced; 0: it is refused */
    int resume;                  /* 1: goes on with the run from its checkpoint, to the same bits */
    int threads;                 /* 0: all cores. Results do not depend on it */
    const char *device;          /* NULL: the first */
    /* Called on the calling thread before the first step, about ten times a second and at the end of each epoch. What
     * is not 0 stops training after the current step. May be NULL. */
    int (*progress)(void *context, const elbo_training_progress *p);
    void *context;
    const uint8_t *labels; /* (image_count) the class of each of `images`, for a conditional model; or NULL */
    int classes;           /* each label is below it; at most 256 */
} elbo_training_options;

/* Trains a model and writes its run folder, which elbo_model_open then opens. ELBO_STOPPED: the callback asked for it;
 * the folder holds the model as it is, and `resume` goes on. ELBO_DIVERGED: a loss was not finite. The same seed gives
 * the same bits, for any number of threads. */
ELBO_API elbo_status elbo_train_model(const elbo_training_options *options, elbo_error *err);

/* ---- version ---- */

/* Of the header; elbo_version is that of the library: "0.1.0". The same major version: the same calls, and perhaps more
 * of them. */
#define ELBO_VERSION_MAJOR 0
#define ELBO_VERSION_MINOR 1
#define ELBO_VERSION_PATCH 0
ELBO_API const char *elbo_version(void); /* constant, the library's */

#ifdef __cplusplus
}
#endif
#endif
