/* An expression of codes computed, decoded, and placed beside what the training data have nearest to it. */
#ifndef ELBO_ARITHMETIC_H
#define ELBO_ARITHMETIC_H

#include <jansson.h>

#include "base/job.h"
#include "explore/expression.h"
#include "explore/result.h"

typedef struct elbo_arithmetic_options {
    const elbo_expression *expression;
    elbo_read_image read_image; // may be NULL where the expression names no file
    const char *
        class_word; // of a conditional model: the class held, by name or number; NULL: what the expression makes of its images' classes
} elbo_arithmetic_options;

typedef struct elbo_arithmetic_result {
    elbo_image_format format;
    char *expression;
    int operands;
    char **label; // (operands): "mean(class:3)"
    int latent;
    float *code;      // (latent)
    uint32_t nearest; // the training image whose code is nearest, by Euclidean distance
    double distance;  // between the two codes
    char *class_name; // of that image; NULL without labels
    /* (2, operands + 2, C, H, W): the operands, the result, the nearest training image. First as pixels, whose result is
     * the same arithmetic done with pixels (NaN first where a saved code has none), then decoded. */
    float *images;
} elbo_arithmetic_result;

/* `d`: with the training split and what elbo_operands_splits names. */
elbo_status elbo_arithmetic(elbo_arithmetic_result *r, elbo_model *m, const elbo_dataset *d,
                            const elbo_arithmetic_options *options, const elbo_job *work, elbo_error *err);
/* {"expression", "operands": [label], "nearest": {"train", "distance", "class"}, "code": [...]} */
json_t *elbo_arithmetic_json(const elbo_arithmetic_result *r);
void elbo_arithmetic_free(elbo_arithmetic_result *r);

#endif
