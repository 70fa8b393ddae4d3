#include "training_figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "explore/opened_runs.h"
#include "explore/reconstruct.h"
#include "formats/png.h"

enum { IMAGES = 8, TILE = 72, GAP = 3, SHARE = 20 }; // SHARE: drawing takes at most a part in so many of the time

/* image: (C, H, W) into pixels (height, width, C), its first pixel at `corner`, enlarged. */
static void paint(uint8_t *corner, size_t width, const float *image, elbo_image_format f, int scale) {
    elbo_image_shape s = f.shape;
    for (int y = 0; y < s.height * scale; y++)
        for (int x = 0; x < s.width * scale; x++)
            for (int c = 0; c < s.channels; c++) {
                double v =
                    image[((size_t)c * (size_t)s.height + (size_t)(y / scale)) * (size_t)s.width + (size_t)(x / scale)];
                v = 255 * (v - (double)f.low) / ((double)f.high - (double)f.low);
                corner[((size_t)y * width + (size_t)x) * (size_t)s.channels + (size_t)c] = !(v > 0) ? 0
                                                                                           : v >= 255
                                                                                               ? 255
                                                                                               : (uint8_t)lrint(v);
            }
}

static elbo_status write(const elbo_reconstruct_result *r, const char *run, elbo_error *err) {
    elbo_image_shape s = r->format.shape;
    size_t size = elbo_image_size(s);
    int side = s.height > s.width ? s.height : s.width, scale = side < TILE ? TILE / side : 1;
    int width = r->count * (s.width * scale + GAP) - GAP, height = 2 * (s.height * scale + GAP) - GAP;
    uint8_t *pixels = malloc((size_t)width * (size_t)height * (size_t)s.channels);
    char *folder = elbo_path_join(run, "figures"), *path = folder ? elbo_path_join(folder, "training.png") : NULL;
    elbo_status status = pixels && path ? elbo_make_folder(folder, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        memset(pixels, 255, (size_t)width * (size_t)height * (size_t)s.channels);
        for (int i = 0; i < 2 * r->count; i++) {
            size_t x = (size_t)(i % r->count) * (size_t)(s.width * scale + GAP);
            size_t y = (size_t)(i / r->count) * (size_t)(s.height * scale + GAP);
            paint(pixels + (y * (size_t)width + x) * (size_t)s.channels, (size_t)width, r->images + (size_t)i * size,
                  r->format, scale);
        }
        status = elbo_png_write(path, pixels, width, height, s.channels, err);
    }
    free(pixels);
    free(path);
    free(folder);
    return status;
}

void cli_training_figure_draw(void *context) {
    cli_training_figure *f = context;
    double start = elbo_now();
    if (f->last > 0 && start - f->last < SHARE * f->seconds) return;
    if (f->data->test.count == 0 || (f->data->test.shape.channels != 1 && f->data->test.shape.channels != 3)) return;
    elbo_error ignored;
    elbo_run run = {.label = (char[]){"reconstruction"}};
    elbo_model_options o = {.size = sizeof o, .threads = f->threads, .device = f->device};
    elbo_reconstruct_options few = {.count = IMAGES};
    elbo_reconstruct_result r;
    if (elbo_model_open_with(&run.model, f->run, &o, &ignored) != ELBO_OK) return;
    if (elbo_reconstruct(&r, &run, 1, f->data, &few, &ignored) == ELBO_OK) {
        (void)write(&r, f->run, &ignored);
        elbo_reconstruct_free(&r);
    }
    elbo_model_close(run.model);
    f->last = elbo_now();
    f->seconds = f->last - start;
}
