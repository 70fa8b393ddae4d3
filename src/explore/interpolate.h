/* Interpolations from one code to another, decoded: between pairs of ends, by one or several models. */
#ifndef ELBO_INTERPOLATE_H
#define ELBO_INTERPOLATE_H

#include <jansson.h>

#include "explore/expression.h"
#include "explore/result.h"
#include "stats/slerp.h"

enum { ELBO_INTERPOLATE_STEPS = 10 };

typedef struct elbo_interpolate_options {
    const elbo_expression *end; // (pairs, 2): from, to; the data need the splits that elbo_operands_splits names
    int pairs;
    int steps;                  // images of an interpolation, both ends among them; 0: ELBO_INTERPOLATE_STEPS
    elbo_path path;             // default straight
    bool pixels;                // also the ends themselves, faded into each other pixel by pixel
    elbo_read_image read_image; // may be NULL where no end names a file
    const char
        *class_word; // of a conditional model: the class held, by name or number; NULL: from one end's to the other's
} elbo_interpolate_options;

typedef struct elbo_interpolate_result {
    elbo_image_format format; // the first run's; images of others are brought into its range
    int pairs, runs, steps;
    elbo_path path;
    char **end;    // (pairs, 2): the expressions as they were written, "17"
    char **name;   // (pairs, 2): as a title names them, "test:17"
    char **label;  // (runs)
    float *images; // (pairs, runs, steps, C, H, W)
    float *pixels; // (pairs, steps, C, H, W), NaN first where an end is a saved code, which has no pixels; NULL: not
                   // asked for
} elbo_interpolate_result;

elbo_status elbo_interpolate(elbo_interpolate_result *r, elbo_run *runs, int count, const elbo_dataset *d,
                             const elbo_interpolate_options *options, elbo_error *err);
/* {"from", "to": the first pair's ends; "steps", "path", "pairs": [[from, to], ...]} */
json_t *elbo_interpolate_json(const elbo_interpolate_result *r);
void elbo_interpolate_free(elbo_interpolate_result *r);

#endif
