#include "stats/tsne_similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/work_queue.h"
#include "stats/simd/tsne_kernels.h"

enum { ROWS_AT_ONCE = 256, BALL = 512, LOOKED_AT = 8 };

uint16_t elbo_weight_pack(float p) {
    int32_t bits;
    memcpy(&bits, &p, sizeof bits);
    int64_t code = ((int64_t)bits - ELBO_WEIGHT_ZERO + (1 << (ELBO_WEIGHT_SHIFT - 1))) >> ELBO_WEIGHT_SHIFT;
    return (uint16_t)(code < 0 ? 0 : code > UINT16_MAX ? UINT16_MAX : code);
}

float elbo_weight_unpack(uint16_t w) {
    int32_t bits = ((int32_t)w << ELBO_WEIGHT_SHIFT) + ELBO_WEIGHT_ZERO;
    float p;
    memcpy(&p, &bits, sizeof p);
    return p;
}

typedef struct build {
    elbo_similarities *s;
    const elbo_tsne_kernels *kernels;
    size_t n;
    int k;
    const uint32_t *neighbour; // (n, k)
    float *distance2;          // (n, k); then the conditional probabilities
    uint16_t *conditional;     // (n, k), packed
    uint32_t *relabelled;      // (n, k): `neighbour` in the new order
    uint16_t *reordered;       // (n, k): `conditional` in the new order
    uint32_t *rank;            // (n): where the caller's i-th point is here
    _Atomic uint32_t
        *extra; // (n): how many have i as a neighbour and are none of its own; then, how many of them are entered
    float log_perplexity;
    double *entropy, *sum; // (pieces)
} build;

static size_t piece_end(const build *b, size_t from) { return from + ROWS_AT_ONCE < b->n ? from + ROWS_AT_ONCE : b->n; }

static void make_conditional(void *context, int piece, int thread) {
    (void)thread;
    build *b = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE, k = (size_t)b->k;
    for (size_t i = from; i < piece_end(b, from); i++) {
        float *row = b->distance2 + i * k;
        b->kernels->force->conditional(row, row, b->k, b->log_perplexity);
        for (size_t j = 0; j < k; j++) b->conditional[i * k + j] = elbo_weight_pack(row[j]);
    }
}

/* A new order in which neighbours are near: balls of some hundred points, grown from neighbour to neighbour, each
 * beginning where an earlier one ended. */
static elbo_status choose_order(build *b, elbo_error *err) {
    size_t n = b->n, k = (size_t)b->k, look = k < LOOKED_AT ? k : LOOKED_AT, placed = 0, waiting = 0, next = 0;
    uint32_t *place = b->s->place, *stack = elbo_alloc(n * look + 1, sizeof *stack);
    uint32_t *queue = elbo_alloc(BALL * look + 1, sizeof *queue);
    uint8_t *seen = elbo_alloc(n, 1);
    elbo_status status = stack && queue && seen ? ELBO_OK : elbo_no_memory(err);
    while (status == ELBO_OK && placed < n) {
        while (waiting && seen[stack[waiting - 1]]) waiting--;
        if (!waiting) {
            while (seen[next]) next++;
            stack[waiting++] = (uint32_t)next;
        }
        size_t head = 0, tail = 0, grown = 0;
        queue[tail++] = stack[--waiting];
        while (head < tail && grown < BALL) {
            uint32_t i = queue[head++];
            if (seen[i]) continue;
            seen[i] = 1;
            b->rank[i] = (uint32_t)placed;
            place[placed++] = i;
            grown++;
            for (size_t j = 0; j < look; j++) {
                uint32_t other = b->neighbour[i * k + j];
                if (!seen[other]) queue[tail++] = other;
            }
        }
        while (tail > head) stack[waiting++] = queue[--tail]; // the nearest to the ball's middle is on top
    }
    free(stack);
    free(queue);
    free(seen);
    return status;
}

/* Rows in the new order, with the new names: from here on neighbours lie near each other in memory, without which a
 * million points take ten times as long. */
static void relabel(void *context, int piece, int thread) {
    (void)thread;
    build *b = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE, k = (size_t)b->k;
    for (size_t r = from; r < piece_end(b, from); r++) {
        size_t i = b->s->place[r];
        for (size_t t = 0; t < k; t++) b->relabelled[r * k + t] = b->rank[b->neighbour[i * k + t]];
    }
}

