/* A trained model opened from its run folder: the public elbo_model, and what the commands need besides. */
#ifndef ELBO_MODEL_H
#define ELBO_MODEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "elbo/elbo.h"
#include "device/device.h"
#include "nn/observation.h"
#include "run/run_folder.h"

/* What a run folder holds, read once: shared by every session of it, and, but for the
 * fingerprint, never written after it was read. */
typedef struct elbo_weights {
    atomic_int sessions; // that use them; the last one to close frees them
    char *run;
    elbo_run_facts facts;
    elbo_recipe recipe;
    elbo_network network;
    pthread_mutex_t lock; // of the fingerprint, which is made when first asked for
    char fingerprint[17]; // "" before
} elbo_weights;

/* A session: weights, and all that one thread needs to compute with them. */
struct elbo_model {
    elbo_weights *weights;
    /* What the weights hold, copied flat: the memory behind it is theirs. */
    const char *run;
    elbo_run_facts facts;
    elbo_recipe recipe;
    elbo_network network;
    /* This session's own. */
    elbo_state state;
    elbo_plan encoder, decoder;
    elbo_observation_model observation;
    elbo_prior_model prior;
    float *code_rows; // (batch, Z or 2 Z)
    int batch;        // images at once
    /* A decoder that reads the encoder's activations: those of some images. */
    elbo_plan skip_encoder; // an encoder that keeps them, made when first asked for
    float *skips;           // (held, graph.skip_floats)
    size_t held;
    /* A conditional model: labels of codes, and of images that have none of their own. */
    float *labels; // (labels_held, graph.classes)
    size_t labels_held;
    elbo_team *team;
};

/* Encodes rows of a data set, bytes as they are; a conditional model is told their labels or, where they have none, those
 * of elbo_model_set_labels. `logvar` may be NULL; fails where memory is out.
 * index: (n) or NULL for 0..n-1; mu: (n, latent). */
elbo_status elbo_model_encode_images(elbo_model *m, const elbo_images *images, const uint32_t *index, size_t n,
                                     float *mu, float *logvar, elbo_error *err);
/* Where the decoder reads what the encoder saved (`save` in the encoder, `concat` or `add` in the decoder), codes alone
 * cannot be decoded: fails, and says so in one line. */
elbo_status elbo_model_decodes_alone(const elbo_model *m, elbo_error *err);
/* Keeps of n images what the decoder reads besides their codes: codes decoded from now on go with these images in turn,
 * code i with image i % n. One image is for an interpolation, as many as there are codes are for reconstructions.
 * Does nothing for models whose decoder reads codes alone. */
elbo_status elbo_model_set_skips(elbo_model *m, const elbo_images *images, const uint32_t *index, size_t n,
                                 elbo_error *err);
/* The mean of p(x|z). Where the decoder needs more than codes, elbo_model_set_skips and elbo_model_set_labels come first;
 * without, the images are NaN. */
elbo_status elbo_model_decode_codes(elbo_model *m, size_t n, const float *z, float *images, elbo_error *err);
/* Images drawn from p(x|z): image i by the seed and i. Fails where the loss is no density of images. Values of a density
 * may lie outside image.range. */
elbo_status elbo_model_draw_images(elbo_model *m, size_t n, const float *z, uint64_t seed, float *images,
                                   elbo_error *err);

/* ---- the class as an input (labels.c); these do nothing for a model that is not conditional ---- */

static inline bool elbo_model_is_conditional(const elbo_model *m) { return m->network.graph.at.label >= 0; }
/* Codes decoded from now on go with these labels in turn, code i with label i % n.  weights: (n, graph.classes) */
elbo_status elbo_model_set_labels(elbo_model *m, const float *weights, size_t n, elbo_error *err);
/* Those that images have.  index: (n) or NULL for 0..n-1 */
elbo_status elbo_model_set_labels_of(elbo_model *m, const elbo_images *images, const uint32_t *index, size_t n,
                                     elbo_error *err);
/* One class for all. */
elbo_status elbo_model_set_class(elbo_model *m, int class_number, elbo_error *err);
/* A class of the model by its number or name; an error says which there are, or that the model is not conditional. */
elbo_status elbo_model_find_class(int *class_number, const elbo_model *m, const char *word, elbo_error *err);
/* One class for all by its word; NULL: the first. */
elbo_status elbo_model_set_class_word(elbo_model *m, const char *word, elbo_error *err);
const char *elbo_model_class_text(const elbo_model *m, int class_number, char text[12]);
/* Fails where a data set has not the labels that a conditional model was trained with. */
elbo_status elbo_model_check_labels(const elbo_model *m, const elbo_dataset *d, elbo_error *err);

/* The public functions behind their question whether labels are needed: these take those that are set. */
elbo_status elbo_model_encode_checked(elbo_model *m, size_t n, const float *images, float *mu, float *logvar,
                                      elbo_error *err);
elbo_status elbo_model_decode_checked(elbo_model *m, size_t n, const float *z, float *images, elbo_error *err);
elbo_status elbo_model_sample_checked(elbo_model *m, size_t n, uint64_t seed, float *images, float *z, elbo_error *err);

/* Float images go to the loss as they are, and bce of values outside 0 to 1 has no lowest value: fails where the recipe's
 * loss is such and a value of the images lies outside, or where one is not finite. `source` names them. */
elbo_status elbo_images_check_range(const elbo_images *images, const elbo_recipe *r, const char *source,
                                    elbo_error *err);

/* Makes a data set what the model was trained on: binary, where its recipe says so, as training measured the test images.
 * Fails where its images have another shape than the model's, a range that the recipe's loss cannot take, or not the labels
 * that a conditional model needs. */
elbo_status elbo_model_take_data(const elbo_model *m, elbo_dataset *d, elbo_error *err);

/* A number that other images, or these in another order, do not have. Every value of each is looked at. */
uint64_t elbo_images_fingerprint(const elbo_images *images);
/* What checkpoints had before: 64 bytes in the middle of each image, below 2^53. */
uint64_t elbo_images_fingerprint_1(const elbo_images *images);

/* Images from elsewhere than the run's data, a file: they are read as the recipe normalises its own. */
void elbo_model_see(const elbo_model *m, elbo_images *images);
/* Rows of a data set as the network sees them: floats in the recipe's range.  out: (n, C, H, W). */
void elbo_images_to_floats(const elbo_images *images, const uint32_t *index, size_t n, float low, float high,
                           float *out);

#endif
