/* t-SNE of a run, computed in the background while the page shows how far it is. */
#ifndef SERVE_TSNE_JOB_H
#define SERVE_TSNE_JOB_H

#include <pthread.h>

#include "runs.h"

typedef struct serve_tsne serve_tsne;

/* Begins it where nothing is begun; `run` has its points. The worker's. */
elbo_status serve_tsne_begin(serve *s, serve_run *run, elbo_error *err);
/* A copy of the embedding as far as it is, (n, 2), malloc'd; NULL: no memory. `*done`: 0 to 1 */
float *serve_tsne_copy(serve_tsne *t, double *done);
/* Lets go of it: where the run has other weights by now, it stops. NULL is fine. */
void serve_tsne_release(serve_tsne *t);

/* Measures how far a map can be trusted, in the background, and tells the pages; keeps the map where `keep`. */
elbo_status serve_trust_begin(serve *s, serve_run *run, elbo_map_method method, bool keep, elbo_error *err);

#endif
