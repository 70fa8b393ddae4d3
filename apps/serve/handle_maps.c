/* Maps, and the two ways between a map and codes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "epochs.h"
#include "explore/map_file.h"
#include "maps.h"
#include "tsne_job.h"

static elbo_status method_of_query(const serve_call *c, elbo_map_method *method, elbo_error *err) {
    char text[16] = "pca";
    serve_query(c->request, "method", text, sizeof text);
    for (int m = ELBO_MAP_DIMS; m <= ELBO_MAP_TSNE; m++) {
        *method = (elbo_map_method)m;
        if (!strcmp(text, elbo_map_method_name(*method))) return ELBO_OK;
    }
    return elbo_fail(err, ELBO_BAD_INPUT, "method: expected pca, tsne or dims");
}

/* Kept with the run, or begun: there when it is done. */
static elbo_status find_tsne(serve_call *c, elbo_error *err) {
    serve_run *run = c->run;
    elbo_latent_map *m = &run->map[ELBO_MAP_TSNE];
    float *xy;
    if (m->n) return ELBO_OK;
    if (!run->tsne && elbo_map_load(run->folder, ELBO_MAP_TSNE, &xy, &run->trust[ELBO_MAP_TSNE], &run->points->of)) {
        elbo_status status = elbo_latent_map_tsne(m, &run->points->of, xy, err);
        free(xy);
        return status;
    }
    return ELBO_NOT_FOUND;
}

/* Made at once; its trust is measured behind. */
static elbo_status find_pca(serve_call *c, elbo_error *err) {
    serve_run *run = c->run;
    elbo_latent_map *m = &run->map[ELBO_MAP_PCA];
    if (m->n) return ELBO_OK;
    ELBO_TRY(elbo_latent_map_pca(m, &run->points->of, serve_get_options(c->server)->threads, err));
    return serve_trust_begin(c->server, run, ELBO_MAP_PCA, false, err);
}

/* A t-SNE that is computed, as far as it is: what is dragged now can be placed in it now. */
static elbo_status find_growing(serve_call *c, elbo_latent_map **map, elbo_error *err) {
    serve_run *run = c->run;
    double done;
    *map = &run->growing;
    if (!run->tsne)
        return elbo_fail(err, ELBO_NOT_FOUND,
                         "t-SNE of this run is not there yet: GET .../map?method=tsne computes it");
    float *xy = serve_tsne_copy(run->tsne, &done);
    if (!xy) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    if (!run->growing.n || run->grown_by != done) {
        elbo_latent_map_free(&run->growing);
        run->grown_by = done;
        status = elbo_latent_map_tsne(&run->growing, &run->points->of, xy, err);
    }
    free(xy);
    return status;
}

/* The run's own map. */
static elbo_status find_own(serve_call *c, elbo_latent_map **map, elbo_error *err) {
    elbo_map_method method;
    ELBO_TRY(method_of_query(c, &method, err));
    const elbo_points *p = &c->run->points->of;
    elbo_latent_map *m = *map = &c->run->map[method];
    if (method == ELBO_MAP_PCA) return find_pca(c, err);
    if (method == ELBO_MAP_TSNE) {
        elbo_status status = find_tsne(c, err);
        return status == ELBO_NOT_FOUND ? find_growing(c, map, err) : status;
    }
    long x, y;
    ELBO_TRY(serve_query_int(c, "x", 0, p->latent - 1, p->order[0], &x, err));
    ELBO_TRY(serve_query_int(c, "y", 0, p->latent - 1, p->order[p->latent > 1], &y, err));
    if (m->n && m->x == x && m->y == y) return ELBO_OK;
    elbo_latent_map_free(m);
    return elbo_latent_map_dims(m, p, (int)x, (int)y, err);
}

elbo_status serve_map_of_query(serve_call *c, elbo_latent_map **map, elbo_error *err) {
    int epoch;
    ELBO_TRY(serve_need_points(c, err));
    ELBO_TRY(serve_epoch_of_query(c, &epoch, err));
    ELBO_TRY(find_own(c, map, err));
    return epoch < 0 ? ELBO_OK : serve_epoch_map(c, epoch, *map, map, err);
}

static json_t *number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

