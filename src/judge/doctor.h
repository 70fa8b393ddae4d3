/* What is wrong with a run, in plain words with the numbers behind them.
 *
 * A verdict is one function and one row of the table in doctor.c. It looks at one thing, says what it measured whether
 * well or ill, and what to try where it is ill. */
#ifndef ELBO_DOCTOR_H
#define ELBO_DOCTOR_H

#include "judge/scores.h"

typedef enum elbo_health {
    ELBO_NOT_ASKED, // the question makes no sense for this run: an autoencoder has no prior
    ELBO_WELL,
    ELBO_NOTE, // worth knowing; may be meant
    ELBO_ILL,
} elbo_health;

enum { ELBO_VERDICT_NUMBERS = 8 };

typedef struct elbo_verdict {
    const char *name, *title; // of its row: "collapsed", "Collapsed dimensions"
    elbo_health health;
    char evidence[480]; // what was measured, with units
    char advice[320];   // what to try; empty where it is well
    struct {
        const char *name;
        double value;
    } number[ELBO_VERDICT_NUMBERS]; // the same for programs; ended by a row without a name
} elbo_verdict;

typedef struct elbo_verdict_row {
    const char *name, *title;
    elbo_status (*check)(elbo_verdict *v, const elbo_exam *e, elbo_error *err);
} elbo_verdict_row;
extern const elbo_verdict_row elbo_verdict_rows[]; // ended by a row without a name
enum { ELBO_MOST_VERDICTS = 16 };

/* verdict: (ELBO_MOST_VERDICTS); *count of them are filled, in the order of the table. */
elbo_status elbo_doctor(elbo_verdict *verdict, int *count, const elbo_exam *e, elbo_error *err);

const char *elbo_health_name(elbo_health h); // "well", "note", "ill", "not asked"

/* ---- for verdicts ---- */

/* Sets the health and the evidence. */
void elbo_found(elbo_verdict *v, elbo_health health, const char *format, ...) __attribute__((format(printf, 3, 4)));
void elbo_advise(elbo_verdict *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
void elbo_number(elbo_verdict *v, const char *name, double value);

elbo_status elbo_check_range(elbo_verdict *v, const elbo_exam *e, elbo_error *err); // verdict_network.c
elbo_status elbo_check_dead(elbo_verdict *v, const elbo_exam *e, elbo_error *err);
elbo_status elbo_check_finished(elbo_verdict *v, const elbo_exam *e, elbo_error *err); // verdict_curves.c
elbo_status elbo_check_diverged(elbo_verdict *v, const elbo_exam *e, elbo_error *err);
elbo_status elbo_check_overfitting(elbo_verdict *v, const elbo_exam *e, elbo_error *err);
elbo_status elbo_check_underfitting(elbo_verdict *v, const elbo_exam *e, elbo_error *err);
elbo_status elbo_check_collapsed(elbo_verdict *v, const elbo_exam *e, elbo_error *err); // verdict_code.c
elbo_status elbo_check_ignored(elbo_verdict *v, const elbo_exam *e, elbo_error *err);
elbo_status elbo_check_prior(elbo_verdict *v, const elbo_exam *e, elbo_error *err);
elbo_status elbo_check_memorised(elbo_verdict *v, const elbo_exam *e, elbo_error *err); // verdict_memory.c

#endif
