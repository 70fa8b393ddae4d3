/* Pooling and upsampling of planes. On the way back each pixel gathers from the outputs that have read it, in their
 * order. A block for GPU_THREADS values of all rows. */
#include "device/cuda/kernels/numbers.h"

/* n: values of a row; height and width of x, of y; then kernel, stride, padding, 1: the greatest, else the mean;
 * or scale, 1: bilinear. */
enum { VALUES, HEIGHT, WIDTH, OUT_HEIGHT, OUT_WIDTH, WINDOW, STRIDE, PADDING, GREATEST, SCALE = WINDOW, BILINEAR };

/* This thread's value: its plane and its place there. */
DEVICE int find_value(const elbo_gpu_item *a, const elbo_gpu_launch *l, int block, int height, int width, int *plane,
                      int *y, int *x) {
    long long i = (long long)block * GPU_THREADS + THREAD;
    *plane = (int)(i / (height * width));
    *y = (int)(i % (height * width)) / width;
    *x = (int)(i % (height * width)) % width;
    return i < (long long)l->step->rows * a->n[VALUES];
}

/* Of a window at (oy, ox) in a plane: the greatest value, or NaN, and in *where its place. */
DEVICE float greatest(const elbo_gpu_item *a, const float *x, int oy, int ox, int *where) {
    float most = -INF;
    *where = -1;
    for (int i = 0; i < a->n[WINDOW] * a->n[WINDOW]; i++) {
        int iy = oy * a->n[STRIDE] - a->n[PADDING] + i / a->n[WINDOW],
            ix = ox * a->n[STRIDE] - a->n[PADDING] + i % a->n[WINDOW];
        if (iy < 0 || ix < 0 || iy >= a->n[HEIGHT] || ix >= a->n[WIDTH]) continue;
        float v = x[iy * a->n[WIDTH] + ix];
        if (*where >= 0 && !(v > most) && v == v) continue;
        most = v;
        *where = iy * a->n[WIDTH] + ix;
    }
    return most;
}

DEVICE float mean_of(const elbo_gpu_item *a, const float *x, int oy, int ox) {
    float sum = 0;
    for (int i = 0; i < a->n[WINDOW] * a->n[WINDOW]; i++) {
        int iy = oy * a->n[STRIDE] - a->n[PADDING] + i / a->n[WINDOW],
            ix = ox * a->n[STRIDE] - a->n[PADDING] + i % a->n[WINDOW];
        if (iy >= 0 && ix >= 0 && iy < a->n[HEIGHT] && ix < a->n[WIDTH]) sum += x[iy * a->n[WIDTH] + ix];
    }
    return sum / (float)(a->n[WINDOW] * a->n[WINDOW]);
}

/* t: y, x. */
KERNEL(pool) {
    int block, plane, oy, ox, where;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!find_value(a, &launch, block, a->n[OUT_HEIGHT], a->n[OUT_WIDTH], &plane, &oy, &ox)) return;
    const float *x = a->t[1] + (long long)plane * a->n[HEIGHT] * a->n[WIDTH];
    a->t[0][((long long)plane * a->n[OUT_HEIGHT] + oy) * a->n[OUT_WIDTH] + ox] =
        a->n[GREATEST] ? greatest(a, x, oy, ox, &where) : mean_of(a, x, oy, ox);
}

DEVICE int first_window(const elbo_gpu_item *a, int i) {
    int at = i + a->n[PADDING] - a->n[WINDOW];
    return at < 0 ? 0 : at / a->n[STRIDE] + 1;
}

