/* The way of an image: its first page or frame, shrunk by a whole number on its way in where it is large, transparency
 * onto white, colours to grey or sRGB of 8 bits; then scale.c.
 *
 * JPEG and WebP shrink while they decode, others strip by strip, in either case so that at least twice the size wanted
 * is left: a picture of 100 megapixels takes a few megabytes. libvips decodes and converts; it could scale too, but for
 * small pictures its machinery takes longer than the pixels do. */
#include "decode.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <vips/vips.h>

#include "scale.h"

typedef struct format {
    const char *name;
    int (*load)(const char *path, VipsImage **image, double shrink);
    bool shrinks;
} format;

#define COMMON "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_TRUNCATED

static int load_jpeg(const char *path, VipsImage **image, double shrink) {
    return vips_jpegload(path, image, "shrink", (int)shrink, COMMON, NULL);
}
static int load_webp(const char *path, VipsImage **image, double shrink) {
    return vips_webpload(path, image, "scale", 1.0 / shrink, COMMON, NULL);
}
static int load_png(const char *path, VipsImage **image, double shrink) {
    (void)shrink;
    return vips_pngload(path, image, COMMON, NULL);
}
static int load_gif(const char *path, VipsImage **image, double shrink) {
    (void)shrink;
    return vips_gifload(path, image, COMMON, NULL);
}
static int load_tiff(const char *path, VipsImage **image, double shrink) {
    (void)shrink;
    return vips_tiffload(path, image, COMMON, NULL);
}
static int load_bmp(const char *path, VipsImage **image, double shrink) {
    (void)shrink;
    return vips_magickload(path, image, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}

static const format jpeg = {"JPEG", load_jpeg, true}, webp = {"WebP", load_webp, true}, png = {"PNG", load_png, false},
                    gif = {"GIF", load_gif, false}, tiff = {"TIFF", load_tiff, false}, bmp = {"BMP", load_bmp, false};

/* By the first bytes, never by the name: many a .jpg is a PNG. And so that of libvips' many loaders, some of which run
 * programs or read other files, only these are ever asked. */
static const format *format_of(const unsigned char head[16], size_t n) {
    if (n >= 3 && !memcmp(head, "\xff\xd8\xff", 3)) return &jpeg;
    if (n >= 8 && !memcmp(head, "\x89PNG\r\n\x1a\n", 8)) return &png;
    if (n >= 6 && (!memcmp(head, "GIF87a", 6) || !memcmp(head, "GIF89a", 6))) return &gif;
    if (n >= 12 && !memcmp(head, "RIFF", 4) && !memcmp(head + 8, "WEBP", 4)) return &webp;
    if (n >= 4 && (!memcmp(head, "II*\0", 4) || !memcmp(head, "MM\0*", 4) || !memcmp(head, "II+\0", 4) ||
                   !memcmp(head, "MM\0+", 4)))
        return &tiff;
    if (n >= 14 && !memcmp(head, "BM", 2)) return &bmp;
    return NULL;
}

/* libvips says the same thing several times, one a line, each with the name of its part before it: the last is the
 * cause. */
static bool fail_vips(const format *f, char reason[ELBO_IMAGES_MAX_REASON]) {
    char text[1000];
    snprintf(text, sizeof text, "%s", vips_error_buffer());
    vips_error_clear();
    size_t n = strlen(text);
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' ')) text[--n] = 0;
    const char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    const char *colon = strstr(line, ": ");
    if (colon && !memchr(line, ' ', (size_t)(colon - line))) line = colon + 2;
    snprintf(reason, ELBO_IMAGES_MAX_REASON, "damaged %s: %s", f->name, *line ? line : "it cannot be decoded");
    return false;
}

/* Takes the place of `*image`, which is done with. */
static bool replace(VipsImage **image, int failed, VipsImage **by) {
    if (failed) return false;
    g_object_unref(*image);
    *image = *by;
    return true;
}

/* Grey or sRGB of 8 bits, and no transparency. */
static bool to_channels(VipsImage **image, uint32_t channels) {
    VipsImage *next = NULL;
    VipsInterpretation space = channels == 1 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    if (vips_image_hasalpha(*image)) {
        double most = vips_image_get_format(*image) == VIPS_FORMAT_USHORT ? 65535 : 255;
        bool grey = vips_image_get_bands(*image) < 3;
        VipsArrayDouble *white = grey ? vips_array_double_newv(1, most) : vips_array_double_newv(3, most, most, most);
        int failed = vips_flatten(*image, &next, "background", white, "max_alpha", most, NULL);
        vips_area_unref(VIPS_AREA(white));
        if (!replace(image, failed, &next)) return false;
    }
    bool grey = vips_image_get_bands(*image) == 1 && vips_image_guess_interpretation(*image) == VIPS_INTERPRETATION_B_W;
    if (!grey && vips_image_guess_interpretation(*image) != space && // (scale.c makes three of one)
        !replace(image, vips_colourspace(*image, &next, space, NULL), &next))
        return false;
    uint32_t bands = (uint32_t)vips_image_get_bands(*image);
    if (bands > channels && !replace(image, vips_extract_band(*image, &next, 0, "n", (int)channels, NULL), &next))
        return false;
    return vips_image_get_format(*image) == VIPS_FORMAT_UCHAR ||
           replace(image, vips_cast_uchar(*image, &next, NULL), &next);
}

