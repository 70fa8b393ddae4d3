/* What runs there are, and what is known of one. */
#include <math.h>
#include <stdlib.h>

#include "run/scores_json.h"
#include "handle.h"
#include "run/history.h"

static json_t *class_names(const serve_run *run) {
    const elbo_run_facts *f = &run->model->facts;
    const elbo_dataset *d = run->data ? &run->data->set : NULL;
    int count = d && d->classes ? d->classes : f->classes;
    char **names = d && d->classes ? d->class_names : f->class_names;
    json_t *list = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(list, json_string(names[i]));
    return list;
}

/* How many images a split has; null where nobody knows before the data are opened. */
static json_t *count_of(const serve_run *run, bool train) {
    if (run->data) return json_integer(train ? run->data->set.train.count : run->data->set.test.count);
    if (!run->log.count) return json_null();
    const elbo_epoch_log *e = &run->log.epoch[0];
    return json_integer(train ? (json_int_t)e->train.images + (json_int_t)e->validation.images
                              : (json_int_t)e->test.images);
}

/* Epochs whose weights are there: those kept in RUN/history/, and the run's own. */
static json_t *history_of(const serve_run *run) {
    int *epochs = NULL, count = 0, own = run->model->facts.epoch;
    elbo_error ignored;
    bool listed = false;
    json_t *list = json_array();
    elbo_history_list(run->folder, &epochs, &count, &ignored);
    for (int i = 0; i < count; i++) {
        json_array_append_new(list, json_integer(epochs[i]));
        listed = listed || epochs[i] == own;
    }
    if (count && !listed) json_array_append_new(list, json_integer(own));
    free(epochs);
    return list;
}

static json_t *describe(const serve_run *run) {
    const elbo_model *m = run->model;
    elbo_image_shape s = m->network.graph.image;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:[i,i,i], s:o, s:b}", "id", run->id, "name", run->name,
                          "folder", run->folder, "recipe", m->recipe.name, "model", elbo_model_get_info(m).kind, "data",
                          m->facts.data ? m->facts.data : m->recipe.data, "latent", m->network.graph.latent, "image",
                          s.channels, s.height, s.width, "classes", class_names(run), "conditional",
                          elbo_model_is_conditional(m));
    if (!o) return NULL;
    json_t *maps = json_pack("[s, s, s]", "dims", "pca", "tsne"), *history = history_of(run);
    json_object_update_new(o,
                           json_pack("{s:i, s:i, s:i, s:b, s:s, s:o, s:o, s:o, s:o}", "epoch", m->facts.epoch, "logged",
                                     run->log.count, "epochs", m->recipe.train.epochs, "training", run->training,
                                     "fingerprint", elbo_model_fingerprint(m), "train", count_of(run, true), "test",
                                     count_of(run, false), "history", history, "maps", maps));
    return o;
}

elbo_status serve_list_runs(serve_call *c, elbo_error *err) {
    (void)err;
    serve_runs *r = serve_get_runs(c->server);
    json_t *list = json_array();
    for (int i = 0; i < r->count; i++) {
        serve_run *run = r->run[i];
        elbo_error why;
        if (!run->there) continue;
        if (serve_run_open(run, r->options, &why) == ELBO_OK)
            json_array_append_new(list, describe(run));
        else
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", run->id, "name", run->name, "folder",
                                                  run->folder, "error", why.message));
    }
    serve_answer_json(&c->response, json_pack("{s:s, s:b, s:o}", "version", ELBO_VERSION, "read_only",
                                              r->options->read_only, "runs", list));
    return ELBO_OK;
}

/* Without points: as they come, each as wide as the prior. */
static json_t *dimensions_of(const serve_run *run) {
    const elbo_points *p = run->points ? &run->points->of : NULL;
    json_t *list = json_array();
    for (int i = 0; i < run->model->network.graph.latent; i++) {
        int d = p ? p->order[i] : i;
        json_array_append_new(list, json_pack("{s:i, s:o, s:f, s:f}", "index", d, "kl",
                                              p && p->kl ? json_real(p->kl[d]) : json_null(), "mean",
                                              p ? p->mean[d] : 0.0, "std", p ? p->deviation[d] : 1.0));
    }
    return list;
}

/* A run whose data are gone can still be decoded. */
elbo_status serve_show_run(serve_call *c, elbo_error *err) {
    elbo_error why = {0};
    ELBO_TRY(serve_need_model(c, err));
    elbo_status status = serve_need_points(c, &why);
    if (c->parked) return status;
    json_t *o = describe(c->run);
    if (!o) return elbo_no_memory(err);
    json_object_set_new(o, "dimensions", dimensions_of(c->run));
    json_object_set_new(o, "command", json_sprintf("elbo train %s/recipe.yaml -o %s", c->run->folder, c->run->folder));
    if (status != ELBO_OK) json_object_set_new(o, "data_error", json_string(why.message));
    serve_answer_json(&c->response, o);
    return ELBO_OK;
}

elbo_status serve_show_log(serve_call *c, elbo_error *err) {
    ELBO_TRY(serve_need_model(c, err));
    const elbo_log *log = &c->run->log;
    json_t *epochs = json_array();
    for (int i = 0; i < log->count; i++) {
        const elbo_epoch_log *e = &log->epoch[i];
        json_t *line = json_pack("{s:i, s:o, s:o, s:f, s:f, s:f}", "epoch", e->epoch, "train",
                                 elbo_scores_to_json(&e->train, &log->metrics), "test",
                                 elbo_scores_to_json(&e->test, &log->metrics), "seconds", e->seconds, "lr", e->lr,
                                 "kl_weight", e->kl_weight);
        if (line && e->validation.images)
            json_object_set_new(line, "validation", elbo_scores_to_json(&e->validation, &log->metrics));
        json_array_append_new(epochs, line);
    }
    double weight = elbo_log_kl_weight(log, &c->run->model->recipe);
    serve_answer_json(&c->response, json_pack("{s:o, s:o}", "metrics", elbo_metrics_to_json(&log->metrics, weight),
                                              "epochs", epochs));
    return ELBO_OK;
}
