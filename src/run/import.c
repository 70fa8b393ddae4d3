/* A run made of weights that something else trained. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/safetensors.h"
#include "run/run_folder.h"

/* PyTorch counts the batches that a norm has seen; nothing reads it. */
static bool is_counter(const char *name) {
    static const char ending[] = ".num_batches_tracked";
    size_t n = strlen(name), e = sizeof ending - 1;
    return n > e && !strcmp(name + n - e, ending);
}

static bool has_param(const elbo_graph *g, const char *name) {
    for (int i = 0; i < g->params; i++)
        if (!strcmp(g->param[i].name, name)) return true;
    return false;
}

elbo_status elbo_network_import(elbo_network *n, const char *path, elbo_error *err) {
    elbo_safetensors file;
    ELBO_TRY(elbo_safetensors_open(&file, path, err));
    elbo_status status = ELBO_OK;
    for (int i = 0; i < n->graph.params && status == ELBO_OK; i++)
        status = elbo_param_read(&file, path, "", &n->graph.param[i], n->params, err);
    for (int i = 0; i < file.count && status == ELBO_OK; i++)
        if (!has_param(&n->graph, file.tensors[i].name) && !is_counter(file.tensors[i].name))
            status = elbo_fail(err, ELBO_BAD_INPUT,
                               "%s: has a tensor `%s`, for which the recipe has no layer; `elbo plan RECIPE` lists its "
                               "layers",
                               path, file.tensors[i].name);
    elbo_safetensors_close(&file);
    return status;
}

elbo_status elbo_run_make(const char *run, const elbo_recipe *r, const elbo_network *n, const char *data, bool replace,
                          elbo_error *err) {
    int lock = -1;
    elbo_log none = {.metrics = n->graph.metrics};
    const elbo_run_facts facts = {.recipe = r->name, .data = (char *)(uintptr_t)data, .imported = true}; // only read
    elbo_status status = elbo_run_folder_open(&lock, run, false, replace, err);
    if (status == ELBO_OK) status = elbo_log_save(run, &none, err);
    if (status == ELBO_OK) status = elbo_model_save(run, n, n->params, &facts, err);
    if (status == ELBO_OK) status = elbo_run_recipe_save(run, r, err);
    elbo_run_folder_close(&lock);
    return status;
}
