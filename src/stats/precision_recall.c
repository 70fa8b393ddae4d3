#include "stats/precision_recall.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/order.h"
#include "base/threads.h"
#include "stats/neighbours.h"

typedef struct question {
    const float *point, *centre; // (points, dims), (centres, dims)
    const float *radius2;        // (centres)
    double *realism;             // (points): 1 or more is inside
    size_t points, centres, dims;
} question;

enum { AT_ONCE = 64 };

static void ask_some(void *context, int piece) {
    const question *q = context;
    size_t from = (size_t)piece * AT_ONCE, to = from + AT_ONCE < q->points ? from + AT_ONCE : q->points;
    for (size_t i = from; i < to; i++)
        for (size_t j = 0; j < q->centres; j++) {
            const float *a = q->point + i * q->dims, *b = q->centre + j * q->dims;
            float distance2 = 0;
            for (size_t d = 0; d < q->dims; d++) distance2 += (a[d] - b[d]) * (a[d] - b[d]);
            double ratio2 = distance2 <= 0 ? INFINITY : (double)q->radius2[j] / (double)distance2;
            if (ratio2 > q->realism[i]) q->realism[i] = ratio2; // (its root below)
        }
}

/* The share of the points that lie in the manifold of the centres, and their median realism. */
static elbo_status share_inside(double *share, double *median, question q, int k, const elbo_job *work,
                                elbo_error *err) {
    elbo_neighbours nb;
    ELBO_TRY(elbo_neighbours_of_all(&nb, q.centre, q.centres, (int)q.dims, k, work, err));
    float *radius2 = elbo_alloc(q.centres, sizeof *radius2);
    q.realism = elbo_alloc(q.points, sizeof *q.realism);
    elbo_status status = radius2 && q.realism ? ELBO_OK : elbo_no_memory(err);
    for (size_t j = 0; status == ELBO_OK && j < q.centres; j++)
        radius2[j] = nb.distance2[j * (size_t)k + (size_t)k - 1];
    elbo_neighbours_free(&nb);
    q.radius2 = radius2;
    if (status == ELBO_OK) {
        size_t count = 0;
        elbo_parallel_for(work->threads, (int)((q.points + AT_ONCE - 1) / AT_ONCE), ask_some, &q);
        for (size_t i = 0; i < q.points; i++) count += q.realism[i] >= 1;
        *share = (double)count / (double)q.points;
        qsort(q.realism, q.points, sizeof *q.realism, elbo_ascending);
        *median = sqrt(q.realism[q.points / 2]);
    }
    free(radius2);
    free(q.realism);
    return status;
}

elbo_status elbo_precision_recall_of(elbo_precision_recall *p, const elbo_clouds *clouds, int k, const elbo_job *work,
                                     elbo_error *err) {
    size_t n = clouds->n, m = clouds->m, dims = (size_t)clouds->dims;
    question precision = {.point = clouds->made, .points = m, .centre = clouds->real, .centres = n, .dims = dims},
             recall = {.point = clouds->real, .points = n, .centre = clouds->made, .centres = m, .dims = dims};
    if (k < 1 || n <= (size_t)k || m <= (size_t)k)
        return elbo_fail(err, ELBO_BAD_INPUT, "precision and recall: %zu and %zu points; expected more than %d of each",
                         n, m, k);
    double ignored;
    ELBO_TRY(share_inside(&p->precision, &p->realism, precision, k, work, err));
    return share_inside(&p->recall, &ignored, recall, k, work, err);
}

/* ---- density and coverage ---- */

typedef struct ball_counts {
    const elbo_clouds *c;
    const float *radius2; // (n)
    size_t *inside;       // (n): of the second cloud in each ball of the first
} ball_counts;

static void count_some(void *context, int piece) {
    const ball_counts *b = context;
    const elbo_clouds *c = b->c;
    size_t from = (size_t)piece * AT_ONCE, to = from + AT_ONCE < c->n ? from + AT_ONCE : c->n, dims = (size_t)c->dims;
    for (size_t i = from; i < to; i++)
        for (size_t j = 0; j < c->m; j++) {
            const float *x = c->real + i * dims, *y = c->made + j * dims;
            float distance2 = 0;
            for (size_t d = 0; d < dims; d++) distance2 += (x[d] - y[d]) * (x[d] - y[d]);
            b->inside[i] += distance2 <= b->radius2[i];
        }
}

elbo_status elbo_density_coverage_of(elbo_density_coverage *r, const elbo_clouds *c, int k, const elbo_job *work,
                                     elbo_error *err) {
    if (k < 1 || c->n <= (size_t)k || c->m < 1)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "density and coverage: %zu and %zu points; expected more than %d, and 1 or more", c->n, c->m,
                         k);
    elbo_neighbours nb;
    ELBO_TRY(elbo_neighbours_of_all(&nb, c->real, c->n, c->dims, k, work, err));
    float *radius2 = elbo_alloc(c->n, sizeof *radius2);
    size_t *inside = elbo_alloc(c->n, sizeof *inside), all = 0, reached = 0;
    elbo_status status = radius2 && inside ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; status == ELBO_OK && i < c->n; i++) radius2[i] = nb.distance2[i * (size_t)k + (size_t)k - 1];
    elbo_neighbours_free(&nb);
    if (status == ELBO_OK) {
        ball_counts b = {c, radius2, inside};
        elbo_parallel_for(work->threads, (int)((c->n + AT_ONCE - 1) / AT_ONCE), count_some, &b);
        for (size_t i = 0; i < c->n; i++) {
            all += inside[i];
            reached += inside[i] > 0;
        }
        r->density = (double)all / ((double)k * (double)c->m);
        r->coverage = (double)reached / (double)c->n;
    }
    free(radius2);
    free(inside);
    return status;
}