/* The header Elbo-Map. */
static void add_description(serve_call *c, const elbo_latent_map *m) {
    const serve_run *run = c->run;
    double done = m == &run->growing ? run->grown_by : 1,
           trust = done < 1 || m == &run->epoch_map ? NAN : run->trust[m->method];
    bool pca = m->method == ELBO_MAP_PCA, plain = m->method == ELBO_MAP_DIMS || m->raw;
    json_t *o =
        json_pack("{s:s, s:o, s:f}", "method", elbo_map_method_name(m->method), "trust", number(trust), "done", done);
    if (o && plain) {
        json_object_set_new(o, "x", json_integer(m->x));
        json_object_set_new(o, "y", json_integer(m->y));
    }
    if (o && pca && !m->raw) json_object_set_new(o, "explained", json_pack("[f, f]", m->explained[0], m->explained[1]));
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
    if (text) serve_add_header(&c->response, "Elbo-Map: %s", text);
    free(text);
    json_decref(o);
}

/* Begins it, where nothing is begun. */
static elbo_status need_tsne(serve_call *c, elbo_error *err) {
    elbo_status status = find_tsne(c, err);
    if (status != ELBO_NOT_FOUND) return status;
    ELBO_TRY(find_pca(c, err)); // from which it begins
    return serve_tsne_begin(c->server, c->run, err);
}

elbo_status serve_show_map(serve_call *c, elbo_error *err) {
    elbo_map_method method;
    elbo_latent_map *m;
    ELBO_TRY(serve_need_points(c, err));
    ELBO_TRY(method_of_query(c, &method, err));
    if (method == ELBO_MAP_TSNE) ELBO_TRY(need_tsne(c, err));
    ELBO_TRY(serve_map_of_query(c, &m, err));
    float *xy = malloc(2 * m->n * sizeof *xy);
    if (!xy) return elbo_no_memory(err);
    memcpy(xy, m->xy, 2 * m->n * sizeof *xy);
    serve_answer_array(&c->response, (serve_array){"f32", 2, {m->n, 2}}, xy);
    add_description(c, m);
    return ELBO_OK;
}

elbo_status serve_place(serve_call *c, elbo_error *err) {
    elbo_latent_map *m;
    float *z;
    size_t n;
    ELBO_TRY(serve_map_of_query(c, &m, err));
    ELBO_TRY(serve_body_codes(c, SERVE_ROWS_MOST, &z, &n, err));
    float *xy = elbo_alloc(2 * n, sizeof *xy);
    elbo_status status = xy ? elbo_latent_map_place(m, &c->run->points->of, z, n, xy, err) : elbo_no_memory(err);
    if (status == ELBO_OK)
        serve_answer_array(&c->response, (serve_array){"f32", 2, {n, 2}}, xy);
    else
        free(xy);
    free(z);
    return status;
}

static elbo_status locate(serve_call *c, const elbo_latent_map *m, const json_t *body, float *from, float *z,
                          elbo_error *err) {
    size_t Z = (size_t)m->latent;
    float to[2];
    elbo_landing at;
    ELBO_TRY(serve_read_floats(body, "from", from, Z, err));
    ELBO_TRY(serve_read_floats(body, "to", to, 2, err));
    ELBO_TRY(elbo_latent_map_locate(m, &c->run->points->of, from, to, &at, z, err));
    bool off = m->method == ELBO_MAP_PCA && !m->raw;
    serve_answer_json(&c->response, json_pack("{s:o, s:o, s:f, s:o, s:f, s:b}", "z", serve_floats_json(z, Z), "place",
                                              serve_floats_json(at.place, 2), "gap", at.gap, "off_plane",
                                              off ? json_real(at.off_plane) : json_null(), "doubt", fmin(at.spread, 1),
                                              "exact", at.exact));
    return ELBO_OK;
}

elbo_status serve_locate(serve_call *c, elbo_error *err) {
    elbo_latent_map *m;
    json_t *body;
    ELBO_TRY(serve_map_of_query(c, &m, err));
    ELBO_TRY(serve_body_json(c, &body, err));
    float *from = elbo_alloc(2 * (size_t)m->latent, sizeof *from);
    elbo_status status = from ? locate(c, m, body, from, from + m->latent, err) : elbo_no_memory(err);
    free(from);
    json_decref(body);
    return status;
}
