/* Structs of options that grow: their first member is the size that the caller was compiled with. */
#ifndef ELBO_BASE_OPTIONS_H
#define ELBO_BASE_OPTIONS_H

#include <stddef.h>

#include "base/status.h"

/* Copies what the caller's struct has; members that it does not know stay as they are in `own`. Fails where `given_size`
 * is no size, or where the caller is newer than this library and asks for what it does not know. */
elbo_status elbo_options_read(void *own, size_t own_size, const void *given, size_t given_size, const char *name,
                              elbo_error *err);

#endif
