#include "embedding_scores.h"

#include <math.h>
#include <stdio.h>

void cli_print_embedding_scores(const elbo_embedding_scores *s, const char *where) {
    printf("of %d neighbours: trustworthiness %.4f, continuity %.4f, recall %.3f\n", s->k, s->trustworthiness,
           s->continuity, s->recall);
    if (!isnan(s->knn_embedding))
        printf("%d-NN accuracy: %.2f%% in %s, %.2f%% in the embedding\n", s->k, 100 * s->knn_points, where,
               100 * s->knn_embedding);
}
