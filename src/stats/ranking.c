#include "stats/ranking.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

typedef struct scored {
    double score;
    bool positive;
} scored;

static int highest_first(const void *a, const void *b) {
    double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return x > y ? -1 : x < y;
}

elbo_status elbo_rank(elbo_ranking *r, const double *score, const bool *positive, size_t n, elbo_error *err) {
    *r = (elbo_ranking){.auroc = NAN, .average_precision = NAN};
    scored *s = elbo_alloc(n, sizeof *s);
    if (!s) return elbo_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        s[i] = (scored){score[i], positive[i]};
        *(positive[i] ? &r->positives : &r->negatives) += 1;
    }
    qsort(s, n, sizeof *s, highest_first);
    double P = (double)r->positives, N = (double)r->negatives, pairs = 0, area = 0;
    size_t above = 0; // positives among the first i
    for (size_t i = 0; i < n;) {
        size_t end = i, hits = 0; // those of equal score stand together
        while (end < n && !(s[end].score < s[i].score)) hits += s[end++].positive;
        double misses = (double)(end - i - hits);
        pairs += misses * ((double)above + 0.5 * (double)hits);
        above += hits;
        if (P > 0) area += (double)hits / P * (double)above / (double)end;
        i = end;
    }
    if (P > 0 && N > 0) {
        r->auroc = pairs / (P * N);
        r->average_precision = area;
    }
    free(s);
    return ELBO_OK;
}
