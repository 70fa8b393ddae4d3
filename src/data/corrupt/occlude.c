/* occlude: a black square of so many pixels a side, at a random place inside the image. DeVries and Taylor, "Cutout",
 * 2017. */
#include "data/corrupt/corrupt.h"

enum { SIZE };

static void apply(const double *value, const elbo_corruption_job *job, float *x) {
    int size = (int)value[SIZE], height = job->shape.height, width = job->shape.width;
    uint32_t words[4];
    elbo_random_words(job->stream, 0, words);
    int top = (int)((uint64_t)words[0] * (uint64_t)(height - size + 1) >> 32),
        left = (int)((uint64_t)words[1] * (uint64_t)(width - size + 1) >> 32);
    for (int c = 0; c < job->shape.channels; c++, x += (size_t)height * (size_t)width)
        for (int row = top; row < top + size; row++)
            for (int column = left; column < left + size; column++)
                x[(size_t)row * (size_t)width + (size_t)column] = job->low;
}

static elbo_status check(const double *value, elbo_image_shape s, elbo_place place, elbo_error *err) {
    int size = (int)value[SIZE], most = s.height < s.width ? s.height : s.width;
    if (size <= most) return ELBO_OK;
    return elbo_fail_at(err, place, "corrupt: occlude %d; the images are %d x %d; expected at most %d", size, s.height,
                        s.width, most);
}

const elbo_corruption elbo_corrupt_occlude = {
    .name = "occlude",
    .usage = "occlude SIZE",
    .values = {{"size", ELBO_INT, true, 0, 1, 4096}},
    .apply = apply,
    .check = check,
};
