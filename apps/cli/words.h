/* Expressions on the command line: what their words stand for. */
#ifndef ELBO_CLI_WORDS_H
#define ELBO_CLI_WORDS_H

#include "explore/operands.h"
#include "runs.h"

/* An elbo_read_image: reads as `elbo encode` does, a file of one image.  image: (C, H, W) */
elbo_status cli_read_image(const elbo_model *m, const char *path, float *image, elbo_error *err);

/* For the first of the runs; image files are read as `elbo encode` reads them, one image in each. */
elbo_operands cli_operands(cli_runs *r);

#endif
