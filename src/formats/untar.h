/* Some files out of a .tar.gz (POSIX ustar, https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html). */
#ifndef ELBO_UNTAR_H
#define ELBO_UNTAR_H

#include <stdint.h>

#include "base/status.h"

typedef struct elbo_tar_member {
    const char *name; // without its folders
    uint64_t size;
} elbo_tar_member;

/* Writes the members (ended by a row whose name is NULL) into `folder`, each whole or not at all. An archive that lacks
 * one, or has it in another size, is refused; whatever else is in it, and where its paths lead, is of no account. */
elbo_status elbo_untar_gz(const char *path, const elbo_tar_member *members, const char *folder, elbo_error *err);

#endif
