/* Whether each dimension of a code stands for one factor of the images, where the factors are known. All of them are 1 for codes
 * that are the factors and 0 (FactorVAE's: chance) for codes that know nothing of them. Implementations differ in bins,
 * thresholds and sizes (Locatello et al., "Challenging common assumptions in the unsupervised learning of disentangled
 * representations", 2019): compare numbers of one program. */
#ifndef ELBO_DISENTANGLEMENT_H
#define ELBO_DISENTANGLEMENT_H

#include "base/job.h"
#include "base/status.h"
#include "data/data.h"

/* What is asked about. A factor that has one value among the images is left out. */
typedef struct elbo_factor_codes {
    const float *codes;        // (n, dims), mean codes
    const uint8_t *factors;    // (n, count)
    const elbo_factor *factor; // (count)
    size_t n;
    int dims, count;
    double least; // a dimension is used where its variance is above this: others have no vote and no SAP
} elbo_factor_codes;

enum {
    ELBO_MIG_BINS = 20,
    ELBO_VOTE_IMAGES = 64,
    ELBO_TRAIN_VOTES = 10000,
    ELBO_TEST_VOTES = 5000,
    ELBO_MOST_FACTORS = 16,
    ELBO_SAP_CLASSES = 8
};

typedef struct elbo_disentanglement {
    /* Mutual information gap. Chen, Li, Grosse and Duvenaud, "Isolating sources of disentanglement in VAEs", 2018, equation 6: of
     * each factor the two largest I(dimension; factor), their difference over H(factor); the mean over factors. The
     * mutual information is that of a histogram of each dimension's means in 20 bins from its least to its largest
     * value, as Locatello et al. have it, here of all images. */
    double mig;
    /* Kim and Mnih, "Disentangling by factorising", 2018, section 4: a vote is the dimension with the least variance, in units of its own,
     * over 64 images that share one factor's value; a majority vote tells the factor by the dimension. Share that is
     * right of 5,000 votes, by the table of 10,000 others. */
    double factor_vae;
    /* Separated attribute predictability. Kumar, Sattigeri and Balakrishnan, "Variational inference of disentangled latent
     * concepts from unlabeled observations", 2018, section 3: how well one dimension alone predicts a factor, of an ordered one
     * R^2 of the line, of another the balanced accuracy of the best thresholds, one interval for each value; the two
     * best dimensions' difference, the mean over factors. An unordered factor of more than 8 values is left out. */
    double sap;
} elbo_disentanglement;

/* The same for any number of threads. Fails where n is 0, or count above ELBO_MOST_FACTORS. */
elbo_status elbo_disentanglement_of(elbo_disentanglement *d, const elbo_factor_codes *c, const elbo_job *work,
                                    elbo_error *err);

#endif
