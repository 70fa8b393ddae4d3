/* Saved codes and a fitted density, both in files of tensors. */
#include "run_folder.h"

#include "explore/density.h"
#include "explore/vectors.h"

static void run(const uint8_t *data, size_t size) {
    static elbo_model *model;
    if (!model) {
        model = fuzz_run_open("codes/recipe.yaml", "codes/model.safetensors");
        fuzz_link(0, "codes/vectors/smile.safetensors");
    }
    const char *path = fuzz_safetensors_file(0, data, size);
    elbo_error err;
    float code[2];
    if (fuzz_succeeded(elbo_vector_load(model, "smile", code, &err), &err)) fuzz_touch(code, sizeof code);
    elbo_vector *vectors;
    int count;
    if (fuzz_succeeded(elbo_vectors_list(model, &vectors, &count, &err), &err)) {
        FUZZ_ASSERT(count == 1, "%d codes", count);
        fuzz_touch(vectors[0].expression, strlen(vectors[0].expression));
        elbo_vectors_free(vectors, count);
    }
    const int latents[] = {2, 300}; // a mixture of codes, and one of their principal axes
    for (int i = 0; i < 2; i++) {
        elbo_density d;
        if (!elbo_density_load(&d, (elbo_density_origin){"m", ""}, 2, latents[i], path)) continue;
        size_t K = (size_t)d.mixture.components, D = (size_t)d.mixture.dims;
        fuzz_touch(d.mixture.weight, K * sizeof(double));
        fuzz_touch(d.mixture.mean, K * D * sizeof(double));
        fuzz_touch(d.mixture.factor, K * D * D * sizeof(double));
        if (d.axis) fuzz_touch(d.axis, D * (size_t)d.latent * sizeof(double));
        elbo_density_free(&d);
    }
}

const fuzz_target fuzz_codes = {"codes", 16384, run};
