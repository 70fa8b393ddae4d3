/* Running fixed pieces of work on some threads. Which thread takes which piece is left to chance; what a piece computes
 * never depends on it, nor on the number of threads: that is what keeps results the same to the bit. */
#ifndef ELBO_BASE_THREADS_H
#define ELBO_BASE_THREADS_H

/* What `threads` = 0 stands for: the cores this process may use. */
int elbo_threads_default(void);

/* Calls work(context, piece) for piece = 0 .. pieces-1, each once. `threads` 0: the default. Inside a piece, libraries
 * that use OpenMP (oneDNN) see one thread. */
void elbo_parallel_for(int threads, int pieces, void (*work)(void *context, int piece), void *context);

#endif
