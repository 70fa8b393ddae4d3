/* The public maps (include/elbo/explore.h). */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "explore/api.h"
#include "explore/latent_map.h"
#include "run/model.h"
#include "stats/tsne.h"

struct elbo_map {
    elbo_points points;
    elbo_latent_map map;
};

static elbo_status make_tsne(elbo_map *m, const elbo_job *job, elbo_error *err) {
    const elbo_points *p = &m->points;
    elbo_tsne_options o = elbo_tsne_defaults();
    elbo_tsne_result result;
    float *xy = elbo_alloc(2 * p->n, sizeof *xy);
    elbo_status status = xy ? elbo_tsne(xy, &result, p->mu, p->n, p->latent, &o, job, err) : elbo_no_memory(err);
    if (status == ELBO_STOPPED && result.iterations > 0) status = ELBO_OK; // as far as it got
    if (status == ELBO_OK) status = elbo_latent_map_tsne(&m->map, p, xy, err);
    free(xy);
    return status;
}

static elbo_status make(elbo_map *m, elbo_explorer *e, const elbo_map_query *q, elbo_error *err) {
    const char *method = q->method ? q->method : "pca";
    ELBO_TRY(elbo_points_open(&m->points, e->run[0].model, &e->data, false, err));
    if (!strcmp(method, "pca")) return elbo_latent_map_pca(&m->map, &m->points, e->job.threads, err);
    if (!strcmp(method, "tsne")) return make_tsne(m, &e->job, err);
    return elbo_latent_map_dims(&m->map, &m->points, q->dims[0], q->dims[1], err);
}

elbo_status elbo_explore_map(elbo_explorer *e, const elbo_map_query *query, elbo_map **map, elbo_error *err) {
    elbo_map_query q = {0};
    *map = NULL;
    if (query) ELBO_TRY(elbo_options_read(&q, sizeof q, query, query->size, "the query", err));
    if (q.method && strcmp(q.method, "pca") && strcmp(q.method, "tsne") && strcmp(q.method, "dims"))
        return elbo_fail(err, ELBO_BAD_INPUT, "method %s: expected pca, tsne or dims", q.method);
    ELBO_TRY(elbo_explorer_data(e, err));
    elbo_map *m = calloc(1, sizeof *m);
    if (!m) return elbo_no_memory(err);
    elbo_status status = make(m, e, &q, err);
    if (status == ELBO_OK)
        *map = m;
    else
        elbo_map_free(m);
    return status;
}

void elbo_map_free(elbo_map *m) {
    if (!m) return;
    elbo_latent_map_free(&m->map);
    elbo_points_free(&m->points);
    free(m);
}

elbo_array elbo_map_places(const elbo_map *m) {
    return (elbo_array){.data = m->map.xy, .rank = 2, .shape = {m->map.n, 2}};
}

elbo_array elbo_map_codes(const elbo_map *m) {
    return (elbo_array){.data = m->points.mu, .rank = 2, .shape = {m->points.n, (size_t)m->points.latent}};
}

elbo_status elbo_map_place(const elbo_map *m, size_t n, const float *z, float *places, elbo_error *err) {
    return elbo_latent_map_place(&m->map, &m->points, z, n, places, err);
}

elbo_status elbo_map_locate(const elbo_map *m, const float *from, const float to[2], float *z,
                            elbo_map_landing *landing, elbo_error *err) {
    elbo_landing at;
    elbo_map_landing known = {0};
    if (landing) ELBO_TRY(elbo_options_read(&known, sizeof known, landing, landing->size, "elbo_map_landing", err));
    ELBO_TRY(elbo_latent_map_locate(&m->map, &m->points, from, to, &at, z, err));
    known = (elbo_map_landing){.size = landing ? landing->size : 0,
                               .place = {at.place[0], at.place[1]},
                               .gap = at.gap,
                               .off_plane = at.off_plane,
                               .doubt = at.spread,
                               .exact = at.exact};
    if (landing) memcpy(landing, &known, landing->size < sizeof known ? landing->size : sizeof known);
    return ELBO_OK;
}
