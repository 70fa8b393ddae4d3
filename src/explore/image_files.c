#include "explore/image_files.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/photos/image_program.h"
#include "formats/matrix.h"
#include "formats/npy.h"
#include "formats/png.h"
#include "explore/result.h"
#include "run/model.h"

static bool ends_with(const char *text, const char *ending) {
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && !strcmp(text + n - m, ending);
}

static size_t image_size(const elbo_model_info *m) {
    return (size_t)m->channels * (size_t)m->height * (size_t)m->width;
}

/* ---- .npy ---- */

static const char *shape_text(const elbo_array *a, char text[160]) {
    size_t used = 0;
    text[used++] = '(';
    for (int i = 0; i < a->dims && used < 140; i++)
        used += (size_t)snprintf(text + used, 160 - used, i ? ", %zu" : "%zu", a->shape[i]);
    snprintf(text + used, 160 - used, a->dims == 1 ? ",)" : ")");
    return text;
}

static const char *dtype_text(elbo_dtype d) {
    static const char *const names[] = {"uint8", "float32", "float64", "int32", "int64"};
    return names[d];
}

/* Whether the dimensions behind the first are those of one image. */
static bool fits_image(const elbo_array *a, const elbo_model_info *m) {
    size_t C = (size_t)m->channels, H = (size_t)m->height, W = (size_t)m->width;
    const size_t *s = a->shape;
    if (a->dims == 4) return s[1] == C && s[2] == H && s[3] == W;
    if (a->dims == 3) return C == 1 && s[1] == H && s[2] == W;
    return a->dims == 2 && s[1] == C * H * W;
}

/* As (N, H, W, C), which most programs write. */
static bool has_channels_last(const elbo_array *a, const elbo_model_info *m) {
    const size_t *s = a->shape;
    return a->dims == 4 && s[1] == (size_t)m->height && s[2] == (size_t)m->width && s[3] == (size_t)m->channels;
}

static elbo_status check_range(const float *v, size_t n, const elbo_model_info *m, const char *path, elbo_error *err) {
    float least = INFINITY, most = -INFINITY, width = m->high - m->low;
    for (size_t i = 0; i < n; i++) {
        if (v[i] < least) least = v[i];
        if (v[i] > most) most = v[i];
    }
    if (n == 0 || (least >= m->low - width && most <= m->high + width)) return ELBO_OK; // room for noisy inputs
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: float values from %g to %g; %s reads %g to %g (or uint8, 0 to 255)",
                     path, (double)least, (double)most, m->name, (double)m->low, (double)m->high);
}

static elbo_status read_numbers(elbo_array *a, const char *path, elbo_error *err) {
    ELBO_TRY(elbo_npy_read(a, path, err));
    elbo_status status = elbo_array_narrow(a, path, err);
    if (status != ELBO_OK) elbo_array_free(a);
    return status;
}

static elbo_status read_npy(elbo_images *images, const elbo_model_info *m, const char *path, elbo_error *err) {
    elbo_array a;
    ELBO_TRY(read_numbers(&a, path, err));
    char text[160];
    bool last = !fits_image(&a, m) && has_channels_last(&a, m),
         bytes_or_floats = a.dtype == ELBO_U8 || a.dtype == ELBO_F32;
    elbo_status status = last && bytes_or_floats ? elbo_array_put_channels_first(&a, err) : ELBO_OK;
    if (!last && !fits_image(&a, m))
        status =
            elbo_fail(err, ELBO_BAD_INPUT,
                      "%s: its shape is %s; %s reads (N, %d, %d, %d), with the channels first or last, or (N, %zu)",
                      path, shape_text(&a, text), m->name, m->channels, m->height, m->width, image_size(m));
    else if (status == ELBO_OK && !bytes_or_floats)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: its dtype is %s; images are float32 from %g to %g or uint8", path,
                           dtype_text(a.dtype), (double)m->low, (double)m->high);
    else if (status == ELBO_OK && (a.shape[0] > UINT32_MAX || a.shape[0] == 0))
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: holds %zu images; from 1 to 2^32 - 1 are read", path, a.shape[0]);
    else if (status == ELBO_OK && a.dtype == ELBO_F32)
        status = check_range(a.data, a.count, m, path, err);
    if (status != ELBO_OK) {
        elbo_array_free(&a);
        return status;
    }
    images->count = (uint32_t)a.shape[0];
    if (a.dtype == ELBO_U8)
        images->bytes = a.data;
    else
        images->floats = a.data;
    return ELBO_OK;
}

