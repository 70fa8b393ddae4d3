/* Running fixed pieces of work on some threads. Which thread takes which piece is left to chance; what a piece computes
 * never depends on it, nor on the number of threads: that is what keeps results the same to the bit. */
#ifndef ELBO_BASE_THREADS_H
#define ELBO_BASE_THREADS_H

#include "base/status.h"

/* What `threads` = 0 stands for: the cores this process may use. */
int elbo_threads_default(void);

/* Some threads that wait for work: for a moment in a loop, then asleep. Our own, because OpenMP's threads wait in a
 * loop for milliseconds, and on a machine that is shared with others that is the very time a late thread would need
 * (measured: a training step of 1.2 ms took 12 ms while another program ran). One of the threads is the caller's.
 * Inside, libraries that use OpenMP (oneDNN) see one thread. */
typedef struct elbo_team elbo_team;
elbo_status elbo_team_make(elbo_team **team, int threads, elbo_error *err); // threads 0: the default
void elbo_team_free(elbo_team *team);                                       // NULL is fine
int elbo_team_threads(const elbo_team *team);
/* Calls work(context, thread) on each thread and waits for all. */
void elbo_team_run(elbo_team *team, void (*work)(void *context, int thread), void *context);
/* Inside work: waits until every thread is here. */
void elbo_team_barrier(elbo_team *team);

/* Calls work(context, piece) for piece = 0 .. pieces-1, each once, on a team of its own; on this thread alone where no
 * thread can be had. */
void elbo_parallel_for(int threads, int pieces, void (*work)(void *context, int piece), void *context);

#endif
