/* `elbo serve`: runs, explored from a page of the browser.
 *
 *     loop thread        sockets (http.c), the page's files, refusals (guard.c), routes (routes.c), events
 *     worker thread      every handler, one after the other; all that is known of runs (runs.c) is its own
 *     errands' thread    what takes seconds, with a session of its own: codes of a run that is shown for the first time,
 *                        numbers for each point, the doctor, figures
 *     background thread  what takes longer, t-SNE: nobody waits for it
 *
 * A call goes from the loop to the worker, whose handler answers it, or hands it on to the errands; and back. Of calls
 * of one client (Elbo-Client) for one path that wait, only the newest is worked on. */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/job.h"
#include "base/status.h"
#include "guard.h"
#include "request.h"
#include "response.h"

typedef struct serve serve;
typedef struct serve_run serve_run;       // runs.h
typedef struct serve_points serve_points; // runs.h
typedef struct serve_call serve_call;
typedef struct serve_route serve_route; // routes.h

/* A part of a call's way. What fails is answered with the error. */
typedef elbo_status (*serve_step)(serve_call *c, elbo_error *err);

enum { SERVE_NAME = 64 };

/* A request on its way to its answer; or work that nobody waits for (who: 0). */
struct serve_call {
    serve *server;
    uint64_t who;
    serve_request *request; // NULL: nobody asked
    serve_response response;
    const serve_route *route;
    char run_name[SERVE_NAME], name[SERVE_NAME]; // RUN and NAME of the route's path; "" without
    serve_step step;                             // the handler; then what `serve_hand_on` says
    enum { SERVE_ON_WORKER, SERVE_ON_ERRAND, SERVE_IN_BACKGROUND } where;
    /* Of the worker's steps: */
    serve_run *run; // NULL where the route has none
    /* A step elsewhere is given what it needs in `work`, which is freed by `free_work`; and then another step of
     * the worker, or none. */
    void *work;
    void (*free_work)(void *work);
    serve_step then;
    bool parked;  // it waits in a list of the worker's, which answers it or has it begin again
    bool goes_on; // a step was set for after this one
    bool failed;  // and the response says why: seen by `then`
    struct serve_call *next;
};

/* The handler's last words: `step` is an errand, done with `work`; then `then` (or NULL) by the worker. */
void serve_hand_on(serve_call *c, serve_step step, serve_step then, void *work, void (*free_work)(void *work));
/* An errand, or work in the background, that no request waits for. `what` has the steps and the work. */
elbo_status serve_begin_errand(serve *s, const char *run_name, const serve_call *what, elbo_error *err);
elbo_status serve_begin_long(serve *s, const char *run_name, const serve_call *what, elbo_error *err);
/* A parked call begins again; or it is answered with its failure. */
void serve_resume(serve_call *c);
void serve_call_free(serve_call *c);
/* What background work is told: all cores but the worker's, and to stop when the server does. */
elbo_job serve_job(serve *s);

/* An event for every page that listens; frees `data`. From any thread. */
void serve_tell(serve *s, const char *event, json_t *data);

typedef struct serve_options {
    char **words; // (count) runs, or folders of runs
    int count, port;
    const char *data; // in place of the runs' own data; or NULL
    int threads;
    bool read_only;
} serve_options;

const serve_options *serve_get_options(const serve *s);
struct serve_runs *serve_get_runs(serve *s); // the worker's

/* Opens the server: from now on it listens. */
elbo_status serve_open(serve **s, const serve_options *o, elbo_error *err);
/* "http://127.0.0.1:PORT/#token=TOKEN" */
const char *serve_url(const serve *s);
/* Answers requests until serve_stop. */
elbo_status serve_run_loop(serve *s, elbo_error *err);
/* From a signal handler or another thread. */
void serve_stop(serve *s);
void serve_close(serve *s); // NULL is fine

#endif
