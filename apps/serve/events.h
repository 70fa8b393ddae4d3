/* What is new: runs that come and go, epochs of a training beside. */
#ifndef SERVE_EVENTS_H
#define SERVE_EVENTS_H

#include "server.h"

/* Looks at the runs' folders and tells the pages; a step of the worker. */
elbo_status serve_look(serve_call *c, elbo_error *err);

#endif
