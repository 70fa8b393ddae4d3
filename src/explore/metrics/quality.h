/* Every score of a run together: measured, as JSON, and kept in the run's scores.json so that `compare` and `report`
 * need not measure again what has not changed. */
#ifndef ELBO_QUALITY_H
#define ELBO_QUALITY_H

#include <jansson.h>

#include "train/evaluate.h"
#include "explore/metrics/scores.h"

enum { ELBO_QUALITY_NEIGHBOURS = 5 };

/* A score that was not measured, or that makes no sense here (classes without labels), is NaN. */
typedef struct elbo_quality {
    elbo_metrics metrics; // what the losses' metrics are
    double kl_weight;     // in the objective
    elbo_scores losses;
    elbo_picture_scores pictures;
    elbo_latent_scores latent;
    double knn;                   // share of the test codes whose class most of the 5 nearest training codes have
    double probe;                 // share that a linear classifier on the training codes tells right
    double lpips;                 // of reconstructions, with the user's VGG16
    elbo_disentanglement factors; // NaN where the data have none
    elbo_sample_scores samples;
    elbo_likelihood likelihood;
    elbo_observation_model observation; // p(x|z) as it was trained
} elbo_quality;

typedef struct elbo_quality_options {
    elbo_eval_options losses; // its device and threads are the model's
    bool classes;             // knn and probe, and samples, which need training images too; on the test split only
    int importance;           // samples for the likelihood of a VAE; 0: not measured
    const char *vgg16,
        *lpips; // safetensors files (vgg_features.h), or NULL: LPIPS, and distances of samples in VGG16's
                // features
} elbo_quality_options;

elbo_status elbo_quality_measure(elbo_quality *q, const elbo_eval_context *e, elbo_quality_options o, elbo_error *err);
/* The objective as it was at the end of training; elbo_quality_measure does this. */
void elbo_quality_set_objective(elbo_quality *q, const elbo_model *m, const elbo_log *log);
elbo_status elbo_quality_copy(elbo_quality *q, const elbo_quality *from, elbo_error *err);
void elbo_quality_free(elbo_quality *q);

/* One row for each score that there is: for tables and JSON. */
typedef struct elbo_quality_row {
    const char *key;         // "knn_accuracy", in JSON
    const char *label;       // "5 nearest codes (%)", in a table
    const char *short_label; // "5-NN %", above a narrow column
    int decimals;
    double scale;                           // of the number shown: 100 for %
    int better;                             // 1: more, -1: less, 0: neither
    double (*value)(const elbo_quality *q); // NaN: not there
} elbo_quality_row;
extern const elbo_quality_row elbo_quality_rows[]; // ended by a row without a key
enum { ELBO_MOST_QUALITY_ROWS = 48 };

/* A score as a table shows it, "-101.31 ± 0.25", or "" where it is not there. */
enum { ELBO_QUALITY_TEXT = 48 };
const char *elbo_quality_text(const elbo_quality_row *row, const elbo_quality *q,
                              char text[ELBO_QUALITY_TEXT]); // q may be NULL
/* Whether a table of these runs' scores has the row as a column: the standard error stands beside its score. */
bool elbo_quality_shown(const elbo_quality_row *row, const elbo_quality *q);

/* The members of a JSON object: the rows' keys, every metric, and each dimension's kl and variance. NULL: no memory. */
json_t *elbo_quality_to_json(const elbo_quality *q); // NULL: no memory

/* RUN/scores.json. It names the weights, the recipe and the test images that it was measured with, by their checksums:
 * where one of them is another now, elbo_quality_load finds nothing (ELBO_NOT_FOUND). `data` NULL: the images are not
 * open, and are taken to be the same. */
elbo_status elbo_quality_save(const elbo_quality *q, const elbo_model *m, const elbo_dataset *data, elbo_error *err);
/* The same, except that a likelihood and scores by VGG16 that were kept earlier stay where q has none: they cost more than
 * all the rest, or need files. */
elbo_status elbo_quality_keep(const elbo_quality *q, const elbo_model *m, const elbo_dataset *data, elbo_error *err);
elbo_status elbo_quality_load(elbo_quality *q, const elbo_model *m, const elbo_dataset *data, elbo_error *err);

#endif
