#include "stats/plane.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "stats/pca.h"

double elbo_normal_quantile(double p) {
    double low = -40, high = 40; // halved until nothing is between: exact, and fast enough for a figure's few numbers
    for (double middle; (middle = 0.5 * (low + high)) > low && middle < high;)
        *(0.5 * erfc(-middle * M_SQRT1_2) < p ? &low : &high) = middle;
    return 0.5 * (low + high);
}

void elbo_order_by(const double *score, int n, int *order) {
    for (int i = 0; i < n; i++) { // n is some hundreds at most
        int k = i;
        for (; k > 0 && score[order[k - 1]] < score[i]; k--) order[k] = order[k - 1];
        order[k] = i;
    }
}

void elbo_vary_one(const float *centre, int latent, const int *dim, int rows, const float *value, int steps, float *z) {
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < steps; s++, z += latent) {
            memcpy(z, centre, (size_t)latent * sizeof *z);
            z[dim[r]] = value[r * steps + s];
        }
}

/* ---- planes ---- */

/* Quantiles of n numbers, sorted here; between two of them on the line (numpy's default). */
static void quantiles(double *v, size_t n, int steps, double *at) {
    qsort(v, n, sizeof *v, elbo_ascending);
    for (int s = 0; s < steps; s++) {
        double place = (s + 0.5) / steps * (double)(n - 1);
        size_t below = (size_t)place, above = below + 1 < n ? below + 1 : below;
        at[s] = v[below] + (place - (double)below) * (v[above] - v[below]);
    }
}

/* The two directions: unit vectors through an origin. */
typedef struct frame {
    double *origin, *axis[2]; // (latent) each
    double spread[2];         // standard deviation of the codes along each
} frame;

static elbo_status principal_frame(frame *f, elbo_plane *p, const float *codes, size_t n, int latent, int threads,
                                   elbo_error *err) {
    elbo_pca pca;
    ELBO_TRY(elbo_pca_fit(&pca, codes, n, latent, 2, threads, err));
    for (int i = 0; i < latent; i++) f->origin[i] = pca.mean[i];
    for (int k = 0; k < pca.components; k++) {
        for (int i = 0; i < latent; i++) f->axis[k][i] = pca.axes[k * latent + i];
        f->spread[k] = sqrt(pca.variance[k]);
        p->explained[k] = pca.total > 0 ? pca.variance[k] / pca.total : 0;
    }
    elbo_pca_free(&pca);
    return ELBO_OK;
}

static void coordinate_frame(frame *f, const float *codes, size_t n, int latent, const elbo_plane_options *o) {
    for (int k = 0; k < 2; k++) {
        if (o->dims[k] < latent) f->axis[k][o->dims[k]] = 1;
        f->spread[k] = 1;
    }
    if (o->prior) return;
    for (size_t i = 0; i < n * (size_t)latent; i++) f->origin[i % (size_t)latent] += codes[i];
    for (int i = 0; i < latent; i++) f->origin[i] /= (double)n;
    for (int k = 0; k < 2 && o->dims[k] < latent; k++)
        f->origin[o->dims[k]] = 0; // there a value is the coordinate itself
}

static elbo_status fill(elbo_plane *p, frame *f, const float *codes, size_t n, int latent, const elbo_plane_options *o,
                        elbo_error *err) {
    if (o->dims[0] < 0)
        ELBO_TRY(principal_frame(f, p, codes, n, latent, o->threads, err));
    else
        coordinate_frame(f, codes, n, latent, o);
    double *along = o->prior ? NULL : elbo_alloc(n, sizeof *along);
    if (!o->prior && !along) return elbo_no_memory(err);
    for (int k = 0; k < 2; k++) {
        for (int s = 0; o->prior && s < p->steps; s++)
            p->at[k][s] = f->spread[k] * elbo_normal_quantile((s + 0.5) / p->steps);
        for (size_t i = 0; !o->prior && i < n; i++) {
            along[i] = 0;
            for (int d = 0; d < latent; d++)
                along[i] +=
                    (codes[i * (size_t)latent + (size_t)d] - (o->dims[0] < 0 ? f->origin[d] : 0)) * f->axis[k][d];
        }
        if (!o->prior) quantiles(along, n, p->steps, p->at[k]);
    }
    free(along);
    float *z = p->z;
    for (int r = 0; r < p->rows; r++)
        for (int s = 0; s < p->steps; s++, z += latent)
            for (int d = 0; d < latent; d++) {
                double up = p->rows > 1 ? p->at[1][p->rows - 1 - r] * f->axis[1][d] : 0;
                z[d] = (float)(f->origin[d] + p->at[0][s] * f->axis[0][d] + up);
            }
    return ELBO_OK;
}

elbo_status elbo_plane_make(elbo_plane *p, const float *codes, size_t n, int latent, elbo_plane_options o,
                            elbo_error *err) {
    *p = (elbo_plane){.steps = o.steps, .rows = latent > 1 ? o.steps : 1};
    if (n < 2) return elbo_fail(err, ELBO_BAD_INPUT, "a plane of %zu codes; it needs 2 or more", n);
    if (latent == 1 && o.dims[0] < 0) o.dims[0] = 0, o.dims[1] = 1;
    size_t Z = (size_t)latent, side = (size_t)o.steps;
    double *vectors = elbo_alloc(3 * Z, sizeof *vectors);
    frame f = {.origin = vectors, .axis = {vectors + Z, vectors + 2 * Z}};
    p->z = elbo_alloc((size_t)p->rows * side * Z, sizeof *p->z);
    for (int k = 0; k < 2; k++) p->at[k] = elbo_alloc(side, sizeof(double));
    elbo_status status =
        vectors && p->z && p->at[0] && p->at[1] ? fill(p, &f, codes, n, latent, &o, err) : elbo_no_memory(err);
    free(vectors);
    if (status != ELBO_OK) elbo_plane_free(p);
    return status;
}

void elbo_plane_free(elbo_plane *p) {
    free(p->z);
    free(p->at[0]);
    free(p->at[1]);
    *p = (elbo_plane){0};
}
