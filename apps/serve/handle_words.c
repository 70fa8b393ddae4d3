/* Codes by their words: expressions, and codes kept under a name. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/expression.h"
#include "explore/operands.h"
#include "explore/point_words.h"
#include "explore/vectors.h"
#include "handle.h"

/* A text for a shell: in single quotes, and those in it out of them. */
static char *quoted(const char *text) {
    char *out = malloc(4 * strlen(text) + 3), *to = out;
    if (!out) return NULL;
    *to++ = '\'';
    for (const char *c = text; *c; c++) {
        if (*c == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        } else {
            *to++ = *c;
        }
    }
    memcpy(to, "'", 2);
    return out;
}

/* z: (latent) */
static elbo_status compute(serve_call *c, const char *text, float *z, elbo_error *err) {
    elbo_expression e = {0};
    elbo_point_words words = {c->run->model, &c->run->data->set, &c->run->points->of};
    bool class_name;
    ELBO_TRY(elbo_expression_parse_end(&e, text, err));
    elbo_status status = elbo_operands_take_class(&e, words.data, &class_name, err);
    if (status == ELBO_OK)
        status = elbo_expression_compute(&e, (size_t)words.points->latent, elbo_point_code, &words, z, err);
    char *shell = status == ELBO_OK ? quoted(e.text) : NULL, *folder = shell ? quoted(c->run->folder) : NULL;
    if (status == ELBO_OK && !folder) status = elbo_no_memory(err);
    if (status == ELBO_OK)
        serve_answer_json(&c->response, json_pack("{s:o, s:o}", "z", serve_floats_json(z, (size_t)words.points->latent),
                                                  "command", json_sprintf("elbo arithmetic %s %s", folder, shell)));
    free(shell);
    free(folder);
    elbo_expression_free(&e);
    return status;
}

elbo_status serve_compute(serve_call *c, elbo_error *err) {
    json_t *body;
    ELBO_TRY(serve_need_points(c, err));
    ELBO_TRY(serve_body_json(c, &body, err));
    const char *text = json_string_value(json_object_get(body, "text"));
    float *z = elbo_alloc((size_t)c->run->points->of.latent, sizeof *z);
    elbo_status status = !z ? elbo_no_memory(err)
                         : !text || strlen(text) > 4096
                             ? elbo_fail(err, ELBO_BAD_INPUT, "text: expected an expression of at most 4096 bytes")
                             : compute(c, text, z, err);
    free(z);
    json_decref(body);
    return status;
}

/* ---- kept codes ---- */

elbo_status serve_list_vectors(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_model(c, err));
    const elbo_model *m = c->run->model;
    size_t Z = (size_t)m->network.graph.latent;
    elbo_vector *v;
    int count;
    float *z = elbo_alloc(Z, sizeof *z);
    if (!z) return elbo_no_memory(err);
    elbo_status status = elbo_vectors_list(m, &v, &count, err);
    json_t *list = json_array();
    for (int i = 0; status == ELBO_OK && i < count; i++) {
        if (v[i].stale) continue; // of other weights: its numbers mean something else
        status = elbo_vector_load(m, v[i].name, z, err);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", v[i].name, "expression", v[i].expression, "z",
                                              serve_floats_json(z, Z)));
    }
    if (status == ELBO_OK) serve_answer_json(&c->response, json_incref(list));
    json_decref(list);
    elbo_vectors_free(v, count);
    free(z);
    return status;
}

elbo_status serve_put_vector(serve_call *c, elbo_error *err) {
    json_t *body;
    ELBO_TRY(serve_need_model(c, err));
    ELBO_TRY(elbo_expression_check_name(c->name, err));
    ELBO_TRY(serve_body_json(c, &body, err));
    size_t Z = (size_t)c->run->model->network.graph.latent;
    const char *how = json_string_value(json_object_get(body, "expression"));
    float *z = elbo_alloc(Z, sizeof *z);
    elbo_status status = z ? serve_read_floats(body, "z", z, Z, err) : elbo_no_memory(err);
    if (status == ELBO_OK && how && strlen(how) > 4096)
        status = elbo_fail(err, ELBO_BAD_INPUT, "expression: at most 4096 bytes");
    if (status == ELBO_OK)
        status = elbo_vector_save(c->run->model, c->name, how ? how : "a selection in elbo serve", z, err);
    if (status == ELBO_OK) serve_answer_json(&c->response, json_pack("{s:s}", "name", c->name));
    free(z);
    json_decref(body);
    return status;
}

elbo_status serve_delete_vector(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_model(c, err));
    ELBO_TRY(elbo_vector_remove(c->run->model, c->name, err));
    serve_answer_json(&c->response, json_pack("{s:s}", "removed", c->name));
    return ELBO_OK;
}
