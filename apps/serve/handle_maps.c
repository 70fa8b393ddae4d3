/* Maps, and the two ways between a map and codes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/maps.h"

static elbo_status method_of_query(const serve_call *c, elbo_map_method *method, elbo_error *err) {
    char text[16] = "pca";
    serve_query(c->request, "method", text, sizeof text);
    for (int m = ELBO_MAP_DIMS; m <= ELBO_MAP_TSNE; m++) {
        *method = (elbo_map_method)m;
        if (!strcmp(text, elbo_map_method_name(*method))) return ELBO_OK;
    }
    return elbo_fail(err, ELBO_BAD_INPUT, "method: expected pca, tsne or dims");
}

elbo_status serve_map_of_query(serve_call *c, elbo_latent_map **map, elbo_error *err) {
    elbo_map_method method;
    ELBO_TRY(serve_need_points(c, err));
    ELBO_TRY(method_of_query(c, &method, err));
    const elbo_points *p = &c->run->points->of;
    elbo_latent_map *m = *map = &c->run->map[method];
    if (method == ELBO_MAP_TSNE)
        return m->n ? ELBO_OK
                    : elbo_fail(err, ELBO_NOT_FOUND, "t-SNE of this run is not there yet: GET .../map?method=tsne");
    if (method == ELBO_MAP_PCA)
        return m->n ? ELBO_OK : elbo_latent_map_pca(m, p, serve_get_options(c->server)->threads, err);
    long x, y;
    ELBO_TRY(serve_query_int(c, "x", 0, p->latent - 1, p->order[0], &x, err));
    ELBO_TRY(serve_query_int(c, "y", 0, p->latent - 1, p->order[p->latent > 1], &y, err));
    if (m->n && m->x == x && m->y == y) return ELBO_OK;
    elbo_latent_map_free(m);
    return elbo_latent_map_dims(m, p, (int)x, (int)y, err);
}

static json_t *number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

/* The header Elbo-Map. */
static void add_description(serve_call *c, const elbo_latent_map *m, double done) {
    bool pca = m->method == ELBO_MAP_PCA, plain = m->method == ELBO_MAP_DIMS || m->raw;
    json_t *o = json_pack("{s:s, s:o, s:f}", "method", elbo_map_method_name(m->method), "trust",
                          number(c->run->trust[m->method]), "done", done);
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

elbo_status serve_show_map(serve_call *c, elbo_error *err) {
    elbo_latent_map *m;
    ELBO_TRY(serve_map_of_query(c, &m, err));
    float *xy = malloc(2 * m->n * sizeof *xy);
    if (!xy) return elbo_no_memory(err);
    memcpy(xy, m->xy, 2 * m->n * sizeof *xy);
    serve_answer_array(&c->response, (serve_array){"f32", 2, {m->n, 2}}, xy);
    add_description(c, m, 1);
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
    serve_answer_json(&c->response, json_pack("{s:o, s:o, s:f, s:f, s:f, s:b}", "z", serve_floats_json(z, Z), "place",
                                              serve_floats_json(at.place, 2), "gap", at.gap, "off_plane", at.off_plane,
                                              "spread", at.spread, "exact", at.exact));
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
