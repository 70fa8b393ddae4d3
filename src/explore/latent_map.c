#include "explore/latent_map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/procrustes.h"
#include "explore/tsne_map.h"
#include "stats/pca.h"

const char *elbo_map_method_name(elbo_map_method m) {
    return m == ELBO_MAP_DIMS ? "dims" : m == ELBO_MAP_PCA ? "pca" : "tsne";
}

static elbo_status begin(elbo_latent_map *m, elbo_map_method method, const elbo_points *p, elbo_error *err) {
    *m = (elbo_latent_map){.method = method, .n = p->n, .latent = p->latent};
    m->xy = elbo_alloc(2 * p->n, sizeof *m->xy);
    return m->xy ? ELBO_OK : elbo_no_memory(err);
}

elbo_status elbo_latent_map_dims(elbo_latent_map *m, const elbo_points *p, int x, int y, elbo_error *err) {
    *m = (elbo_latent_map){0};
    if (x < 0 || y < 0 || x >= p->latent || y >= p->latent)
        return elbo_fail(err, ELBO_BAD_INPUT, "dimensions %d and %d: the code has 0 to %d", x, y, p->latent - 1);
    ELBO_TRY(begin(m, ELBO_MAP_DIMS, p, err));
    m->x = x;
    m->y = y;
    return elbo_latent_map_place(m, p, p->mu, p->n, m->xy, err);
}

static elbo_status fit_plane(elbo_latent_map *m, const elbo_points *p, int threads, elbo_error *err) {
    size_t Z = (size_t)p->latent;
    elbo_pca pca = {0};
    m->mean = elbo_alloc(Z, sizeof *m->mean);
    m->axis = elbo_alloc(2 * Z, sizeof *m->axis); // (a code of one dimension has one axis; the other is 0)
    if (!m->mean || !m->axis) return elbo_no_memory(err);
    ELBO_TRY(elbo_pca_fit(&pca, p->mu, p->n, p->latent, p->latent < 2 ? 1 : 2, threads, err));
    memcpy(m->mean, pca.mean, Z * sizeof *m->mean);
    memcpy(m->axis, pca.axes, (size_t)pca.components * Z * sizeof *m->axis);
    for (int c = 0; c < pca.components; c++) m->explained[c] = pca.total > 0 ? pca.variance[c] / pca.total : 0;
    elbo_pca_free(&pca);
    return ELBO_OK;
}

elbo_status elbo_latent_map_pca(elbo_latent_map *m, const elbo_points *p, int threads, elbo_error *err) {
    elbo_status status = begin(m, ELBO_MAP_PCA, p, err);
    m->raw = p->latent == 2; // as elbo_project
    m->x = 0;
    m->y = 1;
    if (status == ELBO_OK && !m->raw) {
        if (p->n < 2) status = elbo_fail(err, ELBO_BAD_INPUT, "PCA of %zu points; expected 2 or more", p->n);
        if (status == ELBO_OK) status = fit_plane(m, p, threads, err);
    }
    if (status == ELBO_OK) status = elbo_latent_map_place(m, p, p->mu, p->n, m->xy, err);
    if (status != ELBO_OK) elbo_latent_map_free(m);
    return status;
}

elbo_status elbo_latent_map_tsne(elbo_latent_map *m, const elbo_points *p, const float *xy, elbo_error *err) {
    elbo_status status = begin(m, ELBO_MAP_TSNE, p, err);
    if (status == ELBO_OK) {
        memcpy(m->xy, xy, 2 * p->n * sizeof *xy);
        status = elbo_near_index_make(&m->codes, p->mu, p->n, p->latent, err);
    }
    if (status == ELBO_OK) status = elbo_near_index_make(&m->places, xy, p->n, 2, err);
    if (status != ELBO_OK) elbo_latent_map_free(m);
    return status;
}

void elbo_latent_map_free(elbo_latent_map *m) {
    free(m->xy);
    free(m->mean);
    free(m->axis);
    elbo_near_index_free(&m->codes);
    elbo_near_index_free(&m->places);
    *m = (elbo_latent_map){0};
}

