/* .npy through everything that reads one: arrays, matrices, a data set, a model's images, codes. */
#include "fuzz.h"

#include "data/data.h"
#include "explore/image_files.h"
#include "formats/matrix.h"
#include "formats/npy.h"

static size_t value_size(elbo_dtype d) { return d == ELBO_U8 ? 1 : d == ELBO_F32 || d == ELBO_I32 ? 4 : 8; }

/* What was read is written, and read again as the same. */
static void write_back(const elbo_array *a) {
    if (a->dtype != ELBO_U8 && a->dtype != ELBO_F32) return;
    const char *path = fuzz_path("npy/out.npy");
    if (a->dtype == ELBO_U8)
        FUZZ_OK(elbo_npy_write_u8(path, a->data, a->dims, a->shape, &fuzz_err_));
    else
        FUZZ_OK(elbo_npy_write_f32(path, a->data, a->dims, a->shape, &fuzz_err_));
    elbo_array b;
    FUZZ_OK(elbo_npy_read(&b, path, &fuzz_err_));
    bool same = a->dtype == b.dtype && a->dims == b.dims && a->count == b.count &&
                !memcmp(a->shape, b.shape, (size_t)a->dims * sizeof *a->shape) &&
                !memcmp(a->data, b.data, a->count * value_size(a->dtype));
    FUZZ_ASSERT(same, "another array than was written");
    elbo_array_free(&b);
}

/* Header and values, and not a byte more or less.  data: a file that was read */
static void check_length(const elbo_array *a, const uint8_t *data, size_t size) {
    size_t header = data[6] == 1 ? 10 + data[8] + 256 * (size_t)data[9]
                                 : 12 + data[8] + 256 * (size_t)data[9] + 65536 * (size_t)data[10];
    FUZZ_ASSERT(header + a->count * value_size(a->dtype) == size, "%zu values in a file of %zu bytes, %zu of header",
                a->count, size, header);
}

static void read_array(const char *path, const uint8_t *data, size_t size) {
    elbo_error err;
    elbo_array a;
    if (!fuzz_succeeded(elbo_npy_read(&a, path, &err), &err)) return;
    check_length(&a, data, size);
    fuzz_touch(a.data, a.count * value_size(a.dtype));
    if (a.count < 64) write_back(&a);
    if (fuzz_succeeded(elbo_array_narrow(&a, path, &err), &err)) {
        if (a.dims == 4 && (a.dtype == ELBO_U8 || a.dtype == ELBO_F32))
            fuzz_succeeded(elbo_array_put_channels_first(&a, &err), &err);
        fuzz_touch(a.data, a.count * value_size(a.dtype));
    }
    elbo_array_free(&a);
}

static void touch_images(const elbo_images *images) {
    size_t n = images->count * elbo_image_size(images->shape);
    if (images->bytes) fuzz_touch(images->bytes, n);
    if (images->floats) fuzz_touch(images->floats, n * sizeof(float));
}

static void run(const uint8_t *data, size_t size) {
    fuzz_file(0, data, size);
    const char *path = fuzz_link(0, "npy/x.npy");
    read_array(path, data, size);
    elbo_error err;
    elbo_matrix m;
    if (fuzz_succeeded(elbo_matrix_read(&m, path, &err), &err)) {
        fuzz_touch(m.value, m.rows * (size_t)m.columns * sizeof *m.value);
        elbo_matrix_free(&m);
    }
    elbo_dataset d;
    if (fuzz_succeeded(elbo_dataset_open(&d, path, NULL, ELBO_BOTH_SPLITS, 1, &err), &err)) {
        touch_images(&d.train);
        touch_images(&d.test);
        elbo_dataset_close(&d);
    }
    const elbo_model_info models[] = {{"a", "ae", 1, 4, 4, 2, 0, 1}, {"b", "vae", 3, 2, 2, 2, -1, 1}};
    for (int i = 0; i < 2; i++) {
        elbo_images images;
        if (!fuzz_succeeded(elbo_image_files_read(&images, &models[i], path, &err), &err)) continue;
        touch_images(&images);
        elbo_images_free(&images);
    }
    float *rows;
    size_t n;
    if (!fuzz_succeeded(elbo_rows_file_read(&rows, &n, 2, "codes", path, &err), &err)) return;
    fuzz_touch(rows, n * 2 * sizeof *rows);
    free(rows);
}

const fuzz_target fuzz_npy = {"npy", 2048, run};
