/* The table of options of a command, for who writes its manual. */
#ifndef ELBO_CLI_MANUAL_H
#define ELBO_CLI_MANUAL_H

#include "cli.h"

/* The word that has cli_parse hand its table over instead of reading a line by it. */
#define CLI_DESCRIBE "--describe-options"
void cli_describe(const cli_command *c, const cli_option *options);

#endif
