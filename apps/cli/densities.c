#include "densities.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"

enum { COMPONENTS = 10 };

static elbo_status fit(elbo_density *d, cli_look *look, int components, const elbo_job *work, elbo_error *err) {
    elbo_model *model = look->runs.run[0].model;
    ELBO_TRY(cli_look_open_data(look, ELBO_TRAIN_SPLIT, err));
    const elbo_images *images = &look->runs.data.train;
    size_t Z = (size_t)model->network.graph.latent;
    if (!components) components = images->count < COMPONENTS ? (int)images->count : COMPONENTS;
    float *codes = elbo_alloc((size_t)images->count * Z, sizeof *codes);
    if (!codes) return elbo_no_memory(err);
    elbo_model_encode_images(model, images, NULL, images->count, codes, NULL);
    elbo_status status = elbo_density_fit(d, codes, images->count, (int)Z, components, 0, work, err);
    free(codes);
    return status;
}

elbo_status cli_density_of_run(elbo_density *d, cli_look *look, int components, const elbo_job *work, bool *was_kept,
                               elbo_error *err) {
    elbo_model *model = look->runs.run[0].model;
    char fingerprint[ELBO_FINGERPRINT];
    elbo_density_origin origin = {elbo_model_fingerprint(model, fingerprint), look->data ? look->data : ""};
    char *folder = elbo_path_join(model->run, "codes");
    char *path = folder ? elbo_format("%s/%s.safetensors", folder, components == 1 ? "gaussian" : "gmm") : NULL;
    elbo_status status = path ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK)
        *was_kept =
            elbo_density_load(d, origin, components ? components : COMPONENTS, model->network.graph.latent, path);
    if (status == ELBO_OK && !*was_kept) {
        status = fit(d, look, components, work, err);
        elbo_error why;
        if (status == ELBO_OK &&
            (elbo_make_folder(folder, &why) != ELBO_OK || elbo_density_save(d, origin, path, &why) != ELBO_OK))
            fprintf(stderr, "elbo: the fitted codes could not be kept, so they are fitted again next time: %s\n",
                    why.message);
    }
    free(folder);
    free(path);
    return status;
}