/* What the image may be shrunk by and still be twice the size wanted. */
static double room_of(const VipsImage *image, int height, int width) {
    return fmin((double)vips_image_get_height(image) / height, (double)vips_image_get_width(image) / width) / 2;
}

enum { LARGE = 1 << 22 }; // pixels that are decoded as a whole

/* Opens the file, shrunk where its decoder can. */
static bool open_shrunk(const char *path, const format *f, int height, int width, VipsImage **image) {
    double shrink = 1, room = room_of(*image, height, width);
    VipsImage *next = NULL;
    while (f->shrinks && shrink < 8 && shrink * 2 <= room) shrink *= 2;
    if (shrink > 1) {
        int failed = f->load(path, &next, shrink);
        if (!replace(image, failed, &next)) return false;
    }
    double pixels = (double)vips_image_get_height(*image) * vips_image_get_width(*image), by = floor(room / shrink);
    if (pixels <= LARGE || by < 2) return true;
    int failed = vips_shrink(*image, &next, by, by, NULL);
    return replace(image, failed, &next);
}

static bool decode(const char *path, const format *f, const elbo_images_request *want, uint8_t *pixels,
                   elbo_images_reply *reply, char reason[ELBO_IMAGES_MAX_REASON]) {
    VipsImage *image = NULL;
    if (f->load(path, &image, 1)) return fail_vips(f, reason);
    int h = vips_image_get_height(image), w = vips_image_get_width(image),
        orientation = vips_image_get_orientation(image);
    bool lies = orientation >= 5; // on its side
    reply->height = (uint32_t)(lies ? w : h);
    reply->width = (uint32_t)(lies ? h : w);
    if ((double)h * w > ELBO_IMAGES_MAX_PIXELS) {
        snprintf(reason, ELBO_IMAGES_MAX_REASON, "%dx%d pixels; at most %d million are read", w, h,
                 ELBO_IMAGES_MAX_PIXELS / 1000000);
        g_object_unref(image);
        return false;
    }
    int height = (int)(lies ? want->width : want->height), width = (int)(lies ? want->height : want->width);
    bool ok = open_shrunk(path, f, height, width, &image) && to_channels(&image, want->channels);
    size_t size = 0;
    int bands = vips_image_get_bands(image), tall = vips_image_get_height(image), wide = vips_image_get_width(image);
    uint8_t *bytes = ok ? vips_image_write_to_memory(image, &size) : NULL; // (tall, wide, bands)
    g_object_unref(image);
    ok = bytes && (bands == 1 || bands == (int)want->channels) && size == (size_t)tall * (size_t)wide * (size_t)bands;
    decoded_image decoded = {.bytes = bytes,
                             .height = tall,
                             .width = wide,
                             .bands = bands,
                             .full_height = h,
                             .full_width = w,
                             .orientation = orientation};
    scaled_size to = {.channels = (int)want->channels, .height = (int)want->height, .width = (int)want->width};
    if (ok && !scale_image(pixels, &decoded, to)) ok = false, vips_error("scale", "%s", "out of memory");
    g_free(bytes);
    return ok || fail_vips(f, reason);
}

bool decode_image(const char *path, const elbo_images_request *want, uint8_t *pixels, elbo_images_reply *reply,
                  char reason[ELBO_IMAGES_MAX_REASON]) {
    unsigned char head[16];
    FILE *file = fopen(path, "rbe");
    size_t n = file ? fread(head, 1, sizeof head, file) : 0;
    if (!file) {
        snprintf(reason, ELBO_IMAGES_MAX_REASON, "cannot be opened: %s", g_strerror(errno));
        return false;
    }
    fclose(file);
    const format *f = format_of(head, n);
    if (f) return decode(path, f, want, pixels, reply, reason);
    snprintf(reason, ELBO_IMAGES_MAX_REASON,
             n ? "no JPEG, PNG, WebP, TIFF, GIF or BMP by its first bytes" : "empty file");
    return false;
}
