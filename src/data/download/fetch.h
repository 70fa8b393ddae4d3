/* Downloading the data sets that elbo knows. Part of the program, not of the library: only this needs libcurl. */
#ifndef ELBO_FETCH_H
#define ELBO_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* How far it is, for a progress bar. */
typedef struct elbo_fetch_state {
    const char *file;     // "train-images-idx3-ubyte.gz"
    const char *mirror;   // NULL: the file is there already
    int index, count;     // file `index` (from 0) of `count`
    uint64_t done, total; // bytes of it, those of an earlier try included; total 0: not known yet
} elbo_fetch_state;

/* Called several times a second; false stops the download, which a later call resumes. */
typedef bool (*elbo_fetch_progress)(void *context, const elbo_fetch_state *state);

/* Downloads the data set `name` into the cache folder (elbo_dataset_cache_folder), from its mirrors in order or, where
 * `mirror` is not NULL, from that address of a folder alone. A file that is there and right is left alone; a broken
 * download is resumed; what does not have the SHA-256 it must have never gets its name. `progress` may be NULL. */
elbo_status elbo_fetch(const char *name, const char *mirror, elbo_fetch_progress progress, void *context,
                       elbo_error *err);

/* The data set's name where `name` is another one of it: "letters" of "emnist-letters". */
const char *elbo_fetch_known_name(const char *name);

/* ---- download.c: the same for any files, which is how tests come to small ones ---- */

typedef struct elbo_remote_file {
    const char *name;   // on the mirror and in the folder; gzip or plain, whichever it turns out to be
    const char *sha256; // of the unpacked bytes, in hexadecimal: packers differ, what they pack must not
    uint64_t size;      // of the unpacked bytes
    const char *md5;    // of the file as it is sent, which `size` then counts too, where its publisher gives only that
} elbo_remote_file;

typedef struct elbo_remote {
    const char *const *mirrors;    // addresses of folders, ended by NULL
    const elbo_remote_file *files; // ended by a row whose name is NULL
    int stall_seconds;             // without a byte for so long, the next try begins
} elbo_remote;

elbo_status elbo_fetch_files(const elbo_remote *remote, const char *folder, elbo_fetch_progress progress, void *context,
                             elbo_error *err);

#endif
