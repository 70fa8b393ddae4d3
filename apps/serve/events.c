#include "events.h"

#include "run/scores_json.h"
#include "routes.h"
#include "runs.h"

elbo_status serve_follow(serve_call *c, elbo_error *err) {
    (void)err;
    static const char first[] = ":\n\n"; // so that the page sees that it is connected
    serve_answer_text(&c->response, "text/event-stream", first, sizeof first - 1);
    c->response.stream = true;
    return ELBO_OK;
}

static void tell_epochs(serve *s, const serve_run *run, int before) {
    const elbo_log *log = &run->log;
    for (int i = before < log->count ? before : log->count; i < log->count; i++) {
        const elbo_epoch_log *e = &log->epoch[i];
        serve_tell(s, "epoch",
                   json_pack("{s:s, s:i, s:i, s:o, s:o}", "run", run->id, "epoch", e->epoch, "epochs",
                             run->model->recipe.train.epochs, "train", elbo_scores_to_json(&e->train, &log->metrics),
                             "test", elbo_scores_to_json(&e->test, &log->metrics)));
    }
}

elbo_status serve_look(serve_call *c, elbo_error *err) {
    serve_runs *r = serve_get_runs(c->server);
    bool changed;
    ELBO_TRY(serve_runs_find(r, &changed, err));
    for (int i = 0; i < r->count; i++) {
        serve_run *run = r->run[i];
        int before;
        if (!run->there || !serve_run_refresh(run, r->options, &before)) continue;
        changed = true;
        if (run->model) tell_epochs(c->server, run, before);
    }
    if (changed) serve_tell(c->server, "runs", json_object());
    return ELBO_OK;
}
