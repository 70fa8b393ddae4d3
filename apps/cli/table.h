/* The short table of runs that compare and demo end with. */
#ifndef ELBO_CLI_TABLE_H
#define ELBO_CLI_TABLE_H

#include <jansson.h>

#include "render/figures.h"

void cli_print_runs(const elbo_run *runs, int count);
/* A row of scores for each run that has some, the best of a column marked. */
void cli_print_scores(const elbo_run *runs, int count);
json_t *cli_runs_json(const elbo_run *runs, int count);

#endif