/* t: dx, dy, x.  VALUES: of x. */
KERNEL(pool_back) {
    int block, plane, y, x, where;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!find_value(a, &launch, block, a->n[HEIGHT], a->n[WIDTH], &plane, &y, &x)) return;
    long long from = (long long)plane * a->n[HEIGHT] * a->n[WIDTH], at = from + y * a->n[WIDTH] + x;
    const float *dy = a->t[1] + (long long)plane * a->n[OUT_HEIGHT] * a->n[OUT_WIDTH];
    float sum = 0;
    for (int oy = first_window(a, y); oy < a->n[OUT_HEIGHT] && oy * a->n[STRIDE] - a->n[PADDING] <= y; oy++)
        for (int ox = first_window(a, x); ox < a->n[OUT_WIDTH] && ox * a->n[STRIDE] - a->n[PADDING] <= x; ox++) {
            float d = dy[oy * a->n[OUT_WIDTH] + ox];
            if (!a->n[GREATEST]) {
                sum += d / (float)(a->n[WINDOW] * a->n[WINDOW]);
                continue;
            }
            greatest(a, a->t[2] + from, oy, ox, &where);
            if (where == y * a->n[WIDTH] + x) sum += d;
        }
    a->t[0][at] = a->accumulate ? a->t[0][at] + sum : sum;
}

/* ---- upsampling ---- */

/* How much of pixel i an output has: its centre lies between those of two pixels. */
DEVICE float share_of(const elbo_gpu_item *a, int out, int i, int size) {
    if (!a->n[BILINEAR]) return out / a->n[SCALE] == i;
    float at = ((float)out + 0.5f) / (float)a->n[SCALE] - 0.5f;
    if (at < 0) at = 0; // above or left of the first centre
    int first = (int)at, second = first + 1 < size ? first + 1 : first;
    float part = at - (float)first;
    return (first == i ? 1 - part : 0) + (second == i ? part : 0);
}

/* The first of the three pixels that an output may have something of, or of the outputs that may have of a pixel. */
DEVICE int before(int i, int scale) { return i / scale > 0 ? i / scale - 1 : 0; }
DEVICE int first_reader(int i, int scale) { return i > 0 ? (i - 1) * scale : 0; }

/* t: y, x. */
KERNEL(upsample) {
    int block, plane, oy, ox, scale;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!find_value(a, &launch, block, a->n[OUT_HEIGHT], a->n[OUT_WIDTH], &plane, &oy, &ox)) return;
    const float *x = a->t[1] + (long long)plane * a->n[HEIGHT] * a->n[WIDTH];
    scale = a->n[SCALE];
    float sum = 0;
    for (int y = before(oy, scale); y <= oy / scale + 1 && y < a->n[HEIGHT]; y++) {
        float v = share_of(a, oy, y, a->n[HEIGHT]), row = 0;
        if (v == 0) continue;
        for (int i = before(ox, scale); i <= ox / scale + 1 && i < a->n[WIDTH]; i++) {
            float h = share_of(a, ox, i, a->n[WIDTH]);
            if (h != 0) row = FMA(h, x[y * a->n[WIDTH] + i], row);
        }
        sum = FMA(v, row, sum);
    }
    a->t[0][((long long)plane * a->n[OUT_HEIGHT] + oy) * a->n[OUT_WIDTH] + ox] = sum;
}

/* t: dx, dy.  VALUES: of x. */
KERNEL(upsample_back) {
    int block, plane, y, x, scale;
    const elbo_gpu_item *a = item_of(&launch, &block);
    if (!find_value(a, &launch, block, a->n[HEIGHT], a->n[WIDTH], &plane, &y, &x)) return;
    const float *dy = a->t[1] + (long long)plane * a->n[OUT_HEIGHT] * a->n[OUT_WIDTH];
    long long at = ((long long)plane * a->n[HEIGHT] + y) * a->n[WIDTH] + x;
    scale = a->n[SCALE];
    float sum = 0;
    for (int oy = first_reader(y, scale); oy < (y + 2) * scale && oy < a->n[OUT_HEIGHT]; oy++) {
        float v = share_of(a, oy, y, a->n[HEIGHT]);
        if (v == 0) continue;
        for (int ox = first_reader(x, scale); ox < (x + 2) * scale && ox < a->n[OUT_WIDTH]; ox++) {
            float h = share_of(a, ox, x, a->n[WIDTH]);
            if (h != 0) sum = FMA(v * h, dy[oy * a->n[OUT_WIDTH] + ox], sum);
        }
    }
    a->t[0][at] = a->accumulate ? a->t[0][at] + sum : sum;
}
