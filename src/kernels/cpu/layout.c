#include "kernels/conv.h"

void elbo_to_blocked(float *blocked, const float *plain, int channels, size_t pixels) {
    for (int block = 0; block < channels; block += ELBO_BLOCK, blocked += pixels * ELBO_BLOCK) {
        int here = channels - block < ELBO_BLOCK ? channels - block : ELBO_BLOCK;
        const float *from = plain + (size_t)block * pixels;
        for (size_t p = 0; p < pixels; p++) {
            for (int c = 0; c < here; c++) blocked[p * ELBO_BLOCK + (size_t)c] = from[(size_t)c * pixels + p];
            for (int c = here; c < ELBO_BLOCK; c++) blocked[p * ELBO_BLOCK + (size_t)c] = 0;
        }
    }
}

void elbo_to_plain(float *plain, const float *blocked, int channels, size_t pixels) {
    for (int block = 0; block < channels; block += ELBO_BLOCK, blocked += pixels * ELBO_BLOCK) {
        int here = channels - block < ELBO_BLOCK ? channels - block : ELBO_BLOCK;
        float *to = plain + (size_t)block * pixels;
        for (int c = 0; c < here; c++)
            for (size_t p = 0; p < pixels; p++) to[(size_t)c * pixels + p] = blocked[p * ELBO_BLOCK + (size_t)c];
    }
}
