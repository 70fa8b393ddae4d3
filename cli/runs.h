/* What the commands that look at runs share: opening them with their data, and naming the figure they draw. */
#ifndef ELBO_CLI_RUNS_H
#define ELBO_CLI_RUNS_H

#include "cli.h"
#include "view/story.h"

enum { CLI_MOST_RUNS = 12 };

typedef struct cli_runs {
    elbo_run run[CLI_MOST_RUNS];
    int count;
    elbo_dataset data; // zero when none was asked for
} cli_runs;

/* Opens the runs and, unless `splits` is 0, the first one's data set. On failure says why and returns the exit code. */
int cli_runs_open(cli_runs *r, char **folders, int count, const char *data, int splits, int threads);
void cli_runs_close(cli_runs *r);

/* Where a figure goes: `output` ("a/b.png" or "a/b") or, where it is NULL, RUN/figures/NAME. The strings live in `place`. */
typedef struct cli_figure_place {
    char folder[4096], name[256];
} cli_figure_place;
elbo_figure cli_figure(cli_figure_place *place, const char *run, const char *name, const char *title, const char *output,
                       bool svg);
/* Prints FOLDER/NAME.png, or puts it into `json` as "figure". */
void cli_say_figure(const elbo_figure *f, json_t *json);

#endif
