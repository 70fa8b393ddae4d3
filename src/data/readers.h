/* The formats a data set can be read from. A new one is a file with an elbo_reader in it, a row in readers.c and a
 * test. */
#ifndef ELBO_READERS_H
#define ELBO_READERS_H

#include "data/data.h"

typedef struct elbo_reader {
    const char *name;      // for people: "IDX files"
    const char *looks_for; // what is recognised, for the message that nothing was
    /* True where `path`, a file or folder, seems to be of this format. Looks at names only: what is wrong inside is for
     * `read` to say. */
    bool (*recognises)(const char *path);
    /* Fills `train` and `test` as `splits` asks, `classes` (the same whichever splits are asked for), and `class_names`
     * where the format has any. What it filled before a failure is freed by its caller. */
    elbo_status (*read)(elbo_dataset *d, const char *path, const elbo_data_options *options, elbo_error *err);
    bool names_itself; // the folder's own name is the data set's, whatever name it was found by
} elbo_reader;

/* Ended by NULL; the first that recognises a path reads it. */
extern const elbo_reader *const elbo_readers[];

/* Leaves out training images by the options' classes and exclude (select.c). */
elbo_status elbo_dataset_select(elbo_dataset *d, const elbo_data_options *o, elbo_error *err);

#endif
