/* New points in an old embedding: each for itself, the embedding's points and their mutual forces left as they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/work_queue.h"
#include "stats/scaled.h"
#include "stats/simd/tsne_kernels.h"
#include "stats/tsne.h"

enum { QUERIES_AT_ONCE = 64, ROUNDS = 40, HALVINGS = 8 };

typedef struct placing {
    const elbo_tsne_force_kernels *kernels;
    size_t m, n;
    int k;
    const uint32_t *neighbour;       // (m, k)
    float *p;                        // (m, k): squared distances, then p_j|i
    const float *embedding;          // (n, 2)
    float *apart;                    // (2, n filled up)
    float *y, *try, *force, *weight; // (m, 2), (m, 2), (m, 2), (m)
    float log_perplexity;
} placing;

static size_t filled(size_t n) { return (n + ELBO_FFT_LANES - 1) / ELBO_FFT_LANES * ELBO_FFT_LANES; }

/* Of a point at `at`: sum over its neighbours of p log(1 + d^2), and of p w times 1 and the neighbour's place. */
static double attraction(const placing *g, size_t i, const float *at, double pull[3]) {
    double cost = 0;
    pull[0] = pull[1] = pull[2] = 0;
    for (size_t t = i * (size_t)g->k; t < (i + 1) * (size_t)g->k; t++) {
        const float *other = g->embedding + 2 * (size_t)g->neighbour[t];
        double dx = (double)at[0] - (double)other[0], dy = (double)at[1] - (double)other[1], q = 1 + dx * dx + dy * dy;
        double w = (double)g->p[t] / q;
        pull[0] += w * (double)other[0];
        pull[1] += w * (double)other[1];
        pull[2] += w;
        cost += (double)g->p[t] * log(q);
    }
    return cost;
}

/* A point begins at the one of its neighbours' places that they attract it to most: a mean of places could lie between
 * two clusters, in neither. */
static void begin(placing *g, size_t i) {
    double best = INFINITY, pull[3];
    for (size_t t = i * (size_t)g->k; t < (i + 1) * (size_t)g->k; t++) {
        const float *at = g->embedding + 2 * (size_t)g->neighbour[t];
        double cost = attraction(g, i, at, pull);
        if (cost < best) {
            best = cost;
            memcpy(g->y + 2 * i, at, 2 * sizeof *at);
        }
    }
}

static double divergence(const placing *g, size_t i, const float *at, double pull[3]) {
    return attraction(g, i, at, pull) + log((double)g->weight[i]);
}

/* The divergence of p_j|i from q_j|i = w_ij / (the sum of w_ij over the embedding) has the gradient
 * 2 (sum p w (y - y_j) - sum w^2 (y - y_j) / sum w). With the weights p w held, the first sum vanishes at their mean,
 * so a step leads to where both agree; it is halved until the divergence falls. */
static void place(void *context, int piece, int thread) {
    (void)thread;
    placing *g = context;
    size_t from = (size_t)piece * QUERIES_AT_ONCE, to = from + QUERIES_AT_ONCE < g->m ? from + QUERIES_AT_ONCE : g->m;
    const float *x = g->apart, *y = g->apart + filled(g->n);
    for (size_t i = from; i < to; i++) {
        float *row = g->p + i * (size_t)g->k;
        g->kernels->conditional(row, row, g->k, g->log_perplexity);
        begin(g, i);
    }
    g->kernels->repel(g->force, g->weight, g->y, from, to, x, y, g->n);
    for (size_t i = from; i < to; i++) {
        float *now = g->y + 2 * i, *next = g->try + 2 * i;
        double pull[3], cost = divergence(g, i, now, pull), length = 1;
        for (int round = 0, halvings = 0; round < ROUNDS && halvings < HALVINGS; round++) {
            float force[2] = {g->force[2 * i], g->force[2 * i + 1]}, weight = g->weight[i];
            double step[2];
            for (int c = 0; c < 2; c++) {
                step[c] = (pull[c] + (double)force[c] / (double)weight) / pull[2] - (double)now[c];
                next[c] = (float)((double)now[c] + length * step[c]);
            }
            if (hypot(step[0], step[1]) * length < 1e-4) break;
            double next_pull[3];
            g->kernels->repel(g->force, g->weight, g->try, i, i + 1, x, y, g->n);
            double next_cost = divergence(g, i, next, next_pull);
            if (next_cost < cost) {
                memcpy(now, next, 2 * sizeof *now);
                memcpy(pull, next_pull, sizeof pull);
                cost = next_cost;
                length = fmin(1, 2 * length);
                halvings = 0;
            } else {
                memcpy(g->force + 2 * i, force, sizeof force);
                g->weight[i] = weight;
                length /= 2;
                halvings++;
            }
        }
    }
}

