/* The plan of a discrete Fourier transform of a length with the factors 2, 3 and 5: sum over j of x_j e^(-2 pi i j k /
 * n). Transforms run on sixteen sequences side by side (simd/map_fft.c). */
#ifndef ELBO_LATENT_FFT_H
#define ELBO_LATENT_FFT_H

#include "base/status.h"

enum { ELBO_FFT_MOST_STAGES = 24, ELBO_FFT_LANES = 16 };

typedef struct elbo_fft {
    int n, stages;
    int radix[ELBO_FFT_MOST_STAGES]; // their product is n
    float *twiddle; // for each stage of l = n / (the radices before): e^(-2 pi i p j / l), p below l / radix, j = 1 ..
                    // radix-1; re, im
} elbo_fft;

/* n of at least 1 whose prime factors are 2, 3 and 5. */
elbo_status elbo_fft_make(elbo_fft *f, int n, elbo_error *err);
void elbo_fft_free(elbo_fft *f);

#endif
