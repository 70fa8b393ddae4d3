#include "explore/tsne_map.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

enum { NEAR_CODES = 90, NEAR_PLACES = 30, STEPS = 30, HALVINGS = 60 };

static int at_most(int k, size_t n) { return n < (size_t)k ? (int)n : k; }

/* Similarities of a perplexity of k / 3, as t-SNE weighs k neighbours.  distance2, weight: (k) */
static void weigh(const float *distance2, int k, double *weight) {
    double low = 0, high = INFINITY, beta = 1 / fmax((double)distance2[k - 1], 1e-30);
    double wanted = log(fmax(1, k / 3.0));
    for (int i = 0; i < HALVINGS; i++) {
        double sum = 0, energy = 0;
        for (int j = 0; j < k; j++) {
            double d = (double)distance2[j] - distance2[0];
            weight[j] = exp(-beta * d);
            sum += weight[j];
            energy += beta * d * weight[j];
        }
        double entropy = log(sum) + energy / sum;
        if (fabs(entropy - wanted) < 1e-6) break;
        if (entropy > wanted) {
            low = beta;
            beta = isinf(high) ? 2 * beta : 0.5 * (low + high);
        } else {
            high = beta;
            beta = 0.5 * (low + high);
        }
    }
}

elbo_status elbo_tsne_map_place(const elbo_latent_map *m, const float *z, float xy[2], elbo_error *err) {
    (void)err;
    uint32_t index[NEAR_CODES];
    float distance2[NEAR_CODES];
    double weight[NEAR_CODES];
    int k = at_most(NEAR_CODES, m->n);
    elbo_near_index_find(&m->codes, z, k, index, distance2);
    weigh(distance2, k, weight);
    double at[2] = {m->xy[2 * (size_t)index[0]], m->xy[2 * (size_t)index[0] + 1]};
    for (int step = 0; step < STEPS; step++) {
        double sum = 0, next[2] = {0, 0};
        for (int j = 0; j < k; j++) {
            const float *y = m->xy + 2 * (size_t)index[j];
            double dx = y[0] - at[0], dy = y[1] - at[1], w = weight[j] / (1 + dx * dx + dy * dy);
            sum += w;
            next[0] += w * y[0];
            next[1] += w * y[1];
        }
        for (int c = 0; c < 2; c++) at[c] = next[c] / sum;
    }
    for (int c = 0; c < 2; c++) xy[c] = (float)at[c];
    return ELBO_OK;
}

/* ---- back ---- */

/* The points nearest to a place, and how much each counts. */
typedef struct patch {
    int k;
    uint32_t index[NEAR_PLACES];
    double weight[NEAR_PLACES], dx[NEAR_PLACES], dy[NEAR_PLACES];
    double scale;    // how wide it is
    double solve[3]; // the weights by which moments become the value at the place
} patch;

/* The last row of the inverse of the 3 x 3 moments: with it, a fit's value at the place is a sum over the points. The
 * slopes are held a little, so that points on a line do not decide across it. */
static void make_patch(patch *q, const elbo_latent_map *m, const float place[2]) {
    float distance2[NEAR_PLACES];
    q->k = at_most(NEAR_PLACES, m->n);
    elbo_near_index_find(&m->places, place, q->k, q->index, distance2);
    double s2 = fmax((double)distance2[q->k / 2], 1e-12), a = 0, b = 0, c = 0, d = 0, e = 0, f = 0;
    q->scale = sqrt(s2);
    for (int j = 0; j < q->k; j++) {
        const float *y = m->xy + 2 * (size_t)q->index[j];
        double x = q->dx[j] = ((double)y[0] - place[0]) / q->scale, v = q->dy[j] = ((double)y[1] - place[1]) / q->scale;
        double w = q->weight[j] = 1 / (1 + distance2[j] / s2);
        a += w * x * x;
        b += w * x * v;
        c += w * x;
        d += w * v * v;
        e += w * v;
        f += w;
    }
    a += 1e-2 * f;
    d += 1e-2 * f;
    double det = a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d);
    q->solve[0] = (b * e - c * d) / det;
    q->solve[1] = (b * c - a * e) / det;
    q->solve[2] = (a * d - b * b) / det;
}

/* The fit's code at the place.  z: (latent) */
static void fit(const patch *q, const elbo_points *p, double *z) {
    size_t Z = (size_t)p->latent;
    for (size_t k = 0; k < Z; k++) z[k] = 0;
    for (int j = 0; j < q->k; j++) {
        double share = q->weight[j] * (q->solve[0] * q->dx[j] + q->solve[1] * q->dy[j] + q->solve[2]);
        for (size_t k = 0; k < Z; k++) z[k] += share * p->mu[(size_t)q->index[j] * Z + k];
    }
}

static double spread_of(const patch *q, const elbo_points *p, const double *z) {
    size_t Z = (size_t)p->latent;
    double square = 0, sum = 0, all = 0;
    for (size_t k = 0; k < Z; k++) all += p->deviation[k] * p->deviation[k];
    for (int j = 0; j < q->k; j++) {
        sum += q->weight[j];
        for (size_t k = 0; k < Z; k++) {
            double off = p->mu[(size_t)q->index[j] * Z + k] - z[k];
            square += q->weight[j] * off * off;
        }
    }
    return all > 0 ? sqrt(square / sum / all) : 0;
}

elbo_status elbo_tsne_map_invert(const elbo_latent_map *m, const elbo_points *p, const float *from, const float to[2],
                                 float *z, double *spread, elbo_error *err) {
    size_t Z = (size_t)m->latent;
    double *there = elbo_alloc(2 * Z, sizeof *there), *here = there + Z;
    float place[2];
    patch q, own;
    elbo_status status = there ? elbo_tsne_map_place(m, from, place, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        make_patch(&q, m, to);
        make_patch(&own, m, place);
        fit(&q, p, there);
        fit(&own, p, here);
        *spread = spread_of(&q, p, there);
        double far = hypot((double)to[0] - place[0], (double)to[1] - place[1]) / (q.scale + own.scale);
        double kept = exp(-0.5 * far * far);
        for (size_t k = 0; k < Z; k++) z[k] = (float)(there[k] + kept * (from[k] - here[k]));
    }
    free(there);
    return status;
}
