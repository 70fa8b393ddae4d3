/* Fibers: functions that stop in their middle and let others go on, on one thread. */
#ifndef ELBO_CUDA_FIBER_H
#define ELBO_CUDA_FIBER_H

#include <stddef.h>

enum { ELBO_FIBER_STACK = 64 << 10 };

typedef struct elbo_fiber {
    void *stack_pointer; // while it does not run
    char *stack;         // (ELBO_FIBER_STACK)
    void *fake_stack;    // AddressSanitizer's
} elbo_fiber;

/* The next switch to it calls start(), which must not return. */
void elbo_fiber_make(elbo_fiber *f, void (*start)(void));
/* `to` has a stack of its own: scheduler to fiber. */
void elbo_fiber_enter(elbo_fiber *scheduler, elbo_fiber *to);
/* From a fiber back; `ends`: for ever. */
void elbo_fiber_leave(elbo_fiber *from, elbo_fiber *scheduler, int ends);
/* First thing in start(). */
void elbo_fiber_started(void);

#endif
