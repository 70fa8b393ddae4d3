/* Options that hold several numbers. */
#ifndef ELBO_CLI_LISTS_H
#define ELBO_CLI_LISTS_H

#include "base/status.h"

/* "3,7,12": latent dimensions, each below `latent` and named once.  dims: (most) */
elbo_status cli_read_dims(const char *text, int latent, int *dims, int most, int *count, elbo_error *err);
/* "-3..3" */
elbo_status cli_read_range(const char *text, double *from, double *to, elbo_error *err);

#endif
