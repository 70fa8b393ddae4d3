#include "embedding_scores.h"

#include <math.h>
#include <stdio.h>

static json_t *number(double v) { return isnan(v) ? json_null() : json_real(v); }

json_t *cli_map_scores_json(const elbo_embedding_scores *s) {
    return json_pack("{s:i, s:I, s:o, s:o, s:o, s:o, s:o}", "neighbours", s->k, "asked", (json_int_t)s->asked,
                     "trustworthiness", number(s->trustworthiness), "continuity", number(s->continuity), "recall",
                     number(s->recall), "knn_accuracy_latent", number(s->knn_points), "knn_accuracy_map",
                     number(s->knn_map));
}

void cli_map_scores_print(const elbo_embedding_scores *s, const char *where) {
    printf("of %d neighbours: trustworthiness %.4f, continuity %.4f, recall %.3f\n", s->k, s->trustworthiness,
           s->continuity, s->recall);
    if (!isnan(s->knn_map))
        printf("class by %d nearest neighbours: %.2f%% right in %s, %.2f%% in the map\n", s->k, 100 * s->knn_points,
               where, 100 * s->knn_map);
}
