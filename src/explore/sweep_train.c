/* The runs of a sweep, several at once: threads that each take the next run, with their share of the cores. A run's bits
 * depend on neither. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "explore/opened_runs.h"
#include "explore/sweep.h"

/* Images that runs share: opened by the first that needs them, closed behind the last. */
typedef struct shared_data {
    char *key; // of the recipe: what decides which images these are
    elbo_dataset data;
    char *remember;
    bool open;
    int users; // runs to come, and those at it
} shared_data;

typedef struct work {
    elbo_sweep *sweep;
    const elbo_sweep_training *options;
    pthread_mutex_t opening, telling;
    shared_data *data; // (sweep->runs)
    int *data_of;      // (sweep->runs)
    int data_count;
    int next; // run to be taken
    bool stop;
    int done;
    double started, trained, planned; // epochs: of this call, of all that it has to do
    double *share;                    // (sweep->runs) epochs that each has
} work;

typedef struct worker {
    work *work;
    int threads;
    int run;   // that it is at
    bool told; // it has said where it begins
    pthread_t thread;
} worker;

/* ---- data ---- */

static char *data_key(const elbo_recipe *r) {
    char *classes = elbo_words_text(&r->classes), *exclude = elbo_words_text(&r->exclude), *key = NULL;
    if (classes && exclude)
        key = elbo_format("%s|%d|%d|%d|%s|%s", r->data, r->image.channels, r->image.height, r->image.width, classes,
                          exclude);
    free(classes);
    free(exclude);
    return key;
}

static elbo_status find_data(work *w, elbo_error *err) {
    for (int i = 0; i < w->sweep->runs; i++) {
        char *key = data_key(&w->sweep->run[i].recipe);
        if (!key) return elbo_no_memory(err);
        int k = 0;
        while (k < w->data_count && strcmp(w->data[k].key, key)) k++;
        if (k == w->data_count)
            w->data[w->data_count++].key = key;
        else
            free(key);
        w->data_of[i] = k;
        w->data[k].users++;
    }
    return ELBO_OK;
}

static elbo_status open_data(work *w, int run, elbo_error *err) {
    shared_data *d = &w->data[w->data_of[run]];
    pthread_mutex_lock(&w->opening);
    elbo_status status = ELBO_OK;
    if (!d->open)
        status = w->options->open(w->options->context, &d->data, &d->remember, &w->sweep->run[run].recipe, err);
    d->open = status == ELBO_OK;
    pthread_mutex_unlock(&w->opening);
    return status;
}

static void leave_data(work *w, int run) {
    shared_data *d = &w->data[w->data_of[run]];
    pthread_mutex_lock(&w->opening);
    if (--d->users == 0 && d->open) {
        elbo_dataset_close(&d->data);
        free(d->remember);
        d->remember = NULL;
        d->open = false;
    }
    pthread_mutex_unlock(&w->opening);
}

/* ---- telling ---- */

/* Under the lock. */
static bool tell(work *w, const elbo_sweep_run *run, const elbo_progress *p) {
    if (!w->options->tell) return w->stop;
    double done = 0, now = elbo_now();
    for (int i = 0; i < w->sweep->runs; i++) done += w->share[i];
    double left = w->planned - done;
    elbo_sweep_progress said = {.sweep = w->sweep,
                                .run = run,
                                .ended = p == NULL,
                                .training = p,
                                .done = w->done,
                                .share = w->planned > 0 ? done / w->planned : 1,
                                .seconds_left = w->trained > 0 ? (now - w->started) * left / w->trained : NAN};
    if (w->options->tell(w->options->context, &said)) w->stop = true;
    return w->stop;
}

static bool on_progress(void *context, const elbo_progress *p) {
    worker *me = context;
    work *w = me->work;
    double at = (p->finished ? p->epoch : p->epoch - 1) +
                (p->images && !p->finished ? (double)p->images_done / (double)p->images : 0);
    pthread_mutex_lock(&w->telling);
    if (me->told) w->trained += at - w->share[me->run]; // the first tells what an earlier process had done
    me->told = true;
    w->share[me->run] = at;
    bool stop = tell(w, &w->sweep->run[me->run], p);
    pthread_mutex_unlock(&w->telling);
    return stop;
}

