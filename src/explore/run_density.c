#include "explore/run_density.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/model.h"

static char *folder_of(const elbo_model *m) { return elbo_path_join(m->run, "codes"); }

static char *path_of(const char *folder, int components) {
    return folder ? elbo_format("%s/%s.safetensors", folder, components == 1 ? "gaussian" : "gmm") : NULL;
}

bool elbo_run_density_load(elbo_density *d, const elbo_model *m, const char *data, int components) {
    elbo_density_origin origin = {elbo_model_fingerprint(m), data};
    char *folder = folder_of(m), *path = path_of(folder, components);
    bool there = path && elbo_density_load(d, origin, components ? components : ELBO_DENSITY_COMPONENTS,
                                           m->network.graph.latent, path);
    free(folder);
    free(path);
    return there;
}

elbo_status elbo_run_density_fit(elbo_density *d, elbo_model *m, const elbo_images *images, int components,
                                 const elbo_job *work, elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent;
    if (!components)
        components = images->count < ELBO_DENSITY_COMPONENTS ? (int)images->count : ELBO_DENSITY_COMPONENTS;
    float *codes = elbo_alloc((size_t)images->count * Z, sizeof *codes); // (n, latent)
    if (!codes) return elbo_no_memory(err);
    elbo_status status = elbo_model_encode_images(m, images, NULL, images->count, codes, NULL, err);
    if (status == ELBO_OK) status = elbo_density_fit(d, codes, images->count, (int)Z, components, 0, work, err);
    free(codes);
    return status;
}

elbo_status elbo_run_density_save(const elbo_density *d, const elbo_model *m, const char *data, int components,
                                  elbo_error *err) {
    elbo_density_origin origin = {elbo_model_fingerprint(m), data};
    char *folder = folder_of(m), *path = path_of(folder, components);
    elbo_status status = path ? elbo_make_folder(folder, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_density_save(d, origin, path, err);
    free(folder);
    free(path);
    return status;
}
