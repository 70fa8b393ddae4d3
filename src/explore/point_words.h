/* Expressions (expression.h) whose words stand for points: the same codes that elbo_operand_code finds, without encoding
 * an image. Files are no words here. */
#ifndef ELBO_POINT_WORDS_H
#define ELBO_POINT_WORDS_H

#include "explore/expression.h"
#include "explore/points.h"

typedef struct elbo_point_words {
    const elbo_model *model; // whose saved codes are meant
    const elbo_dataset *data;
    const elbo_points *points;
} elbo_point_words;

/* An elbo_find_code; `words` is an elbo_point_words.  code: (latent) */
elbo_status elbo_point_code(void *words, const elbo_operand *o, float *code, elbo_error *err);

#endif
