#include "stats/tsne_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/work_queue.h"
#include "stats/tsne_kernel_spectra.h"

enum {
    POINTS_AT_ONCE = 4096,
    BAND = 8,       // rows of nodes that are scattered to and gathered from together
    MARGIN = 5,     // nodes between the points and the edge
    BINS = 1024,    // of the search for far points
    FAR_A_SIDE = 4, // points left out of the grid at each of its sides, at most
    MOST_FAR = 4 * FAR_A_SIDE,
    SEARCH_FROM = 192, // nodes: smaller grids are cheap with far points in them
};

typedef struct piece_facts {
    float low[2], high[2];
    int far;
    bool finite;
} piece_facts;

struct elbo_tsne_grid {
    size_t n;
    elbo_team *team;
    const elbo_tsne_grid_kernels *kernels;
    int pieces, bands; // of points; of the grid

    elbo_kernel_spectra spectra;
    float *charge, *field;       // (side + 1, side), (side + 1, side, 2)
    float *spectrum, *turned[2]; // (side / 16 blocks, side, {re, im}, 16)
    float *scratch;              // (threads, ...)
    double *energy;              // (side / 16)
    size_t side;                 // of what is allocated

    float low[2], high[2], scale; // the part of the embedding that the grid covers; nodes per unit
    elbo_grid_point *points;      // (n) by band
    uint32_t *begin;        // (bands, pieces): where a piece's points of a band go; behind all, the number of points
    piece_facts *facts;     // (pieces)
    uint32_t *bins;         // (pieces, 2, BINS)
    uint32_t far[MOST_FAR]; // points outside, in order
    int far_count;
    double *far_sums; // (pieces, MOST_FAR, 3): force, and w

    const float *y;
    float *repulsion;
};

elbo_status elbo_tsne_grid_make(elbo_tsne_grid **grid, size_t n, elbo_team *team, elbo_error *err) {
    elbo_tsne_grid *g = elbo_alloc(1, sizeof *g);
    *grid = g;
    if (!g) return elbo_no_memory(err);
    g->n = n;
    g->team = team;
    g->kernels = elbo_tsne_kernels_here()->grid;
    g->pieces = (int)((n + POINTS_AT_ONCE - 1) / POINTS_AT_ONCE);
    size_t pieces = (size_t)g->pieces;
    g->points = elbo_alloc(n, sizeof *g->points);
    g->facts = elbo_alloc(pieces, sizeof *g->facts);
    g->bins = elbo_alloc(pieces * 2 * BINS, sizeof *g->bins);
    g->begin = elbo_alloc((size_t)(ELBO_GRID_MOST_NODES / BAND + 1) * pieces + 1, sizeof *g->begin);
    g->far_sums = elbo_alloc(pieces * MOST_FAR * 3, sizeof *g->far_sums);
    if (g->points && g->facts && g->bins && g->begin && g->far_sums) return ELBO_OK;
    elbo_tsne_grid_free(g);
    *grid = NULL;
    return elbo_no_memory(err);
}

static void free_arrays(elbo_tsne_grid *g) {
    free(g->charge);
    free(g->field);
    free(g->spectrum);
    free(g->turned[0]);
    free(g->turned[1]);
    free(g->scratch);
    free(g->energy);
    g->charge = g->field = g->spectrum = g->turned[0] = g->turned[1] = g->scratch = NULL;
    g->energy = NULL;
    g->side = 0;
}

void elbo_tsne_grid_free(elbo_tsne_grid *g) {
    if (!g) return;
    free_arrays(g);
    elbo_kernel_spectra_free(&g->spectra);
    free(g->points);
    free(g->facts);
    free(g->bins);
    free(g->begin);
    free(g->far_sums);
    free(g);
}

static size_t piece_end(const elbo_tsne_grid *g, int piece) {
    size_t end = ((size_t)piece + 1) * POINTS_AT_ONCE;
    return end < g->n ? end : g->n;
}

/* ---- what the grid covers ---- */

