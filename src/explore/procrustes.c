#include "explore/procrustes.h"

#include <math.h>

static void mean_of(const float *xy, size_t n, double mean[2]) {
    mean[0] = mean[1] = 0;
    for (size_t i = 0; i < 2 * n; i++) mean[i % 2] += (double)xy[i] / (double)n;
}

/* With M = sum to^T xy, the best rotation is by the angle of (M00 + M11, M10 - M01), the best of those that mirror by that
 * of (M00 - M11, M10 + M01); the longer of the two vectors says which is better. */
void elbo_procrustes_align(float *xy, const float *to, size_t n) {
    double a[2], b[2], m[2][2] = {{0, 0}, {0, 0}};
    if (n == 0) return;
    mean_of(xy, n, a);
    mean_of(to, n, b);
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < 2; r++)
            for (size_t c = 0; c < 2; c++) m[r][c] += ((double)to[2 * i + r] - b[r]) * ((double)xy[2 * i + c] - a[c]);
    double turn[2] = {m[0][0] + m[1][1], m[1][0] - m[0][1]}, mirror[2] = {m[0][0] - m[1][1], m[1][0] + m[0][1]};
    double turned = hypot(turn[0], turn[1]), mirrored = hypot(mirror[0], mirror[1]);
    double sign = mirrored > turned ? -1 : 1, length = mirrored > turned ? mirrored : turned;
    double cosine = length > 0 ? (sign < 0 ? mirror : turn)[0] / length : 1,
           sine = length > 0 ? (sign < 0 ? mirror : turn)[1] / length : 0;
    for (size_t i = 0; i < n; i++) {
        double x = (double)xy[2 * i] - a[0], y = ((double)xy[2 * i + 1] - a[1]) * sign;
        xy[2 * i] = (float)(cosine * x - sine * y + b[0]);
        xy[2 * i + 1] = (float)(sine * x + cosine * y + b[1]);
    }
}
