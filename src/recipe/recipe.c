#include "recipe/recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/contrast.h"
#include "recipe/latent_terms.h"
#include "recipe/layers.h"
#include "recipe/read.h"
#include "recipe/tree.h"

void elbo_recipe_close(elbo_recipe *r) {
    elbo_layers_free(&r->head.layer);
    elbo_layers_free(&r->encoder);
    elbo_layers_free(&r->decoder);
    elbo_layers_free(&r->augment);
    elbo_layers_free(&r->corrupt);
    elbo_layers_free(&r->adversary.layers);
    elbo_words_free(&r->classes);
    elbo_words_free(&r->exclude);
    free(r->augments);
    free(r->corrupts);
    for (int i = 0; i < r->set_count; i++) free(r->sets[i]);
    free(r->sets);
    free(r->name);
    free(r->file);
    free(r->about);
    free(r->data);
    free(r->vgg16);
    free(r->label_file);
    *r = (elbo_recipe){0};
}

/* ---- the class as an input ---- */

static const elbo_layer *find_class(const elbo_layers *layers) {
    for (int i = 0; i < layers->count; i++) {
        const elbo_layer *l = &layers->layer[i];
        if (!strcmp(l->name, "concat") && l->argument_count == 1 && !l->arguments[0].key &&
            !strcmp(l->arguments[0].value, "class"))
            return l;
    }
    return NULL;
}

const elbo_layer *elbo_recipe_class_layer(const elbo_recipe *r) {
    const elbo_layer *l = find_class(&r->encoder);
    return l ? l : find_class(&r->decoder);
}

int elbo_recipe_classes(const elbo_recipe *r) {
    int classes = 0;
    if (r->labels) return r->labels;
    for (const elbo_dataset_info *d = elbo_known_datasets; d->name; d++)
        if (!strcmp(d->name, r->data))
            while (d->class_names[classes]) classes++;
    return classes;
}

elbo_status elbo_recipe_take_classes(elbo_recipe *r, const elbo_dataset *d, elbo_error *err) {
    const elbo_layer *layer = elbo_recipe_class_layer(r);
    if (!layer) return ELBO_OK;
    if (!d->classes)
        return elbo_fail_at(err, layer->place,
                            "%s: %s (%s) has no labels; train it on data with classes, such as a folder of photographs "
                            "in a folder each, or leave the layer out",
                            layer->text, d->name, d->source);
    if (!d->train.labels || (d->test.count && !d->test.labels))
        return elbo_fail_at(err, layer->place, "%s: the %s images of %s (%s) have no labels; both splits need them",
                            layer->text, d->train.labels ? "test" : "training", d->name, d->source);
    if (r->labels && d->classes > r->labels)
        return elbo_fail_at(err, layer->place, "%s: %s (%s) has %d classes, the recipe's `labels` is %d", layer->text,
                            d->name, d->source, d->classes, r->labels);
    if (!r->labels) r->labels = d->classes;
    return ELBO_OK;
}

elbo_status elbo_recipe_take_contrast(elbo_recipe *r, const elbo_dataset *d, elbo_error *err) {
    if (r->image.normalize != ELBO_NORMALIZE_GCN || elbo_contrast_is_on(&r->image.contrast)) return ELBO_OK;
    return elbo_contrast_measure(&r->image.contrast, &d->train, err);
}

