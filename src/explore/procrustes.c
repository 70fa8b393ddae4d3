#include "explore/procrustes.h"

#include <math.h>
#include <stdbool.h>

static void mean_of(const float *xy, size_t n, double mean[2]) {
    mean[0] = mean[1] = 0;
    for (size_t i = 0; i < 2 * n; i++) mean[i % 2] += (double)xy[i] / (double)n;
}

/* With M = sum to^T xy, the best rotation is by the angle of (M00 + M11, M10 - M01), the best of those that mirror by that
 * of (M00 - M11, M10 + M01); the longer of the two vectors says which is better. */
void elbo_procrustes(const float *xy, const float *to, size_t n, double turn[4]) {
    double a[2], b[2], m[2][2] = {{0, 0}, {0, 0}};
    mean_of(xy, n, a);
    mean_of(to, n, b);
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < 2; r++)
            for (size_t c = 0; c < 2; c++) m[r][c] += ((double)to[2 * i + r] - b[r]) * ((double)xy[2 * i + c] - a[c]);
    double turned[2] = {m[0][0] + m[1][1], m[1][0] - m[0][1]}, mirrored[2] = {m[0][0] - m[1][1], m[1][0] + m[0][1]};
    bool mirrors = hypot(mirrored[0], mirrored[1]) > hypot(turned[0], turned[1]);
    const double *best = mirrors ? mirrored : turned;
    double length = hypot(best[0], best[1]), cosine = length > 0 ? best[0] / length : 1;
    double sine = length > 0 ? best[1] / length : 0, sign = mirrors ? -1 : 1;
    turn[0] = cosine;
    turn[1] = -sine * sign;
    turn[2] = sine;
    turn[3] = cosine * sign;
}