static void find_extent(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    piece_facts *f = &g->facts[piece];
    *f = (piece_facts){{INFINITY, INFINITY}, {-INFINITY, -INFINITY}, 0, true};
    for (size_t i = (size_t)piece * POINTS_AT_ONCE; i < piece_end(g, piece); i++)
        for (int c = 0; c < 2; c++) {
            float v = g->y[2 * i + (size_t)c];
            f->low[c] = v < f->low[c] ? v : f->low[c];
            f->high[c] = v > f->high[c] ? v : f->high[c];
            f->finite = f->finite && isfinite(v);
        }
}

static void fill_bins(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    uint32_t *bins = g->bins + (size_t)piece * 2 * BINS;
    memset(bins, 0, 2 * BINS * sizeof *bins);
    for (int c = 0; c < 2; c++) {
        float scale = (BINS - 1) / (g->high[c] - g->low[c]);
        for (size_t i = (size_t)piece * POINTS_AT_ONCE; i < piece_end(g, piece); i++) {
            float v = g->y[2 * i + (size_t)c];
            if (v >= g->low[c] && v <= g->high[c]) bins[c * BINS + (int)((v - g->low[c]) * scale)]++;
        }
    }
}

/* Leaves a few points out at either end of each axis where that makes the grid much smaller; again, as long as it does.
 * Returns whether it did. */
static bool leave_far_points_out(elbo_tsne_grid *g, uint32_t left[2][2]) {
    bool smaller = false;
    elbo_work_queue_run(g->team, g->pieces, fill_bins, g);
    for (int c = 0; c < 2; c++) {
        uint32_t *bins = g->bins + c * BINS, out[2] = {0, 0};
        for (int p = 1; p < g->pieces; p++)
            for (int b = 0; b < BINS; b++) bins[b] += g->bins[((size_t)p * 2 + (size_t)c) * BINS + (size_t)b];
        int first = 0, last = BINS - 1;
        for (; first < last && out[0] + bins[first] <= left[c][0]; first++) out[0] += bins[first];
        for (; last > first && out[1] + bins[last] <= left[c][1]; last--) out[1] += bins[last];
        if (last - first + 3 > BINS * 3 / 4) continue;
        float width = (g->high[c] - g->low[c]) / (BINS - 1), low = g->low[c];
        g->low[c] = low + (float)(first - 1) * width; // a bin of room for rounding
        g->high[c] = low + (float)(last + 2) * width;
        left[c][0] -= out[0];
        left[c][1] -= out[1];
        smaller = true;
    }
    return smaller;
}

static float extent_of(const elbo_tsne_grid *g) { return fmaxf(g->high[0] - g->low[0], g->high[1] - g->low[1]); }

static elbo_status choose_grid(elbo_tsne_grid *g, elbo_error *err) {
    bool finite = true;
    elbo_work_queue_run(g->team, g->pieces, find_extent, g);
    for (int c = 0; c < 2; c++) {
        g->low[c] = INFINITY;
        g->high[c] = -INFINITY;
        for (int p = 0; p < g->pieces; p++) {
            g->low[c] = fminf(g->low[c], g->facts[p].low[c]);
            g->high[c] = fmaxf(g->high[c], g->facts[p].high[c]);
            finite = finite && g->facts[p].finite;
        }
    }
    if (!finite)
        return elbo_fail(err, ELBO_DIVERGED,
                         "t-SNE: the embedding is no longer finite; a smaller learning rate may help");
    uint32_t left[2][2] = {{FAR_A_SIDE, FAR_A_SIDE}, {FAR_A_SIDE, FAR_A_SIDE}};
    while (extent_of(g) > SEARCH_FROM * ELBO_GRID_SPACING && leave_far_points_out(g, left)) continue;
    ELBO_TRY(elbo_kernel_spectra_fit(&g->spectra, extent_of(g), 2 * MARGIN, g->team, err));
    size_t side = (size_t)g->spectra.nodes;
    g->scale = 1 / g->spectra.spacing;
    g->bands = (int)((side + BAND - 1) / BAND);
    if (side == g->side) return ELBO_OK;
    free_arrays(g);
    g->charge =
        elbo_alloc((side + 1) * side, sizeof *g->charge); // a row more: vectors are written that end beyond a row
    g->field = elbo_alloc((side + 1) * side * 2, sizeof *g->field);
    g->spectrum = elbo_alloc(side * side * 2, sizeof *g->spectrum);
    for (int c = 0; c < 2; c++) g->turned[c] = elbo_alloc(side * side * 2, sizeof *g->turned[c]);
    g->scratch =
        elbo_alloc((size_t)elbo_team_threads(g->team) * elbo_kernel_spectra_scratch(&g->spectra), sizeof *g->scratch);
    g->energy = elbo_alloc(side / 16, sizeof *g->energy);
    if (!g->charge || !g->field || !g->spectrum || !g->turned[0] || !g->turned[1] || !g->scratch || !g->energy) {
        free_arrays(g);
        return elbo_no_memory(err);
    }
    g->side = side;
    return ELBO_OK;
}

