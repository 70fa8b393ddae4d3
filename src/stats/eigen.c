#include "stats/eigen.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* With room of our own: LAPACKE would take it itself, and where there is none print that to stdout. */
elbo_status elbo_eigenvectors(double *a, double *values, int n, elbo_error *err) {
    double wanted;
    lapack_int wanted_whole;
    bool finite = true;
    for (size_t i = 0; i < (size_t)n * (size_t)n; i++) finite = finite && isfinite(a[i]);
    // Row-major lower is column-major upper; eigenvectors come back as columns of it, that is, as our rows.
    lapack_int failed =
        finite ? LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', n, a, n, values, &wanted, -1, &wanted_whole, -1) : 1;
    double *room = failed ? NULL : elbo_alloc((size_t)wanted, sizeof *room);
    lapack_int *whole = failed ? NULL : elbo_alloc((size_t)wanted_whole, sizeof *whole);
    bool memory = failed || (room && whole);
    if (!failed && memory)
        failed = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', n, a, n, values, room, (lapack_int)wanted, whole,
                                     wanted_whole);
    free(room);
    free(whole);
    if (!memory) return elbo_no_memory(err);
    return failed ? elbo_fail(err, ELBO_BAD_INPUT, "the covariance matrix has no eigenvectors: are all values finite?")
                  : ELBO_OK;
}
