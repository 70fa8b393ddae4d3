/* Expressions on the command line: what their words stand for. */
#ifndef ELBO_CLI_WORDS_H
#define ELBO_CLI_WORDS_H

#include "explore/operands.h"
#include "runs.h"

/* For the first of the runs; image files are read as `elbo encode` reads them, one image in each. */
elbo_operands cli_operands(cli_runs *r);

/* Bare numbers that are names of classes mean these classes; one line on stderr says so, unless `quiet`.
 * e: (count) */
elbo_status cli_take_classes(elbo_expression *e, int count, const elbo_dataset *d, bool quiet, elbo_error *err);

/* Whether a word can only be an image or an expression: a number, a file, something with a `:` or a parenthesis. */
bool cli_is_end(const char *word);

#endif
