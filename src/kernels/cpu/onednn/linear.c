/* Matrix products by oneDNN's sgemm, which picks its kernel for the CPU at run time. Measured here at 0.75 to 0.95 of the
 * FMA peak for 32 rows and up (bench/log.md).
 *
 * dnnl_sgemm is row-major: C (m, n) = A (m, k) B (k, n), 'T' meaning that the array holds the transpose. */
#include <dnnl.h>

#include "kernels/cpu/onednn/onednn.h"

static void forward(float *y, const float *x, const float *w, const float *bias, int rows, int in, int out) {
    dnnl_sgemm('N', 'T', rows, out, in, 1.0f, x, in, w, in, 0.0f, y, out);
    if (!bias) return;
    for (int r = 0; r < rows; r++) {
        float *row = y + (size_t)r * out;
        for (int o = 0; o < out; o++) row[o] += bias[o];
    }
}

static void backward_data(float *dx, const float *dy, const float *w, int rows, int in, int out, bool accumulate) {
    dnnl_sgemm('N', 'N', rows, in, out, 1.0f, dy, out, w, in, accumulate ? 1.0f : 0.0f, dx, in);
}

static void backward_weights(float *dw, float *dbias, const float *dy, const float *x, int rows, int in, int out,
                             int tile) {
    dnnl_sgemm('T', 'N', tile, in, rows, 1.0f, dy, out, x, in, 0.0f, dw, in);
    if (!dbias) return;
    for (int o = 0; o < tile; o++) dbias[o] = 0;
    for (int r = 0; r < rows; r++) {
        const float *row = dy + (size_t)r * out;
        for (int o = 0; o < tile; o++) dbias[o] += row[o];
    }
}

const elbo_linear_kernels elbo_onednn_linear = {"onednn sgemm", forward, backward_data, backward_weights};
