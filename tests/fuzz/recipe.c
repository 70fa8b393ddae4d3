/* Recipes, all the way to a device's program: YAML and, behind zero bytes, texts as `--set` takes them. A recipe's own
 * text gives the same recipe. */
#include "run_folder.h"

#include "nn/optimizer.h"

enum { MOST_SETS = 4, MOST_FLOATS = 1 << 16 }; // a recipe may well ask for gigabytes; what is lowered here is small

static void check_text(const elbo_recipe *r) {
    static const char *path;
    if (!path) path = fuzz_path("recipe/again.yaml");
    char *text = elbo_recipe_text(r), *again;
    FUZZ_ASSERT(text, "out of memory");
    FILE *f = fopen(path, "wb");
    FUZZ_ASSERT(f && fwrite(text, 1, strlen(text), f) == strlen(text) && fclose(f) == 0, "cannot be written");
    elbo_recipe copy;
    elbo_error err;
    elbo_status status = elbo_recipe_open(&copy, path, NULL, 0, &err);
    FUZZ_ASSERT(status == ELBO_OK, "its own text is refused: %s\n%s", err.message, text);
    again = elbo_recipe_text(&copy);
    FUZZ_ASSERT(again && !strcmp(again, text), "another recipe:\n%s\n%s", text, again);
    free(again);
    free(text);
    elbo_recipe_close(&copy);
}

static size_t activations_of(const elbo_graph *g) {
    size_t floats = 0;
    for (int i = 0; i < g->count; i++) floats += elbo_shape_size(g->node[i].shape);
    return floats;
}

static void lower(const elbo_recipe *r, elbo_image_shape image) {
    static const elbo_device *ref;
    static elbo_team *team;
    if (!ref) FUZZ_OK(elbo_device_find(&ref, "ref", &fuzz_err_));
    if (!team) FUZZ_OK(elbo_team_make(&team, 1, &fuzz_err_));
    elbo_network n;
    elbo_error err;
    if (!fuzz_succeeded(elbo_network_make(&n, r, image, &err), &err)) return;
    elbo_state s;
    if (fuzz_succeeded(elbo_state_open(&s, ref, &n, team, elbo_optimizer_rule_of(r->train.optimizer), &err), &err)) {
        for (elbo_mode mode = ELBO_ENCODE; mode <= ELBO_TRAIN; mode++) {
            elbo_plan p;
            elbo_plan_options o = {.mode = mode, .batch = r->train.batch, .clip = r->train.clip};
            if (fuzz_succeeded(elbo_plan_make(&p, &s, &o, &err), &err)) elbo_plan_free(&p);
        }
        elbo_state_close(&s);
    }
    elbo_network_free(&n);
}

static void build(const elbo_recipe *r) {
    elbo_image_shape image = {1, 8, 8};
    if (r->image.channels) image.channels = r->image.channels;
    if (r->image.height) image.height = r->image.height;
    if (r->image.width) image.width = r->image.width;
    elbo_graph g;
    elbo_error err;
    if (!fuzz_succeeded(elbo_graph_build(&g, r, image, &err), &err)) return;
    size_t floats = activations_of(&g);
    for (elbo_mode mode = ELBO_ENCODE; mode <= ELBO_TRAIN; mode++) { // a list of work, of any size
        elbo_plan p;
        elbo_plan_options o = {.mode = mode, .batch = r->train.batch, .clip = r->train.clip};
        fuzz_succeeded(elbo_plan_write(&p, &g, &o, &err), &err);
        elbo_plan_clear(&p);
    }
    bool small = g.param_floats <= MOST_FLOATS && floats <= MOST_FLOATS &&
                 floats * (size_t)r->train.batch <= 4 * (size_t)MOST_FLOATS;
    elbo_graph_free(&g);
    if (small) lower(r, image);
}

static void run(const uint8_t *data, size_t size) {
    const uint8_t *end = memchr(data, 0, size);
    char *sets[MOST_SETS] = {0};
    int count = 0;
    for (const uint8_t *p = end; p && count < MOST_SETS; count++) {
        size_t left = size - (size_t)(p + 1 - data);
        sets[count] = fuzz_text(p + 1, left);
        p = memchr(p + 1, 0, left);
    }
    const char *path = fuzz_file(0, data, end ? (size_t)(end - data) : size);
    (void)path;
    elbo_recipe r;
    elbo_error err;
    const char *const *given = (const char *const *)sets;
    if (fuzz_succeeded(elbo_recipe_open(&r, fuzz_link(0, "recipe/x.yaml"), given, count, &err), &err)) {
        check_text(&r);
        build(&r);
        elbo_recipe_close(&r);
    }
    for (int i = 0; i < count; i++) free(sets[i]);
}

const fuzz_target fuzz_recipe = {"recipe", 1024, run};
