/* Codes kept with a run under a name, usually directions: RUN/vectors/NAME.safetensors. */
#ifndef ELBO_VECTORS_H
#define ELBO_VECTORS_H

#include "run/model.h"

/* `expression` is how it was made; kept beside the code with the model's fingerprint.  code: (latent) */
elbo_status elbo_vector_save(const elbo_model *m, const char *name, const char *expression, const float *code,
                             elbo_error *err);
/* Refuses a code that other weights made: its numbers mean something else in this model. */
elbo_status elbo_vector_load(const elbo_model *m, const char *name, float *code, elbo_error *err);
elbo_status elbo_vector_remove(const elbo_model *m, const char *name, elbo_error *err);

typedef struct elbo_vector {
    char *name, *expression;
    double length; // Euclidean
    bool stale;    // made with other weights
} elbo_vector;
/* In the order of their names. */
elbo_status elbo_vectors_list(const elbo_model *m, elbo_vector **vectors, int *count, elbo_error *err);
void elbo_vectors_free(elbo_vector *vectors, int count);

#endif
