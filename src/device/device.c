#include "device/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/cpu/cpu.h"
#include "device/cuda/cuda.h"

const elbo_device *const elbo_devices[] = {&elbo_device_cpu, &elbo_device_ref, &elbo_device_cuda, NULL};
const elbo_device *const elbo_test_devices[] = {
#ifdef ELBO_WITH_SHIM
    &elbo_device_shim,
#endif
    NULL};

elbo_status elbo_device_find(const elbo_device **device, const char *name, elbo_error *err) {
    char names[200] = "";
    for (int i = 0; name && elbo_test_devices[i]; i++)
        if (!strcmp((*device = elbo_test_devices[i])->name, name)) return ELBO_OK;
    if (name && !strcmp(name, "auto")) {
        *device = elbo_device_is_there(&elbo_device_cuda) ? &elbo_device_cuda : elbo_devices[0];
        return ELBO_OK;
    }
    for (int i = 0; elbo_devices[i]; i++) {
        *device = elbo_devices[i];
        if (!name || !strcmp((*device)->name, name)) return ELBO_OK;
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s, ", (*device)->name);
    }
    return elbo_fail(err, ELBO_BAD_INPUT, "device `%s`; expected %.*s or auto", name, (int)strlen(names) - 2, names);
}

void elbo_state_describe(elbo_state *s, const elbo_device *device, const elbo_network *n, elbo_team *team,
                         const elbo_optimizer_rule *optimizer) {
    *s = (elbo_state){
        .device = device, .graph = &n->graph, .team = team, .params = n->params, .optimizer = optimizer, .version = 1};
}

elbo_status elbo_state_open(elbo_state *s, const elbo_device *device, const elbo_network *n, elbo_team *team,
                            const elbo_optimizer_rule *optimizer, elbo_error *err) {
    elbo_state_describe(s, device, n, team, optimizer);
    size_t floats = n->graph.param_floats;
    elbo_status status = ELBO_OK;
    for (int i = 0; optimizer && i < optimizer->arrays && status == ELBO_OK; i++)
        if (!(s->array[i] = elbo_alloc(floats, sizeof(float))))
            status = elbo_no_room(err, (double)optimizer->arrays * (double)floats * sizeof(float),
                                  "what the optimizer keeps of each parameter", "fewer channels or features need less");
    if (status == ELBO_OK && device->open) status = device->open(s, err);
    if (status != ELBO_OK) {
        elbo_state_close(s);
        return status;
    }
    return elbo_state_put(s, err);
}

void elbo_state_close(elbo_state *s) {
    if (s->self) s->device->close(s);
    for (int i = 0; i < ELBO_MAX_OPTIMIZER_ARRAYS; i++) free(s->array[i]);
    *s = (elbo_state){0};
}

elbo_status elbo_state_put(elbo_state *s, elbo_error *err) {
    s->version++;
    return s->device->put ? s->device->put(s, err) : ELBO_OK;
}

elbo_status elbo_state_get(elbo_state *s, elbo_error *err) { return s->device->get ? s->device->get(s, err) : ELBO_OK; }

elbo_status elbo_plan_make(elbo_plan *p, elbo_state *s, const elbo_plan_options *options, elbo_error *err) {
    elbo_status status = elbo_plan_write(p, s->graph, options, err);
    p->state = s;
    if (status == ELBO_OK) status = s->device->lower(p, err);
    if (status != ELBO_OK) elbo_plan_free(p);
    return status;
}

void elbo_plan_free(elbo_plan *p) {
    if (p->program) p->state->device->free_program(p);
    elbo_plan_clear(p);
}

elbo_status elbo_plan_run(elbo_plan *p, const elbo_batch_args *args, int steps, elbo_error *err) {
    if (p->options.mode == ELBO_TRAIN) p->state->version += (uint64_t)steps;
    return p->state->device->run(p, args, steps, err);
}

elbo_status elbo_plan_wait(elbo_plan *p, elbo_run_report *report, elbo_error *err) {
    return p->state->device->wait(p, report, err);
}

elbo_status elbo_plan_run_one(elbo_plan *p, const elbo_batch_args *args, elbo_error *err) {
    elbo_run_report report;
    ELBO_TRY(elbo_plan_run(p, args, 1, err));
    return elbo_plan_wait(p, &report, err);
}

void elbo_plan_read(elbo_plan *p, const elbo_tensor *t, int first, int count, float *to) {
    p->state->device->read(p, t, first, count, to);
}

void elbo_plan_read_gradients(elbo_plan *p, float *to) { p->state->device->read_gradients(p, to); }
