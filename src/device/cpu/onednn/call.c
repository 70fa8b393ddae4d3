/* oneDNN's primitives and reorders as calls: made once, then run on any addresses without taking memory. */
#include <stdint.h>
#include <stdlib.h>

#include "device/cpu/onednn/layer.h"

elbo_status elbo_onednn_check(dnnl_status_t status, const char *what, elbo_error *err) {
    if (status == dnnl_success) return ELBO_OK;
    if (status == dnnl_out_of_memory) return elbo_no_memory(err);
    return elbo_fail(err, ELBO_BAD_INPUT, "oneDNN cannot make %s of this shape (status %d)", what, (int)status);
}

elbo_status elbo_onednn_make_call(elbo_conv *c, onednn_call *k, dnnl_primitive_desc_t desc, int args, const int *arg,
                                  const dnnl_memory_desc_t *const *md, elbo_error *err) {
    k->desc = desc;
    k->made = true;
    ELBO_TRY(elbo_onednn_check(dnnl_primitive_create(&k->primitive, desc), "a primitive", err));
    k->args = args + 1; // and the scratchpad
    k->memory = calloc((size_t)c->threads * ONEDNN_MOST_ARGS, sizeof(dnnl_memory_t));
    if (!k->memory) return elbo_no_memory(err);
    const dnnl_memory_desc_t *pad = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    k->scratchpad = dnnl_memory_desc_get_size(pad);
    if (k->scratchpad > c->scratchpad) c->scratchpad = k->scratchpad;
    for (int a = 0; a < args; a++) k->arg[a] = arg[a];
    k->arg[args] = DNNL_ARG_SCRATCHPAD;
    for (int t = 0; t < c->threads; t++)
        for (int a = 0; a <= args; a++)
            ELBO_TRY(elbo_onednn_check(dnnl_memory_create(&k->memory[t * ONEDNN_MOST_ARGS + a], a < args ? md[a] : pad,
                                                          c->engine, DNNL_MEMORY_NONE),
                                       "a memory object", err));
    return ELBO_OK;
}

void elbo_onednn_free_call(elbo_conv *c, onednn_call *k) {
    if (k->memory)
        for (int i = 0; i < c->threads * ONEDNN_MOST_ARGS; i++)
            if (k->memory[i]) dnnl_memory_destroy(k->memory[i]);
    free(k->memory);
    if (k->primitive) dnnl_primitive_destroy(k->primitive);
    if (k->desc) dnnl_primitive_desc_destroy(k->desc);
}

bool elbo_onednn_run(const elbo_conv *c, const onednn_call *k, int thread, float *scratchpad,
                     const void *const *address) {
    dnnl_exec_arg_t args[ONEDNN_MOST_ARGS];
    for (int a = 0; a < k->args; a++) {
        dnnl_memory_t m = k->memory[thread * ONEDNN_MOST_ARGS + a];
        const void *p = a + 1 < k->args ? address[a] : scratchpad;
        // (oneDNN writes only to what is an output)
        if (dnnl_memory_set_data_handle(m, (void *)(uintptr_t)p) != dnnl_success) return false;
        args[a] = (dnnl_exec_arg_t){k->arg[a], m};
    }
    return dnnl_primitive_execute(k->primitive, c->stream[thread], k->args, args) == dnnl_success;
}

elbo_status elbo_onednn_make_reorder(elbo_conv *c, onednn_call *k, const dnnl_memory_desc_t *from,
                                     const dnnl_memory_desc_t *to, elbo_error *err) {
    dnnl_primitive_desc_t desc;
    dnnl_primitive_attr_t attr;
    ELBO_TRY(elbo_onednn_check(dnnl_primitive_attr_create(&attr), "an attribute", err));
    dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&desc, from, c->engine, to, c->engine, attr);
    dnnl_primitive_attr_destroy(attr);
    ELBO_TRY(elbo_onednn_check(status, "a reorder", err));
    return elbo_onednn_make_call(c, k, desc, 2, (int[]){DNNL_ARG_FROM, DNNL_ARG_TO},
                                 (const dnnl_memory_desc_t *[]){from, to}, err);
}