static bool ends_in(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_path(const char *name) { return strchr(name, '/') || ends_in(name, ".yaml") || ends_in(name, ".yml"); }

static elbo_status unknown_recipe(const char *name, elbo_error *err) {
    char shown[ELBO_SHOWN];
    elbo_text_shown(name, shown);
    if (elbo_file_exists(name))
        return elbo_fail(err, ELBO_NOT_FOUND, "%s: no built-in recipe; for the file of that name write ./%s", shown,
                         shown);
    int count = 0;
    while (elbo_builtin_recipes[count].name) count++;
    for (const elbo_dataset_info *d = elbo_known_datasets; d->name; d++)
        if (!strcmp(d->name, name))
            return elbo_fail(err, ELBO_NOT_FOUND,
                             "%s: is a data set, not a recipe; `elbo recipes` lists recipes, and "
                             "`elbo train RECIPE --data %s` trains one on it",
                             shown, shown);
    const char **words = elbo_alloc((size_t)count + 1, sizeof *words);
    if (!words) return elbo_no_memory(err);
    for (int i = 0; i < count; i++) words[i] = elbo_builtin_recipes[i].name;
    const char *near = elbo_nearest_word(name, words);
    free(words);
    if (near)
        return elbo_fail(err, ELBO_NOT_FOUND, "%s: no such recipe; did you mean %s? `elbo recipes` lists them", shown,
                         near);
    return elbo_fail(err, ELBO_NOT_FOUND,
                     "%s: no such recipe; `elbo recipes` lists them, and a file's name ends in .yaml", shown);
}

/* What the recipe in a file is called: by the file, or, where it is a run's recipe.yaml, by the run. A new string. */
static char *name_of_file(const char *path) {
    const char *end = path + strlen(path), *base = end;
    while (base > path && base[-1] != '/') base--;
    size_t ending = ends_in(base, ".yaml") ? 5 : ends_in(base, ".yml") ? 4 : 0;
    if (!strcmp(base, "recipe.yaml") && base - path > 1) {
        const char *folder_end = base - 1, *folder = folder_end;
        while (folder > path && folder[-1] != '/') folder--;
        size_t n = (size_t)(folder_end - folder);
        if (n && strncmp(folder, "..", n)) return strndup(folder, n); // (neither . nor ..)
    }
    return strndup(base, (size_t)(end - base) - ending);
}

/* The YAML of a recipe, and how errors name it. The caller frees `text`. */
static elbo_status load(elbo_recipe *r, const char *name, uint8_t **text, size_t *size, elbo_error *err) {
    if (is_path(name)) {
        r->file = strdup(name);
        r->name = name_of_file(name);
        if (!r->file || !r->name) return elbo_no_memory(err);
        return elbo_file_read(name, ELBO_TREE_MAX_BYTES, text, size, err);
    }
    const elbo_builtin_recipe *b = elbo_builtin_recipes;
    while (b->name && strcmp(b->name, name) != 0) b++;
    if (!b->name) return unknown_recipe(name, err);
    r->file = elbo_format("recipes/%s.yaml", name);
    r->name = strdup(name);
    *text = (uint8_t *)strdup(b->yaml);
    *size = strlen(b->yaml);
    return r->file && r->name && *text ? ELBO_OK : elbo_no_memory(err);
}

/* `kl: 4` is short for `kl: {weight: 4}`. */
static elbo_status spell_out(elbo_yaml_node *root, elbo_error *err) {
    ELBO_TRY(elbo_tree_wrap(root, "loss.kl", "weight", err));
    for (int t = 0; t < ELBO_LATENT_TERMS; t++) { // `mmd: 10` for `mmd: {weight: 10}`
        static const char end[] = ".weight";
        const char *key = elbo_latent_rows[t].key;
        char path[64];
        if (!ends_in(key, end)) continue;
        snprintf(path, sizeof path, "%.*s", (int)(strlen(key) - strlen(end)), key);
        ELBO_TRY(elbo_tree_wrap(root, path, end + 1, err));
    }
    return ELBO_OK;
}

static elbo_status apply_sets(elbo_recipe *r, elbo_yaml_node **root, const char *const *sets, int count,
                              elbo_error *err) {
    if (count <= 0) return ELBO_OK;
    r->sets = elbo_alloc((size_t)count, sizeof *r->sets);
    if (!r->sets) return elbo_no_memory(err);
    if (*root && (*root)->kind != ELBO_NODE_MAP) return ELBO_OK; // no recipe at all: the reader says so
    if (!*root && !(*root = elbo_tree_new_map((elbo_place){r->file, 0}))) return elbo_no_memory(err);
    for (int i = 0; i < count; i++) {
        char shown[ELBO_SHOWN];
        char *file = elbo_format("--set %s", elbo_text_shown(sets[i], shown));
        if (!file) return elbo_no_memory(err);
        r->sets[r->set_count++] = file;
        ELBO_TRY(elbo_tree_set(*root, sets[i], file, err));
        ELBO_TRY(spell_out(*root, err));
    }
    return ELBO_OK;
}

elbo_status elbo_recipe_open(elbo_recipe *r, const char *name, const char *const *sets, int set_count,
                             elbo_error *err) {
    *r = (elbo_recipe){0};
    uint8_t *text = NULL;
    size_t size = 0;
    elbo_yaml_node *root = NULL;
    elbo_status status = load(r, name, &text, &size, err);
    if (status == ELBO_OK) status = elbo_tree_parse(&root, (const char *)text, size, r->file, true, err);
    free(text);
    if (status == ELBO_OK && root) status = spell_out(root, err);
    if (status == ELBO_OK) status = apply_sets(r, &root, sets, set_count, err);
    if (status == ELBO_OK) status = elbo_recipe_read(r, root, err);
    elbo_tree_free(root);
    if (status != ELBO_OK) elbo_recipe_close(r);
    return status;
}

elbo_status elbo_recipe_check_schedules(const elbo_recipe *r, elbo_error *err) {
    double epochs = r->train.epochs, over = r->loss.latent[ELBO_LATENT_CAPACITY].argument;
    if (!strncmp(r->epochs_place.file, "--set", 5)) return ELBO_OK;
    if (r->loss.kl_warmup > epochs)
        return elbo_fail_at(
            err, r->warmup_place,
            "loss.kl.warmup: %g epochs of %g, so that the KL's weight would end at %.3g of %g; a warm-up is "
            "at most as long as train.epochs",
            (double)r->loss.kl_warmup, epochs, r->loss.kl * epochs / r->loss.kl_warmup, (double)r->loss.kl);
    if (over > epochs)
        return elbo_fail_at(
            err, r->loss_place,
            "loss.kl.over: %g epochs of %g, so that the capacity would end at %.3g of %g; it grows over at "
            "most train.epochs",
            over, epochs, r->loss.latent[ELBO_LATENT_CAPACITY].number * epochs / over,
            (double)r->loss.latent[ELBO_LATENT_CAPACITY].number);
    return ELBO_OK;
}
