/* Running a program: a step's numbers and rows go to the device, then its launches, all in order on one stream. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "device/cuda/program.h"

static elbo_status write_to(const elbo_gpu_program *p, void *to, const void *from, size_t bytes, elbo_error *err) {
    return p->state->machine->write(p->state->self, to, from, bytes, err);
}

static elbo_status read_from(const elbo_gpu_program *p, void *to, const void *from, size_t bytes, elbo_error *err) {
    return p->state->machine->read(p->state->self, to, from, bytes, err);
}

static elbo_status launch(const elbo_gpu_program *p, int call, int slot, elbo_error *err) {
    const elbo_gpu_call *c = &p->call[call];
    elbo_gpu_launch l = {.item = p->items + c->first,
                         .step = (const elbo_gpu_step *)(const void *)(p->slots + (size_t)slot * p->slot_bytes),
                         .verdict = p->verdict,
                         .items = c->items};
    return p->state->machine->launch(p->state->self, c->kernel, c->blocks, &l, err);
}

/* A run goes on from the sums that the caller has. */
static elbo_status begin(elbo_gpu_program *p, int steps, elbo_error *err) {
    elbo_gpu_verdict v = {.gradient_scale = 1};
    memcpy(v.total, p->plan->total, sizeof v.total);
    p->steps_asked = steps;
    return write_to(p, p->verdict, &v, sizeof v, err);
}

static elbo_status send(elbo_gpu_program *p, const elbo_batch_args *args, int slot, elbo_error *err) {
    elbo_gpu_stage(p, args);
    return write_to(p, p->slots + (size_t)slot * p->slot_bytes, p->staged, p->slot_bytes, err);
}

elbo_status elbo_gpu_run(elbo_plan *plan, const elbo_batch_args *args, int steps, elbo_error *err) {
    elbo_gpu_program *p = plan->program;
    ELBO_TRY(begin(p, steps, err));
    for (int s = 0; s < steps; s++) {
        int slot = s % ELBO_GPU_STEPS;
        ELBO_TRY(send(p, &args[s], slot, err));
        for (int c = 0; c < p->calls; c++) ELBO_TRY(launch(p, c, slot, err));
    }
    return ELBO_OK;
}

elbo_status elbo_gpu_wait(elbo_plan *plan, elbo_run_report *report, elbo_error *err) {
    elbo_gpu_program *p = plan->program;
    elbo_gpu_verdict v;
    ELBO_TRY(read_from(p, &v, p->verdict, sizeof v, err));
    bool judged = false;
    for (int k = 0; k < plan->graph->metrics.count; k++) judged |= plan->metric[k] != NULL;
    memcpy(plan->total, v.total, sizeof v.total);
    *report =
        (elbo_run_report){.diverged = v.diverged, .too_long = v.too_long, .steps = judged ? v.steps : p->steps_asked};
    return ELBO_OK;
}

static const float *rows_of(const elbo_gpu_program *p, const elbo_tensor *t) {
    for (int k = 0; k < p->graph->metrics.count; k++)
        if (p->plan->metric[k] == t) return p->losses + (size_t)k * (size_t)p->rows;
    return p->of[t->index]->at;
}

void elbo_gpu_read(elbo_plan *plan, const elbo_tensor *t, int first, int count, float *to) {
    const elbo_gpu_program *p = plan->program;
    size_t per_row = elbo_shape_size(t->shape), n = (size_t)count * per_row;
    elbo_error err;
    if (read_from(p, to, rows_of(p, t) + (size_t)first * per_row, n * sizeof *to, &err) != ELBO_OK)
        for (size_t i = 0; i < n; i++) to[i] = NAN; // (a failed run has said why before)
}

void elbo_gpu_read_gradients(elbo_plan *plan, float *to) {
    const elbo_gpu_program *p = plan->program;
    size_t n = plan->graph->param_floats;
    elbo_error err;
    if (read_from(p, to, p->grads, n * sizeof *to, &err) != ELBO_OK)
        for (size_t i = 0; i < n; i++) to[i] = NAN;
}

static bool is_finite(const elbo_gpu_program *p, const elbo_gpu_tensor *t, int rows, float *room) {
    size_t n = t->per_row * (size_t)rows;
    elbo_error err;
    if (read_from(p, room, t->at, n * sizeof *room, &err) != ELBO_OK) return false;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(room[i])) return false;
    return true;
}

const elbo_node *elbo_gpu_find_nonfinite(elbo_plan *plan, const elbo_batch_args *args, const char **what) {
    elbo_gpu_program *p = plan->program;
    elbo_error err;
    elbo_batch_args quiet = *args;
    quiet.no_update = true;
    float *room = malloc(p->unshared_floats * sizeof *room + 1);
    const elbo_node *found = NULL;
    if (!room || begin(p, 1, &err) != ELBO_OK || send(p, &quiet, 0, &err) != ELBO_OK) {
        free(room);
        return NULL;
    }
    int rows = args->count * p->samples;
    for (int c = 0; c < p->calls && !found; c++) {
        if (launch(p, c, 0, &err) != ELBO_OK) break;
        for (int i = p->call[c].first; i < p->call[c].first + p->call[c].items && !found; i++) {
            const elbo_gpu_work *w = &p->work[i];
            if (!w->writes || is_finite(p, w->writes, rows, room)) continue;
            found = w->node;
            *what = w->what;
        }
    }
    free(room);
    return found;
}
