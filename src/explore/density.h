/* A density of a run's codes from which new ones are drawn: a mixture of Gaussians, of wide codes (above
 * ELBO_DENSITY_WIDE) in their first principal axes, because a covariance matrix has the square of the dimensions. Kept
 * in a file of the run. */
#ifndef ELBO_DENSITY_H
#define ELBO_DENSITY_H

#include <stdbool.h>

#include "stats/mixture.h"

enum { ELBO_DENSITY_WIDE = 256, ELBO_DENSITY_AXES = 64 };

typedef struct elbo_density {
    elbo_mixture mixture;
    int latent; // dimensions of the codes
    double *centre,
        *axis;   // (latent), (mixture.dims, latent) unit vectors; NULL: the mixture is one of the codes themselves
    double held; // share of the codes' variance that lies in the axes; 1 without them
} elbo_density;

/* codes: (n, latent) */
elbo_status elbo_density_fit(elbo_density *d, const float *codes, size_t n, int latent, int components, uint64_t seed,
                             const elbo_job *work, elbo_error *err);
void elbo_density_free(elbo_density *d);

/* As elbo_mixture_draw.  z: (n, latent) */
elbo_status elbo_density_draw(const elbo_density *d, uint64_t seed, size_t n, double temperature, float *z,
                              elbo_error *err);

/* Its logarithm at each of some codes, in nats; of a density in axes what lies off them counts nothing.
 * z: (n, latent), value: (n) */
elbo_status elbo_density_each(const elbo_density *d, const float *z, size_t n, const elbo_job *work, float *value,
                              elbo_error *err);

/* What is written beside a density, to know it again. */
typedef struct elbo_density_origin {
    const char *model; // fingerprint
    const char *data;  // "" or what --data named
} elbo_density_origin;
elbo_status elbo_density_save(const elbo_density *d, elbo_density_origin origin, const char *path, elbo_error *err);
/* False where there is no file, or one of another origin or number of components, or a damaged one: it is to be fitted.
 */
bool elbo_density_load(elbo_density *d, elbo_density_origin origin, int components, int latent, const char *path);

#endif
