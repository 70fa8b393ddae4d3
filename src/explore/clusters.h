/* Clusters of a model's codes, and how they agree with classes that it was not told. */
#ifndef ELBO_CLUSTERS_H
#define ELBO_CLUSTERS_H

#include <jansson.h>

#include "data/data.h"
#include "explore/result.h"
#include "stats/kmeans.h"

enum { ELBO_CLUSTERS_SHOWN = 10 };

typedef struct elbo_clusters {
    size_t n;
    elbo_kmeans means;
    double silhouette;      // NaN of one cluster
    double *each;           // (k): of every cluster
    double purity;          // share of the images that are of their cluster's most frequent class; NaN without labels
    int *majority;          // (k): that class; -1 without labels
    double *majority_share; // (k)
    char **class_name;      // (classes)
    int classes;
    elbo_image_format format;
    int shown;         // of each cluster, fewer where it has fewer
    uint32_t *typical; // (k, shown): nearest to the centre first; UINT32_MAX: none
    float *images;     // (k, shown, C, H, W); NaN first: none
} elbo_clusters;

elbo_status elbo_clusters_find(elbo_clusters *r, elbo_model *m, const elbo_images *images, const elbo_dataset *d, int k,
                               uint64_t seed, const elbo_job *work, elbo_error *err);
/* {"clusters": k, "images": n, "silhouette", "purity", "sizes": [...], "cluster": [{"size", "silhouette", "class", "share",
 * "typical": [...]}], "assignment": [...]}. NULL: no memory. */
json_t *elbo_clusters_json(const elbo_clusters *r);
void elbo_clusters_free(elbo_clusters *r);

#endif
