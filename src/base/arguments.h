/* The arguments of a layer's text, by a table of what it takes: `linear 400`, `leaky_relu negative_slope=0.2`, `rotate
 * 10 p=0.3`. */
#ifndef ELBO_BASE_ARGUMENTS_H
#define ELBO_BASE_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Where something was written: "recipes/x.yaml:7". For an override `file` is "--set train.lr=1" (line 0 is not shown).
 */
typedef struct elbo_place {
    const char *file; // the text's owner's
    int line;
} elbo_place;

/* "file:line: " or "--set: "; "" where it is not known. */
void elbo_place_text(elbo_place place, char *text, size_t size);
/* elbo_fail with ELBO_BAD_INPUT and the place in front: "recipes/x.yaml:7: ...". */
elbo_status elbo_fail_at(elbo_error *err, elbo_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One word behind a layer's name: `400` (key NULL) or `kernel=3`. */
typedef struct elbo_argument {
    char *key, *value;
} elbo_argument;

enum { ELBO_MAX_ARGUMENTS = 12, ELBO_MAX_LAYERS = 256 };

/* "conv2d 16 kernel=3 stride=2" */
typedef struct elbo_layer {
    char *text; // as written
    char *name; // "conv2d"
    int argument_count;
    elbo_argument arguments[ELBO_MAX_ARGUMENTS];
    elbo_place place;
} elbo_layer;

typedef struct elbo_layers {
    elbo_layer *layer; // (count)
    int count;
} elbo_layers;

typedef enum elbo_value_kind {
    ELBO_END_OF_VALUES,
    ELBO_INT,
    ELBO_FLOAT,
    ELBO_BOOL,
    ELBO_WORD,
    ELBO_ROWS_COLUMNS
} elbo_value_kind;

/* One argument. ELBO_ROWS_COLUMNS: an integer, or two of them, 3x5: of the rows, and of the columns. */
typedef struct elbo_value_spec {
    const char *name; // PyTorch's
    elbo_value_kind kind;
    bool required;
    double otherwise, least, most; // the default, and the range
} elbo_value_spec;

/* What something takes. */
typedef struct elbo_signature {
    const char *name, *usage;      // "linear", "linear OUT_FEATURES [bias=true]"
    const elbo_value_spec *values; // (most), ended before by ELBO_END_OF_VALUES
    int most;
    const char *const *words; // what its argument of kind ELBO_WORD may be, ended by NULL; NULL: any name
} elbo_signature;

/* Every argument checked.  value: (signature->most); second: the same of the columns' sides, what `value` is where one is
 * given; NULL where there is no ELBO_ROWS_COLUMNS. `*word` is the last argument of kind ELBO_WORD; it may be NULL where there
 * is none. `place` is named in errors, where it is known. */
elbo_status elbo_arguments_read(const elbo_signature *s, const elbo_layer *layer, elbo_place place, double *value,
                                double *second, const char **word, elbo_error *err);

#endif
