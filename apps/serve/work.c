#include "work.h"

#include <string.h>

#include "routes.h"

static void *run(void *context) {
    serve_queue *q = context;
    pthread_mutex_lock(&q->lock);
    while (!q->ends) {
        serve_call *c = q->first;
        if (!c) {
            pthread_cond_wait(&q->more, &q->lock);
            continue;
        }
        q->first = c->next;
        if (!q->first) q->last = NULL;
        pthread_mutex_unlock(&q->lock);
        c->next = NULL;
        q->take(c);
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

elbo_status serve_queue_open(serve_queue *q, void (*take)(serve_call *c), elbo_error *err) {
    *q = (serve_queue){.take = take};
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->more, NULL);
    if (pthread_create(&q->thread, NULL, run, q) != 0) return elbo_fail(err, ELBO_NO_MEMORY, "no thread can be had");
    q->running = true;
    return ELBO_OK;
}

void serve_queue_stop(serve_queue *q) {
    if (!q->running) return;
    pthread_mutex_lock(&q->lock);
    q->ends = true;
    pthread_cond_signal(&q->more);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
}

serve_call *serve_queue_close(serve_queue *q) {
    if (!q->running) return NULL;
    serve_call *left = q->first;
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->more);
    *q = (serve_queue){0};
    return left;
}

/* The same page asks for the same thing anew: what it asked before is of no use any more. */
static bool supersedes(const serve_call *newer, const serve_call *older) {
    if (!newer->request || !older->request || newer->route != older->route || !(newer->route->flags & SERVE_NEWEST) ||
        older->step != newer->step)
        return false;
    const char *a = newer->request->client, *b = older->request->client;
    return a && b && a[0] && !strcmp(a, b) && !strcmp(newer->run_name, older->run_name) &&
           !strcmp(newer->name, older->name);
}

serve_call *serve_queue_add(serve_queue *q, serve_call *c) {
    serve_call *dropped = NULL;
    pthread_mutex_lock(&q->lock);
    q->last = NULL;
    for (serve_call **at = &q->first; *at;) {
        serve_call *other = *at;
        if (supersedes(c, other)) {
            *at = other->next;
            other->next = dropped;
            dropped = other;
        } else {
            q->last = other;
            at = &other->next;
        }
    }
    c->next = NULL;
    if (q->last)
        q->last->next = c;
    else
        q->first = c;
    q->last = c;
    pthread_cond_signal(&q->more);
    pthread_mutex_unlock(&q->lock);
    return dropped;
}
