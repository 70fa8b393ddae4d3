/* The arguments of a layer's text, by a table of what it takes: `linear 400`, `leaky_relu negative_slope=0.2`, `rotate
 * 10 p=0.3`. */
#ifndef ELBO_RECIPE_ARGUMENTS_H
#define ELBO_RECIPE_ARGUMENTS_H

#include "recipe/recipe.h"

typedef enum elbo_value_kind { ELBO_END_OF_VALUES, ELBO_INT, ELBO_FLOAT, ELBO_BOOL, ELBO_WORD } elbo_value_kind;

/* One argument. */
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

/* Every argument checked.  value: (signature->most). `*word` is the last argument of kind ELBO_WORD; it may be NULL where there
 * is none. `place` is named in errors, where it is known. */
elbo_status elbo_arguments_read(const elbo_signature *s, const elbo_layer *layer, elbo_place place, double *value,
                                const char **word, elbo_error *err);

#endif
