/* A projection: the mean codes of images as points in the plane, and how far to trust it.
 *
 *     elbo_projection_options o = elbo_projection_defaults();
 *     o.method = ELBO_PROJECT_TSNE;
 *     elbo_projection p;
 *     if (elbo_project(&p, model, data, &o, &job, err) == ELBO_OK) status = elbo_projection_score(&p, &job, err);
 *     ...
 *     elbo_projection_free(&p); */
#ifndef ELBO_PROJECTION_H
#define ELBO_PROJECTION_H

#include <jansson.h>

#include "data/data.h"
#include "elbo/elbo.h"
#include "stats/embedding_scores.h"
#include "stats/tsne.h"

typedef enum elbo_projection_method {
    ELBO_PROJECT_PCA, // the first two principal components; of a code of two dimensions the plane itself
    ELBO_PROJECT_TSNE,
} elbo_projection_method;

typedef struct elbo_projection_options {
    elbo_projection_method method; // ELBO_PROJECT_PCA
    elbo_splits splits;            // ELBO_TEST_SPLIT. Both: training images come before test images
    size_t most;                   // at most so many images, the first ones; 0 (default): all
    elbo_tsne_options tsne;        // elbo_tsne_defaults
} elbo_projection_options;
elbo_projection_options elbo_projection_defaults(void);

/* Plain data: it outlives the model and the data set. */
typedef struct elbo_projection {
    elbo_projection_method method;
    elbo_splits splits;
    size_t n;
    int latent;
    float *xy;           // (n, 2)
    float *codes;        // (n, latent): mean codes
    uint8_t *labels;     // (n), each below `classes`; NULL where some image has none
    int classes;         // 0 without labels
    char **class_names;  // (classes)
    bool raw;            // xy is the code itself, of two dimensions
    double explained[2]; // PCA: shares of the variance
    elbo_tsne_result tsne;
    bool stopped;                 // t-SNE was interrupted; xy is as far as it got
    elbo_embedding_scores scores; // k = 0 until elbo_projection_score
} elbo_projection;

/* Encodes and projects. `job` may be interrupted: see `stopped`. */
elbo_status elbo_project(elbo_projection *p, elbo_model *model, const elbo_dataset *data,
                         const elbo_projection_options *o, const elbo_job *job, elbo_error *err);
/* Compares neighbourhoods of xy with those of the codes. Takes about as long as t-SNE; does nothing for fewer than three
 * points. */
elbo_status elbo_projection_score(elbo_projection *p, const elbo_job *job, elbo_error *err);
void elbo_projection_free(elbo_projection *p);

/* Method, split, points, what the method says of itself, and the scores; not the points. NULL: no memory. */
json_t *elbo_projection_json(const elbo_projection *p);
const char *elbo_projection_method_name(elbo_projection_method m); // "pca"
const char *elbo_splits_name(elbo_splits s);                       // "train", "test", "all"

/* Parts of that object, also for projections of points that no model made: kl, perplexity, iterations,
 * neighbour_recall into `o`; the scores as an object, null for what was not measured. */
void elbo_tsne_result_to_json(json_t *o, const elbo_tsne_result *r);
json_t *elbo_embedding_scores_json(const elbo_embedding_scores *s);

#endif
