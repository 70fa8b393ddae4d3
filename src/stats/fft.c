#include "stats/fft.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* Fours first: a stage of four does the work of two of two with half the passes over memory. */
static int next_radix(int left) {
    static const int radices[] = {4, 5, 3, 2};
    for (int i = 0; i < 4; i++)
        if (left % radices[i] == 0) return radices[i];
    return 0;
}

elbo_status elbo_fft_make(elbo_fft *f, int n, elbo_error *err) {
    *f = (elbo_fft){.n = n};
    size_t numbers = 0;
    for (int left = n; left > 1;) {
        int r = next_radix(left);
        if (r == 0 || n < 1)
            return elbo_fail(err, ELBO_BAD_INPUT, "a transform of length %d: its factors must be 2, 3 and 5", n);
        f->radix[f->stages++] = r;
        left /= r;
        numbers += 2 * (size_t)left * (size_t)(r - 1);
    }
    f->twiddle = elbo_alloc(numbers + 1, sizeof *f->twiddle);
    if (!f->twiddle) return elbo_no_memory(err);
    float *t = f->twiddle;
    for (int s = 0, l = n; s < f->stages; l /= f->radix[s++])
        for (int p = 0; p < l / f->radix[s]; p++)
            for (int j = 1; j < f->radix[s]; j++) {
                double angle = -2 * M_PI * p * j / l;
                *t++ = (float)cos(angle);
                *t++ = (float)sin(angle);
            }
    return ELBO_OK;
}

void elbo_fft_free(elbo_fft *f) {
    free(f->twiddle);
    *f = (elbo_fft){0};
}
