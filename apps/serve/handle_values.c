/* What takes a while to be measured: a number for each point, the doctor's checks. As errands, with a session
 * of their own. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/diagnostics/diagnosis.h"
#include "explore/point_values.h"
#include "explore/run_density.h"
#include "handle.h"

typedef enum value_kind { LOSS, DENSITY, HOLE } value_kind;

typedef struct measuring {
    serve_data *data;
    serve_points *points; // NULL: the doctor's
    elbo_model *session;
    elbo_run run; // the doctor's: the session with a log and a name
    value_kind kind;
    float *value; // (n)
    json_t *json;
    bool keep;
} measuring;

static void free_measuring(void *work) {
    measuring *w = work;
    serve_points_release(w->points);
    elbo_log_free(&w->run.log);
    free(w->run.label);
    elbo_model_close(w->session);
    free(w->value);
    json_decref(w->json);
    free(w);
}

static elbo_status begin(measuring **work, serve_call *c, elbo_error *err) {
    measuring *w = calloc(1, sizeof *w);
    if (!w) return elbo_no_memory(err);
    *w = (measuring){.data = c->run->data,
                     .keep = !serve_get_options(c->server)->read_only && !serve_get_options(c->server)->data};
    elbo_model_options o = {.size = sizeof o, .threads = serve_job(c->server).threads};
    elbo_status status = elbo_model_session(&w->session, c->run->model, &o, err);
    if (status == ELBO_OK)
        *work = w;
    else
        free_measuring(w);
    return status;
}

/* ---- values ---- */

static elbo_status measure_density(measuring *w, const elbo_job *job, elbo_error *err) {
    elbo_density q;
    elbo_error ignored;
    elbo_status status = ELBO_OK;
    const char *data = w->keep ? "" : "another"; // (what was kept is of the run's own data)
    if (!elbo_run_density_load(&q, w->session, data, 0)) {
        status = elbo_run_density_fit(&q, w->session, &w->data->set.train, 0, job, err);
        if (status == ELBO_OK && w->keep) elbo_run_density_save(&q, w->session, "", 0, &ignored);
    }
    if (status != ELBO_OK) return status;
    status = elbo_point_densities(&q, &w->points->of, job, w->value, err);
    elbo_density_free(&q);
    if (status == ELBO_OK && w->kind == HOLE) elbo_point_holes(w->session, &w->points->of, w->value);
    return status;
}

static elbo_status measure(serve_call *c, elbo_error *err) {
    measuring *w = c->work;
    elbo_job job = serve_job(c->server);
    size_t n = w->points->of.n;
    if (!(w->value = elbo_alloc(n, sizeof *w->value))) return elbo_no_memory(err);
    if (w->kind == LOSS)
        ELBO_TRY(elbo_point_losses(w->session, &w->data->set, &w->points->of, w->value, err));
    else
        ELBO_TRY(measure_density(w, &job, err));
    serve_answer_array(&c->response, (serve_array){"f32", 1, {n}}, w->value);
    w->value = NULL;
    return ELBO_OK;
}

elbo_status serve_show_values(serve_call *c, elbo_error *err) {
    static const char *const names[] = {"loss", "density", "hole"};
    char by[16] = "loss", tag[120];
    ELBO_TRY(serve_need_points(c, err));
    serve_query(c->request, "by", by, sizeof by);
    int kind = 0;
    while (kind < 3 && strcmp(by, names[kind])) kind++;
    if (kind == 3) return elbo_fail(err, ELBO_BAD_INPUT, "by: expected loss, density or hole");
    if (kind == HOLE && !c->run->model->network.graph.prior)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "by=hole: an autoencoder has no prior; by=density shows where its codes are");
    snprintf(tag, sizeof tag, "%s-%s-%s", by, c->run->points->of.model, c->run->points->of.data);
    if (serve_has(&c->response, c->request, tag)) return ELBO_OK;
    measuring *w;
    ELBO_TRY(begin(&w, c, err));
    w->kind = (value_kind)kind;
    w->points = serve_points_hold(c->run->points);
    serve_hand_on(c, measure, NULL, w, free_measuring);
    return ELBO_OK;
}

/* ---- the doctor ---- */

static elbo_status examine(serve_call *c, elbo_error *err) {
    measuring *w = c->work;
    elbo_job job = serve_job(c->server);
    elbo_diagnosis d;
    w->run.model = w->session;
    ELBO_TRY(elbo_diagnose(&d, &w->run, &w->data->set, &job, err));
    w->json = elbo_diagnosis_json(&d);
    return w->json ? ELBO_OK : elbo_no_memory(err);
}

static elbo_status examined(serve_call *c, elbo_error *err) {
    (void)err;
    measuring *w = c->work;
    if (c->failed) return ELBO_OK;
    serve_answer_json(&c->response, json_incref(w->json));
    bool same = c->run->model && c->run->model->weights == w->session->weights;
    if (same && !c->run->doctor) c->run->doctor = json_incref(w->json);
    return ELBO_OK;
}

elbo_status serve_examine(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_data(c, err));
    serve_run *run = c->run;
    if (run->doctor) {
        serve_answer_json(&c->response, json_incref(run->doctor));
        return ELBO_OK;
    }
    measuring *w;
    ELBO_TRY(begin(&w, c, err));
    elbo_image_shape shape = run->model->network.graph.image;
    elbo_status status = elbo_log_load(run->folder, &run->model->recipe, shape, &w->run.log, err);
    if (status == ELBO_OK && !(w->run.label = strdup(run->name))) status = elbo_no_memory(err);
    if (status == ELBO_OK)
        serve_hand_on(c, examine, examined, w, free_measuring);
    else
        free_measuring(w);
    return status;
}
