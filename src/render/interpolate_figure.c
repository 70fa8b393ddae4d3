/* Interpolations as strips of images, as an animation, as a folder of frames. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/gif.h"
#include "render/image_figures.h"

/* Row `r` of a pair's block: the faded pixels where there are any, then the runs; NULL behind the last.
 * (steps, C, H, W) */
static const float *row_of(const elbo_interpolate_result *w, int pair, int r, const char **label) {
    size_t row = (size_t)w->steps * elbo_image_size(w->format.shape);
    const float *pixels = w->pixels ? w->pixels + (size_t)pair * row : NULL;
    bool shown = pixels && !isnan(pixels[0]);
    if (shown && r == 0) {
        *label = "pixels";
        return pixels;
    }
    int i = r - shown;
    if (i >= w->runs) return NULL;
    *label = w->label[i];
    return w->images + (size_t)(pair * w->runs + i) * row;
}

static int rows_of(const elbo_interpolate_result *w, int pair) {
    const char *label;
    int rows = 0;
    while (row_of(w, pair, rows, &label)) rows++;
    return rows;
}

/* ---- strips ---- */

/* `images`, `labels`, `headings`: room for pairs * (runs + 1) rows. Returns how many there are. */
static int fill_rows(const elbo_interpolate_result *w, float *images, const char **labels, const char **headings,
                     char *const *heading) {
    size_t row = (size_t)w->steps * elbo_image_size(w->format.shape);
    int rows = 0;
    for (int p = 0; p < w->pairs; p++) {
        if (w->pairs > 1) headings[rows] = heading[p];
        const float *from;
        for (int r = 0; (from = row_of(w, p, r, &labels[rows])); r++, rows++)
            memcpy(images + (size_t)rows * row, from, row * sizeof *from);
    }
    return rows;
}

/* "3" of class:3, "Ankle boot" of class:"Ankle boot", "test:17". */
static const char *plain_name(const char *name, char text[120]) {
    if (strncmp(name, "class:", 6) != 0) return name;
    name += 6 + (name[6] == '"');
    snprintf(text, 120, "%s", name);
    char *quote = strchr(text, '"');
    if (quote) *quote = 0;
    return text;
}

elbo_status elbo_figure_interpolate(elbo_figure f, const elbo_interpolate_result *w, elbo_error *err) {
    size_t row = (size_t)w->steps * elbo_image_size(w->format.shape), most = (size_t)w->pairs * (size_t)(w->runs + 1);
    float *images = elbo_alloc(most * row, sizeof *images);
    const char **labels = calloc(most + 1, sizeof *labels), **headings = calloc(most + 1, sizeof *headings);
    char **heading = elbo_alloc((size_t)w->pairs, sizeof *heading), title[300];
    elbo_status status = images && labels && headings && heading ? ELBO_OK : elbo_no_memory(err);
    char from[120], to[120];
    for (int p = 0; status == ELBO_OK && p < w->pairs; p++)
        if (!(heading[p] =
                  elbo_format("%s to %s", plain_name(w->name[2 * p], from), plain_name(w->name[2 * p + 1], to))))
            status = elbo_no_memory(err);
    if (status == ELBO_OK) {
        snprintf(title, sizeof title, w->pairs > 1 ? "Interpolation in latent space" : "From %s to %s",
                 plain_name(w->name[0], from), plain_name(w->name[1], to));
        if (!f.title) f.title = title;
        int rows = fill_rows(w, images, labels, headings, heading);
        elbo_grid grid = elbo_image_grid(w->format, rows, w->steps, images);
        grid.row_labels = labels;
        grid.headings = headings;
        status = elbo_draw_grid(f, &grid, err);
    }
    free(images);
    free(labels);
    free(headings);
    elbo_texts_free(heading, w->pairs);
    return status;
}

/* ---- frames ---- */

enum { TILE = 112, GAP = 4, MOST_FRAME_BYTES = 1 << 30 };

/* Frame after frame: pairs beside each other, their rows below each other, enlarged to about TILE pixels. */
typedef struct frames {
    size_t width, height, channels, bytes; // of one frame
    size_t scale;
    uint8_t *pixels; // (steps, height, width, channels), owned
} frames;

