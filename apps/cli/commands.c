/* The table of commands, in the order of `elbo help`. */
#include "commands.h"

#include <stddef.h>

// clang-format off: a row each
const cli_command *const cli_commands[] = {
    &cli_demo,        &cli_train,      &cli_eval,    &cli_doctor,      &cli_outliers, &cli_encode,
    &cli_decode,      &cli_export,     &cli_import,  &cli_reconstruct, &cli_denoise,  &cli_sample,
    &cli_interpolate, &cli_arithmetic, &cli_vector,  &cli_traverse,    &cli_manifold, &cli_project,
    &cli_tsne,        &cli_pca,        &cli_cluster, &cli_compare, &cli_report,      &cli_serve,    &cli_sweep,
    &cli_recipes,     &cli_data,       &cli_plan,    &cli_bench,       &cli_manual,  NULL,
};
// clang-format on
