/* The points of a run, encoded as an errand while the worker goes on with other runs; calls that need them wait. */
#include <stdlib.h>

#include "base/memory.h"
#include "handle.h"

typedef struct loading {
    serve_data *data;
    elbo_model *session; // many images at once
    elbo_points points;  // n = 0: none
    bool keep;
    elbo_status status; // and why it failed
    elbo_error err;
} loading;

static void free_loading(void *work) {
    loading *w = work;
    elbo_model_close(w->session);
    elbo_points_free(&w->points);
    free(w);
}

static elbo_status encode(serve_call *c, elbo_error *err) {
    loading *w = c->work;
    w->status = elbo_points_open(&w->points, w->session, &w->data->set, w->keep, &w->err);
    *err = w->err;
    return w->status;
}

/* On the worker: whoever waits begins again, or is told why not. */
static elbo_status adopt(serve_call *c, elbo_error *err) {
    loading *w = c->work;
    serve_run *run = c->run;
    run->loading = false;
    bool same = run->model && run->model->weights == w->session->weights;
    if (!c->failed && same && !run->points && (run->points = serve_points_new(&w->points)))
        w->points = (elbo_points){0};
    serve_call *waiting = run->waiting;
    run->waiting = NULL;
    for (serve_call *next; waiting; waiting = next) {
        next = waiting->next;
        if (c->failed) {
            serve_answer_failure(&waiting->response, w->status, &w->err);
            waiting->failed = true;
        }
        serve_resume(waiting);
    }
    (void)err;
    return ELBO_OK;
}

static elbo_status begin(serve_call *c, elbo_error *err) {
    serve_run *run = c->run;
    const serve_options *o = serve_get_options(c->server);
    loading *w = calloc(1, sizeof *w);
    if (!w) return elbo_no_memory(err);
    *w = (loading){.data = run->data, .keep = !o->read_only && !o->data && !run->training};
    elbo_model_options many = {.size = sizeof many, .threads = o->threads};
    elbo_status status = elbo_model_session(&w->session, run->model, &many, err);
    if (status != ELBO_OK) {
        free_loading(w);
        return status;
    }
    serve_call what = {.step = encode, .then = adopt, .work = w, .free_work = free_loading};
    status = serve_begin_errand(c->server, run->id, &what, err);
    run->loading = status == ELBO_OK;
    return status;
}

elbo_status serve_need_points(serve_call *c, elbo_error *err) {
    elbo_status status = serve_run_find_points(serve_get_runs(c->server), c->run, err);
    if (status != ELBO_NOT_FOUND || !c->run->data) return status;
    if (!c->run->loading) ELBO_TRY(begin(c, err));
    c->parked = true;
    c->next = c->run->waiting;
    c->run->waiting = c;
    return ELBO_NOT_FOUND; // (not an answer: see parked)
}
