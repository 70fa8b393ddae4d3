/* Progress of training: a bar on a terminal, a plain line per epoch elsewhere. */
#ifndef ELBO_CLI_PROGRESS_H
#define ELBO_CLI_PROGRESS_H

#include "cli.h"
#include "train/trainer.h"

typedef struct cli_bar {
    bool off; // says nothing; still looks at Ctrl-C
    bool terminal;
    bool begun; // the heading, which the first update prints, stands there
    const elbo_recipe *recipe;
    const elbo_dataset *data;
} cli_bar;

void cli_bar_begin(cli_bar *bar, const elbo_recipe *r, const elbo_dataset *d);
/* An elbo_train_options.progress. */
bool cli_bar_update(void *bar, const elbo_progress *p);
void cli_bar_end(cli_bar *bar);

/* Progress of decoding photographs, which only the first start does. */
typedef struct cli_reading {
    bool terminal;
    bool begun;   // there was an update: Ctrl-C is caught
    double since; // clock of the first update
} cli_reading;

/* An elbo_data_options.progress. */
bool cli_reading_update(void *reading, uint64_t done, uint64_t total);
/* Takes the line away; says what was left out of a folder that was decoded just now. `d` is NULL after a failure. */
void cli_reading_end(cli_reading *reading, const elbo_dataset *d);

#endif
