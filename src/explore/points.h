/* The images of a run's data as points of its latent space: their codes, training images first, kept in RUN/codes/ until
 * the model is trained again. */
#ifndef ELBO_POINTS_H
#define ELBO_POINTS_H

#include "data/data.h"
#include "elbo/elbo.h"

typedef struct elbo_points {
    size_t n, train; // point p < train is train:p, the others are test:(p - train)
    int latent;
    char model[17], data[33]; // fingerprints: other weights, or other images, have others
    float *mu;                // (n, latent)
    float *logvar;            // (n, latent); NULL of an autoencoder
    uint8_t *labels;          // (n); NULL where some image has none
    int *order; // (latent): dimensions, the most informative first: by KL or, of an autoencoder, by their spread
    double *kl; // (latent) mean KL to the prior in nats; NULL of an autoencoder
    double *mean, *deviation; // (latent) of the codes
} elbo_points;

/* Reads what was kept of this model and these images, else encodes them and, where `keep`, keeps them (where the folder
 * may only be read, they are encoded again the next time). */
elbo_status elbo_points_open(elbo_points *p, elbo_model *m, const elbo_dataset *d, bool keep, elbo_error *err);
/* What was kept alone. False: there is nothing, and *p is empty. */
bool elbo_points_load(elbo_points *p, const elbo_model *m, const elbo_dataset *d);
void elbo_points_free(elbo_points *p);

/* Which image a point is. */
typedef struct elbo_point_image {
    const elbo_images *images;
    uint32_t index;
} elbo_point_image;
elbo_point_image elbo_point_find(const elbo_dataset *d, size_t point);

#endif
