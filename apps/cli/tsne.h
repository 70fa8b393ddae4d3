/* What the commands that make t-SNE embeddings share: their options, and what they say of the result. */
#ifndef ELBO_CLI_TSNE_H
#define ELBO_CLI_TSNE_H

#include "cli.h"
#include "stats/tsne.h"

/* As typed; numbers below 0 (the first three: 0) were not given. */
typedef struct cli_tsne_options {
    double perplexity, exaggeration, learning_rate, momentum, late_momentum, longest_step;
    int iterations, exaggerated;
    uint64_t seed;
} cli_tsne_options;

#define CLI_TSNE_UNSET                                                                                                 \
    { .momentum = -1, .late_momentum = -1, .iterations = -1, .exaggerated = -1, .seed = UINT64_MAX }

/* Rows of a table of options. */
// clang-format off
#define CLI_TSNE_OPTIONS(o) \
    {"perplexity", 'p', CLI_FLOAT, &(o).perplexity, "P", "effective number of neighbours; default 30", 1, 1e5}, \
    {"iterations", 'n', CLI_INT, &(o).iterations, "N", "default 750", 0, 1e6}, \
    {"exaggeration", 0, CLI_FLOAT, &(o).exaggeration, "A", "early exaggeration; default 12", 1, 1e3}, \
    {"exaggerated", 0, CLI_INT, &(o).exaggerated, "N", "iterations of early exaggeration; default 250", 0, 1e6}, \
    {"learning-rate", 0, CLI_FLOAT, &(o).learning_rate, "R", "default N / exaggeration, at least 50", 1e-3, 1e9}, \
    {"momentum", 0, CLI_FLOAT, &(o).momentum, "M", "during early exaggeration; default 0.5", 0, 0.999}, \
    {"late-momentum", 0, CLI_FLOAT, &(o).late_momentum, "M", "afterwards; default 0.8", 0, 0.999}, \
    {"longest-step", 0, CLI_FLOAT, &(o).longest_step, "S", "max step of a point per iteration; default 5", 1e-3, 1e3}, \
    {"seed", 's', CLI_U64, &(o).seed, "N", "of the initial noise, where a principal axis has no variance; default 0", 0, 0}
// clang-format on

/* Whether any was given. */
bool cli_tsne_any(const cli_tsne_options *o);
void cli_tsne_set(elbo_tsne_options *o, const cli_tsne_options *words);

/* On stderr: a perplexity that had to be lowered, neighbours that were not all found. */
void cli_tsne_say(const elbo_tsne_result *r, double wanted_perplexity, size_t n);

#endif
