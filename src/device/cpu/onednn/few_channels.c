/* From many channels to a few, an image most of all: a matrix product, whose columns are then added up (col2im). */
#include <dnnl.h>
#include <string.h>

#include "device/cpu/onednn/layer.h"

/* The columns ix for which 0 <= ix * stride + offset < width of y: from `*first` to before `*end`. */
static void columns_inside(const elbo_conv_shape *s, int offset, int *first, int *end) {
    *first = offset < 0 ? (-offset + s->stride[1] - 1) / s->stride[1] : 0;
    int room = s->out_width - offset;
    *end = room <= 0 ? 0 : (room + s->stride[1] - 1) / s->stride[1];
    if (*end > s->width) *end = s->width;
}

/* y (out, H', W') of one image from its columns (out k k, pixels): each pixel of x adds its k x k patch. Row by row, so
 * that with stride 1 whole vectors are added. */
static void columns_to_image(const elbo_conv_shape *s, float *y, const float *column) {
    int taps = elbo_conv_taps(s), across = s->kernel[1];
    for (int o = 0; o < s->out; o++, y += (size_t)s->out_height * (size_t)s->out_width)
        for (int tap = 0; tap < taps; tap++, column += (size_t)s->height * (size_t)s->width) {
            int below = tap / across * s->dilation[0] - s->padding[0],
                right = tap % across * s->dilation[1] - s->padding[1], first, end;
            columns_inside(s, right, &first, &end);
            for (int iy = 0; iy < s->height; iy++) {
                int oy = iy * s->stride[0] + below;
                if (oy < 0 || oy >= s->out_height || first >= end) continue;
                const float *from = column + (size_t)iy * (size_t)s->width;
                float *to = y + (size_t)oy * (size_t)s->out_width;
                if (s->stride[1] == 1)
                    for (int ix = first; ix < end; ix++) to[ix + right] += from[ix];
                else
                    for (int ix = first; ix < end; ix++) to[ix * s->stride[1] + right] += from[ix];
            }
        }
}

/* As a matrix product: (out k k, channels) (channels, pixels), the blocks of channels one after the other. */
bool elbo_onednn_few_channels_forward(const elbo_conv *c, float *y, const float *x, const float *w, float *column) {
    const elbo_conv_shape *s = &c->s;
    int pixels = s->height * s->width, taps = s->out * elbo_conv_taps(s);
    size_t y_size = (size_t)s->out * (size_t)s->out_height * (size_t)s->out_width;
    for (int r = 0; r < s->rows; r++, y += y_size) {
        for (int i = 0; i < s->in; i += ELBO_BLOCK, x += pixels * ELBO_BLOCK) {
            int here = s->in - i < ELBO_BLOCK ? s->in - i : ELBO_BLOCK;
            if (dnnl_sgemm('T', 'T', taps, pixels, here, 1.0f, w + (size_t)i * (size_t)taps, taps, x, ELBO_BLOCK,
                           i ? 1.0f : 0.0f, column, pixels) != dnnl_success)
                return false;
        }
        memset(y, 0, y_size * sizeof *y);
        columns_to_image(s, y, column);
    }
    return true;
}

size_t elbo_onednn_column_floats(const elbo_conv *c) {
    size_t pixels = (size_t)c->s.height * (size_t)c->s.width;
    return c->few ? whole_lines(pixels * (size_t)(c->s.out * elbo_conv_taps(&c->s))) : 0;
}
