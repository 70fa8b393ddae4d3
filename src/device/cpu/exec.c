/* Running a plan: every thread walks the phases and takes pieces until there are none; threads meet between phases. */
#include <math.h>
#include <stddef.h>

#include "base/clock.h"
#include "device/cpu/plan.h"

/* A batch of fewer images than the plan was made for leaves its last shards out. */
static int pieces_of(const elbo_plan *p, const elbo_phase *phase, const elbo_batch_args *pass) {
    if (phase->tiled) return phase->pieces;
    return (pass->count + p->shard_rows - 1) / p->shard_rows;
}

static void run_step(const elbo_plan *p, int number, const elbo_batch_args *pass, int piece, int thread) {
    const elbo_step *s = &p->step[number];
    if (!p->step_seconds) {
        s->run(s, pass, piece, thread);
        return;
    }
    double start = elbo_now();
    s->run(s, pass, piece, thread);
    p->step_seconds[thread * p->steps + number] += elbo_now() - start;
}

static void run_piece(const elbo_plan *p, const elbo_phase *phase, const elbo_batch_args *pass, int first_tile,
                      int piece, int thread) {
    if (phase->tiled) {
        elbo_tile t = p->tile[first_tile + piece];
        run_step(p, t.step, pass, t.tile, thread);
        return;
    }
    for (int i = phase->first; i < phase->first + phase->count; i++) run_step(p, i, pass, piece, thread);
}

static bool losses_are_finite(const elbo_plan *p, const elbo_batch_args *pass) {
    float sum = 0; // of zeros: a value times 0 is 0, or NaN where it is not finite
    for (int i = 0; i < pass->count; i++) sum += 0 * p->reconstruction->base[i];
    for (int i = 0; p->kl && i < pass->count; i++) sum += 0 * p->kl->base[i];
    return sum == 0;
}

typedef struct job {
    elbo_plan *plan;
    elbo_batch_args *pass;
} job;

/* ---- who takes what ---- */

static uint64_t range_of(uint64_t first, uint64_t end) { return first << 32 | end; }

/* Every thread begins with an equal part of a phase's pieces. */
static void share_out(const elbo_plan *p, const elbo_batch_args *pass) {
    int threads = elbo_team_threads(p->options.team);
    for (int f = 0; f < p->phases; f++) {
        uint64_t pieces = (uint64_t)pieces_of(p, &p->phase[f], pass), n = (uint64_t)threads;
        for (uint64_t t = 0; t < n; t++)
            atomic_store_explicit(&p->share[f * threads + (int)t].range, range_of(pieces * t / n, pieces * (t + 1) / n),
                                  memory_order_relaxed);
    }
}

/* The first (or last) piece of a share; -1 where nothing is left. */
static int take(elbo_thread_range *share, bool last) {
    uint64_t range = atomic_load_explicit(&share->range, memory_order_relaxed);
    for (;;) {
        uint64_t first = range >> 32, end = range & 0xffffffff;
        if (first == end) return -1;
        uint64_t rest = last ? range_of(first, end - 1) : range_of(first + 1, end);
        if (atomic_compare_exchange_weak_explicit(&share->range, &range, rest, memory_order_relaxed,
                                                  memory_order_relaxed))
            return (int)(last ? end - 1 : first);
    }
}

/* A piece of the thread's own, or else one of its neighbours'. */
static int next_piece(const elbo_plan *p, int phase, int thread) {
    int threads = elbo_team_threads(p->options.team);
    elbo_thread_range *share = p->share + (size_t)phase * (size_t)threads;
    int piece = take(&share[thread], false);
    for (int i = 1; i < threads && piece < 0; i++) piece = take(&share[(thread + i) % threads], true);
    return piece;
}

static void run_phases(void *context, int thread) {
    elbo_plan *p = ((job *)context)->plan;
    elbo_batch_args *pass = ((job *)context)->pass;
    for (int f = 0; f < p->phases; f++) {
        const elbo_phase *phase = &p->phase[f];
        if (f > 0) elbo_team_barrier(p->options.team);
        if (f > 0 && phase->tiled && !losses_are_finite(p, pass)) { // all threads see the same: all leave
            if (thread == 0) pass->diverged = true;
            return;
        }
        int first_tile = p->step[phase->first].first_tile;
        for (int piece; (piece = next_piece(p, f, thread)) >= 0;) run_piece(p, phase, pass, first_tile, piece, thread);
    }
}

void elbo_plan_run(elbo_plan *p, elbo_batch_args *pass) {
    share_out(p, pass);
    if (p->options.clip > 0)
        for (int i = 0; i < p->tiles; i++) p->tile_squares[i] = 0;
    pass->diverged = false;
    elbo_team_run(p->options.team, run_phases, &(job){p, pass});
}

void elbo_plan_add_metrics(const elbo_plan *p, int count, double *sum) {
    const elbo_tensor *const tensors[] = {p->reconstruction, p->kl, p->squared};
    for (int k = 0; k < 3; k++) {
        if (!tensors[k]) continue;
        for (int i = 0; i < count; i++) *sum += tensors[k]->base[i];
        sum++;
    }
}

const elbo_step *elbo_plan_find_nonfinite(elbo_plan *p, elbo_batch_args *pass) {
    for (int i = 0; i < p->steps; i++) {
        const elbo_step *s = &p->step[i];
        if (s->tiles) continue;
        for (int shard = 0; shard * p->shard_rows < pass->count; shard++) {
            s->run(s, pass, shard, 0);
            size_t rows = (size_t)elbo_valid_rows(p, pass, shard);
            for (int k = 0; k < ELBO_STEP_TENSORS; k++) {
                const elbo_tensor *t = s->out[k];
                if (!t) continue;
                const float *v = elbo_rows(t, shard);
                for (size_t j = 0; j < rows * t->per_image; j++)
                    if (!isfinite(v[j])) return s;
            }
        }
    }
    return NULL;
}
