/* mask: each pixel, all its channels, is black with probability p. */
#include "data/corrupt/corrupt.h"

enum { P };

static void apply(const double *value, const elbo_corruption_job *job, float *x) {
    size_t n = (size_t)job->shape.height * (size_t)job->shape.width;
    float p = (float)value[P], low = job->low;
    const float *u = job->room;
    job->uniform(job->room, n, job->stream);
    for (int c = 0; c < job->shape.channels; c++, x += n)
        for (size_t i = 0; i < n; i++) x[i] = u[i] < p ? low : x[i];
}

const elbo_corruption elbo_corrupt_mask = {
    .name = "mask",
    .usage = "mask P",
    .values = {{"p", ELBO_FLOAT, true, 0, 0, 1}},
    .apply = apply,
};
