/* What a page that explores a run by itself must hold: some images with their codes, and the maps they lie on. */
#ifndef ELBO_PAGE_DATA_H
#define ELBO_PAGE_DATA_H

#include <jansson.h>

#include "base/job.h"
#include "data/data.h"
#include "elbo/elbo.h"

enum { ELBO_PAGE_POINTS = 4000, ELBO_PAGE_MOST_POINTS = 20000, ELBO_PAGE_THUMB = 32 };

/* Plain data: it outlives the model and the data set. */
typedef struct elbo_page_data {
    json_t *facts;   // name, kind, images, classes, dimensions by KL, axes of PCA, trust of the maps
    size_t n;        // images
    int code;        // numbers in `codes` for each: latent, of a VAE mu and logvar behind it
    float *codes;    // (n, code)
    float *tsne;     // (n, 2), or NULL: fewer than four images, a plane
    uint8_t *labels; // (n), or NULL
    elbo_image_shape thumb;
    uint8_t *thumbs; // (n, thumb): the images; larger ones smaller, means of squares of pixels
} elbo_page_data;

/* The first `most` test images, or training images where there are no others. */
elbo_status elbo_page_gather(elbo_page_data *p, elbo_model *m, const elbo_dataset *d, size_t most, const elbo_job *job,
                             elbo_error *err);
void elbo_page_data_free(elbo_page_data *p);

#endif
