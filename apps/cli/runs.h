/* What the commands that look at runs share: their common options, opening runs with their data, the figure they draw,
 * and what they say at the end.
 *
 *     cli_look look = {.name = "samples", .title = "New images"};
 *     cli_option options[] = {{"count", ...}, CLI_LOOK_OPTIONS(look, "default RUN/figures/samples.png"), {0}};
 *     int words = cli_parse(self, options, argc, argv, 1, 1);
 *     if (CLI_DONE(words)) return CLI_CODE(words);
 *     int code = cli_look_open(&look, argv, words, ELBO_TEST_SPLIT);
 *     if (code != CLI_OK) return code;
 *     elbo_status status = ...look.runs..., look.figure..., &look.err;
 *     return cli_look_close(&look, status, look.json ? json_pack(...) : NULL);  */
#ifndef ELBO_CLI_RUNS_H
#define ELBO_CLI_RUNS_H

#include "cli.h"
#include "explore/opened_runs.h"
#include "render/render.h"

enum { CLI_MOST_RUNS = 12 };

typedef struct cli_runs {
    elbo_run run[CLI_MOST_RUNS];
    int count;
    elbo_dataset data; // zero when none was asked for
} cli_runs;

/* Opens the runs and, unless `splits` is 0, the first one's data set. On failure says why and returns the exit code. */
int cli_runs_open(cli_runs *r, char **folders, int count, const char *data, int splits, const char *device,
                  int threads);
void cli_runs_close(cli_runs *r);

/* The run folders that words name: runs, or folders in which runs lie (`runs/demo`), these in the order of their names. */
typedef struct cli_folders {
    char *path[CLI_MOST_RUNS]; // new strings
    int count;
} cli_folders;
/* Says why it failed and returns the exit code. A word that is neither is kept: who opens it says what is wrong. */
int cli_find_runs(cli_folders *f, char **words, int count);
void cli_folders_free(cli_folders *f);

/* Where a figure goes: `output` ("a/b.png" or "a/b") or, where it is NULL, RUN/figures/NAME. The strings live in
 * `place`. */
typedef struct cli_figure_place {
    char folder[4096], name[256];
} cli_figure_place;
elbo_figure cli_figure(cli_figure_place *place, const char *run, const char *name, const char *title,
                       const char *output, bool svg);
/* Prints FOLDER/NAME.png, or puts it into `json` as "figure". */
void cli_say_figure(const elbo_figure *f, json_t *json);

typedef struct cli_look {
    const char *name, *title; // of the figure; the title's text may be written until it is drawn
    const char *output, *data, *device;
    int threads;
    bool svg, json;
    bool no_figure;    // nothing was drawn: what was made has been said
    bool takes_tables; // not only models of images
    cli_runs runs;
    cli_figure_place place;
    elbo_figure figure;
    elbo_error err;
} cli_look;
#define CLI_LOOK_OPTIONS(look, where) CLI_LOOK_OPTIONS_TO(look, "FILE.png|.svg", where)
#define CLI_LOOK_OPTIONS_TO(look, files, where)                                                                        \
    {"output", 'o', CLI_OUTPUT, &(look).output, files, where, 0, 0},                                                   \
        {"data", 'd', CLI_TEXT, &(look).data, "PATH", "the data set, where it is not what the run was trained on",     \
         0,      0},                                                                                                   \
        CLI_DEVICE_OPTION((look).device),                                                                              \
        {"threads", 't', CLI_INT, &(look).threads, "T", "default: all cores; results do not depend on it", 1, 1024},   \
        {"svg", 0, CLI_FLAG, &(look).svg, NULL, "also an SVG", 0, 0}, {                                                \
        "json", 0, CLI_FLAG, &(look).json, NULL, "prints one JSON object", 0, 0                                        \
    }

/* Opens the runs, the splits of the first one's data (0: none), and says where the figure goes. */
int cli_look_open(cli_look *look, char **folders, int count, int splits);
/* Opens splits of the first run's data after all, in place of those that are open. */
elbo_status cli_look_open_data(cli_look *look, elbo_splits splits, elbo_error *err);
/* Says why it failed, or where the figure is (in `json`, which it prints and frees; NULL without --json); closes the
 * runs and returns the exit code. */
int cli_look_close(cli_look *look, elbo_status status, json_t *json);

#endif