/* ---- one run ---- */

static bool asked_to_stop(void *context) {
    work *w = context;
    pthread_mutex_lock(&w->telling);
    bool stop = w->stop;
    pthread_mutex_unlock(&w->telling);
    return stop;
}

static const elbo_images *evaluated(const elbo_dataset *d) { return d->test.count ? &d->test : &d->train; }

/* What the log does not say: active units, and log p where it is asked for. */
static elbo_status measure(worker *me, elbo_sweep_run *r, const char *folder, const elbo_dataset *d, elbo_error *err) {
    work *w = me->work;
    elbo_job job = {.threads = me->threads, .interrupted = asked_to_stop, .context = w};
    elbo_run opened = {0};
    elbo_eval_context e = {0};
    elbo_latent_scores latent = {0};
    elbo_likelihood likelihood = {.log_p = NAN};
    ELBO_TRY(elbo_runs_open(&opened, &folder, 1, w->options->device, me->threads, err));
    elbo_model *m = opened.model;
    elbo_splits split = d->test.count ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT;
    elbo_status status = elbo_eval_context_open(&e, m, &opened.log, d, split, &job, err);
    if (status == ELBO_OK) status = elbo_latent_score(&latent, e.mu, e.logvar, e.n, (int)e.Z, err);
    if (status == ELBO_OK && w->options->importance > 0 && r->recipe.kind == ELBO_VAE)
        status = elbo_likelihood_estimate(&likelihood, m, evaluated(d), e.mu, e.logvar,
                                          &(elbo_likelihood_options){.samples = w->options->importance}, &job, err);
    if (status == ELBO_OK) {
        r->value[ELBO_SWEEP_ACTIVE] = latent.active;
        r->value[ELBO_SWEEP_LOG_P] = likelihood.log_p;
    }
    elbo_latent_scores_free(&latent);
    elbo_eval_context_close(&e);
    elbo_runs_close(&opened, 1);
    return status;
}

static void take_scores(elbo_sweep_run *r, const elbo_train_result *result) {
    const elbo_epoch_log *kept = &result->kept;
    const elbo_scores *s = kept->test.images ? &kept->test : &kept->train;
    if (kept->validation.images) r->value[ELBO_SWEEP_VALIDATION] = kept->validation.objective;
    r->epochs = result->epochs;
    r->seconds = result->seconds;
    r->found = result->was_finished;
    r->value[ELBO_SWEEP_OBJECTIVE] = s->objective;
    r->value[ELBO_SWEEP_LOSS] = s->loss;
    r->value[ELBO_SWEEP_RECONSTRUCTION] = s->reconstruction;
    r->value[ELBO_SWEEP_KL] = r->recipe.kind == ELBO_VAE ? s->kl : NAN;
}

static elbo_status train(worker *me, elbo_sweep_run *r, const char *folder, elbo_error *err) {
    work *w = me->work;
    const shared_data *d = &w->data[w->data_of[me->run]];
    elbo_train_result result = {0};
    elbo_error none;
    elbo_train_options o = {.run = folder,
                            .data_path = d->remember,
                            .resume = elbo_run_folder_check(folder, true, false, &none) == ELBO_OK,
                            .threads = me->threads,
                            .device = w->options->device,
                            .progress = on_progress,
                            .context = me};
    elbo_status status = elbo_train(&result, &r->recipe, &d->data, o, err);
    if (status == ELBO_OK) take_scores(r, &result);
    if (!d->data.test.count) {
        pthread_mutex_lock(&w->telling);
        w->sweep->split = "training";
        pthread_mutex_unlock(&w->telling);
    }
    return status == ELBO_OK ? measure(me, r, folder, &d->data, err) : status;
}

