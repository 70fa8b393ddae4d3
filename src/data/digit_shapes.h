/* The ways people write each digit, as points that the pen goes through. */
#ifndef ELBO_DIGIT_SHAPES_H
#define ELBO_DIGIT_SHAPES_H

typedef enum elbo_digit_kind {
    ELBO_DIGIT_SMOOTH, // the pen goes on through the point
    ELBO_DIGIT_CORNER, // it turns sharply there
    ELBO_DIGIT_START,  // it is set down there: a new stroke
} elbo_digit_kind;

typedef struct elbo_digit_point {
    float x, y; // x about 0 .. 0.6 to the right, y 0 .. 1 downwards
    elbo_digit_kind kind;
} elbo_digit_point;

enum { ELBO_DIGIT_MAX_POINTS = 16 };

typedef struct elbo_digit_shape {
    int digit;
    float share; // of the digit's images; the shares of a digit add up to 1
    int count;
    elbo_digit_point point[ELBO_DIGIT_MAX_POINTS]; // (count)
} elbo_digit_shape;

/* The way of writing `digit` that `chance`, in [0, 1), falls on. */
const elbo_digit_shape *elbo_digit_pick(int digit, float chance);

#endif
