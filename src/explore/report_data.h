/* Every result that the report of some runs shows. */
#ifndef ELBO_REPORT_DATA_H
#define ELBO_REPORT_DATA_H

#include "base/job.h"
#include "explore/arithmetic.h"
#include "explore/class_shift.h"
#include "explore/comparison.h"
#include "explore/data_sheet.h"
#include "explore/diagram.h"
#include "explore/diagnostics/diagnosis.h"
#include "explore/interpolate.h"
#include "explore/manifold.h"
#include "explore/projection.h"
#include "explore/reconstruct.h"
#include "explore/sample.h"
#include "explore/traverse.h"

typedef struct elbo_report_options {
    bool own_data;      // `data` are what the first run was trained on: scores are kept in the runs that share them
    int images;         // reconstructed: 10
    int steps;          // of the interpolation: 10
    int samples;        // from each model: 64
    size_t tsne_points; // at most: 10,000
} elbo_report_options;
elbo_report_options elbo_report_defaults(void); // own_data: true

typedef struct elbo_report_run {
    elbo_diagnosis diagnosis;
    elbo_projection pca;
    elbo_projection tsne;     // n = 0: none, of a raw plane or fewer than four images
    elbo_confusion confusion; // classes = 0: no labels
    elbo_diagram diagram;
    char *recipe; // YAML
    uint64_t seed;

    /* Empty of a decoder that needs more than a code. */
    elbo_sample_result samples; // from the prior; of an autoencoder from N(0, I)
    elbo_sample_result mixture; // of an autoencoder: from a mixture of Gaussians; else count = 0
    elbo_traverse_result traversal;
    elbo_manifold_result plane;        // of a code of two dimensions; else steps = 0
    elbo_arithmetic_result arithmetic; // operands = 0: there are no two classes
} elbo_report_run;

/* Plain data: it outlives the runs and the data set. */
typedef struct elbo_report_data {
    elbo_comparison comparison;
    elbo_report_run *run; // (comparison.count)
    elbo_data_sheet data;
    /* False where there are no test images: the comparison, of the logs alone, and the recipes are all there is. */
    bool analysed;
    elbo_reconstruct_result reconstructions;
    elbo_interpolate_result interpolation; // one pair, with its pixels
    char *from, *to;                       // its ends in words: classes, or "one image", "another"
    elbo_class_shift shift;                // of the first VAE, else of the first run: what `arithmetic` shows
} elbo_report_data;

/* Fails where no epoch is finished. */
elbo_status elbo_report_gather(elbo_report_data *r, elbo_run *runs, int count, const elbo_dataset *data,
                               const elbo_report_options *o, const elbo_job *job, elbo_error *err);
void elbo_report_data_free(elbo_report_data *r);

#endif
