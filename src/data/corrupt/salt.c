/* salt: salt and pepper. Each pixel, all its channels, is with probability p either black or white. */
#include "data/corrupt/corrupt.h"

enum { P };

static void apply(const double *value, const elbo_corruption_job *job, float *x) {
    size_t n = (size_t)job->shape.height * (size_t)job->shape.width;
    float p = (float)value[P], half = p / 2, low = job->low, high = job->high;
    const float *u = job->room;
    job->uniform(job->room, n, job->stream);
    for (int c = 0; c < job->shape.channels; c++, x += n)
        for (size_t i = 0; i < n; i++) x[i] = u[i] < half ? low : u[i] < p ? high : x[i];
}

const elbo_corruption elbo_corrupt_salt = {
    .name = "salt",
    .usage = "salt P",
    .values = {{"p", ELBO_FLOAT, true, 0, 0, 1}},
    .apply = apply,
};
