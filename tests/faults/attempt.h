/* One run of elbo in which something fails, or that is killed: what became of it. */
#ifndef ELBO_TESTS_FAULTS_ATTEMPT_H
#define ELBO_TESTS_FAULTS_ATTEMPT_H

#include "plan.h"

typedef struct attempt {
    const char *folder;       // which it runs in, its home too
    const char *const *words; // ended by NULL
    fault_kind kind;
    long at; // below 0: nothing fails
    bool from;
    double kill_after; // seconds; 0: it is not killed
} attempt;

typedef struct outcome {
    int code;  // exit status; 128 + n where signal n ended it
    bool late; // it hung, and was killed
    bool fired;
    long count; // of what may fail
    double seconds;
    char out[1 << 16], err[1 << 14]; // their beginnings
    char where[sizeof(((fault_plan *)0)->where)];
} outcome;

/* The programs: elbo, and the library that is loaded into it. */
void attempt_use(const char *elbo, const char *library);
/* Why system calls cannot be watched on this machine; NULL: they can. */
const char *attempt_lacks(void);
void attempt_run(outcome *o, const attempt *a);

#endif
