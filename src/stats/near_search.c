#include "stats/near_search.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "stats/near.h"

/* Points asked about at a time: enough to use a cell often while it is in the cache, few enough to be of one mind about
 * which cells are near. */
enum { ROWS = 96, GROUPS = ROWS / ELBO_NEAR_GROUP, BLOCKS = ROWS / ELBO_NEAR_BLOCK };
enum { RANK_ROOM = 256 };

typedef struct cell_ahead {
    float distance2;
    uint32_t cell;
} cell_ahead;

/* What one thread needs. */
typedef struct desk {
    elbo_near_row row[ROWS];
    float centre_distance2[ROWS];
    uint32_t which[ROWS];  // rows of query
    uint32_t place[ROWS];  // rows of the result
    float *group;          // (GROUPS, dims, 6)
    float *packed;         // (BLOCKS, dims, 16)
    float *cell_distance2; // (cells, rounded up to 16)
    cell_ahead *ahead;     // (cells): a heap, the nearest on top
    float *distance2;      // (ROWS, room + ELBO_NEAR_SLACK)
    uint32_t *index;       // the same
} desk;

typedef struct search_run {
    const elbo_near_search *s;
    const elbo_near_kernels *kernels;
    const uint32_t *cell;  // (m): where each is
    const uint32_t *order; // (m): positions by cell
    const size_t *chunk;   // (chunks + 1): their first position in `order`
    size_t end;            // chunks of this batch
    atomic_size_t next;
    desk *desks;
    int room;
} search_run;

/* ---- cells, the nearest first ---- */

static bool comes_before(cell_ahead a, cell_ahead b) {
    return a.distance2 < b.distance2 || (a.distance2 == b.distance2 && a.cell < b.cell);
}

static void sift(cell_ahead *heap, size_t n, size_t at) {
    cell_ahead one = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && comes_before(heap[child + 1], heap[child])) child++;
        if (!comes_before(heap[child], one)) break;
        heap[at] = heap[child];
    }
    heap[at] = one;
}

/* By the distance of their centres to that of the rows' own cell: the same for a point whoever else is asked about, so
 * that a sample tells the recall of all. */
static size_t line_up_cells(const search_run *run, desk *d, uint32_t own) {
    const elbo_cells *c = run->s->cells;
    size_t dims = (size_t)c->dims, count = (size_t)c->count;
    run->kernels->distances(d->cell_distance2, c->centre + own * dims, c->packed_centre,
                            (count + ELBO_NEAR_BLOCK - 1) / ELBO_NEAR_BLOCK, c->dims);
    size_t held = 0;
    for (size_t i = 0; i < count; i++)
        if (c->first[i + 1] > c->first[i]) d->ahead[held++] = (cell_ahead){d->cell_distance2[i], (uint32_t)i};
    for (size_t i = held / 2; i-- > 0;) sift(d->ahead, held, i);
    return held;
}

/* ---- one chunk ---- */

static void begin_rows(const search_run *run, desk *d, size_t first, size_t rows) {
    const elbo_near_search *s = run->s;
    size_t room = (size_t)run->room + ELBO_NEAR_SLACK, asked = (size_t)s->asked;
    for (size_t r = 0; r < ROWS; r++) {
        elbo_near_row *row = &d->row[r];
        *row = (elbo_near_row){.bound = -1,
                               .self = ELBO_NEAR_NONE,
                               .room = run->room,
                               .distance2 = d->distance2 + r * room,
                               .index = d->index + r * room};
        if (r >= rows) continue;
        uint32_t place = d->place[r] = run->order[first + r];
        d->which[r] = s->which ? s->which[place] : place;
        if (s->self) row->self = d->which[r];
        if (s->k) {
            row->bound = INFINITY; // and index 0: what fills up a block lies at infinity, and is no candidate
            continue;
        }
        row->asked = s->asked;
        row->asked_distance2 = s->asked_distance2 + place * asked;
        row->asked_index = s->asked_index + place * asked;
        row->before = s->before + place * asked;
        for (size_t a = 0; a < asked; a++) {
            float distance2 = row->asked_distance2[a];
            if (distance2 < row->bound || (distance2 == row->bound && row->asked_index[a] < row->bound_index)) continue;
            row->bound = distance2;
            row->bound_index = row->asked_index[a];
        }
    }
    size_t dims = (size_t)s->cells->dims;
    memset(d->packed, 0, BLOCKS * ELBO_NEAR_BLOCK * dims * sizeof *d->packed);
    elbo_near_group(d->group, s->query, d->which, 0, rows, s->cells->dims);
    elbo_near_pack(d->packed, s->query, d->which, 0, rows, s->cells->dims);
}