static elbo_status lay_out(frames *f, const elbo_interpolate_result *w, elbo_error *err) {
    elbo_image_shape s = w->format.shape;
    if (s.channels != 1 && s.channels != 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "images of %d channels; frames are made of 1 or 3", s.channels);
    size_t H = (size_t)s.height, W = (size_t)s.width, side = H > W ? H : W, rows = 1, all;
    for (int p = 0; p < w->pairs; p++)
        if ((size_t)rows_of(w, p) > rows) rows = (size_t)rows_of(w, p);
    *f = (frames){.channels = (size_t)s.channels, .scale = side < TILE ? (TILE + side / 2) / side : 1};
    f->width = (size_t)w->pairs * (W * f->scale + GAP) - GAP;
    f->height = rows * (H * f->scale + GAP) - GAP;
    if (__builtin_mul_overflow(f->width * f->height, f->channels, &f->bytes) ||
        __builtin_mul_overflow(f->bytes, (size_t)w->steps, &all) || all > MOST_FRAME_BYTES)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%d frames of %zu x %zu pixels are more than a gigabyte; ask for fewer --steps", w->steps,
                         f->width, f->height);
    f->pixels = malloc(all);
    if (!f->pixels) return elbo_no_memory(err);
    memset(f->pixels, 255, all);
    return ELBO_OK;
}

/* image: (C, H, W); corner: the upper left one of its place in a frame */
static void paint(const frames *f, elbo_image_format format, const float *image, uint8_t *corner) {
    size_t H = (size_t)format.shape.height, W = (size_t)format.shape.width, C = f->channels;
    double span = (double)format.high - format.low;
    for (size_t y = 0; y < H * f->scale; y++)
        for (size_t x = 0; x < W * f->scale; x++)
            for (size_t c = 0; c < C; c++) {
                double v = 255 * (image[(c * H + y / f->scale) * W + x / f->scale] - format.low) / span;
                corner[(y * f->width + x) * C + c] = !(v > 0) ? 0 : v >= 255 ? 255 : (uint8_t)lrint(v);
            }
}

static elbo_status make_frames(frames *f, const elbo_interpolate_result *w, elbo_error *err) {
    ELBO_TRY(lay_out(f, w, err));
    elbo_image_shape s = w->format.shape;
    size_t down = (size_t)s.height * f->scale + GAP, across = (size_t)s.width * f->scale + GAP;
    for (size_t t = 0; t < (size_t)w->steps; t++)
        for (size_t p = 0; p < (size_t)w->pairs; p++) {
            const float *row;
            const char *label;
            for (int r = 0; (row = row_of(w, (int)p, r, &label)); r++)
                paint(f, w->format, row + t * elbo_image_size(s),
                      f->pixels + t * f->bytes + ((size_t)r * down * f->width + p * across) * f->channels);
        }
    return ELBO_OK;
}

elbo_status elbo_interpolate_write_gif(const elbo_interpolate_result *w, const char *path, elbo_error *err) {
    enum { FRAME_TIME = 5, PAUSE = 60 }; // in hundredths of a second
    int count = 2 * w->steps - 2;
    frames f;
    ELBO_TRY(make_frames(&f, w, err));
    const uint8_t **shown = elbo_alloc((size_t)count, sizeof *shown);
    int *hundredths = elbo_alloc((size_t)count, sizeof *hundredths);
    elbo_status status = shown && hundredths ? ELBO_OK : elbo_no_memory(err);
    for (int i = 0; status == ELBO_OK && i < count; i++) {
        int step = i < w->steps ? i : count - i;
        shown[i] = f.pixels + (size_t)step * f.bytes;
        hundredths[i] = step == 0 || step == w->steps - 1 ? PAUSE : FRAME_TIME;
    }
    if (status == ELBO_OK)
        status = elbo_gif_write(path, shown, hundredths, count, (int)f.width, (int)f.height, (int)f.channels, err);
    free(shown);
    free(hundredths);
    free(f.pixels);
    return status;
}

static elbo_status write_frames(const frames *f, int steps, const char *folder, elbo_error *err) {
    for (int i = 0; i < steps; i++) {
        char *path = elbo_format("%s/%05d.png", folder, i);
        elbo_status status = path ? elbo_png_write(path, f->pixels + (size_t)i * f->bytes, (int)f->width,
                                                   (int)f->height, (int)f->channels, err)
                                  : elbo_no_memory(err);
        free(path);
        if (status != ELBO_OK) return status;
    }
    return ELBO_OK;
}

elbo_status elbo_interpolate_write_frames(const elbo_interpolate_result *w, const char *folder, elbo_error *err) {
    frames f;
    ELBO_TRY(make_frames(&f, w, err));
    char *next = elbo_format("%s/%05d.png", folder, w->steps);
    elbo_status status = !next ? elbo_no_memory(err)
                         : elbo_file_exists(next)
                             ? elbo_fail(err, ELBO_BAD_INPUT,
                                         "%s: belongs to an earlier interpolation of more steps; remove it, or name "
                                         "another folder",
                                         next)
                             : elbo_make_folder(folder, err);
    if (status == ELBO_OK) status = write_frames(&f, w->steps, folder, err);
    free(next);
    free(f.pixels);
    return status;
}
