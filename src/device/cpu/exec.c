/* Running a program: every thread walks the phases and takes pieces until there are none; threads meet between phases. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "device/cpu/cpu.h"
#include "device/cpu/program_make.h"

/* A batch of fewer images than the plan was made for leaves its last shards out. Weights that are the same as in the last
 * run are packed already. */
static int pieces_of(const elbo_cpu_program *p, const elbo_phase *phase, const elbo_batch_args *args) {
    bool packed = !elbo_cpu_learns(p) && p->packed == p->plan->state->version;
    if (phase->tiled) return packed && p->step[phase->first].early ? 0 : phase->pieces;
    return (args->count + p->shard_rows - 1) / p->shard_rows;
}

static void run_step(const elbo_cpu_program *p, int number, const elbo_batch_args *args, int piece, int thread) {
    const elbo_cpu_step *s = &p->step[number];
    if (!p->step_seconds) {
        s->run(s, args, piece, thread);
        return;
    }
    double start = elbo_now();
    s->run(s, args, piece, thread);
    p->step_seconds[thread * p->steps + number] += elbo_now() - start;
}

static void run_piece(const elbo_cpu_program *p, const elbo_phase *phase, const elbo_batch_args *args, int first_tile,
                      int piece, int thread) {
    if (phase->tiled) {
        elbo_tile t = p->tile[first_tile + piece];
        run_step(p, t.step, args, t.tile, thread);
        return;
    }
    for (int i = phase->first; i < phase->first + phase->count; i++) run_step(p, i, args, piece, thread);
}

static bool losses_are_finite(const elbo_cpu_program *p, const elbo_batch_args *args) {
    float sum = 0; // of zeros: a value times 0 is 0, or NaN where it is not finite
    for (int k = 0; k < p->graph->metrics.count; k++) {
        const elbo_tensor *metric = p->plan->metric[k];
        for (int i = 0; metric && i < args->count; i++) sum += 0 * p->read[metric->index]->base[i];
    }
    return sum == 0;
}

typedef struct job {
    elbo_cpu_program *program;
    const elbo_batch_args *args;
} job;

/* ---- who takes what ---- */

static uint64_t range_of(uint64_t first, uint64_t end) { return first << 32 | end; }

