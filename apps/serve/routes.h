/* The table of what can be asked: docs/explorer-api.md says it in words. A handler is in the file of its group. */
#ifndef SERVE_ROUTES_H
#define SERVE_ROUTES_H

#include "server.h"

struct serve_route {
    serve_method method;
    const char *path; // behind "/api/1/"; RUN and NAME stand for any part
    serve_step handler;
    int flags;
};

enum {
    SERVE_WRITES = 1, // refused with --read-only
    SERVE_IMAGES = 2, // the body may be of SERVE_IMAGES_MOST
    SERVE_NEWEST = 4, // an older request of the same client that still waits is dropped
};

/* Finds the route of a request, and what stands for RUN and NAME. Returns 0 or the status: 404, or 405 where only the
 * method is wrong. */
int serve_route_find(const serve_route **route, const serve_request *r, char run[SERVE_NAME], char name[SERVE_NAME]);

/* runs */
elbo_status serve_list_runs(serve_call *c, elbo_error *err);
elbo_status serve_show_run(serve_call *c, elbo_error *err);
elbo_status serve_show_log(serve_call *c, elbo_error *err);
elbo_status serve_examine(serve_call *c, elbo_error *err);
/* points */
elbo_status serve_show_labels(serve_call *c, elbo_error *err);
elbo_status serve_show_values(serve_call *c, elbo_error *err);
elbo_status serve_show_thumbs(serve_call *c, elbo_error *err);
elbo_status serve_show_images(serve_call *c, elbo_error *err);
elbo_status serve_show_codes(serve_call *c, elbo_error *err);
elbo_status serve_select(serve_call *c, elbo_error *err);
/* the model */
elbo_status serve_decode(serve_call *c, elbo_error *err);
elbo_status serve_encode(serve_call *c, elbo_error *err);
elbo_status serve_find_nearest(serve_call *c, elbo_error *err);
/* maps */
elbo_status serve_show_map(serve_call *c, elbo_error *err);
elbo_status serve_place(serve_call *c, elbo_error *err);
elbo_status serve_locate(serve_call *c, elbo_error *err);
/* words */
elbo_status serve_compute(serve_call *c, elbo_error *err);
elbo_status serve_list_vectors(serve_call *c, elbo_error *err);
elbo_status serve_put_vector(serve_call *c, elbo_error *err);
elbo_status serve_delete_vector(serve_call *c, elbo_error *err);
/* figures */
elbo_status serve_draw(serve_call *c, elbo_error *err);
/* events */
elbo_status serve_follow(serve_call *c, elbo_error *err);

#endif
