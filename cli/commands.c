/* The table of commands. */
#include "commands.h"

#include <stddef.h>

const cli_command *const cli_commands[] = {
    &cli_train,
    &cli_recipes,
    &cli_plan,
    &cli_bench,
    NULL,
};