static void reorder_weights(void *context, int piece, int thread) {
    (void)thread;
    build *b = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE, k = (size_t)b->k;
    for (size_t r = from; r < piece_end(b, from); r++)
        memcpy(b->reordered + r * k, b->conditional + b->s->place[r] * k, k * sizeof *b->reordered);
}

static elbo_status put_in_order(build *b, elbo_neighbours *nb, elbo_team *team, int pieces, elbo_error *err) {
    size_t entries = b->n * (size_t)b->k;
    b->relabelled = malloc(entries * sizeof *b->relabelled);
    if (!b->relabelled) return elbo_no_memory(err);
    elbo_work_queue_run(team, pieces, relabel, b);
    free(nb->index); // one large array after the other
    nb->index = NULL;
    b->neighbour = b->relabelled;
    b->reordered = malloc(entries * sizeof *b->reordered);
    if (!b->reordered) return elbo_no_memory(err);
    elbo_work_queue_run(team, pieces, reorder_weights, b);
    free(b->conditional);
    b->conditional = b->reordered;
    b->reordered = NULL;
    return ELBO_OK;
}

/* The weight that j gives i, or -1 where i is none of j's neighbours. */
static float weight_back(const build *b, uint32_t i, uint32_t j) {
    const uint32_t *row = b->neighbour + (size_t)j * (size_t)b->k;
    uint32_t at = 0;
    for (uint32_t t = 0; t < (uint32_t)b->k; t++) at |= row[t] == i ? t + 1 : 0; // at most one is i
    return at ? elbo_weight_unpack(b->conditional[(size_t)j * (size_t)b->k + at - 1]) : -1;
}

static void count_extra(void *context, int piece, int thread) {
    (void)thread;
    build *b = context;
    size_t from = (size_t)piece * ROWS_AT_ONCE, k = (size_t)b->k;
    for (size_t i = from; i < piece_end(b, from); i++)
        for (size_t t = 0; t < k; t++) {
            uint32_t j = b->neighbour[i * k + t];
            if (weight_back(b, (uint32_t)i, j) < 0) atomic_fetch_add_explicit(&b->extra[j], 1, memory_order_relaxed);
        }
}

/* Each point enters its own row, and the rows of those that do not know it, behind what they enter themselves. */
static void enter(void *context, int piece, int thread) {
    (void)thread;
    build *b = context;
    elbo_similarities *s = b->s;
    size_t from = (size_t)piece * ROWS_AT_ONCE, k = (size_t)b->k;
    for (size_t i = from; i < piece_end(b, from); i++)
        for (size_t t = 0; t < k; t++) {
            uint32_t j = b->neighbour[i * k + t];
            float back = weight_back(b, (uint32_t)i, j), p = elbo_weight_unpack(b->conditional[i * k + t]);
            uint16_t weight = elbo_weight_pack(back < 0 ? p : p + back);
            s->index[s->start[i] + t] = j;
            s->weight[s->start[i] + t] = weight;
            if (back >= 0) continue;
            size_t at = s->start[j] + k + atomic_fetch_add_explicit(&b->extra[j], 1, memory_order_relaxed);
            s->index[at] = (uint32_t)i;
            s->weight[at] = weight;
        }
}

/* By insertion where few, by merging above. */
static void sort(uint64_t *a, uint64_t *spare, size_t n) {
    enum { RUN = 16 };
    for (size_t from = 0; from < n; from += RUN) {
        size_t to = from + RUN < n ? from + RUN : n;
        for (size_t i = from + 1; i < to; i++) {
            uint64_t v = a[i];
            size_t j = i;
            for (; j > from && a[j - 1] > v; j--) a[j] = a[j - 1];
            a[j] = v;
        }
    }
    uint64_t *from = a, *to = spare;
    for (size_t width = RUN; width < n; width *= 2) {
        for (size_t low = 0; low < n; low += 2 * width) {
            size_t middle = low + width < n ? low + width : n, high = low + 2 * width < n ? low + 2 * width : n;
            for (size_t i = low, j = middle, o = low; o < high; o++)
                to[o] = j >= high || (i < middle && from[i] < from[j]) ? from[i++] : from[j++];
        }
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != a) memcpy(a, from, n * sizeof *a);
}

