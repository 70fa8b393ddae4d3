/* A matrix of numbers from a file: .npy of uint8, float32, float64, int32 or int64 with two dimensions (more: all but
 * the first are one row), or .csv with an optional header line. */
#ifndef ELBO_MATRIX_H
#define ELBO_MATRIX_H

#include <stddef.h>

#include "base/status.h"

typedef struct elbo_matrix {
    size_t rows;
    int columns;
    float *value; // (rows, columns), finite
} elbo_matrix;

elbo_status elbo_matrix_read(elbo_matrix *m, const char *path, elbo_error *err);
void elbo_matrix_free(elbo_matrix *m);
/* By the name's ending: .npy (float32) or .csv. */
elbo_status elbo_matrix_write(const char *path, const float *value, size_t rows, int columns, elbo_error *err);
/* Whether that can be written, asked before long work: the name's ending, the folder. Nothing is left behind. */
elbo_status elbo_matrix_writable(const char *path, elbo_error *err);

#endif