/* ---- points by bands ---- */

static bool covered(const elbo_tsne_grid *g, const float *p) {
    return p[0] >= g->low[0] && p[0] <= g->high[0] && p[1] >= g->low[1] && p[1] <= g->high[1];
}

static elbo_grid_point on_grid(const elbo_tsne_grid *g, size_t i) {
    const float *p = g->y + 2 * i;
    return (elbo_grid_point){(p[0] - g->low[0]) * g->scale + MARGIN, (p[1] - g->low[1]) * g->scale + MARGIN,
                             (uint32_t)i};
}

static int band_of(elbo_grid_point p) { return (int)p.v / BAND; }

static void count(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    for (int b = 0; b < g->bands; b++) g->begin[b * g->pieces + piece] = 0;
    g->facts[piece].far = 0;
    for (size_t i = (size_t)piece * POINTS_AT_ONCE; i < piece_end(g, piece); i++) {
        if (covered(g, g->y + 2 * i))
            g->begin[band_of(on_grid(g, i)) * g->pieces + piece]++;
        else
            g->facts[piece].far++;
    }
    int rows = (int)g->side / g->pieces + 1; // and a share of the grid is wiped
    size_t from = (size_t)(rows * piece), to = from + (size_t)rows;
    if (to > g->side + 1) to = g->side + 1;
    if (from < to) memset(g->charge + from * g->side, 0, (to - from) * g->side * sizeof *g->charge);
}

static void place_points(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    int far = 0;
    for (int p = 0; p < piece; p++) far += g->facts[p].far;
    for (size_t i = (size_t)piece * POINTS_AT_ONCE; i < piece_end(g, piece); i++) {
        if (covered(g, g->y + 2 * i)) {
            elbo_grid_point p = on_grid(g, i);
            g->points[g->begin[band_of(p) * g->pieces + piece]++] = p;
        } else {
            g->far[far++] = (uint32_t)i;
        }
    }
}

static void sort_points(elbo_tsne_grid *g) {
    elbo_work_queue_run(g->team, g->pieces, count, g);
    uint32_t total = 0;
    for (int k = 0; k < g->bands * g->pieces; k++) {
        uint32_t here = g->begin[k];
        g->begin[k] = total;
        total += here;
    }
    g->begin[g->bands * g->pieces] = total;
    g->far_count = (int)(g->n - total);
    elbo_work_queue_run(g->team, g->pieces, place_points, g);
}

/* After place_points each entry of `begin` has moved on to the beginning of the next. */
static const elbo_grid_point *band_points(const elbo_tsne_grid *g, int band, size_t *n) {
    size_t from = band ? g->begin[band * g->pieces - 1] : 0, to = g->begin[(band + 1) * g->pieces - 1];
    *n = to - from;
    return g->points + from;
}

/* ---- charges to forces ---- */

/* A band's points touch the rows beside it, so neighbours take turns. */
static void scatter_even(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    size_t n;
    const elbo_grid_point *points = band_points(g, 2 * piece, &n);
    g->kernels->scatter(g->charge, g->side, points, n);
}

static void scatter_odd(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    size_t n;
    const elbo_grid_point *points = band_points(g, 2 * piece + 1, &n);
    g->kernels->scatter(g->charge, g->side, points, n);
}