/* Entries came in an order that chance decided: now by index. */
static void tidy(void *context, int piece, int thread) {
    (void)thread;
    build *b = context;
    elbo_similarities *s = b->s;
    size_t from = (size_t)piece * ROWS_AT_ONCE, longest = 0;
    for (size_t r = from; r < piece_end(b, from); r++)
        if (s->start[r + 1] - s->start[r] > longest) longest = s->start[r + 1] - s->start[r];
    uint64_t *key = malloc(2 * longest * sizeof *key);
    b->sum[piece] = -1; // where there is no memory
    if (!key) return;
    double sum = 0, entropy = 0;
    for (size_t r = from; r < piece_end(b, from); r++) {
        size_t at = s->start[r], filled = (size_t)b->k + b->extra[r], length = s->start[r + 1] - at;
        for (size_t t = 0; t < filled; t++) key[t] = (uint64_t)s->index[at + t] << 16 | s->weight[at + t];
        sort(key, key + longest, filled);
        for (size_t t = 0; t < filled; t++) {
            s->index[at + t] = (uint32_t)(key[t] >> 16);
            s->weight[at + t] = (uint16_t)key[t];
            double p = elbo_weight_unpack(s->weight[at + t]);
            sum += p;
            entropy += p * log(p);
        }
        for (size_t t = filled; t < length; t++) {
            s->index[at + t] = (uint32_t)r;
            s->weight[at + t] = 0;
        }
    }
    b->sum[piece] = sum;
    b->entropy[piece] = entropy;
    free(key);
}

static void begin_rows(build *b) {
    elbo_similarities *s = b->s;
    s->start[0] = 0;
    for (size_t r = 0; r < b->n; r++) {
        size_t length = (size_t)b->k + b->extra[r];
        s->start[r + 1] = s->start[r] + (length + ELBO_ROW_UNIT - 1) / ELBO_ROW_UNIT * ELBO_ROW_UNIT;
        b->extra[r] = 0;
    }
}

static elbo_status make(build *b, elbo_neighbours *nb, elbo_team *team, elbo_error *err) {
    elbo_similarities *s = b->s;
    size_t n = b->n, entries = n * (size_t)b->k;
    int pieces = (int)((n + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE);
    b->conditional = malloc(entries * sizeof *b->conditional);
    b->rank = elbo_alloc(n, sizeof *b->rank);
    b->extra = elbo_alloc(n, sizeof *b->extra);
    b->sum = elbo_alloc((size_t)pieces * 2, sizeof *b->sum);
    s->place = elbo_alloc(n, sizeof *s->place);
    s->start = elbo_alloc(n + 1, sizeof *s->start);
    if (!b->conditional || !b->rank || !b->extra || !b->sum || !s->place || !s->start) return elbo_no_memory(err);
    b->entropy = b->sum + pieces;
    elbo_work_queue_run(team, pieces, make_conditional, b);
    free(nb->distance2);
    nb->distance2 = NULL;

    ELBO_TRY(choose_order(b, err));
    ELBO_TRY(put_in_order(b, nb, team, pieces, err));
    elbo_work_queue_run(team, pieces, count_extra, b);
    begin_rows(b);
    s->index = malloc(s->start[n] * sizeof *s->index);
    s->weight = malloc(s->start[n] * sizeof *s->weight);
    if (!s->index || !s->weight) return elbo_no_memory(err);
    elbo_work_queue_run(team, pieces, enter, b);
    elbo_work_queue_run(team, pieces, tidy, b);
    double entropy = 0;
    for (int p = 0; p < pieces; p++) {
        if (b->sum[p] < 0) return elbo_no_memory(err);
        s->sum += b->sum[p];
        entropy += b->entropy[p];
    }
    s->entropy = entropy / s->sum - log(s->sum); // sum of (w/S) log (w/S)
    return ELBO_OK;
}

elbo_status elbo_similarities_make(elbo_similarities *s, elbo_neighbours *nb, double perplexity, elbo_team *team,
                                   elbo_error *err) {
    *s = (elbo_similarities){.n = nb->n};
    build b = {.s = s,
               .kernels = elbo_tsne_kernels_here(),
               .n = nb->n,
               .k = nb->k,
               .neighbour = nb->index,
               .distance2 = nb->distance2,
               .log_perplexity = (float)log(perplexity)};
    elbo_status status = make(&b, nb, team, err);
    free(b.conditional);
    free(b.reordered);
    free(b.relabelled);
    free(b.rank);
    free((void *)b.extra);
    free(b.sum);
    elbo_neighbours_free(nb);
    if (status != ELBO_OK) elbo_similarities_free(s);
    return status;
}

void elbo_similarities_free(elbo_similarities *s) {
    free(s->start);
    free(s->index);
    free(s->weight);
    free(s->place);
    *s = (elbo_similarities){0};
}
