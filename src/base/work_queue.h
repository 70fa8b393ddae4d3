/* Fixed pieces of work on a team that is there already: who takes which is left to chance, what a piece does is not. */
#ifndef ELBO_LATENT_PIECES_H
#define ELBO_LATENT_PIECES_H

#include <stdatomic.h>

#include "base/threads.h"

typedef struct elbo_work_queue {
    void (*work)(void *context, int piece, int thread);
    void *context;
    int count;
    atomic_int next;
} elbo_work_queue;

static inline void elbo_work_queue_take(void *context, int thread) {
    elbo_work_queue *p = context;
    for (int piece; (piece = atomic_fetch_add(&p->next, 1)) < p->count;) p->work(p->context, piece, thread);
}

/* Calls work(context, piece, thread) for each piece once. */
static inline void elbo_work_queue_run(elbo_team *team, int count, void (*work)(void *context, int piece, int thread),
                                       void *context) {
    elbo_work_queue p = {.work = work, .context = context, .count = count};
    elbo_team_run(team, elbo_work_queue_take, &p);
}

#endif
