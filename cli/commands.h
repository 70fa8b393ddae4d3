#ifndef ELBO_CLI_COMMANDS_H
#define ELBO_CLI_COMMANDS_H

#include "cli.h"

extern const cli_command cli_train, cli_recipes, cli_plan, cli_bench;

#endif
