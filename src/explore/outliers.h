/* Which images a model finds unlikely, and which lie next to each other in its latent space. */
#ifndef ELBO_OUTLIERS_H
#define ELBO_OUTLIERS_H

#include <jansson.h>

#include "base/job.h"
#include "explore/result.h"
#include "stats/ranking.h"

typedef struct elbo_outlier_options {
    int shown;           // images of each end that are kept to be shown; 0: ELBO_OUTLIERS_SHOWN
    int importance;      // samples for log p(x) of a VAE; 0: not measured
    int anomaly;         // a class that the model was not trained on; -1: none
    bool duplicates;     // also pairs that are nearly the same
    double duplicate_at; // largest distance of such a pair, in medians of the distance to the nearest code; 0: 0.1
} elbo_outlier_options;
enum { ELBO_OUTLIERS_SHOWN = 10, ELBO_OUTLIERS_MOST_PAIRS = 1000 };
#define ELBO_DUPLICATE_AT 0.1

/* Scores that can be ranked by; larger is more unusual. */
typedef enum elbo_outlier_score {
    ELBO_OUTLIER_RECONSTRUCTION, // -log p(x | mean code), nats
    ELBO_OUTLIER_KL,             // KL(q(z|x) || p(z)), nats: of a VAE
    ELBO_OUTLIER_ELBO,           // their sum: -ELBO with the mean code in the sample's place
    ELBO_OUTLIER_LIKELIHOOD,     // -log p(x), by importance samples
    ELBO_OUTLIER_SCORES
} elbo_outlier_score;
extern const char
    *const elbo_outlier_score_name[ELBO_OUTLIER_SCORES]; // "reconstruction", ..., as JSON and CSV have them

typedef struct elbo_code_pair {
    uint32_t a, b;   // a < b
    double distance; // in medians of the distance to the nearest code
} elbo_code_pair;

typedef struct elbo_outliers {
    size_t n;
    double *score[ELBO_OUTLIER_SCORES]; // (n) each; NULL: not measured
    elbo_outlier_score by;              // what `order` goes by: the likelihood, else -ELBO, else the reconstruction
    uint32_t *order;                    // (n), the most unusual first
    elbo_ranking ranking[ELBO_OUTLIER_SCORES]; // of the anomalous class against the others; NaN: none was named
    int anomaly;                               // or -1
    elbo_code_pair *pair;                      // (pairs), nearest first
    size_t pairs, more_pairs;                  // kept; left out
    double median_distance;                    // of a code to the nearest other one; NaN: not measured
    elbo_image_format format;
    int shown;
    float *worst, *typical;  // (2, shown, C, H, W): images, then their reconstructions; typical: about the median score
    uint32_t *typical_index; // (shown); the worst are the first of `order`
} elbo_outliers;

/* labels of images may be NULL where no class is anomalous. */
elbo_status elbo_outliers_find(elbo_outliers *r, elbo_model *m, const elbo_images *images,
                               const elbo_outlier_options *o, const elbo_job *work, elbo_error *err);
/* NULL: no memory. */
json_t *elbo_outliers_json(const elbo_outliers *r);
void elbo_outliers_free(elbo_outliers *r);

#endif