static elbo_status run(placing *g, elbo_team *team, const elbo_job *work, elbo_error *err) {
    size_t width = filled(g->n);
    g->apart = elbo_alloc(2 * width, sizeof *g->apart);
    g->try = elbo_alloc(2 * g->m, sizeof *g->try);
    g->force = elbo_alloc(2 * g->m, sizeof *g->force);
    g->weight = elbo_alloc(g->m, sizeof *g->weight);
    if (!g->apart || !g->try || !g->force || !g->weight) return elbo_no_memory(err);
    for (size_t i = 0; i < width; i++)
        for (size_t c = 0; c < 2; c++) g->apart[c * width + i] = i < g->n ? g->embedding[2 * i + c] : 1e18f;
    // in a few portions, so that it can be followed and stopped
    placing part = *g;
    size_t portion = QUERIES_AT_ONCE * 16;
    for (size_t done = 0; done < g->m; done += portion) {
        if (work->interrupted && work->interrupted(work->context))
            return elbo_fail(err, ELBO_STOPPED, "stopped while placing points");
        part.m = g->m - done < portion ? g->m - done : portion;
        part.neighbour = g->neighbour + done * (size_t)g->k;
        part.p = g->p + done * (size_t)g->k;
        part.y = g->y + 2 * done;
        elbo_work_queue_run(team, (int)((part.m + QUERIES_AT_ONCE - 1) / QUERIES_AT_ONCE), place, &part);
        if (work->progress) work->progress(work->context, "placing points", (double)(done + part.m) / (double)g->m);
    }
    return ELBO_OK;
}

static elbo_status check(const float *x, size_t n, int dims, const char *what, elbo_error *err) {
    for (size_t i = 0; i < n * (size_t)dims; i++)
        if (!isfinite(x[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "t-SNE: number %zu of %s %zu is not finite", i % (size_t)dims + 1,
                             what, i / (size_t)dims + 1);
    return ELBO_OK;
}

/* On the scale of the embedding's points, unless a new one lies so far away that all of them are equally near. */
static elbo_status find_neighbours(elbo_neighbours *nb, const elbo_tsne_placement *what, int k, const elbo_job *work,
                                   elbo_error *err) {
    size_t m = what->m, n = what->n;
    int dims = what->dims;
    double scale = elbo_scale_of(what->x, n, dims), largest = 0;
    for (size_t i = 0; i < m * (size_t)dims; i++) {
        double size = fabs((double)what->new_points[i]);
        if (size > largest) largest = size; // (fmax made GCC 12 for ARM end with an internal error)
    }
    if (scale * largest > 1e15) scale = 1; // more than distances take
    elbo_scaled points = {0}, queries = {0};
    elbo_status status = elbo_scaled_make(&points, what->x, n, dims, scale, err);
    if (status == ELBO_OK) status = elbo_scaled_make(&queries, what->new_points, m, dims, scale, err);
    elbo_neighbours_question question = {.query = queries.x, .m = m, .x = points.x, .n = n, .dims = dims, .k = k};
    if (status == ELBO_OK) status = elbo_neighbours_of(nb, &question, work, err);
    elbo_scaled_free(&points);
    elbo_scaled_free(&queries);
    return status;
}

elbo_status elbo_tsne_transform(float *y, const elbo_tsne_placement *what, const elbo_tsne_options *o,
                                const elbo_job *work, elbo_error *err) {
    size_t m = what->m, n = what->n;
    if (m < 1 || n < 1 || what->dims < 1)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "placing %zu points in an embedding of %zu; expected at least one of each", m, n);
    ELBO_TRY(check(what->new_points, m, what->dims, "new point", err));
    ELBO_TRY(check(what->x, n, what->dims, "point", err));
    ELBO_TRY(check(what->embedding, n, 2, "embedding point", err));
    double perplexity = fmax(1, fmin(o->perplexity, (double)n / 3));
    size_t k = (size_t)(3 * perplexity);
    elbo_neighbours nb = {0};
    ELBO_TRY(find_neighbours(&nb, what, (int)(k < n ? k : n), work, err));
    placing g = {.kernels = elbo_tsne_kernels_here()->force,
                 .m = m,
                 .n = n,
                 .k = nb.k,
                 .neighbour = nb.index,
                 .p = nb.distance2,
                 .embedding = what->embedding,
                 .y = y,
                 .log_perplexity = (float)log(perplexity)};
    elbo_team *team = NULL;
    elbo_status status = elbo_team_make(&team, work->threads, err);
    if (status == ELBO_OK) status = run(&g, team, work, err);
    elbo_team_free(team);
    free(g.apart);
    free(g.try);
    free(g.force);
    free(g.weight);
    elbo_neighbours_free(&nb);
    return status;
}
