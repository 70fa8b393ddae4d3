#include "device/cpu/ref/ref.h"

static bool forward(float *y, const float *x, const float *w, const float *bias, int rows, int in, int out,
                    float *scratch) {
    (void)scratch;
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < out; o++) {
            double sum = bias ? bias[o] : 0;
            for (int i = 0; i < in; i++) sum += (double)x[(size_t)r * in + i] * w[(size_t)o * in + i];
            y[(size_t)r * out + o] = (float)sum;
        }
    return true;
}

static bool backward_data(float *dx, const float *dy, const float *w, int rows, int in, int out, bool accumulate) {
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < in; i++) {
            double sum = accumulate ? dx[(size_t)r * in + i] : 0;
            for (int o = 0; o < out; o++) sum += (double)dy[(size_t)r * out + o] * w[(size_t)o * in + i];
            dx[(size_t)r * in + i] = (float)sum;
        }
    return true;
}

static bool backward_weights(float *dw, float *dbias, const float *dy, const float *x, int rows, int in, int out,
                             int tile) {
    for (int o = 0; o < tile; o++) {
        for (int i = 0; i < in; i++) {
            double sum = 0;
            for (int r = 0; r < rows; r++) sum += (double)dy[(size_t)r * out + o] * x[(size_t)r * in + i];
            dw[(size_t)o * in + i] = (float)sum;
        }
        if (!dbias) continue;
        double sum = 0;
        for (int r = 0; r < rows; r++) sum += dy[(size_t)r * out + o];
        dbias[o] = (float)sum;
    }
    return true;
}

const elbo_linear_kernels elbo_ref_linear = {"ref", forward, backward_data, backward_weights};
