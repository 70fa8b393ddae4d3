/* Some files out of a .zip. */
#ifndef ELBO_UNZIP_H
#define ELBO_UNZIP_H

#include "base/status.h"

/* Writes the members whose last part of the name is among `names` (ended by NULL) into `folder`, each whole or not at all. Every one
 * must be there, stored or deflated, with the size and the CRC-32 that the archive says. No encryption, no Zip64. */
elbo_status elbo_unzip(const char *path, const char *const *names, const char *folder, elbo_error *err);

#endif
