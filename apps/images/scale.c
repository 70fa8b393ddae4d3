/* Antialiased: a triangle as wide as the shrinking asks for, first along the rows, then down the columns, as Pillow's
 * BILINEAR does it, and torchvision through Pillow. */
#include "scale.h"

#include <math.h>
#include <stdlib.h>

/* Which pixels of a line make one of the result, and by which weights. */
typedef struct window {
    int first, count;
    float *weight; // (count)
} window;

/* For places first .. first+count-1 of a line of `from` pixels scaled to `to`.  weights: (count, most) */
static void make_windows(window *w, float *weights, int most, int from, int to, int first, int count) {
    double scale = (double)from / to, wide = fmax(scale, 1);
    for (int i = 0; i < count; i++) {
        double centre = (first + i + 0.5) * scale, sum = 0;
        int low = (int)fmax(centre - wide + 0.5, 0), high = (int)fmin(centre + wide + 0.5, from);
        w[i] = (window){low, high - low, weights + (size_t)i * (size_t)most};
        for (int k = 0; k < w[i].count; k++) {
            double v = fmax(1 - fabs((low + k - centre + 0.5) / wide), 0);
            w[i].weight[k] = (float)v;
            sum += v;
        }
        for (int k = 0; k < w[i].count; k++) w[i].weight[k] = (float)(w[i].weight[k] / sum);
    }
}

static int most_in_window(int from, int to) { return 2 * (int)ceil(fmax((double)from / to, 1)) + 2; }

/* Where pixel (row, column) of the upright image lies in the stored one of height x width. */
static void stored_place(int orientation, int row, int column, int height, int width, int *r, int *c) {
    bool lies = orientation >= 5; // rows and columns change places
    int a = lies ? column : row, b = lies ? row : column;
    bool up = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    bool back = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    *r = up ? height - 1 - a : a;
    *c = back ? width - 1 - b : b;
}

bool scale_image(uint8_t *pixels, const decoded_image *image, scaled_size to) {
    int height = image->height, width = image->width, bands = image->bands;
    bool lies = image->orientation >= 5;
    int h = lies ? to.width : to.height, w = lies ? to.height : to.width; // of the result as stored
    double scale = fmax((double)h / image->full_height, (double)w / image->full_width);
    int tall = (int)fmax(h, floor(image->full_height * scale + 1e-6)),
        wide = (int)fmax(w, floor(image->full_width * scale + 1e-6));
    int top = (int)rint((tall - h) / 2.0), left = (int)rint((wide - w) / 2.0);
    int most_x = most_in_window(width, wide), most_y = most_in_window(height, tall);
    size_t line = (size_t)w * (size_t)bands;
    window *x = calloc((size_t)w, sizeof *x), *y = calloc((size_t)h, sizeof *y);
    float *x_weights = calloc((size_t)w * (size_t)most_x, sizeof(float)),
          *y_weights = calloc((size_t)h * (size_t)most_y, sizeof(float));
    float *rows = NULL, *sum = calloc(line, sizeof *sum);
    bool ok = x && y && x_weights && y_weights && sum;
    if (ok) {
        make_windows(x, x_weights, most_x, width, wide, left, w);
        make_windows(y, y_weights, most_y, height, tall, top, h);
        int first = y[0].first, count = y[h - 1].first + y[h - 1].count - first; // the rows that are read at all
        rows = malloc((size_t)count * line * sizeof *rows);
        for (int r = 0; rows && r < count; r++)
            for (int i = 0; i < w; i++) {
                const uint8_t *from =
                    image->bytes + ((size_t)(first + r) * (size_t)width + (size_t)x[i].first) * (size_t)bands;
                float part[4] = {0};
                for (int k = 0; k < x[i].count; k++)
                    for (int b = 0; b < bands; b++) part[b] += x[i].weight[k] * (float)*from++;
                for (int b = 0; b < bands; b++) rows[(size_t)r * line + (size_t)(i * bands + b)] = part[b];
            }
        uint8_t *stored = rows ? malloc((size_t)h * line) : NULL;
        for (int r = 0; stored && r < h; r++) {
            for (size_t i = 0; i < line; i++) sum[i] = 0.5f;
            for (int k = 0; k < y[r].count; k++) {
                const float *from = rows + (size_t)(y[r].first - first + k) * line;
                for (size_t i = 0; i < line; i++) sum[i] += y[r].weight[k] * from[i];
            }
            for (size_t i = 0; i < line; i++) stored[(size_t)r * line + i] = (uint8_t)(sum[i] > 255 ? 255 : sum[i]);
        }
        for (int row = 0; stored && row < to.height; row++)
            for (int column = 0; column < to.width; column++) {
                int r, c;
                stored_place(image->orientation, row, column, h, w, &r, &c);
                for (int ch = 0; ch < to.channels; ch++)
                    pixels[((size_t)ch * (size_t)to.height + (size_t)row) * (size_t)to.width + (size_t)column] =
                        stored[(size_t)r * line + (size_t)(c * bands + (bands == 1 ? 0 : ch))];
            }
        ok = stored != NULL;
        free(stored);
    }
    free(rows);
    free(sum);
    free(x_weights);
    free(y_weights);
    free(x);
    free(y);
    return ok;
}
