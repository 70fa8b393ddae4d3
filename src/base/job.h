/* What long work on codes is told: how many threads, whom to tell how far it is, and when to stop. */
#ifndef ELBO_LATENT_WORK_H
#define ELBO_LATENT_WORK_H

#include <stdbool.h>

typedef struct elbo_job {
    int threads; // 0: all cores. Results do not depend on it
    /* Called now and then on the caller's thread with what is being done and how far it is, 0 to 1; or NULL. */
    void (*progress)(void *context, const char *what, double done);
    /* Asked now and then; true: stop soon. An optimiser leaves what it has, other work fails with ELBO_STOPPED. Or
     * NULL. */
    bool (*interrupted)(void *context);
    void *context;
} elbo_job;

#endif