static void run_one(worker *me, int which) {
    work *w = me->work;
    elbo_sweep_run *r = &w->sweep->run[which];
    elbo_error err = {0};
    char *folder = elbo_sweep_run_folder(w->sweep, r);
    me->run = which;
    me->told = false;
    elbo_status status = folder ? open_data(w, which, &err) : elbo_no_memory(&err);
    if (status == ELBO_OK) status = train(me, r, folder, &err);
    leave_data(w, which);
    free(folder);
    pthread_mutex_lock(&w->telling);
    r->state = status == ELBO_OK ? ELBO_SWEEP_DONE : status == ELBO_STOPPED ? ELBO_SWEEP_CUT : ELBO_SWEEP_FAILED;
    if (r->state == ELBO_SWEEP_CUT) w->stop = true; // what stopped this one, a photo's decoding say, is for all
    if (r->state == ELBO_SWEEP_FAILED) r->error = strdup(err.message);
    if (r->state != ELBO_SWEEP_CUT) {
        w->planned -= r->recipe.train.epochs - w->share[which]; // of a run that failed, or was there
        w->done++;
        elbo_error none;
        elbo_sweep_write_csv(w->sweep, &none); // said at the end, if it fails then, too
        tell(w, r, NULL);
    }
    pthread_mutex_unlock(&w->telling);
}

/* ---- all of them ---- */

static void *run_some(void *context) {
    worker *me = context;
    work *w = me->work;
    for (;;) {
        pthread_mutex_lock(&w->telling);
        int which = w->stop || w->next >= w->sweep->runs ? -1 : w->next++;
        pthread_mutex_unlock(&w->telling);
        if (which < 0) return NULL;
        run_one(me, which);
    }
}

static elbo_status start(work *w, int jobs, elbo_error *err) {
    int cores = w->options->threads ? w->options->threads : elbo_threads_default();
    worker *workers = elbo_alloc((size_t)jobs, sizeof *workers);
    if (!workers) return elbo_no_memory(err);
    int started = 1; // the first is this thread
    for (int i = 0; i < jobs; i++) {
        int threads = (cores + jobs - 1 - i) / jobs;
        workers[i] = (worker){.work = w, .threads = threads > 0 ? threads : 1};
    }
    while (started < jobs && !pthread_create(&workers[started].thread, NULL, run_some, &workers[started])) started++;
    run_some(&workers[0]); // (where a thread is not to be had, the others do its runs)
    for (int i = 1; i < started; i++) pthread_join(workers[i].thread, NULL);
    free(workers);
    return w->stop ? elbo_fail(err, ELBO_STOPPED, "stopped with %d of %d runs done", w->done, w->sweep->runs) : ELBO_OK;
}

elbo_status elbo_sweep_train(elbo_sweep *s, const elbo_sweep_training *t, elbo_error *err) {
    work w = {.sweep = s, .options = t, .started = elbo_now()};
    pthread_mutex_init(&w.opening, NULL);
    pthread_mutex_init(&w.telling, NULL);
    size_t runs = (size_t)s->runs;
    w.data = elbo_alloc(runs, sizeof *w.data);
    w.data_of = elbo_alloc(runs, sizeof *w.data_of);
    w.share = elbo_alloc(runs, sizeof *w.share);
    for (int i = 0; i < s->runs; i++) w.planned += s->run[i].recipe.train.epochs;
    int jobs = t->jobs < 1 ? 1 : t->jobs > s->runs ? s->runs : t->jobs;
    elbo_status status = w.data && w.data_of && w.share ? find_data(&w, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = start(&w, jobs, err);
    for (int k = 0; w.data && k < w.data_count; k++) {
        if (w.data[k].open) elbo_dataset_close(&w.data[k].data);
        free(w.data[k].remember);
        free(w.data[k].key);
    }
    free(w.data);
    free(w.data_of);
    free(w.share);
    pthread_mutex_destroy(&w.opening);
    pthread_mutex_destroy(&w.telling);
    return status;
}