/* Every thread begins with an equal part of a phase's pieces. */
static void share_out(const elbo_cpu_program *p, const elbo_batch_args *args) {
    int threads = elbo_team_threads(p->team);
    for (int f = 0; f < p->phases; f++) {
        uint64_t pieces = (uint64_t)pieces_of(p, &p->phase[f], args), n = (uint64_t)threads;
        for (uint64_t t = 0; t < n; t++)
            atomic_store_explicit(&p->range[f * threads + (int)t].range, range_of(pieces * t / n, pieces * (t + 1) / n),
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
static int next_piece(const elbo_cpu_program *p, int phase, int thread) {
    int threads = elbo_team_threads(p->team);
    elbo_thread_range *share = p->range + (size_t)phase * (size_t)threads;
    int piece = take(&share[thread], false);
    for (int i = 1; i < threads && piece < 0; i++) piece = take(&share[(thread + i) % threads], true);
    return piece;
}

static void run_phases(void *context, int thread) {
    elbo_cpu_program *p = ((job *)context)->program;
    const elbo_batch_args *args = ((job *)context)->args;
    for (int f = 0; f < p->phases; f++) {
        const elbo_phase *phase = &p->phase[f];
        if (f > 0) elbo_team_barrier(p->team);
        if (f > 0 && phase->tiled && !losses_are_finite(p, args)) { // all threads see the same: all leave
            if (thread == 0) p->diverged = true;
            return;
        }
        int first_tile = p->step[phase->first].first_tile;
        for (int piece; (piece = next_piece(p, f, thread)) >= 0;) run_piece(p, phase, args, first_tile, piece, thread);
    }
}

static void run_batch(elbo_cpu_program *p, const elbo_batch_args *args) {
    share_out(p, args);
    if (p->plan->options.clip > 0)
        for (int i = 0; i < p->tiles; i++) p->tile_squares[i] = 0;
    p->diverged = p->too_long = false;
    atomic_store(p->no_memory, false);
    elbo_team_run(p->team, run_phases, &(job){p, args});
    p->packed = atomic_load(p->no_memory) ? 0 : p->plan->state->version;
    if (!args->no_update && elbo_cpu_gradient_diverged(p)) p->diverged = p->too_long = true;
}

/* What the steps see of a batch whose images have several samples: a row for each. */
static elbo_batch_args rows_of(const elbo_cpu_program *p, const elbo_batch_args *args) {
    elbo_batch_args rows = *args;
    if (p->samples == 1) return rows;
    rows.count = args->count * p->samples;
    rows.loss_scale = args->loss_scale / (float)p->samples;
    rows.index = p->row_index;
    if (args->label_row) rows.label_row = p->row_label;
    for (int i = 0; i < rows.count; i++) {
        p->row_index[i] = args->index[i / p->samples];
        if (args->label_row) p->row_label[i] = args->label_row[i / p->samples];
    }
    return rows;
}

/* Image by image, so that a sum is the same however many steps were run at once. */
static void add_losses(const elbo_cpu_program *p, int rows) {
    for (int k = 0; k < p->graph->metrics.count; k++) {
        const elbo_tensor *metric = p->plan->metric[k];
        for (int i = 0; metric && i < rows; i++)
            p->plan->total[k] += (double)p->read[metric->index]->base[i] / p->samples;
    }
}

elbo_status elbo_cpu_run(elbo_plan *plan, const elbo_batch_args *args, int steps, elbo_error *err) {
    elbo_cpu_program *p = plan->program;
    for (p->steps_run = 0; p->steps_run < steps; p->steps_run++) {
        elbo_batch_args rows = rows_of(p, &args[p->steps_run]);
        run_batch(p, &rows);
        if (atomic_load(p->no_memory)) return elbo_no_memory(err); // (weights may be half updated: the run is over)
        if (p->diverged) break;
        add_losses(p, rows.count);
    }
    return ELBO_OK;
}

elbo_status elbo_cpu_wait(elbo_plan *plan, elbo_run_report *report, elbo_error *err) {
    (void)err;
    const elbo_cpu_program *p = plan->program;
    *report = (elbo_run_report){.diverged = p->diverged, .too_long = p->too_long, .steps = p->steps_run};
    return ELBO_OK;
}

void elbo_cpu_read(elbo_plan *plan, const elbo_tensor *t, int first, int count, float *to) {
    const elbo_cpu_tensor *from = ((elbo_cpu_program *)plan->program)->read[t->index];
    memcpy(to, from->base + (size_t)first * from->per_image, (size_t)count * from->per_image * sizeof *to);
}

void elbo_cpu_read_gradients(elbo_plan *plan, float *to) {
    memcpy(to, ((elbo_cpu_program *)plan->program)->grads, plan->graph->param_floats * sizeof *to);
}

static bool is_finite(const elbo_cpu_tensor *t, int shard, size_t rows) {
    const float *v = elbo_cpu_rows(t, shard);
    for (size_t j = 0; j < rows * t->per_image; j++)
        if (!isfinite(v[j])) return false;
    return true;
}

const elbo_node *elbo_cpu_find_nonfinite(elbo_plan *plan, const elbo_batch_args *args, const char **what) {
    elbo_cpu_program *p = plan->program;
    elbo_batch_args rows = rows_of(p, args);
    for (int i = 0; i < p->steps; i++) {
        const elbo_cpu_step *s = &p->step[i];
        for (int shard = 0; !s->tiles && shard * p->shard_rows < rows.count; shard++) {
            s->run(s, &rows, shard, 0);
            size_t valid = (size_t)elbo_cpu_valid_rows(p, &rows, shard);
            for (int k = 0; k < ELBO_STEP_TENSORS; k++)
                if (s->out[k] && !is_finite(s->out[k], shard, valid)) {
                    *what = s->what;
                    return s->node;
                }
        }
    }
    return NULL;
}
