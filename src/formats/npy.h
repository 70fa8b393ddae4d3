/* NumPy's .npy arrays, versions 1.0 and 2.0 (https://numpy.org/neps/nep-0001-npy-format.html): C order,
 * little-endian. */
#ifndef ELBO_NPY_H
#define ELBO_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum elbo_dtype { ELBO_U8, ELBO_F32, ELBO_F64, ELBO_I32, ELBO_I64 } elbo_dtype;

enum { ELBO_NPY_MAX_DIMS = 8 };

typedef struct elbo_array {
    elbo_dtype dtype;
    int dims;
    size_t shape[ELBO_NPY_MAX_DIMS];
    size_t count; // product of shape
    void *data;   // (count) of dtype, owned
} elbo_array;

/* Refuses Fortran order, other dtypes, shapes that do not fit the file, NaN and infinity, in one line each. */
elbo_status elbo_npy_read(elbo_array *a, const char *path, elbo_error *err);
void elbo_array_free(elbo_array *a);
/* float64, which NumPy makes unasked, becomes float32, in place; other types stay. A value too large for it is an
 * error. */
elbo_status elbo_array_narrow(elbo_array *a, const char *path, elbo_error *err);

/* Images (N, H, W, C) of uint8 or float32 become (N, C, H, W), in place. */
elbo_status elbo_array_put_channels_first(elbo_array *a, elbo_error *err);

/* Writes float32 (dims sizes in shape). */
elbo_status elbo_npy_write_f32(const char *path, const float *data, int dims, const size_t *shape, elbo_error *err);
/* Writes uint8. */
elbo_status elbo_npy_write_u8(const char *path, const uint8_t *data, int dims, const size_t *shape, elbo_error *err);

#endif
