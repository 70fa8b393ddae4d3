/* The CPU as a device. Host memory is its memory: weights and the optimiser's arrays are used where they lie. */
#include "device/cpu/cpu.h"

#include "base/memory.h"
#include "device/cpu/program_make.h"

static elbo_status lower(elbo_plan *plan, const elbo_kernels *kernels, elbo_error *err) {
    elbo_state *s = plan->state;
    return elbo_cpu_program_make(plan, kernels, s->team, s->params, s->array, 0, err);
}

static elbo_status lower_cpu(elbo_plan *plan, elbo_error *err) { return lower(plan, elbo_kernels_here(), err); }
static elbo_status lower_ref(elbo_plan *plan, elbo_error *err) { return lower(plan, &elbo_kernels_ref, err); }

static void free_program(elbo_plan *plan) {
    elbo_cpu_program_free(plan->program);
    plan->program = NULL;
}

static elbo_status profile(elbo_plan *plan, elbo_error *err) {
    elbo_cpu_program *p = plan->program;
    p->step_seconds = elbo_alloc((size_t)elbo_team_threads(p->team) * (size_t)p->steps, sizeof *p->step_seconds);
    return p->step_seconds ? ELBO_OK : elbo_no_memory(err);
}

static bool step_info(const elbo_plan *plan, int step, elbo_step_info *info) {
    const elbo_cpu_program *p = plan->program;
    if (step >= p->steps) return false;
    const elbo_cpu_step *s = &p->step[step];
    int phase = 0;
    while (p->phase[phase].first + p->phase[phase].count <= step) phase++;
    *info = (elbo_step_info){.phase = phase + 1,
                             .node = s->node,
                             .what = s->what,
                             .kernel = s->kernel,
                             .tiles = s->tiles,
                             .flop_per_image = s->flop_per_image * p->samples};
    for (int t = 0; p->step_seconds && t < elbo_team_threads(p->team); t++)
        info->seconds += p->step_seconds[t * p->steps + step];
    return true;
}

static void program_info(const elbo_plan *plan, elbo_program_info *info) {
    const elbo_cpu_program *p = plan->program;
    *info = (elbo_program_info){.shards = p->shards,
                                .shard_rows = p->shard_rows,
                                .activation_floats = p->arena_floats,
                                .work_floats = p->work_floats};
    for (int i = 0; i < p->tensors; i++)
        if (p->tensor[i]->first >= 0)
            info->unshared_floats += p->tensor[i]->per_image * (size_t)(p->shards * p->shard_rows);
}

#define CPU                                                                                                            \
    .steps_at_once = 1, .free_program = free_program, .run = elbo_cpu_run, .wait = elbo_cpu_wait,                      \
    .read = elbo_cpu_read, .read_gradients = elbo_cpu_read_gradients, .find_nonfinite = elbo_cpu_find_nonfinite,       \
    .profile = profile, .step_info = step_info, .program_info = program_info

const elbo_device elbo_device_cpu = {
    .name = "cpu", .about = "this processor, with the widest vectors it has", .lower = lower_cpu, CPU};
const elbo_device elbo_device_ref = {.name = "ref",
                                     .about = "plain loops without vectors, which the others are checked against",
                                     .lower = lower_ref,
                                     CPU};
