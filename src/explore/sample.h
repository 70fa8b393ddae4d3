/* New images: decoded from codes drawn from the prior, or from a density of the training codes. */
#ifndef ELBO_SAMPLE_H
#define ELBO_SAMPLE_H

#include <jansson.h>

#include "base/job.h"
#include "explore/density.h"
#include "explore/novelty.h"
#include "explore/result.h"
#include "nn/observation.h"

/* What codes are drawn from: the standard normal prior (of an autoencoder, which has none, to show what comes of it), one
 * Gaussian, or a mixture of Gaussians. */
typedef enum elbo_sample_source {
    ELBO_SAMPLE_DEFAULT, // the prior of a VAE, a mixture of an autoencoder's codes
    ELBO_SAMPLE_PRIOR,
    ELBO_SAMPLE_GAUSSIAN,
    ELBO_SAMPLE_GMM
} elbo_sample_source;
const char *elbo_sample_source_name(elbo_sample_source source); // "prior", "gaussian", "gmm"
/* The source by its name; false where there is none of it. */
bool elbo_sample_source_named(elbo_sample_source *source, const char *name);
/* Resolves ELBO_SAMPLE_DEFAULT. Fails where a decoder needs more than a code. */
elbo_status elbo_sample_source_of(elbo_sample_source *source, const elbo_model *m, elbo_error *err);

typedef struct elbo_sample_options {
    elbo_sample_source source;
    const elbo_density *density; // of the training codes (explore/run_density.h); needed unless from the prior
    int count;                   // 64
    uint64_t seed;               // 0. Image i depends on the seed and on i alone
    double temperature;          // 1; multiplies the noise
    bool nearest;                // false; also each image's nearest training image
    bool draw_pixels;            // false: the mean of p(x|z); true: an image drawn from it
    const char *class_word;      // of a conditional model: the class, by name or number; NULL: each class in turn, with
                                 // the same codes for all of them
} elbo_sample_options;
elbo_sample_options elbo_sample_defaults(void);

typedef struct elbo_sample_result {
    elbo_image_format format;
    elbo_sample_source source; // never the default
    int count;
    uint64_t seed;
    double temperature;
    bool no_prior;     // an autoencoder: codes of its own do not lie as N(0, I) does
    bool drawn_pixels; // images are drawn from p(x|z), not its means
    char observation[ELBO_OBSERVATION_TEXT];
    float *images; // (count, C, H, W)

    /* Of a conditional model: image i is of class first_class + i % classes, and codes repeat after as many. */
    int classes, first_class; // 0, 0: the model is not conditional; 1 where one class was asked for
    char **class_name;        // (classes)

    /* Of a density, not of the prior. */
    int components, dims;  // Gaussians of the mixture; dimensions that they are in
    bool principal;        // those are the codes' first principal axes
    double variance_ratio; // the share of the codes' variance that lies in them
    double log_likelihood; // nats per training code

    /* With `nearest`. */
    bool has_nearest;
    elbo_novelty novelty;
    float *neighbours; // (count, C, H, W): the nearest training images
} elbo_sample_result;

/* `d`: with both splits where `nearest` is asked for, else NULL will do. */
elbo_status elbo_sample(elbo_sample_result *r, elbo_model *m, const elbo_dataset *d, const elbo_sample_options *options,
                        const elbo_job *work, elbo_error *err);
/* {"count", "seed", "from", "temperature", "pixels"}; of a conditional model "classes": [name]; of a density "components"
 * and "log_likelihood"; with nearest {"nearest":
 * {"train": [index], "distance": [...], "usual_distance", "rare_distance", "nearer_than_rare"}} */
json_t *elbo_sample_json(const elbo_sample_result *r);
void elbo_sample_free(elbo_sample_result *r);

#endif
