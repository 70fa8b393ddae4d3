#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/json_text.h"
#include "base/memory.h"
#include "base/threads.h"
#include "events.h"
#include "http.h"
#include "page_file.h"
#include "routes.h"
#include "runs.h"
#include "work.h"

enum { LOOK_MILLISECONDS = 250 };

typedef struct told { // an event on its way to the pages
    char *text;
    struct told *next;
} told;

struct serve {
    serve_options options;
    char token[SERVE_TOKEN + 1], url[100];
    serve_runs runs;
    serve_queue worker, errands, background;
    struct event_base *loop;
    serve_http *http;
    struct event *wake, *look;
    int wake_fd;
    pthread_mutex_t lock; // of what other threads have for the loop:
    serve_call *done;
    told *told;
    atomic_bool stopping, looking;
};

const serve_options *serve_get_options(const serve *s) { return &s->options; }
serve_runs *serve_get_runs(serve *s) { return &s->runs; }
const char *serve_url(const serve *s) { return s->url; }

/* ---- calls ---- */

void serve_call_free(serve_call *c) {
    if (c->free_work) c->free_work(c->work);
    serve_response_free(&c->response);
    free(c->request);
    free(c);
}

static void wake(serve *s) {
    uint64_t one = 1;
    ssize_t written = write(s->wake_fd, &one, sizeof one); // (that it is full is as good)
    (void)written;
}

