/* Expressions on the command line: what their words stand for. */
#ifndef ELBO_CLI_WORDS_H
#define ELBO_CLI_WORDS_H

#include "explore/operands.h"
#include "runs.h"

/* For the first of the runs; image files are read as `elbo encode` reads them, one image in each. */
elbo_operands cli_operands(cli_runs *r);

#endif
