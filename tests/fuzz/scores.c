/* scores.json of a run. The sixteen letters M stand for the model's checksum, without which nothing is read. */
#include "run_folder.h"

#include <jansson.h>

#include "explore/metrics/quality.h"

static char *checksum; // of the model

static elbo_model *open_once(void) {
    static elbo_model *model;
    if (model) return model;
    model = fuzz_run_open("scores/recipe.yaml", "scores/model.safetensors");
    // elbo writes scores once, to see the checksum that it writes
    const elbo_quality q = {.metrics = elbo_metrics_of(&model->recipe)};
    elbo_dataset none = {.name = (char *)(uintptr_t) "none"};
    FUZZ_OK(elbo_quality_save(&q, model, &none, &fuzz_err_));
    uint8_t *text;
    size_t n = fuzz_read(fuzz_path("scores/scores.json"), &text);
    json_t *o = json_loadb((const char *)text, n, 0, NULL);
    const char *said = json_string_value(json_object_get(o, "model"));
    FUZZ_ASSERT(said && strlen(said) == 16, "scores.json names no model");
    checksum = strdup(said);
    json_decref(o);
    free(text);
    FUZZ_ASSERT(remove(fuzz_path("scores/scores.json")) == 0, "scores.json cannot be removed");
    fuzz_link(0, "scores/scores.json");
    return model;
}

static void run(const uint8_t *data, size_t size) {
    const elbo_model *model = open_once();
    uint8_t *copy = malloc(size + 1), *at;
    FUZZ_ASSERT(copy, "out of memory");
    memcpy(copy, data, size);
    if ((at = memmem(copy, size, "MMMMMMMMMMMMMMMM", 16))) memcpy(at, checksum, 16);
    fuzz_file(0, copy, size);
    free(copy);
    elbo_quality q;
    elbo_error err;
    if (!fuzz_succeeded(elbo_quality_load(&q, model, NULL, &err), &err)) return;
    for (const elbo_quality_row *r = elbo_quality_rows; r->key; r++) {
        char text[ELBO_QUALITY_TEXT];
        elbo_quality_text(r, &q, text);
        FUZZ_ASSERT(strlen(text) < sizeof text, "%s", r->key);
    }
    json_t *o = elbo_quality_to_json(&q);
    json_decref(o);
    elbo_quality_free(&q);
}

const fuzz_target fuzz_scores = {"scores", 4096, run};
