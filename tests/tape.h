/* Differentiation in double: every addition and product of a computation is a step on a tape, its value beside its
 * derivatives by what went in, and one walk back over the tape gives the gradient of its last value by all others. So
 * what is computed with it has no formula of a gradient of its own that could be wrong.
 *
 * A tape tells how far a computation in floats may be off, too. With `noise` set, each step's value is moved by a random
 * part of it of up to 2^-24, what a float's rounding moves it by, on the way forward and on the way back (Monte Carlo
 * arithmetic: Parker, 1997). What two such runs differ by from the exact one is what rounding makes of this network and
 * these numbers, however well or badly conditioned they are: deep, normalised, cancelling. */
#ifndef ELBO_TESTS_TAPE_H
#define ELBO_TESTS_TAPE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef int32_t var; // a step's number

typedef struct tape_step {
    double value, slope; // slope: of the last value by this one, after tape_back
    double by[2];        // derivatives by from[0] and from[1]; by from[2] it is 1
    var from[3];         // -1: none
    bool exact;          // rounds as doubles do
} tape_step;

typedef struct tape {
    tape_step *step;
    size_t count, room;
    uint64_t random;
    bool noise;
    bool exact; // steps from here on are of doubles: what elbo's kernels promise to sum in doubles
    /* Where a decision (is x above 0, which of a window is largest) is nearer than this, floats may decide otherwise:
     * then this run does. An exact 0 is not turned: it is 0 in floats, too. */
    double turn;
} tape;

static inline void tape_clear(tape *t) { t->count = 0; }
static inline void tape_free(tape *t) {
    free(t->step);
    *t = (tape){0};
}

static inline double tape_rounding(tape *t, bool exact) {
    if (!t->noise || exact) return 1;
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return 1 + ((double)(t->random >> 11) * 0x1p-52 - 1) * 0x1p-24;
}

static inline var tape_push(tape *t, tape_step s, bool computed) {
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 1 << 16;
        t->step = realloc(t->step, t->room * sizeof *t->step);
        if (!t->step) abort();
    }
    s.exact = t->exact;
    if (computed) s.value *= tape_rounding(t, s.exact);
    t->step[t->count] = s;
    return (var)t->count++;
}

static inline double at(const tape *t, var x) { return t->step[x].value; }

/* ---- arithmetic ---- */

static inline var constant(tape *t, double x) {
    return tape_push(t, (tape_step){.value = x, .from = {-1, -1, -1}}, false);
}
/* Any function of one value. */
static inline var function(tape *t, var x, double value, double derivative) {
    return tape_push(t, (tape_step){.value = value, .by = {derivative}, .from = {x, -1, -1}}, true);
}
/* x y + z */
static inline var fma_of(tape *t, var x, var y, var z) {
    return tape_push(
        t, (tape_step){.value = at(t, x) * at(t, y) + at(t, z), .by = {at(t, y), at(t, x)}, .from = {x, y, z}}, true);
}
static inline var mul(tape *t, var x, var y) {
    return tape_push(t, (tape_step){.value = at(t, x) * at(t, y), .by = {at(t, y), at(t, x)}, .from = {x, y, -1}},
                     true);
}
static inline var plus(tape *t, var x, var y) {
    return tape_push(t, (tape_step){.value = at(t, x) + at(t, y), .by = {1, 1}, .from = {x, y, -1}}, true);
}
static inline var minus(tape *t, var x, var y) {
    return tape_push(t, (tape_step){.value = at(t, x) - at(t, y), .by = {1, -1}, .from = {x, y, -1}}, true);
}
static inline var times(tape *t, var x, double k) { return function(t, x, at(t, x) * k, k); }
static inline var over(tape *t, var x, var y) {
    double q = at(t, x) / at(t, y);
    return tape_push(t, (tape_step){.value = q, .by = {1 / at(t, y), -q / at(t, y)}, .from = {x, y, -1}}, true);
}
static inline var exp_of(tape *t, var x) { return function(t, x, exp(at(t, x)), exp(at(t, x))); }
static inline var root_of(tape *t, var x) { return function(t, x, sqrt(at(t, x)), 0.5 / sqrt(at(t, x))); }

/* ---- decisions ---- */

static inline bool above_0(const tape *t, double x) { return x != 0 && fabs(x) <= t->turn ? x < 0 : x > 0; }

/* The largest, the first of equal ones. */
static inline var largest_of(const tape *t, const var *x, int n) {
    int most = 0, second = -1;
    for (int i = 1; i < n; i++)
        if (at(t, x[i]) > at(t, x[most])) most = i;
    for (int i = 0; i < n; i++)
        if (at(t, x[i]) < at(t, x[most]) && (second < 0 || at(t, x[i]) > at(t, x[second]))) second = i;
    bool turned = second >= 0 && at(t, x[most]) - at(t, x[second]) <= t->turn;
    return x[turned ? second : most];
}

/* ---- back ---- */

static inline void tape_back(tape *t, var last) {
    for (size_t i = 0; i < t->count; i++) t->step[i].slope = 0;
    t->step[last].slope = 1;
    for (size_t i = (size_t)last + 1; i-- > 0;) {
        const tape_step *s = &t->step[i];
        if (s->slope == 0) continue;
        for (int k = 0; k < 3 && s->from[k] >= 0; k++) {
            tape_step *to = &t->step[s->from[k]];
            double part = k == 2 ? s->slope : s->slope * s->by[k] * tape_rounding(t, s->exact);
            to->slope = to->slope == 0 ? part : (to->slope + part) * tape_rounding(t, s->exact);
        }
    }
}

#endif
