#include "formats/gif.h"

#include <errno.h>
#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

enum { COLOURS = 256, MOST_SIDE = 65535, MOST_SAMPLED = 1 << 22 };

static int put_bytes(GifFileType *gif, const GifByteType *bytes, int n) {
    return (int)fwrite(bytes, 1, (size_t)n, (FILE *)gif->UserData);
}

/* ---- colours ---- */

/* A palette of colours that are in the frames, and for each colour of 5 bits a channel its nearest entry. */
typedef struct palette {
    GifColorType colour[COLOURS];
    uint8_t nearest[1 << 15];
} palette;

static void grey_palette(palette *p) {
    for (int i = 0; i < COLOURS; i++) p->colour[i] = (GifColorType){(GifByteType)i, (GifByteType)i, (GifByteType)i};
}

static void find_nearest(palette *p, int colours) {
    for (int i = 0; i < 1 << 15; i++) {
        int r = (i >> 10) * 255 / 31, g = (i >> 5 & 31) * 255 / 31, b = (i & 31) * 255 / 31, best = -1;
        for (int k = 0; k < colours; k++) {
            int dr = r - p->colour[k].Red, dg = g - p->colour[k].Green, db = b - p->colour[k].Blue;
            int distance = 3 * dr * dr + 4 * dg * dg + 2 * db * db; // about as eyes weigh them
            if (best >= 0 && distance >= best) continue;
            best = distance;
            p->nearest[i] = (uint8_t)k;
        }
    }
}

static elbo_status colour_palette(palette *p, const uint8_t *const *frames, int count, size_t pixels, elbo_error *err) {
    size_t total = (size_t)count * pixels, stride = (total + MOST_SAMPLED - 1) / MOST_SAMPLED, n = 0;
    uint8_t *planes = elbo_alloc(4, total / stride + 1), *r = planes, *g = r + total / stride + 1,
            *b = g + total / stride + 1;
    if (!planes) return elbo_no_memory(err);
    for (size_t i = 0; i < total; i += stride, n++) {
        const uint8_t *c = frames[i / pixels] + 3 * (i % pixels);
        r[n] = c[0], g[n] = c[1], b[n] = c[2];
    }
    int colours = COLOURS;
    int done = GifQuantizeBuffer((unsigned)n, 1, &colours, r, g, b, b + total / stride + 1, p->colour);
    free(planes);
    if (done != GIF_OK) return elbo_no_memory(err); // nothing else makes it fail
    find_nearest(p, colours);
    return ELBO_OK;
}

static void take_indices(const palette *p, const uint8_t *frame, size_t pixels, int channels, uint8_t *index) {
    if (channels == 1) {
        memcpy(index, frame, pixels);
        return;
    }
    for (size_t i = 0; i < pixels; i++, frame += 3)
        index[i] = p->nearest[(frame[0] >> 3) << 10 | (frame[1] >> 3) << 5 | frame[2] >> 3];
}

/* ---- the file ---- */

/* The application block by which viewers know that the animation begins again at its end. */
static int put_loop(GifFileType *gif) {
    static const GifByteType forever[3] = {1, 0, 0};
    return EGifPutExtensionLeader(gif, APPLICATION_EXT_FUNC_CODE) == GIF_OK &&
           EGifPutExtensionBlock(gif, 11, "NETSCAPE2.0") == GIF_OK &&
           EGifPutExtensionBlock(gif, 3, forever) == GIF_OK && EGifPutExtensionTrailer(gif) == GIF_OK;
}

static int put_frame(GifFileType *gif, const uint8_t *index, int width, int height, int hundredths) {
    GraphicsControlBlock control = {
        .DisposalMode = DISPOSE_DO_NOT, .DelayTime = hundredths, .TransparentColor = NO_TRANSPARENT_COLOR};
    GifByteType extension[4];
    size_t size = EGifGCBToExtension(&control, extension);
    if (EGifPutExtension(gif, GRAPHICS_EXT_FUNC_CODE, (int)size, extension) != GIF_OK) return 0;
    if (EGifPutImageDesc(gif, 0, 0, width, height, false, NULL) != GIF_OK) return 0;
    for (int y = 0; y < height; y++)
        if (EGifPutLine(gif, (GifPixelType *)(uintptr_t)(index + (size_t)y * (size_t)width), width) != GIF_OK) return 0;
    return 1;
}

static int put_all(GifFileType *gif, const palette *p, const uint8_t *const *frames, const int *hundredths, int count,
                   int width, int height, int channels, uint8_t *index) {
    ColorMapObject *map = GifMakeMapObject(COLOURS, p->colour);
    if (!map) return 0;
    EGifSetGifVersion(gif, true);
    int good = EGifPutScreenDesc(gif, width, height, 8, 0, map) == GIF_OK && put_loop(gif);
    GifFreeMapObject(map);
    for (int i = 0; good && i < count; i++) {
        take_indices(p, frames[i], (size_t)width * (size_t)height, channels, index);
        good = put_frame(gif, index, width, height, hundredths[i]);
    }
    return good;
}

elbo_status elbo_gif_write(const char *path, const uint8_t *const *frames, const int *hundredths, int count, int width,
                           int height, int channels, elbo_error *err) {
    if (count < 1 || width < 1 || height < 1 || width > MOST_SIDE || height > MOST_SIDE ||
        (channels != 1 && channels != 3))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: %d frames of %d x %d pixels of %d channels; expected at least one, of 1 or 3 "
                         "channels, at most %d pixels a side",
                         path, count, width, height, channels, MOST_SIDE);
    size_t pixels = (size_t)width * (size_t)height;
    palette *p = elbo_alloc(1, sizeof *p);
    uint8_t *index = elbo_alloc(pixels, 1);
    elbo_status status = p && index ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK && channels == 1) grey_palette(p);
    if (status == ELBO_OK && channels == 3) status = colour_palette(p, frames, count, pixels, err);
    elbo_writer w = {0};
    if (status == ELBO_OK) status = elbo_writer_open(&w, path, err);
    if (status == ELBO_OK) {
        int code = 0;
        errno = 0;
        GifFileType *gif = EGifOpen(w.stream, put_bytes, &code);
        bool good = gif && put_all(gif, p, frames, hundredths, count, width, height, channels, index);
        if (gif && EGifCloseFile(gif, &code) != GIF_OK) good = false;
        if (!good)
            status = errno ? elbo_fail_errno(err, "%s: cannot be written", path)
                           : elbo_fail(err, ELBO_IO, "%s: cannot be written", path);
    }
    if (status == ELBO_OK)
        status = elbo_writer_commit(&w, err);
    else
        elbo_writer_abandon(&w);
    free(index);
    free(p);
    return status;
}