/* A cell whose every point is farther than |query - centre| - radius may be passed over. What rounding can do to the
 * three numbers is allowed for. */
static bool holds_something_near(const elbo_near_row *row, const float *centre_distance2, float radius,
                                 float rounding) {
    bool any = false;
    for (int r = 0; r < ELBO_NEAR_GROUP; r++) {
        float least = sqrtf(centre_distance2[r]) * (1 - rounding) - radius * (1 + rounding);
        any |= least <= 0 ? row[r].bound >= 0 : least * least * (1 - rounding) <= row[r].bound;
    }
    return any;
}

static bool all_have(const desk *d, size_t rows, int k) {
    for (size_t r = 0; r < rows; r++)
        if (d->row[r].count < k && !isfinite(d->row[r].bound)) return false;
    return true;
}

static void search_chunk(const search_run *run, desk *d, size_t chunk) {
    const elbo_near_search *s = run->s;
    const elbo_cells *c = s->cells;
    size_t dims = (size_t)c->dims, first = run->chunk[chunk], rows = run->chunk[chunk + 1] - first;
    float rounding = 4e-7f * (float)(c->dims + 8);
    begin_rows(run, d, first, rows);
    size_t ahead = line_up_cells(run, d, run->cell[d->place[0]]);
    for (int probed = 0; ahead > 0; probed++) {
        if (s->probes && probed >= s->probes && all_have(d, rows, s->k)) break;
        size_t cell = d->ahead[0].cell, block = c->first[cell], blocks = c->first[cell + 1] - block;
        d->ahead[0] = d->ahead[--ahead];
        if (ahead) sift(d->ahead, ahead, 0);
        run->kernels->distances(d->centre_distance2, c->centre + cell * dims, d->packed,
                                (rows + ELBO_NEAR_BLOCK - 1) / ELBO_NEAR_BLOCK, c->dims);
        for (size_t g = 0; g * ELBO_NEAR_GROUP < rows; g++) {
            elbo_near_row *row = d->row + g * ELBO_NEAR_GROUP;
            if (!holds_something_near(row, d->centre_distance2 + g * ELBO_NEAR_GROUP, c->radius[cell], rounding))
                continue;
            const float *group = d->group + g * ELBO_NEAR_GROUP * dims,
                        *packed = c->packed + block * ELBO_NEAR_BLOCK * dims;
            if (s->k)
                run->kernels->search(row, group, packed, c->index + block * ELBO_NEAR_BLOCK, blocks, c->dims, s->k);
            else
                run->kernels->rank(row, group, packed, c->index + block * ELBO_NEAR_BLOCK, blocks, c->dims);
        }
    }
    for (size_t r = 0; r < rows; r++)
        if (s->k)
            run->kernels->finish(&d->row[r], s->k, s->distance2 + d->place[r] * (size_t)s->k,
                                 s->index + d->place[r] * (size_t)s->k);
        else
            run->kernels->finish_ranks(&d->row[r]);
}

static void search_batch(void *context, int thread) {
    search_run *run = context;
    for (size_t chunk; (chunk = atomic_fetch_add(&run->next, 1)) < run->end;)
        search_chunk(run, &run->desks[thread], chunk);
}

/* ---- all of them ---- */