/* ---- IDX ---- */

/* By its beginning: these files have names of every kind. Packed, or bytes in three dimensions. */
static bool is_idx(const char *path) {
    uint8_t b[4] = {0};
    FILE *f = elbo_file_exists(path) ? fopen(path, "rb") : NULL;
    bool read = f && fread(b, 1, sizeof b, f) == sizeof b;
    if (f) fclose(f);
    return read && ((b[0] == 0x1f && b[1] == 0x8b) || (!b[0] && !b[1] && b[2] == 8 && b[3] == 3));
}

static elbo_status read_idx(elbo_images *images, const elbo_model_info *m, const char *path, elbo_error *err) {
    ELBO_TRY(elbo_idx_read(images, path, NULL, err));
    elbo_image_shape s = images->shape;
    if (s.channels == m->channels && s.height == m->height && s.width == m->width) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: its images are %dx%dx%d, %s reads %dx%dx%d", path, s.channels, s.height,
                     s.width, m->name, m->channels, m->height, m->width);
}

static elbo_status read_csv_rows(float **rows, size_t *n, size_t width, const char *what, const char *path,
                                 elbo_error *err) {
    elbo_matrix x;
    ELBO_TRY(elbo_matrix_read(&x, path, err));
    *rows = x.value;
    *n = x.rows;
    if ((size_t)x.columns == width) return ELBO_OK;
    elbo_status status = elbo_fail(err, ELBO_BAD_INPUT, "%s: has %d columns; %s are (N, %zu), at least one", path,
                                   x.columns, what, width);
    elbo_matrix_free(&x);
    *rows = NULL;
    return status;
}

elbo_status elbo_rows_file_read(float **rows, size_t *n, size_t width, const char *what, const char *path,
                                elbo_error *err) {
    if (ends_with(path, ".csv")) return read_csv_rows(rows, n, width, what, path, err);
    elbo_array a;
    ELBO_TRY(read_numbers(&a, path, err));
    char text[160];
    elbo_status status = ELBO_OK;
    if (a.dims != 2 || a.shape[1] != width || a.shape[0] == 0)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: its shape is %s; %s are (N, %zu), at least one", path,
                           shape_text(&a, text), what, width);
    else if (a.dtype != ELBO_F32)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: its dtype is %s; %s are float32", path, dtype_text(a.dtype), what);
    if (status != ELBO_OK) {
        elbo_array_free(&a);
        return status;
    }
    *rows = a.data;
    *n = a.shape[0];
    return ELBO_OK;
}

/* ---- image files ---- */

/* A PNG of the model's own size is read here and now; every other image file goes through the helper program, which
 * brings it to that size as it does photographs to train on. */
typedef struct picture_reader {
    const elbo_model_info *model;
    char *program; // the helper's path, once it was needed
    elbo_images_program helper;
} picture_reader;

static void to_planes(uint8_t *bytes, const uint8_t *pixels, const elbo_model_info *m) { // (H, W, C) to (C, H, W)
    size_t plane = (size_t)m->width * (size_t)m->height, C = (size_t)m->channels;
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < C; c++) bytes[c * plane + i] = pixels[i * C + c];
}

static elbo_status scale_picture(picture_reader *r, uint8_t *bytes, const char *path, elbo_error *err) {
    elbo_image_shape shape = {r->model->channels, r->model->height, r->model->width};
    elbo_image_read result;
    if (!r->program) ELBO_TRY(elbo_images_program_find(&r->program, err));
    r->helper.path = r->program;
    ELBO_TRY(elbo_images_program_read(&r->helper, path, shape, bytes, &result, err));
    return result.readable ? ELBO_OK : elbo_fail(err, ELBO_BAD_INPUT, "%s: %s", path, result.reason);
}

