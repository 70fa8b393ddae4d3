/* How good a model is, in numbers. All are the same to the bit for any number of threads. */
#ifndef ELBO_SCORES_H
#define ELBO_SCORES_H

#include "explore/metrics/eval_context.h"
#include "explore/metrics/vgg_features.h"
#include "nn/observation.h"
#include "stats/cloud_distances.h"
#include "stats/disentanglement.h"

/* ---- the likelihood (likelihood.c) ---- */

/* log p(x), estimated from below by k importance samples for each image: the mean over images of
 * log 1/k sum_j p(x | z_j) p(z_j) / q(z_j | x), z_j drawn from q. Burda, Grosse and Salakhutdinov, "Importance weighted
 * autoencoders", 2015, equation 8. k = 1 is the ELBO; more samples lift it towards log p(x).
 *
 * p(x | z) is what the loss says it is (nn/observation.h), constant included; where the loss is no density of x, log p
 * is known but for a constant. */
typedef struct elbo_likelihood {
    int samples;  // k; 0: not measured
    double log_p; // nats per image
    double error; // standard error of that mean over the images
} elbo_likelihood;

typedef struct elbo_likelihood_options {
    int samples;   // k, 1 or more
    uint64_t seed; // 0
    double *each;  // (images->count), gets every image's estimate; or NULL
} elbo_likelihood_options;

/* mu, logvar: (images->count, latent) */
elbo_status elbo_likelihood_estimate(elbo_likelihood *l, elbo_model *m, const elbo_images *images, const float *mu,
                                     const float *logvar, const elbo_likelihood_options *o, const elbo_job *work,
                                     elbo_error *err);
/* The reconstruction's loss of each image of `images` from code number code_of[i] of z, in nats.
 * z: (rows, latent); code_of: (images->count); loss: (images->count), the caller's. */
elbo_status elbo_score_codes(elbo_model *m, const elbo_images *images, const float *z, const uint32_t *code_of,
                             float *loss, elbo_error *err);

/* ---- the code (latent_scores.c) ---- */

typedef struct elbo_latent_scores {
    int latent;
    int active;   // dimensions whose mean code varies over the images: variance above `least`
    double least; // of a VAE 0.01 (Burda et al. 2015), since its prior gives the unit; of an AE, whose code may have
                  // any, 1e-4 of its widest dimension's variance
    double *variance; // (latent) of mu over the images (over n - 1)
    double *mean;     // (latent) of mu
    double *kl;       // (latent) mean KL(q(z_d|x) || N(0, 1)) in nats; their sum is the KL. NULL for an AE
} elbo_latent_scores;
#define ELBO_ACTIVE_VARIANCE 0.01
#define ELBO_ACTIVE_SHARE 1e-4
/* Sets `least` and `active` by the variances: the one definition of an active unit. */
void elbo_latent_count_active(elbo_latent_scores *s);

elbo_status elbo_latent_score(elbo_latent_scores *s, const float *mu, const float *logvar, size_t n, int latent,
                              elbo_error *err); // mu: (n, latent); logvar: (n, latent) or NULL
void elbo_latent_scores_free(elbo_latent_scores *s);

/* ---- the classes (class_scores.c) ---- */

/* Accuracy over the evaluated codes: of the majority vote of the 5 nearest training codes, and of a linear
 * classifier fitted on the training codes. NaN where there are no labels, only one class, or no training images
 * beside them. */
elbo_status elbo_class_score(double *knn, double *probe, const elbo_eval_context *e, elbo_error *err);

/* ---- the factors (latent_scores.c) ---- */

/* Whether each dimension stands for one of the factors that made the images, on those that are evaluated; NaN where the
 * data have none. A dimension is used where it is active: `latent` says what that is. */
elbo_status elbo_factor_score(elbo_disentanglement *d, const elbo_eval_context *e, const elbo_latent_scores *latent,
                              elbo_error *err);

/* ---- the samples (sample_scores.c) ---- */

/* Whether samples from the prior look like the data: precision and recall (stats/precision_recall.h) in the features of a
 * random convolutional network (stats/random_features.h), against as many training images. Test images in the samples'
 * place say what data itself reach. NaN for an AE, which has no prior, for a decoder that needs more than a code, and where
 * there are fewer than 50 images of a split. */
typedef struct elbo_sample_scores {
    size_t images; // of each kind, at most 1000; 0: not measured
    int k;         // neighbours that a ball reaches to
    double precision, recall;
    double density, coverage, test_density, test_coverage; // in the balls to 5 neighbours, as Naeem et al. 2020
    elbo_cloud_distances distance, test_distance;          // Frechet and KID in these features
    double realism; // of the median sample: 1 is the border of the data's manifold
    double test_precision, test_recall, test_realism;
    double
        sharpness;  // of the median sample in that of the median training image: the root mean square of the Laplacian
                    // over the standard deviation of the pixels
    double variety; // variance of the samples' features in that of training images'
    elbo_cloud_distances vgg, test_vgg; // the same distances in features of VGG16 (vgg_features.h); NaN without weights
} elbo_sample_scores;
elbo_sample_scores elbo_no_sample_scores(void); // not measured: NaN

/* vgg: or NULL */
elbo_status elbo_sample_score(elbo_sample_scores *s, const elbo_eval_context *e, elbo_vgg *vgg, elbo_error *err);
/* The mean LPIPS of reconstructions from the mean code, of at most 1,000 images; `vgg` has its weights. */
elbo_status elbo_lpips_score(double *lpips, const elbo_eval_context *e, elbo_vgg *vgg, elbo_error *err);

/* ---- the pictures (ssim.c) ---- */

/* Reconstructions from the mean code against the images, values clipped to the range as a picture's are; means over
 * images. */
typedef struct elbo_picture_scores {
    double psnr;    // 10 log10(range^2 / mse) of each image, in dB; at most 100
    double ssim;    // structural similarity: Wang, Bovik, Sheikh and Simoncelli 2004
    double ms_ssim; // at several scales: elbo_ms_ssim; NaN where there is one
    int scales;     // that it looks at
} elbo_picture_scores;

elbo_status elbo_picture_score(elbo_picture_scores *s, elbo_model *m, const elbo_images *images, const float *mu,
                               const elbo_job *work, elbo_error *err);

/* In dB, the values brought from low .. high to 0 .. 1 and clipped; at most 100.  a, b: (n) */
double elbo_psnr(const float *a, const float *b, size_t n, float low, float high);

/* SSIM of two images with values in [0, 1]: windows of 11 x 11 weighted by a Gaussian of sigma 1.5 (of a smaller image,
 * as large as fit), K1 = 0.01, K2 = 0.03; the mean over all windows that lie inside, and over channels.  a, b: (C, H,
 * W) */
double elbo_ssim(const float *a, const float *b, elbo_image_shape shape);

/* Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image quality assessment", 2003: the product of contrast and
 * structure at each scale and of the luminance at the last, to the powers of the paper, a channel at a time; between scales 2x2 averages.
 * The paper's five scales need 176 pixels: smaller images have as many as hold a window of 11 x 11, 28 x 28 two, 64 x 64
 * three, the powers over their sum. A mean below 0 counts as 0.  scratch: (elbo_ms_ssim_scratch) */
double elbo_ms_ssim(const float *a, const float *b, elbo_image_shape shape, float *scratch);
int elbo_ms_ssim_scales(elbo_image_shape shape);
size_t elbo_ms_ssim_scratch(elbo_image_shape shape);

#endif
