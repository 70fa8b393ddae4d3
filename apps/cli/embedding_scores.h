/* How the scores of a map are told. */
#ifndef ELBO_CLI_MAP_SCORES_H
#define ELBO_CLI_MAP_SCORES_H

#include <jansson.h>

#include "stats/embedding_scores.h"

/* An object; null for what was not measured. */
json_t *cli_map_scores_json(const elbo_embedding_scores *s);
/* A line, and one more where there are classes; `where` names the space of the points: "the latent space". */
void cli_map_scores_print(const elbo_embedding_scores *s, const char *where);

#endif
