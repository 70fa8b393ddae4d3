#include "stats/disentanglement.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

enum { MOST_VALUES = 256 };

/* The streams of ELBO_FOR_PROBE that votes are drawn from. */
enum { VOTES_STREAM = 8 };

typedef struct counted {
    size_t of_value[MOST_VALUES];
    int values; // that occur
} counted;

static uint8_t value_of(const elbo_factor_codes *c, size_t i, int factor) {
    return c->factors[i * (size_t)c->count + (size_t)factor];
}

static float code_of(const elbo_factor_codes *c, size_t i, int d) { return c->codes[i * (size_t)c->dims + (size_t)d]; }

static void count_values(counted *v, const elbo_factor_codes *c, int factor) {
    *v = (counted){0};
    for (size_t i = 0; i < c->n; i++) v->values += v->of_value[value_of(c, i, factor)]++ == 0;
}

/* The largest less the second largest; of one dimension it alone. */
static double gap(const double *score, int dims) {
    double first = -INFINITY, second = 0;
    for (int d = 0; d < dims; d++) {
        if (score[d] > first) {
            second = d ? first : 0;
            first = score[d];
        } else if (d == 1 || score[d] > second) {
            second = score[d];
        }
    }
    return first - second;
}

static void moments(const elbo_factor_codes *c, int d, double *mean, double *variance) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < c->n; i++) sum += code_of(c, i, d);
    *mean = sum / (double)c->n;
    for (size_t i = 0; i < c->n; i++) squares += (code_of(c, i, d) - *mean) * (code_of(c, i, d) - *mean);
    *variance = c->n > 1 ? squares / (double)(c->n - 1) : 0;
}

/* ---- MIG ---- */

/* bins: (n) */
static void put_into_bins(uint8_t *bins, const elbo_factor_codes *c, int d) {
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < c->n; i++) {
        float v = code_of(c, i, d);
        if (v < low) low = v;
        if (v > high) high = v;
    }
    double width = ((double)high - low) / ELBO_MIG_BINS;
    for (size_t i = 0; i < c->n; i++) {
        double place = width > 0 ? (code_of(c, i, d) - (double)low) / width : 0;
        bins[i] = (uint8_t)(place >= 0 ? fmin(place, ELBO_MIG_BINS - 1) : 0); // (NaN: 0)
    }
}

static double mutual_information(const uint8_t *bins, const elbo_factor_codes *c, int factor, const counted *v) {
    static const size_t all = (size_t)ELBO_MIG_BINS * MOST_VALUES;
    size_t joint[ELBO_MIG_BINS * MOST_VALUES] = {0}, in_bin[ELBO_MIG_BINS] = {0};
    double sum = 0, n = (double)c->n;
    for (size_t i = 0; i < c->n; i++) {
        joint[(size_t)bins[i] * MOST_VALUES + value_of(c, i, factor)]++;
        in_bin[bins[i]]++;
    }
    for (size_t k = 0; k < all; k++)
        if (joint[k]) {
            double p = (double)joint[k] / n;
            sum += p * log(p * n * n / ((double)in_bin[k / MOST_VALUES] * (double)v->of_value[k % MOST_VALUES]));
        }
    return sum;
}

static double entropy(const counted *v, size_t n) {
    double sum = 0;
    for (int k = 0; k < MOST_VALUES; k++)
        if (v->of_value[k]) sum -= (double)v->of_value[k] / (double)n * log((double)v->of_value[k] / (double)n);
    return sum;
}

/* bins: (dims, n); score: (dims), both for use here */
static double mig(const elbo_factor_codes *c, uint8_t *bins, double *score) {
    double sum = 0;
    int asked = 0;
    for (int d = 0; d < c->dims; d++) put_into_bins(bins + (size_t)d * c->n, c, d);
    for (int k = 0; k < c->count; k++) {
        counted v;
        count_values(&v, c, k);
        if (v.values < 2) continue;
        for (int d = 0; d < c->dims; d++) score[d] = mutual_information(bins + (size_t)d * c->n, c, k, &v);
        sum += gap(score, c->dims) / entropy(&v, c->n);
        asked++;
    }
    return asked ? sum / asked : NAN;
}

/* ---- SAP ---- */

