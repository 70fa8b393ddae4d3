/* What the results of analyses have in common. A result is plain data, owned and freed by its elbo_NAME_free: no model,
 * no plan, nothing that has to stay open. Whatever shows it, a figure, a page or a terminal, needs nothing else. */
#ifndef ELBO_RESULT_H
#define ELBO_RESULT_H

#include <stddef.h>

#include "data/data.h"
#include "elbo/elbo.h"

typedef struct elbo_run elbo_run; // explore/opened_runs.h

/* What a result's images are: (n, C, H, W) float32, black at `low`, white at `high`. Values may lie outside. */
typedef struct elbo_image_format {
    elbo_image_shape shape;
    float low, high;
} elbo_image_format;

elbo_image_format elbo_model_image_format(const elbo_model *m);

/* Brings images of another model into the range that a result is in.  v: (n) */
void elbo_images_into_range(float *v, size_t n, elbo_image_format from, elbo_image_format to);

/* How an expression's image file is read, in the model's range.  image: (C, H, W) */
typedef elbo_status (*elbo_read_image)(const elbo_model *m, const char *path, float *image, elbo_error *err);

/* A list of texts, each of which its owner allocated; NULL is fine. */
void elbo_texts_free(char **texts, int count);

#endif
