/* What handlers share: reading bodies and queries, opening what they are about. */
#ifndef SERVE_HANDLE_H
#define SERVE_HANDLE_H

#include "routes.h"
#include "runs.h"

enum { SERVE_ROWS_MOST = 256, SERVE_ENCODE_MOST = 16, SERVE_NEAREST_MOST = 16, SERVE_THUMBS_MOST = 4096 };

/* The call's run with its model, its data, its points. Points may have to be encoded first: the call is then parked, the
 * handler returns what is no failure, and begins again later; so points are asked for before anything is done. */
elbo_status serve_need_model(serve_call *c, elbo_error *err);
elbo_status serve_need_data(serve_call *c, elbo_error *err);
elbo_status serve_need_points(serve_call *c, elbo_error *err);

/* An integer of the query; `otherwise` where it is not given. */
elbo_status serve_query_int(const serve_call *c, const char *name, long least, long most, long otherwise, long *value,
                            elbo_error *err);

/* The body as a JSON object; *o is the caller's to free. */
elbo_status serve_body_json(const serve_call *c, json_t **o, elbo_error *err);
/* Codes in the body: (*n, latent) float32, finite, at most `most`; *z is malloc'd. */
elbo_status serve_body_codes(const serve_call *c, size_t most, float **z, size_t *n, elbo_error *err);
/* {"points": [...]}: each below the number of points; *point is malloc'd. */
elbo_status serve_body_points(const serve_call *c, size_t most, uint32_t **point, size_t *n, elbo_error *err);
/* An array of `n` finite numbers. */
elbo_status serve_read_floats(const json_t *o, const char *name, float *v, size_t n, elbo_error *err);
/* [[...], ...] of v (n, width); NULL: no memory. */
json_t *serve_floats_json(const float *v, size_t width);

/* The class of the query (?class=), else the first, for what `m` decodes and encodes from now on. */
elbo_status serve_set_class(const serve_call *c, elbo_model *m, elbo_error *err);

/* Values in the model's range as grey levels, as `elbo decode` writes them.  bytes: (n) */
void serve_to_bytes(const float *v, size_t n, float low, float high, uint8_t *bytes);

/* The shape of n images of the run's model. */
serve_array serve_images_shape(const serve_run *run, size_t n);

#endif
