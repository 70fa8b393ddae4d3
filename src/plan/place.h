/* Where things of different lifetimes lie in one block of memory: two may share a place if no moment needs both. */
#ifndef ELBO_PLACE_H
#define ELBO_PLACE_H

#include <stddef.h>

typedef struct elbo_placed {
    void *of;        // the caller's
    size_t size;     // in, as `start` in the caller's unit
    int first, last; // in: moments between which it is needed, both included
    size_t start;    // out
} elbo_placed;

/* Sorts them, the largest first; each takes the lowest place that is free during its life. Returns the size of all. */
size_t elbo_place_all(elbo_placed *things, int n); // things: (n)

#endif