static void turn_pair(const double turn[4], double *x, double *y) {
    double old[2] = {*x, *y};
    *x = turn[0] * old[0] + turn[1] * old[1];
    *y = turn[2] * old[0] + turn[3] * old[1];
}

void elbo_latent_map_lay_on(elbo_latent_map *m, const elbo_latent_map *other) {
    double turn[4];
    size_t Z = (size_t)m->latent;
    if (!m->axis || m->n != other->n) return;
    elbo_procrustes(m->xy, other->xy, m->n, turn);
    for (size_t k = 0; k < Z; k++) turn_pair(turn, &m->axis[k], &m->axis[Z + k]);
    for (size_t i = 0; i < m->n; i++) {
        double x = m->xy[2 * i], y = m->xy[2 * i + 1]; // (the mean of PCA's coordinates is 0)
        turn_pair(turn, &x, &y);
        m->xy[2 * i] = (float)x;
        m->xy[2 * i + 1] = (float)y;
    }
}

/* ---- codes to places ---- */

static double along(const elbo_latent_map *m, int c, const float *z) {
    double sum = 0;
    for (int k = 0; k < m->latent; k++) sum += ((double)z[k] - m->mean[k]) * m->axis[c * m->latent + k];
    return sum;
}

static bool is_plain(const elbo_latent_map *m) { return m->method == ELBO_MAP_DIMS || m->raw; }

elbo_status elbo_latent_map_place(const elbo_latent_map *m, const elbo_points *p, const float *z, size_t n, float *xy,
                                  elbo_error *err) {
    (void)p;
    for (size_t i = 0; i < n; i++, z += m->latent, xy += 2) {
        if (is_plain(m)) {
            xy[0] = z[m->x];
            xy[1] = z[m->y];
        } else if (m->method == ELBO_MAP_PCA) {
            for (int c = 0; c < 2; c++) xy[c] = (float)along(m, c, z);
        } else {
            ELBO_TRY(elbo_tsne_map_place(m, z, xy, err));
        }
    }
    return ELBO_OK;
}

/* ---- places to codes ---- */

/* Moved along the axes, what is off the plane kept. */
static void move_in_plane(const elbo_latent_map *m, const float *from, const float to[2], float *z) {
    size_t Z = (size_t)m->latent;
    double step[2] = {to[0] - along(m, 0, from), to[1] - along(m, 1, from)};
    for (size_t k = 0; k < Z; k++) z[k] = (float)(from[k] + step[0] * m->axis[k] + step[1] * m->axis[Z + k]);
}

static double off_plane(const elbo_latent_map *m, const float *z) {
    size_t Z = (size_t)m->latent;
    double place[2] = {along(m, 0, z), along(m, 1, z)}, square = 0;
    for (size_t k = 0; k < Z; k++) {
        double off = z[k] - m->mean[k] - place[0] * m->axis[k] - place[1] * m->axis[Z + k];
        square += off * off;
    }
    return sqrt(square);
}

elbo_status elbo_latent_map_locate(const elbo_latent_map *m, const elbo_points *p, const float *from, const float to[2],
                                   elbo_landing *at, float *z, elbo_error *err) {
    *at = (elbo_landing){.exact = m->method != ELBO_MAP_TSNE};
    if (is_plain(m)) {
        memcpy(z, from, (size_t)m->latent * sizeof *z);
        z[m->x] = to[0];
        z[m->y] = to[1];
    } else if (m->method == ELBO_MAP_PCA) {
        move_in_plane(m, from, to, z);
        at->off_plane = off_plane(m, z);
    } else {
        ELBO_TRY(elbo_tsne_map_invert(m, p, from, to, z, &at->spread, err));
    }
    ELBO_TRY(elbo_latent_map_place(m, p, z, 1, at->place, err));
    at->gap = hypot((double)at->place[0] - to[0], (double)at->place[1] - to[1]);
    return ELBO_OK;
}
