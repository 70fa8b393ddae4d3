/* The short table of runs that compare and demo end with. */
#ifndef ELBO_CLI_TABLE_H
#define ELBO_CLI_TABLE_H

#include <jansson.h>

#include "view/story.h"

void cli_print_runs(const elbo_run *runs, int count);
json_t *cli_runs_json(const elbo_run *runs, int count);

#endif
