/* A sweep: one recipe trained for every value of some keys and for several seeds, each run in a folder of its own, and
 * what the values are worth.
 *
 *     elbo_sweep s;
 *     elbo_sweep_plan(&s, &plan, err);              // checks every recipe before anything is trained
 *     elbo_sweep_claim(&s, "runs/sweep", data, err) // this sweep's own folder
 *     elbo_sweep_train(&s, &training, err);         // runs that are finished are not run again
 *     elbo_sweep_summarize(&s);
 *     elbo_sweep_free(&s); */
#ifndef ELBO_SWEEP_H
#define ELBO_SWEEP_H

#include <jansson.h>

#include "data/data.h"
#include "nn/metrics.h"
#include "train/trainer.h"

enum { ELBO_SWEEP_KEYS = 4, ELBO_SWEEP_RUNS = 4096 };

/* ---- what is measured of a run ---- */

typedef enum elbo_sweep_measure {
    ELBO_SWEEP_VALIDATION, // the objective of the validation images, where the recipe has such; all else is of test
    ELBO_SWEEP_OBJECTIVE,  // images, or of training images where there is no test split
    ELBO_SWEEP_LOSS,       // the negative ELBO
    ELBO_SWEEP_RECONSTRUCTION,
    ELBO_SWEEP_KL,
    ELBO_SWEEP_ACTIVE,
    ELBO_SWEEP_LOG_P,
    ELBO_SWEEP_MEASURES
} elbo_sweep_measure;

typedef struct elbo_sweep_measure_info {
    const char *key;   // in JSON and CSV
    const char *label; // above a column, at an axis
    const char *unit;  // "nats per image", or ""
    int better;        // 1: more, -1: less, 0: neither
    int decimals;
} elbo_sweep_measure_info;
extern const elbo_sweep_measure_info elbo_sweep_measures[ELBO_SWEEP_MEASURES];

/* ---- the sweep ---- */

typedef struct elbo_sweep_key {
    char *key;      // "latent"
    char **value;   // (values) as written: "2"
    double *number; // (values); NULL where one of them is no number
    int values;
} elbo_sweep_key;

typedef enum elbo_sweep_state {
    ELBO_SWEEP_WAITING,
    ELBO_SWEEP_DONE,
    ELBO_SWEEP_FAILED,
    ELBO_SWEEP_CUT
} elbo_sweep_state;

typedef struct elbo_sweep_run {
    char *name; // "latent=2,seed=0": its folder in the sweep's
    int setting;
    uint64_t seed;
    elbo_recipe recipe;

    elbo_sweep_state state; // CUT: stopped before its end
    bool found;             // finished before this call
    char *error;            // why it failed, or NULL
    int epochs;
    double seconds;
    double value[ELBO_SWEEP_MEASURES]; // NaN: not known
} elbo_sweep_run;

/* Mean and standard deviation (over n - 1) of a measure over the seeds. */
typedef struct elbo_spread {
    int n;
    double mean, deviation; // deviation: NaN of fewer than two
} elbo_spread;

/* One value of each key. */
typedef struct elbo_sweep_setting {
    char *name;                 // "latent=2"
    int value[ELBO_SWEEP_KEYS]; // of each key, which
    int first;                  // its runs: first .. first + seeds - 1
    int finished, failed;
    elbo_spread spread[ELBO_SWEEP_MEASURES];
} elbo_sweep_setting;

typedef struct elbo_sweep {
    char *recipe;        // its name
    char *folder, *data; // elbo_sweep_claim's
    elbo_sweep_key key[ELBO_SWEEP_KEYS];
    int keys, seeds;
    elbo_sweep_setting *setting; // (settings), the last key's value changes first
    int settings;
    elbo_sweep_run *run; // (runs)
    int runs;
    int lock; // of the folder, or -1

    /* elbo_sweep_summarize. */
    bool vae;
    bool objective_differs;   // from the loss in some run
    const char *split;        // what the scores are of: "test", or "training" where a data set has no such
    elbo_sweep_measure score; // by which settings are compared
    int best;                 // the setting with the best mean score; -1: none is finished
    double standard_error;    // of the best's mean, from the spread pooled over all settings; NaN: one seed
    int smallest;             // of those that differ from the best in the first key alone: the one with the smallest
                              // value within two standard errors; -1: the key is no number, or one seed
} elbo_sweep;

typedef struct elbo_sweep_plan_options {
    const char *recipe;
    const char *const *sets; // (set_count) as --set
    int set_count;
    const char *const *over; // (over_count) "latent=2,10,20"; a list is one value: "image.size=[32,32],[64,64]"
    int over_count;
    int seeds; // the recipe's train.seed and those behind it
} elbo_sweep_plan_options;

/* Opens the recipe of every run: a key or a value that is wrong is told before anything is trained. Two runs that would
 * be the same are refused. */
elbo_status elbo_sweep_plan(elbo_sweep *s, const elbo_sweep_plan_options *o, elbo_error *err);
void elbo_sweep_free(elbo_sweep *s);

/* Takes a folder for this sweep, which no other process trains in until elbo_sweep_free. It is new, or holds runs of the
 * same sweep; values and seeds may have come or gone. `data`: what the user named in place of the recipe's, or NULL. */
elbo_status elbo_sweep_claim(elbo_sweep *s, const char *folder, const char *data, elbo_error *err);

/* The folder of a run, a new string. */
char *elbo_sweep_run_folder(const elbo_sweep *s, const elbo_sweep_run *run);

/* ---- training ---- */

typedef struct elbo_sweep_progress {
    const elbo_sweep *sweep;
    const elbo_sweep_run *run;
    bool ended;                    // the run: its state says how
    const elbo_progress *training; // of the run; NULL where it has ended
    int done;                      // runs that have ended
    double share;                  // of all the epochs to be trained
    double seconds_left;           // NaN: not known yet
} elbo_sweep_progress;

typedef struct elbo_sweep_training {
    int jobs;    // runs at once; 0: 1
    int threads; // of all of them together; 0: all cores
    const char *device;
    int importance; // samples for log p of a VAE; 0: not measured
    /* Opens the data of a recipe, and says what its run is to remember of where they are (a new string, or NULL). */
    elbo_status (*open)(void *context, elbo_dataset *d, char **remember, const elbo_recipe *r, elbo_error *err);
    /* Now and then, and when a run has ended; never by two threads at once. True: stop soon. */
    bool (*tell)(void *context, const elbo_sweep_progress *p);
    void *context;
} elbo_sweep_training;

/* Trains what is not finished. A run that fails does not stop the others. ELBO_STOPPED: it was asked to. */
elbo_status elbo_sweep_train(elbo_sweep *s, const elbo_sweep_training *t, elbo_error *err);

/* ---- results ---- */

void elbo_sweep_summarize(elbo_sweep *s);

/* FOLDER/results.csv, a line for each run. */
elbo_status elbo_sweep_write_csv(const elbo_sweep *s, elbo_error *err);
/* NULL: no memory. */
json_t *elbo_sweep_json(const elbo_sweep *s);

#endif