/* Back to the loop; from any thread. */
static void finish(serve_call *c) {
    serve *s = c->server;
    pthread_mutex_lock(&s->lock);
    c->next = s->done;
    s->done = c;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static void add(serve_queue *q, serve_call *c) {
    for (serve_call *dropped = serve_queue_add(q, c), *next; dropped; dropped = next) {
        next = dropped->next;
        serve_answer_error(&dropped->response, 409, "superseded by a newer request of the same client");
        finish(dropped);
    }
}

static void take_step(serve_call *c) {
    elbo_error err = {0};
    elbo_status status = ELBO_OK;
    c->goes_on = false;
    bool needs_run = c->run_name[0] && c->where == SERVE_ON_WORKER;
    if (needs_run) c->run = serve_runs_get(&c->server->runs, c->run_name);
    if (needs_run && (!c->run || (c->request && !c->run->there)))
        status = elbo_fail(&err, ELBO_NOT_FOUND, "run %s: there is none; GET /api/1/runs lists them", c->run_name);
    if (status == ELBO_OK) status = c->step(c, &err);
    if (status != ELBO_OK && !c->parked) {
        serve_answer_failure(&c->response, status, &err);
        c->failed = true;
    }
}

static void on_worker(serve_call *c) {
    take_step(c);
    if (c->parked) return;
    if (c->goes_on && !c->failed) {
        c->where = SERVE_ON_ERRAND;
        add(&c->server->errands, c);
    } else {
        finish(c);
    }
}

static void elsewhere(serve_call *c) {
    take_step(c);
    if (!c->then) {
        finish(c);
        return;
    }
    c->step = c->then;
    c->then = NULL;
    c->where = SERVE_ON_WORKER;
    add(&c->server->worker, c);
}

void serve_hand_on(serve_call *c, serve_step step, serve_step then, void *work, void (*free_work)(void *work)) {
    c->step = step;
    c->then = then;
    c->work = work;
    c->free_work = free_work;
    c->goes_on = true;
}

void serve_resume(serve_call *c) {
    c->parked = false;
    if (c->failed)
        finish(c);
    else
        add(&c->server->worker, c);
}

static elbo_status begin_on(serve_queue *q, int where, serve *s, const char *run_name, const serve_call *what,
                            elbo_error *err) {
    serve_call *c = calloc(1, sizeof *c);
    if (!c) {
        if (what->free_work) what->free_work(what->work);
        return elbo_no_memory(err);
    }
    *c = *what;
    c->server = s;
    c->where = where;
    snprintf(c->run_name, sizeof c->run_name, "%s", run_name);
    add(q, c);
    return ELBO_OK;
}

elbo_status serve_begin_errand(serve *s, const char *run_name, const serve_call *what, elbo_error *err) {
    return begin_on(&s->errands, SERVE_ON_ERRAND, s, run_name, what, err);
}

elbo_status serve_begin_long(serve *s, const char *run_name, const serve_call *what, elbo_error *err) {
    return begin_on(&s->background, SERVE_IN_BACKGROUND, s, run_name, what, err);
}

static bool is_stopping(void *context) { return atomic_load(&((serve *)context)->stopping); }

elbo_job serve_job(serve *s) {
    int all = s->options.threads ? s->options.threads : elbo_threads_default();
    return (elbo_job){.threads = all > 1 ? all - 1 : 1, .interrupted = is_stopping, .context = s};
}

/* ---- events ---- */

void serve_tell(serve *s, const char *event, json_t *data) {
    char *json = elbo_json_text(data, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(data);
    told *t = calloc(1, sizeof *t);
    if (json && t) t->text = elbo_format("event: %s\ndata: %s\n\n", event, json);
    free(json);
    if (!t || !t->text) {
        free(t);
        return;
    }
    pthread_mutex_lock(&s->lock);
    told **end = &s->told;
    while (*end) end = &(*end)->next;
    *end = t;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static void on_wake(evutil_socket_t fd, short what, void *context) {
    (void)what;
    serve *s = context;
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof count);
    (void)got;
    pthread_mutex_lock(&s->lock);
    serve_call *done = s->done;
    told *news = s->told;
    s->done = NULL;
    s->told = NULL;
    pthread_mutex_unlock(&s->lock);
    for (told *next; news; news = next) {
        next = news->next;
        serve_http_broadcast(s->http, news->text, strlen(news->text));
        free(news->text);
        free(news);
    }
    for (serve_call *next; done; done = next) {
        next = done->next;
        if (done->step == serve_look) atomic_store(&s->looking, false);
        if (done->request && !done->response.status)
            serve_answer_error(&done->response, 500, "the request was not answered");
        if (done->request) serve_http_answer(s->http, done->who, &done->response);
        serve_call_free(done);
    }
    if (atomic_load(&s->stopping)) event_base_loopbreak(s->loop);
}

/* Now and then the worker looks what is new in the runs' folders. */
static void on_look(evutil_socket_t fd, short what, void *context) {
    (void)fd, (void)what;
    serve *s = context;
    if (atomic_exchange(&s->looking, true)) return;
    serve_call *c = calloc(1, sizeof *c);
    if (!c) {
        atomic_store(&s->looking, false);
        return;
    }
    *c = (serve_call){.server = s, .step = serve_look};
    add(&s->worker, c);
}

/* ---- requests ---- */

static int admit(void *context, const serve_request *r, const char **why) {
    serve *s = context;
    char run[SERVE_NAME], name[SERVE_NAME];
    const serve_route *route = NULL;
    int status = serve_guard(r, serve_http_port(s->http), s->token, why);
    if (status) return status;
    if (strncmp(r->path, "/api/", 5)) {
        *why = r->method == SERVE_GET ? "there is no such page" : "a page is asked for by GET";
        return r->method != SERVE_GET ? 405 : serve_page_has(r->path) ? 0 : 404;
    }
    status = serve_route_find(&route, r, run, name);
    *why = status == 404 ? "there is no such path; docs/explorer-api.md lists them" : "this path has another method";
    if (status) return status;
    *why = "the server was started with --read-only";
    if ((route->flags & SERVE_WRITES) && s->options.read_only) return 403;
    *why = "the body is too large";
    return r->length > (route->flags & SERVE_IMAGES ? SERVE_IMAGES_MOST : SERVE_BODY_MOST) ? 413 : 0;
}

static void ask(void *context, uint64_t who, serve_request *r) {
    serve *s = context;
    serve_response answer = {0};
    serve_call *c = calloc(1, sizeof *c);
    if (!strncmp(r->path, "/api/", 5) && c) {
        *c = (serve_call){.server = s, .who = who, .request = r};
        serve_route_find(&c->route, r, c->run_name, c->name);
        c->step = c->route->handler;
        add(&s->worker, c);
        return;
    }
    if (c)
        serve_page_answer(&answer, r);
    else
        serve_answer_error(&answer, 503, "out of memory");
    free(c);
    free(r);
    serve_http_answer(s->http, who, &answer);
}

/* ---- the server ---- */

static elbo_status open_loop(serve *s, elbo_error *err) {
    serve_http_calls calls = {.admit = admit, .ask = ask, .context = s};
    s->loop = event_base_new();
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!s->loop || s->wake_fd < 0) return elbo_fail_errno(err, "no event loop can be had");
    ELBO_TRY(serve_http_open(&s->http, s->loop, s->options.port, calls, err));
    s->wake = event_new(s->loop, s->wake_fd, EV_READ | EV_PERSIST, on_wake, s);
    s->look = event_new(s->loop, -1, EV_PERSIST, on_look, s);
    struct timeval often = {.tv_usec = LOOK_MILLISECONDS * 1000};
    if (!s->wake || !s->look || event_add(s->wake, NULL) != 0 || event_add(s->look, &often) != 0)
        return elbo_no_memory(err);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/#token=%s", serve_http_port(s->http), s->token);
    return ELBO_OK;
}

elbo_status serve_open(serve **server, const serve_options *o, elbo_error *err) {
    serve *s = calloc(1, sizeof *s);
    *server = NULL;
    if (!s) return elbo_no_memory(err);
    s->options = *o;
    s->runs.options = &s->options;
    s->wake_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    bool changed;
    elbo_status status = serve_runs_find(&s->runs, &changed, err);
    if (status == ELBO_OK && !s->runs.count)
        status = elbo_fail(err, ELBO_NOT_FOUND,
                           "%s: is neither a run nor a folder of runs; `elbo train RECIPE` makes a run", o->words[0]);
    if (status == ELBO_OK && s->runs.count == 1) status = serve_run_open(s->runs.run[0], o, err); // or say why not
    if (status == ELBO_OK) status = serve_token_open(s->token, err);
    if (status == ELBO_OK) status = open_loop(s, err);
    if (status == ELBO_OK) status = serve_queue_open(&s->worker, on_worker, err);
    if (status == ELBO_OK) status = serve_queue_open(&s->background, elsewhere, err);
    if (status == ELBO_OK) status = serve_queue_open(&s->errands, elsewhere, err);
    if (status == ELBO_OK)
        *server = s;
    else
        serve_close(s);
    return status;
}

elbo_status serve_run_loop(serve *s, elbo_error *err) {
    if (event_base_dispatch(s->loop) < 0) return elbo_fail_errno(err, "the event loop ended");
    return ELBO_OK;
}

void serve_stop(serve *s) {
    atomic_store(&s->stopping, true);
    wake(s);
}

static void free_calls(serve_call *c) {
    for (serve_call *next; c; c = next) {
        next = c->next;
        serve_call_free(c);
    }
}

void serve_close(serve *s) {
    if (!s) return;
    atomic_store(&s->stopping, true);
    serve_queue_stop(&s->errands);
    serve_queue_stop(&s->background);
    serve_queue_stop(&s->worker);
    free_calls(serve_queue_close(&s->errands)); // (each may hand calls to the others until all have stopped)
    free_calls(serve_queue_close(&s->background));
    free_calls(serve_queue_close(&s->worker));
    free_calls(s->done);
    for (told *next; s->told; s->told = next) {
        next = s->told->next;
        free(s->told->text);
        free(s->told);
    }
    serve_http_close(s->http);
    if (s->wake) event_free(s->wake);
    if (s->look) event_free(s->look);
    if (s->loop) event_base_free(s->loop);
    if (s->wake_fd >= 0) close(s->wake_fd);
    serve_runs_close(&s->runs);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