static elbo_status read_picture(picture_reader *r, uint8_t *bytes, const char *path, elbo_error *err) { // (C, H, W)
    const elbo_model_info *m = r->model;
    uint8_t *pixels;
    int width, height;
    if (m->channels != 1 && m->channels != 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %s reads images of %d channels; give them as .npy", path, m->name,
                         m->channels);
    if (!ends_with(path, ".png")) return scale_picture(r, bytes, path, err);
    ELBO_TRY(elbo_png_read(path, m->channels, &pixels, &width, &height, err));
    bool fits = width == m->width && height == m->height;
    if (fits) to_planes(bytes, pixels, m);
    free(pixels);
    if (fits) return ELBO_OK;
    elbo_status status = scale_picture(r, bytes, path, err);
    if (status != ELBO_NOT_FOUND) return status;
    return elbo_fail(err, ELBO_BAD_INPUT,
                     "%s: is %dx%d pixels; %s reads %dx%d (`make photos` builds what scales images)", path, width,
                     height, m->name, m->width, m->height);
}

static void close_reader(picture_reader *r) {
    elbo_images_program_stop(&r->helper);
    free(r->program);
}

static int visible(const struct dirent *e) { return e->d_name[0] != '.'; }

enum { DEEPEST = 8 };

typedef struct name_list {
    char **name; // (count), behind the folder: "Maltese/a.jpg"
    size_t count, capacity;
} name_list;

/* The images of a folder in the order of their names, those of its folders where they stand among them. `below`: the
 * folder's own name behind the first one, "" or "Maltese/". */
static elbo_status list_images(name_list *l, const char *folder, const char *below, int depth, elbo_error *err) {
    char *recipe = elbo_path_join(folder, "recipe.yaml");
    bool run = recipe && elbo_file_exists(recipe);
    free(recipe);
    if (run) return ELBO_OK; // its figures are not what is meant
    struct dirent **entry;
    int n = scandir(folder, &entry, visible, alphasort);
    if (n < 0) return elbo_fail_errno(err, "%s: cannot be read", folder);
    elbo_status status = ELBO_OK;
    for (int i = 0; i < n; i++) {
        char *path = elbo_path_join(folder, entry[i]->d_name);
        bool inside = path && depth < DEEPEST && elbo_folder_exists(path);
        char *name = elbo_format(inside ? "%s%s/" : "%s%s", below, entry[i]->d_name);
        if (status == ELBO_OK && (!path || !name)) status = elbo_no_memory(err);
        if (status == ELBO_OK && inside) {
            status = list_images(l, path, name, depth + 1, err);
        } else if (status == ELBO_OK && elbo_is_image_name(entry[i]->d_name)) {
            status = elbo_grow(&l->name, l->count, &l->capacity, sizeof *l->name) ? ELBO_OK : elbo_no_memory(err);
            if (status == ELBO_OK) {
                l->name[l->count++] = name;
                name = NULL;
            }
        }
        free(name);
        free(path);
        free(entry[i]);
    }
    free(entry);
    return status;
}

static elbo_status read_folder(elbo_images *images, picture_reader *r, const char *path, elbo_error *err) {
    const elbo_model_info *m = r->model;
    name_list l = {0};
    elbo_status status = list_images(&l, path, "", 0, err);
    if (status == ELBO_OK && !l.count)
        status = elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: has no image files in it; of a data set take a split, `test` or `train`, with --data %s", path, path);
    if (status == ELBO_OK && !(images->bytes = elbo_alloc(l.count, image_size(m)))) status = elbo_no_memory(err);
    for (size_t i = 0; i < l.count && status == ELBO_OK; i++) {
        char *file = elbo_path_join(path, l.name[i]);
        status = file ? read_picture(r, images->bytes + i * image_size(m), file, err) : elbo_no_memory(err);
        free(file);
    }
    images->count = (uint32_t)l.count;
    elbo_texts_free(l.name, (int)l.count);
    return status;
}

elbo_status elbo_image_files_names(char ***names, int *count, const char *path, elbo_error *err) {
    name_list l = {0};
    *names = NULL;
    *count = 0;
    if (!elbo_folder_exists(path)) return ELBO_OK;
    elbo_status status = list_images(&l, path, "", 0, err);
    if (status != ELBO_OK) {
        elbo_texts_free(l.name, (int)l.count);
        return status;
    }
    *names = l.name;
    *count = (int)l.count;
    return ELBO_OK;
}

