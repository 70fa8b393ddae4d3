#include "explore/density.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "stats/pca.h"

void elbo_density_free(elbo_density *d) {
    elbo_mixture_free(&d->mixture);
    free(d->centre);
    free(d->axis);
    *d = (elbo_density){0};
}

static elbo_status fit_in_axes(elbo_density *d, const float *codes, size_t n, int components, uint64_t seed,
                               const elbo_job *work, elbo_error *err) {
    elbo_pca pca;
    if (work && work->progress) work->progress(work->context, "principal axes of the codes", 0);
    ELBO_TRY(elbo_pca_fit(&pca, codes, n, d->latent, ELBO_DENSITY_AXES, work ? work->threads : 0, err));
    float *y = elbo_alloc(n * (size_t)pca.components, sizeof *y); // (n, components of the PCA)
    elbo_status status = y ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_pca_project(&pca, codes, n, y);
        status = elbo_mixture_fit(&d->mixture, y, n, pca.components, components, seed, work, err);
    }
    free(y);
    for (int i = 0; i < pca.components; i++) d->held += pca.total > 0 ? pca.variance[i] / pca.total : 0;
    d->centre = pca.mean; // taken over
    d->axis = pca.axes;
    pca.mean = pca.axes = NULL;
    elbo_pca_free(&pca);
    return status;
}

elbo_status elbo_density_fit(elbo_density *d, const float *codes, size_t n, int latent, int components, uint64_t seed,
                             const elbo_job *work, elbo_error *err) {
    *d = (elbo_density){.latent = latent};
    elbo_status status;
    if (latent > ELBO_DENSITY_WIDE) {
        status = fit_in_axes(d, codes, n, components, seed, work, err);
    } else {
        d->held = 1;
        status = elbo_mixture_fit(&d->mixture, codes, n, latent, components, seed, work, err);
    }
    if (status != ELBO_OK) elbo_density_free(d);
    return status;
}

elbo_status elbo_density_draw(const elbo_density *d, uint64_t seed, size_t n, double temperature, float *z,
                              elbo_error *err) {
    if (!d->axis) return elbo_mixture_draw(&d->mixture, seed, n, temperature, z, err);
    size_t D = (size_t)d->mixture.dims, Z = (size_t)d->latent;
    float *y = elbo_alloc(n * D, sizeof *y);
    double *sum = elbo_alloc(Z, sizeof *sum);
    elbo_status status = y && sum ? elbo_mixture_draw(&d->mixture, seed, n, temperature, y, err) : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < n; i++) {
        memcpy(sum, d->centre, Z * sizeof *sum);
        for (size_t a = 0; a < D; a++)
            for (size_t k = 0; k < Z; k++) sum[k] += y[i * D + a] * d->axis[a * Z + k];
        for (size_t k = 0; k < Z; k++) z[i * Z + k] = (float)sum[k];
    }
    free(y);
    free(sum);
    return status;
}
