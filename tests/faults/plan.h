/* What is to fail in a run of elbo, in memory that the sweep and the library inside the run share. */
#ifndef ELBO_TESTS_FAULTS_PLAN_H
#define ELBO_TESTS_FAULTS_PLAN_H

#include <stdatomic.h>
#include <stdbool.h>

typedef enum fault_kind {
    FAULT_NONE,
    FAULT_MEMORY, // malloc and its family, called from elbo, libc, jansson ...
    FAULT_ONEDNN, // the same, called from oneDNN or libstdc++: tens of thousands, while it generates its code
    FAULT_CALLS,  // system calls: files, folders, pipes, maps, threads, processes
    FAULT_DISK,   // of these, what writes to a disk
} fault_kind;

typedef struct fault_plan {
    fault_kind kind;
    long at;           // which of them fails, counted from 0 at main; below 0: none, they are counted only
    bool from;         // and all that follow
    atomic_long count; // so far
    atomic_bool fired;
    int caller_places; // of the stack, for people: what `where` holds
    char where[2048];  // "library+0xoffset" of each caller of what failed, or the system call
} fault_plan;

/* In the environment: "PLAN SOCKET", the descriptors of the plan and of the socket that the listener for system calls
 * is sent through. */
#define FAULT_VARIABLE "ELBO_TEST_FAULTS"

#endif
