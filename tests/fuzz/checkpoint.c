/* A run's model.safetensors and checkpoint.safetensors, both with the same contents: the facts, the weights, where
 * training stands. */
#include "run_folder.h"

#include <math.h>

#include "nn/optimizer.h"

static struct {
    char *run;
    elbo_recipe recipe;
    elbo_network network;
    elbo_team *team;
    elbo_state state;
} tiny;

static void open_once(void) {
    if (tiny.run) return;
    const char *recipe = fuzz_path("checkpoint/recipe.yaml");
    fuzz_run_write_recipe(recipe);
    fuzz_link(0, "checkpoint/model.safetensors");
    fuzz_link(0, "checkpoint/checkpoint.safetensors");
    tiny.run = fuzz_folder_of(recipe);
    FUZZ_OK(elbo_recipe_open(&tiny.recipe, recipe, NULL, 0, &fuzz_err_));
    FUZZ_OK(elbo_network_make(&tiny.network, &tiny.recipe, fuzz_run_image, &fuzz_err_));
    FUZZ_OK(elbo_team_make(&tiny.team, 1, &fuzz_err_));
    const elbo_device *device;
    FUZZ_OK(elbo_device_find(&device, "ref", &fuzz_err_));
    const elbo_optimizer_rule *rule = elbo_optimizer_rule_of(tiny.recipe.train.optimizer);
    FUZZ_OK(elbo_state_open(&tiny.state, device, &tiny.network, tiny.team, rule, &fuzz_err_));
}

static void run(const uint8_t *data, size_t size) {
    open_once();
    fuzz_safetensors_file(0, data, size);
    elbo_error err;
    elbo_run_facts facts;
    if (fuzz_succeeded(elbo_run_facts_load(tiny.run, &facts, &err), &err)) {
        FUZZ_ASSERT(facts.recipe && elbo_image_size(facts.image) > 0, "no facts");
        elbo_run_facts_free(&facts);
    }
    if (fuzz_succeeded(elbo_model_load(tiny.run, &tiny.network, &err), &err))
        for (size_t i = 0; i < tiny.network.graph.param_floats; i++)
            FUZZ_ASSERT(isfinite(tiny.network.params[i]), "weight %zu", i);
    elbo_position at;
    if (!fuzz_succeeded(elbo_checkpoint_load(tiny.run, &tiny.state, &at, NULL, &err), &err)) return;
    FUZZ_ASSERT(at.epoch >= 0, "epoch %d", at.epoch);
    elbo_kept kept = {.average = calloc(tiny.network.graph.param_floats, sizeof(float)),
                      .best = calloc(tiny.network.graph.param_floats, sizeof(float))};
    FUZZ_ASSERT(kept.average && kept.best, "out of memory");
    fuzz_succeeded(elbo_checkpoint_load(tiny.run, &tiny.state, &at, &kept, &err), &err);
    free(kept.average);
    free(kept.best);
}

const fuzz_target fuzz_checkpoint = {"checkpoint", 6144, run};