static bool make_desk(desk *d, const elbo_cells *c, int room) {
    size_t dims = (size_t)c->dims, count = (size_t)c->count, row = (size_t)room + ELBO_NEAR_SLACK;
    d->group = elbo_alloc(ROWS * dims, sizeof(float));
    d->packed = elbo_alloc(BLOCKS * ELBO_NEAR_BLOCK * dims, sizeof(float));
    d->cell_distance2 = elbo_alloc(count + ELBO_NEAR_BLOCK, sizeof(float));
    d->ahead = elbo_alloc(count, sizeof(cell_ahead));
    d->distance2 = elbo_alloc(ROWS * row, sizeof(float));
    d->index = elbo_alloc(ROWS * row, sizeof(uint32_t));
    return d->group && d->packed && d->cell_distance2 && d->ahead && d->distance2 && d->index;
}

static void free_desk(desk *d) {
    free(d->group);
    free(d->packed);
    free(d->cell_distance2);
    free(d->ahead);
    free(d->distance2);
    free(d->index);
}

/* Cuts what is asked into chunks of one cell each. Returns how many. */
static size_t cut(size_t *chunk, const size_t *start, int cells) {
    size_t chunks = 0;
    for (int i = 0; i < cells; i++)
        for (size_t at = start[i]; at < start[i + 1]; at += ROWS) chunk[chunks++] = at;
    chunk[chunks] = start[cells];
    return chunks;
}

static elbo_status run_batches(search_run *run, size_t chunks, const char *what, double from, double to,
                               const elbo_job *work, elbo_error *err) {
    elbo_team *team;
    ELBO_TRY(elbo_team_make(&team, work->threads, err));
    int threads = elbo_team_threads(team);
    elbo_status status = ELBO_OK;
    run->desks = elbo_alloc((size_t)threads, sizeof *run->desks);
    bool room = run->desks != NULL;
    for (int t = 0; t < threads && room; t++) room = make_desk(&run->desks[t], run->s->cells, run->room);
    if (!room) status = elbo_no_memory(err);
    size_t batch = chunks / 100 + 8 * (size_t)threads;
    for (size_t done = 0; done < chunks && status == ELBO_OK; done = run->end) {
        run->next = done;
        run->end = done + batch < chunks ? done + batch : chunks;
        elbo_team_run(team, search_batch, run);
        if (work->progress) work->progress(work->context, what, from + (to - from) * (double)run->end / (double)chunks);
        if (work->interrupted && work->interrupted(work->context))
            status = elbo_fail(err, ELBO_STOPPED, "%s: interrupted", what);
    }
    for (int t = 0; t < threads && run->desks; t++) free_desk(&run->desks[t]);
    free(run->desks);
    elbo_team_free(team);
    return status;
}

elbo_status elbo_near_run(const elbo_near_search *s, const char *what, double from, double to, const elbo_job *work,
                          elbo_error *err) {
    static const elbo_job alone = {0};
    if (!work) work = &alone;
    const elbo_cells *c = s->cells;
    size_t most_chunks = s->m / ROWS + (size_t)c->count + 1;
    uint32_t *cell = elbo_alloc(s->m, sizeof *cell), *order = elbo_alloc(s->m, sizeof *order);
    size_t *start = elbo_alloc((size_t)c->count + 1, sizeof *start),
           *chunk = elbo_alloc(most_chunks + 1, sizeof *chunk);
    elbo_status status = cell && order && start && chunk ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK && s->self)
        for (size_t i = 0; i < s->m; i++) cell[i] = c->cell[s->which ? s->which[i] : i];
    else if (status == ELBO_OK)
        status = elbo_cells_assign(c, s->query, s->which, s->m, cell, work->threads, err);
    if (status == ELBO_OK) {
        elbo_cells_sort(order, start, cell, s->m, c->count);
        search_run run = {.s = s,
                          .kernels = elbo_near_kernels_here(),
                          .cell = cell,
                          .order = order,
                          .chunk = chunk,
                          .room = s->k ? 2 * s->k + 64 : RANK_ROOM};
        status = run_batches(&run, cut(chunk, start, c->count), what, from, to, work, err);
    }
    free(cell);
    free(order);
    free(start);
    free(chunk);
    return status;
}