static double r_squared(const elbo_factor_codes *c, int d, int factor, double mean, double variance) {
    double n = (double)c->n, middle = 0, spread = 0, both = 0;
    for (size_t i = 0; i < c->n; i++) middle += value_of(c, i, factor) / n;
    for (size_t i = 0; i < c->n; i++) {
        double f = value_of(c, i, factor) - middle;
        spread += f * f;
        both += f * (code_of(c, i, d) - mean);
    }
    return both * both / (spread * variance * (n - 1));
}

typedef struct pair {
    float code;
    uint8_t class;
} pair;

static int by_code(const void *a, const void *b) {
    float x = ((const pair *)a)->code, y = ((const pair *)b)->code;
    return (x > y) - (x < y);
}

/* The most that intervals of a sorted line can get right, one for each class or none: best[used][last] of the classes whose intervals
 * have begun, and that of the last. A threshold stands between different codes only.  p: (n), sorted */
static double best_thresholds(const pair *p, size_t n, int classes, const double *worth) {
    double best[1 << ELBO_SAP_CLASSES][ELBO_SAP_CLASSES], most = 0;
    int sets = 1 << classes;
    for (int used = 0; used < sets; used++)
        for (int last = 0; last < classes; last++) best[used][last] = used == 1 << last ? 0 : -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (i && p[i].code > p[i - 1].code)
            for (int used = 1; used < sets; used++)
                for (int last = 0; last < classes; last++)
                    for (int next = 0; next < classes; next++)
                        if (!(used >> next & 1) && best[used][last] > best[used | 1 << next][next])
                            best[used | 1 << next][next] = best[used][last];
        for (int used = 1; used < sets; used++) best[used][p[i].class] += worth[p[i].class];
    }
    for (int used = 1; used < sets; used++)
        for (int last = 0; last < classes; last++) most = fmax(most, best[used][last]);
    return most;
}

/* Balanced accuracy.  p: (n), for use here */
static double threshold_accuracy(pair *p, const elbo_factor_codes *c, int d, int factor, const counted *v) {
    uint8_t class[MOST_VALUES];
    double worth[ELBO_SAP_CLASSES];
    int classes = 0;
    for (int k = 0; k < MOST_VALUES; k++) {
        if (!v->of_value[k]) continue;
        worth[classes] = 1.0 / ((double)v->of_value[k] * v->values);
        class[k] = (uint8_t)classes++;
    }
    for (size_t i = 0; i < c->n; i++) p[i] = (pair){code_of(c, i, d), class[value_of(c, i, factor)]};
    qsort(p, c->n, sizeof *p, by_code);
    return best_thresholds(p, c->n, classes, worth);
}

/* p: (n); score: (dims), both for use here; variance, mean: (dims) */
static double sap(const elbo_factor_codes *c, pair *p, double *score, const double *mean, const double *variance) {
    double sum = 0;
    int asked = 0;
    for (int k = 0; k < c->count; k++) {
        counted v;
        count_values(&v, c, k);
        if (v.values < 2 || (!c->factor[k].ordered && v.values > ELBO_SAP_CLASSES)) continue;
        for (int d = 0; d < c->dims; d++) {
            score[d] = 0;
            if (!(variance[d] > c->least)) continue;
            score[d] =
                c->factor[k].ordered ? r_squared(c, d, k, mean[d], variance[d]) : threshold_accuracy(p, c, d, k, &v);
        }
        sum += gap(score, c->dims);
        asked++;
    }
    return asked ? sum / asked : NAN;
}

/* ---- FactorVAE's score ---- */

typedef struct votes {
    const elbo_factor_codes *c;
    const double *variance; // (dims)
    uint32_t *image;        // (count, n): of each factor, the images sorted by its value
    size_t *start;          // (count, MOST_VALUES + 1)
    int asked, factor[ELBO_MOST_FACTORS];
} votes;

static void sort_images(votes *v) {
    const elbo_factor_codes *c = v->c;
    for (int k = 0; k < c->count; k++) {
        size_t *start = v->start + (size_t)k * (MOST_VALUES + 1), at[MOST_VALUES];
        counted values;
        count_values(&values, c, k);
        for (int f = 0; f < MOST_VALUES; f++) start[f + 1] = start[f] + values.of_value[f];
        memcpy(at, start, sizeof at);
        for (size_t i = 0; i < c->n; i++) v->image[(size_t)k * c->n + at[value_of(c, i, k)]++] = (uint32_t)i;
        if (values.values > 1) v->factor[v->asked++] = k;
    }
}

