/* Progress of training: a bar on a terminal, a plain line per epoch elsewhere. */
#ifndef ELBO_CLI_PROGRESS_H
#define ELBO_CLI_PROGRESS_H

#include "cli.h"

typedef struct cli_bar {
    bool off;      // says nothing; still looks at Ctrl-C
    bool terminal;
    const elbo_recipe *recipe; // of the heading, which the first update prints; then NULL
    const elbo_dataset *data;
} cli_bar;

void cli_bar_begin(cli_bar *bar, const elbo_recipe *r, const elbo_dataset *d);
/* An elbo_train_options.progress. */
bool cli_bar_update(void *bar, const elbo_progress *p);
void cli_bar_end(cli_bar *bar);

#endif
