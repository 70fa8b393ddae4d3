/* Files, written whole or not at all: to a temporary file beside the target, fsync, rename. */
#ifndef ELBO_BASE_FILE_H
#define ELBO_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

/* A file being written. Write to `stream` as to any FILE; nothing of it shows under `path` until the commit. */
typedef struct elbo_writer {
    FILE *stream;
    char *path, *temporary;
} elbo_writer;

/* A link is followed, so that it stays one; what is no file (a folder, a device) is refused, never replaced. What a
 * process that was killed a minute ago or more left of the same file is removed. */
elbo_status elbo_writer_open(elbo_writer *w, const char *path, elbo_error *err);
/* Flushes, syncs and renames. After a failure (disk full, say) the old file stands untouched and the temporary one is
 * gone. The writer is closed in either case. */
elbo_status elbo_writer_commit(elbo_writer *w, elbo_error *err);
/* Throws the temporary file away. Safe on a writer that was never opened (all zero). */
void elbo_writer_abandon(elbo_writer *w);

/* The three steps above for bytes that are in memory already. */
elbo_status elbo_file_write(const char *path, const void *bytes, size_t n, elbo_error *err);

/* The whole file in memory, with a NUL behind its last byte that `size` does not count. A file of more than `limit`
 * bytes is refused before memory is taken for it. The caller frees `*bytes`. */
elbo_status elbo_file_read(const char *path, size_t limit, uint8_t **bytes, size_t *size, elbo_error *err);

/* The same in steps, for who looks at a file's beginning before taking memory for the rest: its descriptor, which the
 * caller closes, and its size; then its next n bytes. */
elbo_status elbo_file_open(int *file, size_t *size, const char *path, size_t limit, elbo_error *err);
elbo_status elbo_file_next(int file, const char *path, void *bytes, size_t n, elbo_error *err);

/* Makes the folder and those above it; no error where it is there already. */
elbo_status elbo_make_folder(const char *path, elbo_error *err);

/* Removes the temporary files that writers of `path` left behind where their process was killed, at once. Only for who
 * knows that no other process is writing it. */
void elbo_writer_clean(const char *path);

/* What cannot be looked at (EIO, no memory in the kernel) is "not there" to these two. */
bool elbo_file_exists(const char *path);
bool elbo_folder_exists(const char *path);
/* Whether there is such a file, or a failure where nobody can say: for who would replace, or begin anew, what is not
 * there. */
elbo_status elbo_file_look(const char *path, bool *there, elbo_error *err);

/* "a" or "a/" and "b" -> "a/b"; "" and "b" -> "b"; a new string, or NULL when memory is out. */
char *elbo_path_join(const char *folder, const char *name);

#endif
