#include "tsne_job.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/map_file.h"
#include "stats/tsne.h"

/* Held by the run and by the background's work; the last one frees it. */
struct serve_tsne {
    atomic_int holders;
    atomic_bool unwanted; // the run has let go
    serve *server;
    serve_points *points;
    float *y, *so_far;    // (n, 2): the background's
    pthread_mutex_t lock; // of what pages may see:
    float *shown;         // (n, 2)
    double done;
    int iterations;
    char run[SERVE_NAME];
};

static void let_go(void *work) {
    serve_tsne *t = work;
    if (!t || atomic_fetch_sub(&t->holders, 1) > 1) return;
    serve_points_release(t->points);
    pthread_mutex_destroy(&t->lock);
    free(t->y);
    free(t->so_far);
    free(t->shown);
    free(t);
}

void serve_tsne_release(serve_tsne *t) {
    if (t) atomic_store(&t->unwanted, true);
    let_go(t);
}

float *serve_tsne_copy(serve_tsne *t, double *done) {
    size_t bytes = 2 * t->points->of.n * sizeof(float);
    float *xy = malloc(bytes);
    pthread_mutex_lock(&t->lock);
    if (xy) memcpy(xy, t->shown, bytes);
    *done = t->done;
    pthread_mutex_unlock(&t->lock);
    return xy;
}

static void tell_map(serve *s, const char *run, elbo_map_method method, double done, double trust) {
    serve_tell(s, "map",
               json_pack("{s:s, s:s, s:f, s:o}", "run", run, "method", elbo_map_method_name(method), "done", done,
                         "trust", isfinite(trust) ? json_real(trust) : json_null()));
}

/* ---- in the background ---- */

static void show(serve_tsne *t, const float *y, double done) {
    pthread_mutex_lock(&t->lock);
    memcpy(t->shown, y, 2 * t->points->of.n * sizeof *y);
    t->done = done;
    pthread_mutex_unlock(&t->lock);
}

static void on_report(void *context, int iteration, double kl) {
    (void)kl;
    serve_tsne *t = context;
    double done = (double)iteration / t->iterations;
    show(t, t->so_far, done);
    tell_map(t->server, t->run, ELBO_MAP_TSNE, done, NAN);
}

static bool is_unwanted(void *context) {
    serve_tsne *t = context;
    elbo_job all = serve_job(t->server);
    return atomic_load(&t->unwanted) || all.interrupted(all.context);
}

static elbo_status compute(serve_call *c, elbo_error *err) {
    serve_tsne *t = c->work;
    const elbo_points *p = &t->points->of;
    elbo_job job = {.threads = serve_job(c->server).threads, .interrupted = is_unwanted, .context = t};
    elbo_tsne_options o = elbo_tsne_defaults();
    o.report = on_report;
    o.context = t;
    o.so_far = t->so_far;
    t->iterations = o.iterations;
    elbo_tsne_result result;
    return elbo_tsne(t->y, &result, p->mu, p->n, p->latent, &o, &job, err);
}

/* Back on the worker: the run has its map. */
static elbo_status adopt(serve_call *c, elbo_error *err) {
    serve_tsne *t = c->work;
    if (c->run->tsne != t) return ELBO_OK; // of earlier weights
    elbo_status status = ELBO_OK;
    if (!c->failed) status = elbo_latent_map_tsne(&c->run->map[ELBO_MAP_TSNE], &t->points->of, t->y, err);
    c->run->tsne = NULL;
    elbo_latent_map_free(&c->run->growing);
    serve_tsne_release(t);
    if (c->failed || status != ELBO_OK) return status;
    tell_map(c->server, c->run->id, ELBO_MAP_TSNE, 1, NAN);
    return serve_trust_begin(c->server, c->run, ELBO_MAP_TSNE, true, err);
}

/* What is shown before the first report: the principal axes, from which t-SNE begins. */
static void show_beginning(serve_tsne *t, const elbo_latent_map *pca) {
    if (pca->n == t->points->of.n) memcpy(t->shown, pca->xy, 2 * pca->n * sizeof *pca->xy);
}

elbo_status serve_tsne_begin(serve *s, serve_run *run, elbo_error *err) {
    size_t n = run->points->of.n;
    if (run->tsne) return ELBO_OK;
    serve_tsne *t = calloc(1, sizeof *t);
    if (!t) return elbo_no_memory(err);
    atomic_init(&t->holders, 2); // the run, and the background's work
    atomic_init(&t->unwanted, false);
    pthread_mutex_init(&t->lock, NULL);
    t->server = s;
    t->points = serve_points_hold(run->points);
    t->y = elbo_alloc(2 * n, sizeof *t->y);
    t->so_far = elbo_alloc(2 * n, sizeof *t->so_far);
    t->shown = elbo_alloc(2 * n, sizeof *t->shown);
    memcpy(t->run, run->id, sizeof t->run);
    if (!t->y || !t->so_far || !t->shown) {
        let_go(t);
        let_go(t);
        return elbo_no_memory(err);
    }
    show_beginning(t, &run->map[ELBO_MAP_PCA]);
    serve_call what = {.step = compute, .then = adopt, .work = t, .free_work = let_go};
    elbo_status status = serve_begin_long(s, run->id, &what, err);
    if (status == ELBO_OK)
        run->tsne = t;
    else
        let_go(t);
    return status;
}

/* ---- trust ---- */

typedef struct trust_work {
    serve_points *points;
    elbo_map_method method;
    float *xy; // (n, 2)
    double trust;
    bool keep;
    char *folder;
} trust_work;

static void free_trust(void *work) {
    trust_work *w = work;
    serve_points_release(w->points);
    free(w->xy);
    free(w->folder);
    free(w);
}

static elbo_status measure(serve_call *c, elbo_error *err) {
    trust_work *w = c->work;
    elbo_job job = serve_job(c->server);
    ELBO_TRY(elbo_map_trust(&w->trust, w->xy, &w->points->of, &job, err));
    elbo_error ignored; // a folder that may only be read
    if (w->keep && !serve_get_options(c->server)->read_only)
        elbo_map_save(w->folder, w->method, w->xy, w->trust, &w->points->of, &ignored);
    return ELBO_OK;
}

static elbo_status take_trust(serve_call *c, elbo_error *err) {
    (void)err;
    const trust_work *w = c->work;
    if (c->failed || c->run->points != w->points) return ELBO_OK;
    c->run->trust[w->method] = w->trust;
    tell_map(c->server, c->run->id, w->method, 1, w->trust);
    return ELBO_OK;
}

elbo_status serve_trust_begin(serve *s, serve_run *run, elbo_map_method method, bool keep, elbo_error *err) {
    const elbo_latent_map *m = &run->map[method];
    trust_work *w = calloc(1, sizeof *w);
    if (!w) return elbo_no_memory(err);
    *w = (trust_work){.points = serve_points_hold(run->points), .method = method, .keep = keep};
    w->xy = malloc(2 * m->n * sizeof *w->xy);
    w->folder = strdup(run->folder);
    if (!w->xy || !w->folder) {
        free_trust(w);
        return elbo_no_memory(err);
    }
    memcpy(w->xy, m->xy, 2 * m->n * sizeof *w->xy);
    serve_call what = {.step = measure, .then = take_trust, .work = w, .free_work = free_trust};
    return serve_begin_long(s, run->id, &what, err);
}
