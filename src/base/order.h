/* Comparisons for qsort. */
#ifndef ELBO_ORDER_H
#define ELBO_ORDER_H

static inline int elbo_ascending(const void *a, const void *b) { // doubles, none of them NaN
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline int elbo_ascending_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

#endif
