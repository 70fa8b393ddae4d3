/* A table of numbers as text: each row is an image of one line. As of a .npy, the last tenth is held out. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/readers.h"
#include "data/table.h"
#include "formats/matrix.h"

static bool recognises(const char *path) {
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".csv") == 0 && elbo_file_exists(path);
}

static elbo_status take(elbo_images *images, const elbo_matrix *m, size_t first, size_t count, elbo_error *err) {
    size_t columns = (size_t)m->columns;
    *images = (elbo_images){.shape = {1, 1, m->columns}, .count = (uint32_t)count};
    images->floats = elbo_alloc(count * columns, sizeof(float));
    if (!images->floats) return elbo_no_memory(err);
    memcpy(images->floats, m->value + first * columns, count * columns * sizeof(float));
    return ELBO_OK;
}

static elbo_status read_file(elbo_dataset *d, const char *path, const elbo_data_options *o, elbo_error *err) {
    elbo_matrix m;
    ELBO_TRY(elbo_matrix_read(&m, path, err));
    size_t test = elbo_rows_held_out(m.rows), train = m.rows - test;
    elbo_status status =
        m.rows >= 2 && m.rows <= INT32_MAX
            ? ELBO_OK
            : elbo_fail(err, ELBO_BAD_INPUT, "%s: has %zu row%s; 2 or more are needed, one of them to test with", path,
                        m.rows, m.rows == 1 ? "" : "s");
    if (status == ELBO_OK && (o->splits & ELBO_TRAIN_SPLIT)) status = take(&d->train, &m, 0, train, err);
    if (status == ELBO_OK && (o->splits & ELBO_TEST_SPLIT)) status = take(&d->test, &m, train, test, err);
    elbo_matrix_free(&m);
    return status;
}

const elbo_reader elbo_reader_csv = {
    .name = "a .csv file",
    .looks_for = "a .csv file of numbers",
    .recognises = recognises,
    .read = read_file,
};
