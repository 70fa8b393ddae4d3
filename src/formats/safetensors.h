/* Named tensors in one file (https://github.com/huggingface/safetensors): eight bytes of header length, a JSON header,
 * raw little-endian data. */
#ifndef ELBO_SAFETENSORS_H
#define ELBO_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum elbo_st_dtype { ELBO_ST_F32, ELBO_ST_F64, ELBO_ST_I64, ELBO_ST_U8 } elbo_st_dtype;

enum { ELBO_ST_MAX_DIMS = 8 };

typedef struct elbo_st_tensor {
    const char *name;
    elbo_st_dtype dtype;
    int dims; // 0: a scalar
    size_t shape[ELBO_ST_MAX_DIMS];
    const void *data; // writing: the caller's; reading: inside the file's buffer, aligned for its dtype
} elbo_st_tensor;

/* "__metadata__": pairs of strings. */
typedef struct elbo_st_pair {
    const char *key, *value;
} elbo_st_pair;

/* Writes the file whole or not at all. The header lists the tensors in the order given; their data stand wide types
 * first, because the format has no padding between them and each must be aligned for its type. What
 * elbo_safetensors_open would refuse (NaN, infinity, a name given twice or not in UTF-8) is refused here too: a file
 * that is written can be read. */
elbo_status elbo_safetensors_write(const char *path, const elbo_st_tensor *tensors, int count,
                                   const elbo_st_pair *metadata, int pairs, elbo_error *err);

/* An open file: everything below is freed by elbo_safetensors_close. */
typedef struct elbo_safetensors {
    elbo_st_tensor *tensors; // (count)
    int count;
    elbo_st_pair *metadata; // (pairs)
    int pairs;
    void *storage; // the implementation's
} elbo_safetensors;

/* Checked before anything is believed: header length against the file's, JSON, dtypes, shapes against offsets, offsets
 * against the file, overlaps and holes, duplicate names, NaN and infinity in floats. One line says what is wrong. */
elbo_status elbo_safetensors_open(elbo_safetensors *s, const char *path, elbo_error *err);
void elbo_safetensors_close(elbo_safetensors *s);

/* NULL where there is none of that name. */
const elbo_st_tensor *elbo_safetensors_find(const elbo_safetensors *s, const char *name);
const char *elbo_safetensors_metadata(const elbo_safetensors *s, const char *key);

size_t elbo_st_size(elbo_st_dtype dtype);            // bytes of one element
const char *elbo_st_dtype_name(elbo_st_dtype dtype); // "F32"

/* Bytes of the whole tensor; false where its shape has too many dimensions or its product overflows. */
bool elbo_st_bytes(const elbo_st_tensor *t, size_t *bytes);

/* Fails with the place of the first NaN or infinity, if there is one. `path` is the file that the message names. */
elbo_status elbo_st_check_finite(const char *path, const elbo_st_tensor *t, elbo_error *err);

#endif
