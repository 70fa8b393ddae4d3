/* What every command shares: its row in the table, its options, and how it speaks. Only cli/ prints and exits.
 *
 * A command is a file with one `const cli_command cli_NAME`, and a row in commands.c. */
#ifndef ELBO_CLI_H
#define ELBO_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/shown.h"
#include "base/status.h"
#include "data/data.h"
#include "explore/metrics/code_use.h"
#include "recipe/recipe.h"

/* Exit codes. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

typedef struct cli_command {
    const char *name;
    const char *arguments; // "RECIPE", "RUN [RUN...]": as the usage line shows them
    const char *summary;   // one line, for `elbo help`
    const char *details;   // paragraphs for --help, and at least one example; ends with a newline
    int (*run)(const struct cli_command *self, int argc, char **argv); // argv[0] is the first word behind the name
} cli_command;

extern const cli_command *const cli_commands[]; // ended by NULL

/* ---- options ---- */

typedef enum cli_kind {
    CLI_FLAG,
    CLI_INT,
    CLI_U64,
    CLI_FLOAT,
    CLI_TEXT,
    CLI_TEXTS,
    CLI_DEVICE, // the name of a device, a text; its help lists elbo_devices
    CLI_OUTPUT  // a name to write to: `argument` says by which endings, "FILE.png|.svg", "X.npy|FOLDER"
} cli_kind;

typedef struct cli_texts {
    const char *text[64];
    int count;
} cli_texts;

typedef struct cli_option {
    const char *name; // "steps": --steps N, --steps=N
    char letter;      // 'n': -n N; 0: none
    cli_kind kind;
    void *value;          // bool, int, uint64_t, double, const char *, cli_texts; const char * of an output
    const char *argument; // "N"; NULL for a flag
    const char *help;     // one line; says the default. NULL: an earlier name, still read but not shown
    double least, most;   // CLI_INT, CLI_FLOAT: the range; both 0: any
} cli_option;

/* Of every command that runs a model; an unknown name is refused where the device is opened. */
#define CLI_DEVICE_OPTION(device)                                                                                      \
    { "device", 0, CLI_DEVICE, &(device), "NAME", "", 0, 0 }

/* Of commands that decode codes. */
#define CLI_CLASS_OPTION(word, otherwise)                                                                              \
    {                                                                                                                  \
        "class", 0, CLI_TEXT, &(word), "C", "of a conditional model: a class by name or number; default " otherwise,   \
            0, 0                                                                                                       \
    }

/* Reads options (ended by a row without a name) and between `least` and `most` words (most < 0: any number) from argv;
 * words are moved to argv[0..]. Returns the number of words; or a negative number when the command is done: -1 - exit
 * code (--help was shown, or the usage was wrong and has been said). */
int cli_parse(const cli_command *c, const cli_option *options, int argc, char **argv, int least, int most);
#define CLI_DONE(words) ((words) < 0)
#define CLI_CODE(words) (-1 - (words))

/* Whether an output may be called `path`, by what an option's `argument` says: cli_parse asks for every CLI_OUTPUT. Where
 * the first ending is .png, a name without an ending will do: the figure's gets it. */
elbo_status cli_check_output(const char *option, const char *argument, const char *path, elbo_error *err);

/* "elbo report runs/a -o 'my page.html'", a new string: what was typed, as a shell takes it. Before cli_parse. */
char *cli_command_text(const cli_command *c, int argc, char **argv);

bool cli_ends_with(const char *text, const char *ending); // "x.npy", ".npy"

/* ---- speaking ---- */

/* From here on stdout and stderr show control characters (but newlines and tabs) escaped: texts from outside may hold
 * any, and a terminal would obey them. The first thing main does. */
void cli_open_streams(void);
/* From now on the program ends with one line where oneDNN gets no memory. */
void cli_expect_refusals(void);
/* Notices where JSON is built without enough memory. */
void cli_watch_json(void);
/* One line that is drawn over the last of its kind, on a terminal's stderr; "" clears it. */
void cli_draw_line(const char *text);

/* "elbo: MESSAGE" on stderr; returns the exit code. */
int cli_fail(const elbo_error *err);
int cli_fail_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints one JSON object on one line, and frees it. NULL is what jansson makes of a number that is not finite or a text
 * that is not UTF-8: cli_finish then fails. */
void cli_print_json(json_t *o);
/* The end of a command: why it failed; or, with --json, `o`, which is freed in any case; or the line. Returns the exit
 * code. */
int cli_end(elbo_status status, const elbo_error *err, bool json, json_t *o, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The last thing main does: stdout on its way, or one line and a failure where it could not be written (a full
 * disk). */
int cli_finish(int code);
/* "3.2 s", "4 min 10 s" */
const char *cli_duration(double seconds, char text[32]);

/* Ctrl-C, SIGTERM and SIGHUP set a flag that long work looks at; a second one ends the program. */
void cli_catch_interrupts(void);
bool cli_interrupted(void);
/* Work that does not look at the flag follows: Ctrl-C ends the program again. */
void cli_release_interrupts(void);

/* ---- opening things ---- */

/* A data set by its name or path, photographs in the recipe's shape (NULL: the usual one); shows how far their decoding
 * is, and what could not be read. */
elbo_status cli_open_dataset(elbo_dataset *d, const char *name, const char *path, const elbo_recipe *r,
                             elbo_splits splits, int threads, elbo_error *err);
void cli_say_notes(const elbo_dataset *d);
/* The data set of a run or recipe: --data where given, else what the run was trained on, else the recipe's name. */
elbo_status cli_open_data(elbo_dataset *d, const elbo_recipe *r, const char *option, const char *remembered,
                          elbo_splits splits, int threads, elbo_error *err);
/* What a run must remember to find its data again from any folder: a new string, or NULL where its recipe's name says
 * it. */
char *cli_data_to_remember(const elbo_dataset *d, const elbo_recipe *r, const char *option);
/* The same for a model; also checks that the images have the model's shape. */
elbo_status cli_open_model_data(elbo_dataset *d, const elbo_model *m, const char *option, elbo_splits splits,
                                int threads, elbo_error *err);
/* Rows of a file for a model of tables, in their order, its columns scaled as those that the model learned from. */
elbo_status cli_read_table(elbo_images *rows, const elbo_model *m, const char *path, int threads, elbo_error *err);
/* The shape of the images that a recipe is for: of the data set its name or --data says; known by name without
 * opening. */
elbo_status cli_image_shape(elbo_image_shape *shape, const elbo_recipe *r, const char *option, elbo_error *err);
/* One line on stderr where a term of the recipe's loss is off. */
void cli_say_losses(const elbo_recipe *r);
/* One line where the decoder does not look at the code; nothing where it does. `skips`: it reads activations too. */
void cli_say_code_use(const char *run, const elbo_code_use *u, bool skips);
/* "runs/NAME" for -o, a new string. */
char *cli_default_run(const elbo_recipe *r);

#endif
