/* The observation model p(x|z): how an image's values scatter about what the decoder gives, each by itself. Which one a
 * model has follows from the loss that it was trained with. */
#ifndef ELBO_OBSERVATION_H
#define ELBO_OBSERVATION_H

#include "nn/graph.h"

typedef struct elbo_observation_model elbo_observation_model;

typedef struct elbo_observation {
    const char *name;
    const char *scale; // what its scale is called: "sigma"; NULL: it has none
    bool discrete;     // probabilities of values; else densities
    bool of_logits;    // mean and sample take what goes into the decoder's last sigmoid
    bool normal_noise; // sample takes standard normal numbers; else uniform ones
    bool of_squares;   // its scale is the deviation of a value
    /* In place, values (n) of the decoder's output. mean NULL: they are the mean. */
    void (*mean)(float *y, size_t n);
    void (*sample)(float *y, const float *noise, size_t n, const elbo_observation_model *m); // noise: (n)
} elbo_observation;

/* -log p(x|z) = factor * reconstruction + constant, in nats per image. */
struct elbo_observation_model {
    const elbo_observation *is; // NULL: the loss is no density of x; factor is 1 then, and constant NaN
    double factor, constant;
    double scale;   // in image.range; NaN: none
    double laplace; // scale of the Laplace factor beside a Gaussian one; else NaN
    bool learned;   // the scale is a parameter
    bool implied;   // it follows from the weights of the loss and of the KL
    float kl_weight;
    float low, high; // image.range
    size_t values;   // of an image
};

/* What the loss says p(x|z) is. gaussian, logistic: their scale. mse and l1, in a VAE with KL weight w: training
 * minimises mse + w KL, and so mse / w + KL: a Gaussian of variance w / 2. (The highest weight that a schedule reaches;
 * w = 0 implies no variance, and counts as 1.)  params: (g->param_floats) */
elbo_observation_model elbo_observation_model_of(const elbo_recipe *r, const elbo_graph *g, const float *params);
/* "Gaussian, sigma 0.707 (mse with KL weight 1)". Returns `out`. */
enum { ELBO_OBSERVATION_TEXT = 120 };
const char *elbo_observation_text(const elbo_observation_model *m, char out[ELBO_OBSERVATION_TEXT]);
/* A mean negative log-likelihood, nats per image, as bits per value: (nats / D) / ln 2, densities as those of values in
 * [0, 1], plus 8: of one of 256 such values. NaN where p(x|z) is not normalised. */
double elbo_bits_per_dim(const elbo_observation_model *m, double nats);
/* What a difference of a loss in nats is compared with: the loss's size. Where a density's constant is part of it, 0 means
 * nothing; then at least D / 2, and with a learned scale just that: a share of it is the same share of the squared error. */
double elbo_loss_size(const elbo_observation_model *m, double nats);

#endif