static void gather(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    size_t n;
    const elbo_grid_point *points = band_points(g, piece, &n);
    g->kernels->gather(g->repulsion, g->field, g->side, points, n);
}

static float *scratch_of(const elbo_tsne_grid *g, int thread) {
    return g->scratch + (size_t)thread * elbo_kernel_spectra_scratch(&g->spectra);
}

static void down(void *context, int piece, int thread) {
    elbo_tsne_grid *g = context;
    g->kernels->down(&g->spectra.fft, g->spectrum, g->charge, (int)g->side, (int)g->side, piece, scratch_of(g, thread));
}

static void across(void *context, int piece, int thread) {
    elbo_tsne_grid *g = context;
    g->energy[piece] =
        g->kernels->across(&g->spectra.fft, g->turned, g->spectrum, (const float *const *)g->spectra.kernel,
                           (int)g->side, piece, scratch_of(g, thread));
}

static void up(void *context, int piece, int thread) {
    elbo_tsne_grid *g = context;
    g->kernels->up(&g->spectra.fft, g->field, g->turned, (int)g->side, (int)g->side, piece, scratch_of(g, thread));
}

/* ---- points that the grid leaves out, with all others one by one ---- */

static void far_pairs(void *context, int piece, int thread) {
    (void)thread;
    elbo_tsne_grid *g = context;
    double *sums = g->far_sums + (size_t)piece * MOST_FAR * 3;
    memset(sums, 0, MOST_FAR * 3 * sizeof *sums);
    for (size_t i = (size_t)piece * POINTS_AT_ONCE; i < piece_end(g, piece); i++) {
        bool inside = covered(g, g->y + 2 * i);
        for (int f = 0; f < g->far_count; f++) {
            if (i == g->far[f]) continue;
            const float *a = g->y + 2 * (size_t)g->far[f], *b = g->y + 2 * i;
            float dx = a[0] - b[0], dy = a[1] - b[1], w = 1 / (1 + dx * dx + dy * dy), force = w * w;
            sums[3 * f] += (double)(force * dx);
            sums[3 * f + 1] += (double)(force * dy);
            sums[3 * f + 2] += (double)(inside ? 2 * w : w);
            if (!inside) continue;
            g->repulsion[2 * i] -= force * dx;
            g->repulsion[2 * i + 1] -= force * dy;
        }
    }
}

static double add_far_points(elbo_tsne_grid *g) {
    elbo_work_queue_run(g->team, g->pieces, far_pairs, g);
    double z = 0;
    for (int f = 0; f < g->far_count; f++) {
        double force[2] = {0, 0};
        for (int p = 0; p < g->pieces; p++) {
            const double *sums = g->far_sums + ((size_t)p * MOST_FAR + (size_t)f) * 3;
            force[0] += sums[0];
            force[1] += sums[1];
            z += sums[2];
        }
        for (int c = 0; c < 2; c++) g->repulsion[2 * (size_t)g->far[f] + (size_t)c] = (float)force[c];
    }
    return z;
}

elbo_status elbo_tsne_grid_repel(elbo_tsne_grid *g, const float *y, float *repulsion, double *z, elbo_error *err) {
    g->y = y;
    g->repulsion = repulsion;
    ELBO_TRY(choose_grid(g, err));
    sort_points(g);
    int side = (int)g->side;
    elbo_work_queue_run(g->team, (g->bands + 1) / 2, scatter_even, g);
    elbo_work_queue_run(g->team, g->bands / 2, scatter_odd, g);
    elbo_work_queue_run(g->team, (side + 31) / 32, down, g);
    elbo_work_queue_run(g->team, side / 16, across, g);
    elbo_work_queue_run(g->team, side / 16, up, g);
    elbo_work_queue_run(g->team, g->bands, gather, g);
    double energy = 0;
    for (int b = 0; b < side / 16; b++) energy += g->energy[b];
    *z = energy - (double)(g->n - (size_t)g->far_count); // each point's own w, 1, is no part of Z
    if (g->far_count) *z += add_far_points(g);
    return ELBO_OK;
}