elbo_status elbo_image_files_read(elbo_images *images, const elbo_model_info *m, const char *path, elbo_error *err) {
    *images = (elbo_images){.shape = {m->channels, m->height, m->width}};
    picture_reader reader = {.model = m};
    elbo_status status;
    if (elbo_folder_exists(path)) {
        status = read_folder(images, &reader, path, err);
    } else if (elbo_is_image_name(path)) {
        images->count = 1;
        images->bytes = elbo_alloc(1, image_size(m));
        status = images->bytes ? read_picture(&reader, images->bytes, path, err) : elbo_no_memory(err);
    } else if (ends_with(path, ".npy")) {
        status = read_npy(images, m, path, err);
    } else if (is_idx(path)) {
        status = read_idx(images, m, path, err);
    } else {
        status = elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: images are read from a .npy, an IDX file, an image file (.png, .jpg, ...) or a folder of these", path);
    }
    close_reader(&reader);
    if (status != ELBO_OK) elbo_images_free(images);
    return status;
}

elbo_status elbo_image_file_one(const elbo_model *m, const char *path, float *image, elbo_error *err) {
    elbo_model_info info = elbo_model_get_info(m);
    elbo_images images;
    ELBO_TRY(elbo_image_files_read(&images, &info, path, err));
    elbo_status status = ELBO_OK;
    if (images.count != 1)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: expected one image, got %u", path, images.count);
    else {
        elbo_model_see(m, &images);
        elbo_images_to_floats(&images, NULL, 1, info.low, info.high, image);
    }
    elbo_images_free(&images);
    return status;
}

/* ---- writing ---- */

static void to_bytes(uint8_t *pixels, size_t stride, const float *image,
                     const elbo_model_info *m) { // (H, W, C) in rows
    size_t C = (size_t)m->channels, H = (size_t)m->height, W = (size_t)m->width;
    for (size_t c = 0; c < C; c++)
        for (size_t y = 0; y < H; y++)
            for (size_t x = 0; x < W; x++) {
                float v = (image[(c * H + y) * W + x] - m->low) / (m->high - m->low) * 255.0f;
                pixels[y * stride + x * C + c] = (uint8_t)lrintf(v < 0 ? 0 : v > 255 ? 255 : v);
            }
}

static elbo_status write_png(const char *path, const elbo_model_info *m, const float *images, size_t n, size_t columns,
                             elbo_error *err) {
    if (m->channels != 1 && m->channels != 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: images of %d channels; write them as .npy", path, m->channels);
    size_t rows = (n + columns - 1) / columns, stride = columns * (size_t)m->width * (size_t)m->channels;
    uint8_t *pixels = elbo_alloc(rows * (size_t)m->height, stride);
    if (!pixels) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++)
        to_bytes(pixels + (i / columns) * (size_t)m->height * stride + (i % columns) * (size_t)(m->width * m->channels),
                 stride, images + i * image_size(m), m);
    elbo_status status = elbo_png_write(path, pixels, (int)columns * m->width, (int)rows * m->height, m->channels, err);
    free(pixels);
    return status;
}

static elbo_status write_folder(const char *path, const elbo_model_info *m, const float *images, size_t n,
                                elbo_error *err) {
    char *next = elbo_format("%s/%05zu.png", path, n); // the two sets would be taken for one
    if (!next) return elbo_no_memory(err);
    elbo_status larger = elbo_file_exists(next) ? elbo_fail(err, ELBO_BAD_INPUT,
                                                            "%s: is of an earlier set of more images than "
                                                            "these %zu; remove it, or name another folder",
                                                            next, n)
                                                : ELBO_OK;
    free(next);
    ELBO_TRY(larger);
    ELBO_TRY(elbo_make_folder(path, err));
    for (size_t i = 0; i < n; i++) {
        char *file = elbo_format("%s/%05zu.png", path, i);
        elbo_status status = file ? write_png(file, m, images + i * image_size(m), 1, 1, err) : elbo_no_memory(err);
        free(file);
        if (status != ELBO_OK) return status;
    }
    return ELBO_OK;
}

elbo_status elbo_image_files_write(const char *path, const elbo_model_info *m, const float *images, size_t n,
                                   elbo_error *err) {
    size_t shape[] = {n, (size_t)m->channels, (size_t)m->height, (size_t)m->width};
    if (ends_with(path, ".npy")) return elbo_npy_write_f32(path, images, 4, shape, err);
    if (ends_with(path, ".png")) return write_png(path, m, images, n, (size_t)ceil(sqrt((double)n)), err);
    return write_folder(path, m, images, n, err);
}
