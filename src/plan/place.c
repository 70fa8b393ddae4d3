#include "plan/place.h"

#include <stdlib.h>

static int larger_first(const void *a, const void *b) {
    const elbo_placed *x = a, *y = b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x->first - y->first;
}

size_t elbo_place_all(elbo_placed *things, int n) {
    qsort(things, (size_t)n, sizeof *things, larger_first);
    size_t end = 0;
    for (int i = 0; i < n; i++) {
        elbo_placed *s = &things[i];
        s->start = 0;
        for (int moved = 1; moved;) {
            moved = 0;
            for (int k = 0; k < i; k++) {
                const elbo_placed *o = &things[k];
                int together = s->first <= o->last && o->first <= s->last;
                if (together && s->start < o->start + o->size && o->start < s->start + s->size) {
                    s->start = o->start + o->size;
                    moved = 1;
                }
            }
        }
        if (s->start + s->size > end) end = s->start + s->size;
    }
    return end;
}
