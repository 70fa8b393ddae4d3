/* A thread with a queue of calls: the worker, the errands, the background. */
#ifndef SERVE_WORK_H
#define SERVE_WORK_H

#include <pthread.h>

#include "server.h"

typedef struct serve_queue {
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t more;
    serve_call *first, *last;
    bool ends;
    void (*take)(serve_call *c); // on the thread
} serve_queue;

elbo_status serve_queue_open(serve_queue *q, void (*take)(serve_call *c), elbo_error *err);
/* Waits for the call that is being worked on, and begins no other. */
void serve_queue_stop(serve_queue *q);
/* Of a queue that was stopped: the calls that wait, a list. */
serve_call *serve_queue_close(serve_queue *q);

/* Adds a call. Of those that wait, the ones that it supersedes are taken out and returned, a list. */
serve_call *serve_queue_add(serve_queue *q, serve_call *c);

#endif