static size_t below(uint32_t word, size_t n) { return (size_t)((uint64_t)word * n >> 32); }

/* The dimension that one vote is for; *asked: which factor was held. */
static int vote(const votes *v, uint32_t number, int *asked) {
    const elbo_factor_codes *c = v->c;
    uint32_t word[ELBO_VOTE_IMAGES + 4];
    elbo_stream s = {.purpose = ELBO_FOR_PROBE, .epoch = VOTES_STREAM, .sample = number};
    for (uint32_t b = 0; b < ELBO_VOTE_IMAGES / 4 + 1; b++) elbo_random_words(s, b, word + 4 * b);
    *asked = (int)below(word[0], (size_t)v->asked);
    int k = v->factor[*asked];
    uint8_t value = value_of(c, below(word[1], c->n), k);
    const size_t *start = v->start + (size_t)k * (MOST_VALUES + 1) + value;
    const uint32_t *images = v->image + (size_t)k * c->n + start[0];
    int chosen = -1;
    double least = INFINITY;
    for (int d = 0; d < c->dims; d++) {
        if (!(v->variance[d] > c->least)) continue;
        double sum = 0, squares = 0, first = 0;
        for (int i = 0; i < ELBO_VOTE_IMAGES; i++) {
            double x = code_of(c, images[below(word[4 + i], start[1] - start[0])], d);
            if (i == 0) first = x;
            sum += x - first; // about something near it
            squares += (x - first) * (x - first);
        }
        double spread = (squares - sum * sum / ELBO_VOTE_IMAGES) / (ELBO_VOTE_IMAGES - 1) / v->variance[d];
        if (chosen < 0 || spread < least) least = spread, chosen = d;
    }
    return chosen;
}

/* table: (dims, ELBO_MOST_FACTORS) of counts, zeroed, for use here */
static double factor_vae_score(votes *v, uint32_t *table) {
    sort_images(v);
    if (!v->asked) return NAN;
    int asked;
    for (uint32_t i = 0; i < ELBO_TRAIN_VOTES; i++) {
        int d = vote(v, i, &asked);
        if (d < 0) return 0; // no dimension is used
        table[d * ELBO_MOST_FACTORS + asked]++;
    }
    int right = 0;
    for (uint32_t i = 0; i < ELBO_TEST_VOTES; i++) {
        const uint32_t *row = table + vote(v, ELBO_TRAIN_VOTES + i, &asked) * ELBO_MOST_FACTORS;
        int told = 0;
        for (int k = 1; k < v->asked; k++)
            if (row[k] > row[told]) told = k;
        right += told == asked;
    }
    return (double)right / ELBO_TEST_VOTES;
}

/* ---- all three ---- */

elbo_status elbo_disentanglement_of(elbo_disentanglement *d, const elbo_factor_codes *c, const elbo_job *work,
                                    elbo_error *err) {
    *d = (elbo_disentanglement){.mig = NAN, .factor_vae = NAN, .sap = NAN};
    if (c->n < 2 || c->count < 1 || c->count > ELBO_MOST_FACTORS)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "disentanglement: %zu images with %d factors; expected 2 or more, with 1 to %d", c->n,
                         c->count, ELBO_MOST_FACTORS);
    size_t dims = (size_t)c->dims, count = (size_t)c->count;
    uint8_t *bins = elbo_alloc(dims, c->n);
    pair *pairs = elbo_alloc(c->n, sizeof *pairs);
    double *score = elbo_alloc(dims, 3 * sizeof *score), *mean = score + dims, *variance = mean + dims;
    uint32_t *table = elbo_alloc(dims, ELBO_MOST_FACTORS * sizeof *table);
    votes v = {.c = c,
               .image = elbo_alloc(count * c->n, sizeof *v.image),
               .start = elbo_alloc(count, (MOST_VALUES + 1) * sizeof *v.start)};
    elbo_status status = bins && pairs && score && table && v.image && v.start ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        for (int z = 0; z < c->dims; z++) moments(c, z, &mean[z], &variance[z]);
        v.variance = variance;
        d->mig = mig(c, bins, score);
        if (work->progress) work->progress(work->context, "disentanglement", 0.5);
        d->sap = sap(c, pairs, score, mean, variance);
        d->factor_vae = factor_vae_score(&v, table);
    }
    free(bins);
    free(pairs);
    free(score);
    free(table);
    free(v.image);
    free(v.start);
    return status;
}
