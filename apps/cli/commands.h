#ifndef ELBO_CLI_COMMANDS_H
#define ELBO_CLI_COMMANDS_H

#include "cli.h"

// clang-format off: a name each
extern const cli_command cli_arithmetic, cli_bench, cli_compare, cli_data, cli_decode, cli_demo, cli_doctor, cli_encode,
    cli_eval, cli_interpolate, cli_manifold, cli_outliers, cli_pca, cli_plan, cli_project, cli_recipes, cli_reconstruct, cli_report,
    cli_sample, cli_train, cli_traverse, cli_tsne, cli_vector;
// clang-format on

#endif
