/* Every result that the report of some runs shows. */
#ifndef ELBO_REPORT_DATA_H
#define ELBO_REPORT_DATA_H

#include "base/job.h"
#include "explore/comparison.h"
#include "explore/diagnostics/diagnosis.h"
#include "explore/interpolate.h"
#include "explore/projection.h"
#include "explore/reconstruct.h"
#include "explore/sample.h"

typedef struct elbo_report_options {
    bool own_data;      // `data` are what the first run was trained on: scores are kept in the runs that share them
    int images;         // reconstructed: 10
    int steps;          // of the interpolation: 10
    int samples;        // from each VAE: 64
    size_t tsne_points; // at most: 10,000
} elbo_report_options;
elbo_report_options elbo_report_defaults(void); // own_data: true

typedef struct elbo_report_run {
    elbo_diagnosis diagnosis;
    elbo_projection pca;
    elbo_projection tsne;       // n = 0: none, of a raw plane or fewer than four images
    elbo_sample_result samples; // count = 0: none, of an autoencoder, a decoder with skips, or a run that is map_only
    char *recipe;               // YAML
} elbo_report_run;

/* Plain data: it outlives the runs and the data set. */
typedef struct elbo_report_data {
    elbo_comparison comparison;
    elbo_report_run *run; // (comparison.count)
    char *data;           // the data set's name, and how many images it has
    size_t train, test;
    int classes;
    /* False where there are no test images: the comparison, of the logs alone, and the recipes are all there is. */
    bool analysed;
    elbo_reconstruct_result reconstructions;
    elbo_interpolate_result interpolation; // one pair, with its pixels
    char *from, *to;                       // its ends in words: classes, or "one image", "another"
} elbo_report_data;

/* Runs that are map_only come behind the others. Fails where no epoch is finished. */
elbo_status elbo_report_gather(elbo_report_data *r, elbo_run *runs, int count, const elbo_dataset *data,
                               const elbo_report_options *o, const elbo_job *job, elbo_error *err);
void elbo_report_data_free(elbo_report_data *r);

#endif
