/* The short tables of runs that compare and demo end with. */
#ifndef ELBO_CLI_TABLE_H
#define ELBO_CLI_TABLE_H

#include "explore/comparison.h"

void cli_print_runs(const elbo_comparison *c);
/* A row of scores for each run, where some have any; the best of a column is marked. */
void cli_print_scores(const elbo_comparison *c);

#endif
