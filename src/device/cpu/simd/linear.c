/* Matrix products by oneDNN's sgemm, which picks its kernel for the CPU at run time, with vector code around it.
 *
 * dnnl_sgemm is row-major: C (m, n) = A (m, k) B (k, n), 'T' meaning that the array holds the transpose. Its speed
 * depends on which operand it has to turn while packing (bench/log.md): x w^T turns the weights, at 83 GFLOP/s for 16
 * rows, w x^T turns x, at 190. So forward makes y^T, and turns that, which is small, on its way out. */
#include <dnnl.h>

#include "device/cpu/simd/simd.h"
#include "device/cpu/simd/vector.h"

/* y (rows, out) = turned (out, rows)^T + bias */
static void turn_and_add(float *y, const float *turned, const float *bias, int rows, int out) {
    int whole_rows = rows / WIDTH * WIDTH, whole_out = out / WIDTH * WIDTH;
    for (int o = 0; o < whole_out; o += WIDTH) {
        vec b = bias ? vload(bias + o) : vset(0);
        for (int r = 0; r < whole_rows; r += WIDTH) {
            vec block[WIDTH];
            for (int i = 0; i < WIDTH; i++) block[i] = vload(turned + (size_t)(o + i) * rows + r);
            transpose(block);
            for (int i = 0; i < WIDTH; i++) vstore(y + (size_t)(r + i) * out + o, block[i] + b);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int o = r < whole_rows ? whole_out : 0; o < out; o++)
            y[(size_t)r * out + o] = turned[(size_t)o * rows + r] + (bias ? bias[o] : 0);
}

static bool forward(float *y, const float *x, const float *w, const float *bias, int rows, int in, int out,
                    float *scratch) {
    if (dnnl_sgemm('N', 'T', out, rows, in, 1.0f, w, in, x, in, 0.0f, scratch, rows) != dnnl_success) return false;
    turn_and_add(y, scratch, bias, rows, out);
    return true;
}

static bool backward_data(float *dx, const float *dy, const float *w, int rows, int in, int out, bool accumulate) {
    return dnnl_sgemm('N', 'N', rows, in, out, 1.0f, dy, out, w, in, accumulate ? 1.0f : 0.0f, dx, in) == dnnl_success;
}

static bool backward_weights(float *dw, float *dbias, const float *dy, const float *x, int rows, int in, int out,
                             int tile) {
    if (dnnl_sgemm('T', 'N', tile, in, rows, 1.0f, dy, out, x, in, 0.0f, dw, in) != dnnl_success) return false;
    if (!dbias) return true;
    for (int o = 0; o < tile; o++) dbias[o] = 0;
    for (int r = 0; r < rows; r++) {
        const float *row = dy + (size_t)r * out;
        for (int o = 0; o < tile; o++) dbias[o] += row[o];
    }
    return true;
}

const elbo_linear_kernels ELBO_SIMD(linear) = {"onednn sgemm", forward, backward_data, backward_weights};
