/* noise: Gaussian noise on each value, as a share of the range from black to white; what leaves the range is clipped to
 * it, or kept with clip=false. */
#include "data/corrupt/corrupt.h"

enum { STD, CLIP };

static void apply(const double *value, const elbo_corruption_job *job, float *x) {
    size_t n = elbo_image_size(job->shape);
    float std = (float)value[STD] * (job->high - job->low), low = job->low, high = job->high;
    const float *noise = job->room;
    job->normal(job->room, n, job->stream);
    if (value[CLIP] != 0)
        for (size_t i = 0; i < n; i++) {
            float v = x[i] + std * noise[i];
            v = v < low ? low : v;
            x[i] = v > high ? high : v;
        }
    else
        for (size_t i = 0; i < n; i++) x[i] += std * noise[i];
}

const elbo_corruption elbo_corrupt_noise = {
    .name = "noise",
    .usage = "noise STD [clip=true]",
    .values = {{"std", ELBO_FLOAT, true, 0, 0, 100}, {"clip", ELBO_BOOL, false, 1, 0, 1}},
    .apply = apply,
};
