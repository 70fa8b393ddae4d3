/* What elbo is made to do while something fails or it is killed, and what must be true afterwards. */
#ifndef ELBO_TESTS_FAULTS_CASES_H
#define ELBO_TESTS_FAULTS_CASES_H

#include <stdbool.h>

#include "attempt.h"

typedef struct fault_case {
    const char *name;
    const char *words[12];  // ended by NULL
    const char *run;        // copied to the folder "run" before; NULL: there is none
    const char *outputs[4]; // files that are whole, or what they were, or not there
    bool trains;            // into "run": gone on with afterwards, to the same bits
    bool photos;            // needs elbo-images
} fault_case;

extern const fault_case fault_cases[];
extern const int fault_case_count;

/* A folder with small data and runs, made with the program that attempt_use names; `epochs` of training. */
void cases_open(int epochs);
void cases_close(void);
const char *cases_folder(void);

/* The case as a run without faults does it: what others are compared with. False where it cannot be done here. */
bool case_prepare(const fault_case *c, outcome *o);
/* How many of a kind there are in it. */
long case_count(const fault_case *c, fault_kind kind);
/* One attempt: what is wrong, or NULL. The text lives until the next call. */
const char *case_attempt(const fault_case *c, const attempt *a, outcome *o);

#endif
