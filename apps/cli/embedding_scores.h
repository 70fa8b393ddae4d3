/* How the scores of a projection are printed. */
#ifndef ELBO_CLI_EMBEDDING_SCORES_H
#define ELBO_CLI_EMBEDDING_SCORES_H

#include "stats/embedding_scores.h"

/* A line, and one more where there are classes; `where` names the space of the points: "the latent space". */
void cli_print_embedding_scores(const elbo_embedding_scores *s, const char *where);

#endif
