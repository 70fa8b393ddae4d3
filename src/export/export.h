/* A trained model in other programs' formats: a PyTorch module, ONNX graphs, a C file. Each writes the encoder and the
 * decoder as they compute after training: no dropout, running statistics, a VAE's mu and logvar.
 *
 * A format is a table of its own from layers to text or bytes; a layer that it has no row for is refused by name before
 * anything is written. */
#ifndef ELBO_EXPORT_H
#define ELBO_EXPORT_H

#include "run/model.h"

typedef enum elbo_export_format { ELBO_EXPORT_PYTORCH, ELBO_EXPORT_ONNX, ELBO_EXPORT_C } elbo_export_format;

/* "pytorch", "onnx" or "c"; false where there is none of that name. */
bool elbo_export_format_named(elbo_export_format *format, const char *name);

/* The files that an export writes, the caller's names first.
 *   pytorch  NAME.py and NAME.safetensors beside it
 *   onnx     NAME-encoder.onnx and NAME-decoder.onnx
 *   c        NAME.c
 * `path` has the first one's ending, or for onnx NAME.onnx. New strings; elbo_texts_free. */
enum { ELBO_EXPORT_FILES = 2 };
typedef struct elbo_export_files {
    char *path[ELBO_EXPORT_FILES]; // (count)
    int count;
} elbo_export_files;
elbo_status elbo_export_files_of(elbo_export_files *f, elbo_export_format format, const char *path, elbo_error *err);
void elbo_export_files_free(elbo_export_files *f);

/* Writes the files, each whole or not at all. */
elbo_status elbo_export(const elbo_model *m, elbo_export_format format, const elbo_export_files *f, elbo_error *err);

#endif
