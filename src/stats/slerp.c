#include "stats/slerp.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/memory.h"

void elbo_lerp(const double *a, const double *b, size_t dims, double t, double *out) {
    for (size_t i = 0; i < dims; i++) out[i] = (1 - t) * a[i] + t * b[i];
}

/* Half a circle from a to b, which points the other way. */
static void go_round(const double *a, double length_a, double length_b, size_t dims, double t, double *out) {
    size_t smallest = 0;
    for (size_t i = 1; i < dims; i++)
        if (fabs(a[i]) < fabs(a[smallest])) smallest = i;
    double along = a[smallest] / length_a, across = sqrt(1 - along * along); // the axis less its part along a
    double length = (1 - t) * length_a + t * length_b, c = cos(M_PI * t) / length_a, s = sin(M_PI * t) / across;
    for (size_t i = 0; i < dims; i++) {
        double side = (i == smallest) - along * a[i] / length_a;
        out[i] = length * (c * a[i] + s * side);
    }
}

void elbo_slerp(const double *a, const double *b, size_t dims, double t, double *out) {
    double aa = 0, bb = 0, sum = 0, difference = 0;
    for (size_t i = 0; i < dims; i++) {
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    double length_a = sqrt(aa), length_b = sqrt(bb);
    if (!(length_a > 0 && length_b > 0)) {
        elbo_lerp(a, b, dims, t, out);
        return;
    }
    for (size_t i = 0; i < dims; i++) {
        double u = a[i] / length_a, v = b[i] / length_b;
        sum += (u + v) * (u + v);
        difference += (u - v) * (u - v);
    }
    double angle = 2 * atan2(sqrt(difference), sqrt(sum)); // exact for small and for wide angles, unlike acos
    const double no_angle = 1e-7;
    bool opposite = M_PI - angle < no_angle;
    if (angle < no_angle || (opposite && dims < 2)) {
        elbo_lerp(a, b, dims, t, out);
    } else if (opposite) {
        go_round(a, length_a, length_b, dims, t, out);
    } else {
        double p = sin((1 - t) * angle) / sin(angle), q = sin(t * angle) / sin(angle);
        for (size_t i = 0; i < dims; i++) out[i] = p * a[i] + q * b[i];
    }
}

elbo_status elbo_path_between(elbo_path path, const float *a, const float *b, size_t dims, int steps, float *out,
                              elbo_error *err) {
    double *ends = elbo_alloc(3 * dims, sizeof *ends), *from = ends, *to = ends + dims, *here = to + dims;
    if (!ends) return elbo_no_memory(err);
    for (size_t i = 0; i < dims; i++) {
        from[i] = a[i];
        to[i] = b[i];
    }
    for (int s = 0; s < steps; s++) {
        double t = steps > 1 ? (double)s / (steps - 1) : 0;
        (path == ELBO_SLERP ? elbo_slerp : elbo_lerp)(from, to, dims, t, here);
        for (size_t i = 0; i < dims; i++) out[(size_t)s * dims + i] = (float)here[i];
    }
    free(ends);
    return ELBO_OK;
}
