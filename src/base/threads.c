#include "base/threads.h"

#include <omp.h>

int elbo_threads_default(void) { return omp_get_num_procs(); }

void elbo_parallel_for(int threads, int pieces, void (*work)(void *context, int piece), void *context) {
    if (threads <= 0) threads = elbo_threads_default();
#pragma omp parallel num_threads(threads)
    {
        omp_set_num_threads(1); // for libraries called by the piece: also where the team is of one
#pragma omp for schedule(dynamic, 1)
        for (int piece = 0; piece < pieces; piece++) work(context, piece);
    }
}
