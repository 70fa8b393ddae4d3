/* What is wrong with a run, in plain words with the numbers behind them.
 *
 * A verdict is one function and one row of the table in doctor.c. It looks at one thing, says what it measured whether
 * well or ill, and what to try where it is ill. */
#ifndef ELBO_DOCTOR_H
#define ELBO_DOCTOR_H

#include "explore/metrics/scores.h"

typedef enum elbo_health {
    ELBO_NOT_ASKED, // the question makes no sense for this run: an autoencoder has no prior
    ELBO_WELL,
    ELBO_NOTE, // worth knowing; may be meant
    ELBO_ILL,
} elbo_health;

enum { ELBO_VERDICT_NUMBERS = 8 };

typedef struct elbo_check {
    const char *name, *title; // of its row: "collapsed", "Collapsed dimensions"
    elbo_health health;
    char evidence[480]; // what was measured, with units
    char advice[320];   // what to try; empty where it is well
    struct {
        const char *name;
        double value;
    } number[ELBO_VERDICT_NUMBERS]; // the same for programs; ended by a row without a name
} elbo_check;

typedef struct elbo_check_row {
    const char *name, *title;
    elbo_status (*check)(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
} elbo_check_row;
extern const elbo_check_row elbo_check_rows[]; // ended by a row without a name
enum { ELBO_MOST_VERDICTS = 16 };

/* verdict: (ELBO_MOST_VERDICTS); *count of them are filled, in the order of the table. */
elbo_status elbo_doctor(elbo_check *verdict, int *count, const elbo_eval_context *e, elbo_error *err);

const char *elbo_health_name(elbo_health h); // "well", "note", "ill", "not asked"

/* ---- for verdicts ---- */

/* Sets the health and the evidence. */
void elbo_found(elbo_check *v, elbo_health health, const char *format, ...) __attribute__((format(printf, 3, 4)));
void elbo_advise(elbo_check *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
void elbo_number(elbo_check *v, const char *name, double value);

elbo_status elbo_check_range(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // verdict_network.c
elbo_status elbo_check_dead(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_finished(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // verdict_curves.c
elbo_status elbo_check_diverged(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_overfitting(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_underfitting(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_collapsed(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // verdict_code.c
elbo_status elbo_check_ignored(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_prior(elbo_check *v, const elbo_eval_context *e, elbo_error *err);
elbo_status elbo_check_memorised(elbo_check *v, const elbo_eval_context *e, elbo_error *err); // verdict_memory.c

#endif
