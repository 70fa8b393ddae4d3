/* gzip files (RFC 1952), by libdeflate. */
#ifndef ELBO_GZIP_H
#define ELBO_GZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Unpacks the one gzip member that fills a file, `most` bytes at most. The caller frees *out, (*out_size) bytes; `path` is
 * for messages. */
elbo_status elbo_gunzip(const uint8_t *in, size_t in_size, size_t most, uint8_t **out, size_t *out_size,
                        const char *path, elbo_error *err);

#endif
