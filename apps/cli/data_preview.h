#ifndef ELBO_CLI_DATA_PREVIEW_H
#define ELBO_CLI_DATA_PREVIEW_H

#include "cli.h"

/* Draws training images; `r`, whose augmentation is shown, may be NULL. count 0: the usual number. Returns the exit
 * code. */
int cli_preview(const elbo_dataset *d, const elbo_recipe *r, int count, const char *output, bool json);

#endif
