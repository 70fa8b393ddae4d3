#include "recipe/read.h"

#include <stdio.h>
#include <string.h>

#include "data/augment/augment.h"
#include "data/corrupt/corrupt.h"
#include "base/memory.h"
#include "recipe/keys.h"
#include "recipe/latent_terms.h"
#include "recipe/layers.h"
#include "recipe/numbers.h"
#include "recipe/terms.h"

/* ------------------------------------------------------------------------------------------------ unknown keys */

/* How much of `path` ends in `.name`: for an `lr` that was written outside of `train`. 0: it has no such part. */
static int length_up_to(const char *path, const char *name) {
    size_t n = strlen(name);
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.'))
        if (strncmp(dot + 1, name, n) == 0 && (dot[1 + n] == 0 || dot[1 + n] == '.')) return (int)(dot + 1 + n - path);
    return 0;
}

static elbo_status unknown_key(const elbo_yaml_node *node, const char *section, const elbo_names *names,
                               elbo_error *err) {
    char shown[ELBO_SHOWN], list[240];
    const char *dot = *section ? "." : "";
    elbo_text_shown(node->key, shown);
    static const char *const aliases[][2] = {{"batch_size", "train.batch"}, {"batchsize", "train.batch"},
                                             {"learning_rate", "train.lr"}, {"latent_dim", "latent"},
                                             {"z_dim", "latent"},           {"beta", "loss.kl"},
                                             {"kl_weight", "loss.kl"},      {"num_epochs", "train.epochs"},
                                             {"dataset", "data"},           {"img_size", "image.size"}};
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) // as other programs call them
        if (!strcmp(node->key, aliases[i][0]))
            return elbo_fail_at(err, node->place, "%s%s%s: unknown key; did you mean %s?", section, dot, shown,
                                aliases[i][1]);
    for (const elbo_key *key = elbo_keys; key->path; key++) {
        int length = length_up_to(key->path, node->key);
        if (length)
            return elbo_fail_at(err, node->place, "%s%s%s: unknown key; did you mean %.*s?", section, dot, shown,
                                length, key->path);
    }
    const char *near = elbo_nearest_word(node->key, names->name);
    if (near)
        return elbo_fail_at(err, node->place, "%s%s%s: unknown key; did you mean %s%s%s?", section, dot, shown, section,
                            dot, near);
    return elbo_fail_at(err, node->place, "%s%s%s: unknown key; %s has %s", section, dot, shown,
                        *section ? section : "a recipe", elbo_join_words(names->name, " and ", list, sizeof list));
}

/* Every key of `map` is one of the table, or a section whose keys are. */
static elbo_status check_keys(const elbo_yaml_node *map, const char *section, elbo_error *err) {
    elbo_names names;
    elbo_keys_under(section, &names);
    for (const elbo_yaml_node *node = map->first; node; node = node->next) {
        bool known = false;
        for (int i = 0; i < names.count; i++) known |= strcmp(names.name[i], node->key) == 0;
        if (!known) ELBO_TRY(unknown_key(node, section, &names, err));
        char path[ELBO_SHOWN], got[ELBO_GOT], list[240];
        snprintf(path, sizeof path, "%s%s%s", section, *section ? "." : "", node->key);
        elbo_names inner;
        elbo_keys_under(path, &inner);
        if (!inner.count) continue;
        if (node->kind != ELBO_NODE_MAP)
            return elbo_fail_at(err, node->place, "%s: expected a mapping of %s, got %s", path,
                                elbo_join_words(inner.name, " and ", list, sizeof list), elbo_node_got(node, got));
        ELBO_TRY(check_keys(node, path, err));
    }
    return ELBO_OK;
}

/* ------------------------------------------------------------------------------------------------ values */

/* A value of the table being read: where it goes, and what to say when it cannot. */
typedef struct slot {
    const elbo_key *key;
    const char *path; // as written: `loss.kl` for a weight given as `kl: 4`
    void *to;
    elbo_recipe *recipe; // whose value it is
    elbo_error *err;
} slot;

static elbo_status unwanted(const slot *s, const elbo_yaml_node *node) {
    char got[ELBO_GOT], wanted[ELBO_WANTED];
    bool number =
        s->key->type == ELBO_KEY_NUMBER || s->key->type == ELBO_KEY_NUMBERS || s->key->type == ELBO_KEY_LEARNED;
    bool infinite = number && node->kind == ELBO_NODE_TEXT && elbo_is_not_finite(node->text);
    return elbo_fail_at(s->err, node->place, "%s: expected %s, got %s%s", s->path, elbo_key_wanted(s->key, wanted),
                        elbo_node_got(node, got), infinite ? ", which is not finite" : "");
}

static elbo_status read_text(const slot *s, const elbo_yaml_node *node) {
    bool may_be_empty = s->key->standard && strcmp(s->key->standard, "''") == 0;
    if (node->kind != ELBO_NODE_TEXT || elbo_node_is_nothing(node) || (!*node->text && !may_be_empty))
        return unwanted(s, node);
    char *copy = strdup(node->text);
    if (!copy) return elbo_no_memory(s->err);
    *(char **)s->to = copy;
    return ELBO_OK;
}

static elbo_status read_choice(const slot *s, const elbo_yaml_node *node) {
    if (node->kind != ELBO_NODE_TEXT) return unwanted(s, node);
    for (unsigned i = 0; s->key->choices[i]; i++)
        if (strcmp(node->text, s->key->choices[i]) == 0) {
            memcpy(s->to, &i, sizeof i); // enums are unsigned int
            return ELBO_OK;
        }
    return unwanted(s, node);
}

static elbo_status read_whole(const slot *s, const elbo_yaml_node *node) {
    bool negative;
    uint64_t value;
    if (node->kind != ELBO_NODE_TEXT || !node->plain) return unwanted(s, node);
    if (s->key->type != ELBO_KEY_WHOLE && s->key->type != ELBO_KEY_SEED && strcmp(node->text, "none") == 0) {
        *(int *)s->to = 0;
        return ELBO_OK;
    }
    if (!elbo_parse_whole(node->text, &negative, &value) || (negative && value)) return unwanted(s, node);
    if (s->key->type == ELBO_KEY_SEED) {
        *(uint64_t *)s->to = value;
        return ELBO_OK;
    }
    if ((double)value < s->key->low || (double)value > s->key->high) return unwanted(s, node);
    *(int *)s->to = (int)value;
    return ELBO_OK;
}

static bool read_float(const elbo_key *key, const elbo_yaml_node *node, float *value) {
    if (node->kind != ELBO_NODE_TEXT || !node->plain || !elbo_parse_float(node->text, value)) return false;
    if (key->above ? *value <= key->low : *value < key->low) return false;
    return key->below ? *value < key->high : *value <= key->high;
}

/* 0.1 or learned. */
static elbo_status read_learned(const slot *s, const elbo_yaml_node *node) {
    if (node->kind == ELBO_NODE_TEXT && node->plain && !strcmp(node->text, "learned")) {
        *(float *)s->to = 0;
        return ELBO_OK;
    }
    return read_float(s->key, node, s->to) ? ELBO_OK : unwanted(s, node);
}

static elbo_status read_numbers(const slot *s, const elbo_yaml_node *node) {
    if (node->kind != ELBO_NODE_LIST) return unwanted(s, node);
    float *to = s->to, pair[2];
    int count = 0;
    for (const elbo_yaml_node *child = node->first; child; child = child->next, count++) {
        if (count < 2 && !read_float(s->key, child, &pair[count])) return unwanted(s, child);
    }
    if (count != 2) {
        char wanted[ELBO_WANTED];
        return elbo_fail_at(s->err, node->place, "%s: expected %s, got a list of %d", s->path,
                            elbo_key_wanted(s->key, wanted), count);
    }
    memcpy(to, pair, sizeof pair);
    return ELBO_OK;
}

/* `latent: {channels: 256, head: conv2d kernel=4 stride=2 padding=1}` */
static elbo_status read_head(const slot *s, const elbo_yaml_node *map) {
    static const char *const names[] = {"channels", "head"};
    static const elbo_key channels = {.type = ELBO_KEY_WHOLE, .low = 1, .high = 65536};
    for (const elbo_yaml_node *node = map->first; node; node = node->next) {
        char shown[ELBO_SHOWN];
        if (strcmp(node->key, names[0]) && strcmp(node->key, names[1]))
            return elbo_fail_at(s->err, node->place,
                                "%s.%s: unknown key; a convolutional latent has channels "
                                "and head",
                                s->path, elbo_text_shown(node->key, shown));
    }
    for (int i = 0; i < 2; i++)
        if (!elbo_tree_entry(map, names[i]))
            return elbo_fail_at(s->err, map->place,
                                "%s: has no %s; write a size, or {channels: 256, head: conv2d kernel=4 "
                                "stride=2 padding=1}",
                                s->path, names[i]);
    elbo_recipe *r = s->recipe;
    r->latent = 0;
    slot inner = {.key = &channels, .path = "latent.channels", .to = &r->head.channels, .recipe = r, .err = s->err};
    ELBO_TRY(read_whole(&inner, elbo_tree_entry(map, "channels")));
    return elbo_layers_read_one(&r->head.layer, elbo_tree_entry(map, "head"), "latent.head", s->err);
}

/* 64, [64, 48] or none. */
static elbo_status read_extent(const slot *s, const elbo_yaml_node *node) {
    int size[2] = {0}, count = 0;
    const elbo_yaml_node *list = node->kind == ELBO_NODE_LIST ? node->first : node;
    for (const elbo_yaml_node *n = list; n; n = node->kind == ELBO_NODE_LIST ? n->next : NULL, count++) {
        bool negative;
        uint64_t value;
        if (n->kind == ELBO_NODE_TEXT && n->plain && node == n && !strcmp(n->text, "none")) continue;
        if (n->kind != ELBO_NODE_TEXT || !n->plain || !elbo_parse_whole(n->text, &negative, &value) || negative ||
            (double)value < s->key->low || (double)value > s->key->high)
            return unwanted(s, n);
        if (count < 2) size[count] = (int)value;
    }
    if (node->kind != ELBO_NODE_LIST)
        size[1] = size[0];
    else if (count != 2) {
        char wanted[ELBO_WANTED];
        return elbo_fail_at(s->err, node->place, "%s: expected %s, got a list of %d", s->path,
                            elbo_key_wanted(s->key, wanted), count);
    }
    memcpy(s->to, size, sizeof size);
    return ELBO_OK;
}

/* 3, [0, 1], [class:Bag], or the default's word for none. */
static elbo_status read_words(const slot *s, const elbo_yaml_node *node) {
    elbo_words *words = s->to;
    bool list = node->kind == ELBO_NODE_LIST;
    if (!list && node->kind == ELBO_NODE_TEXT && !strcmp(node->text, s->key->standard)) return ELBO_OK;
    if (list && !node->count) return unwanted(s, node);
    words->word = elbo_alloc(list ? (size_t)node->count : 1, sizeof *words->word);
    if (!words->word) return elbo_no_memory(s->err);
    for (const elbo_yaml_node *n = list ? node->first : node; n; n = list ? n->next : NULL) {
        if (n->kind != ELBO_NODE_TEXT || elbo_node_is_nothing(n) || !*n->text) return unwanted(s, n);
        const char *text = strncmp(n->text, "class:", 6) ? n->text : n->text + 6; // as expressions have it
        char shown[ELBO_SHOWN];
        for (int i = 0; i < words->count; i++)
            if (!strcmp(words->word[i], text))
                return elbo_fail_at(s->err, n->place, "%s: %s is named twice", s->path, elbo_text_shown(text, shown));
        words->word[words->count] = strdup(text);
        if (!words->word[words->count]) return elbo_no_memory(s->err);
        words->count++;
    }
    return ELBO_OK;
}

/* normal, or mixture 50. */
static elbo_status read_prior(const slot *s, const elbo_yaml_node *node) {
    static const char mixture[] = "mixture ";
    bool negative;
    uint64_t value;
    if (node->kind != ELBO_NODE_TEXT) return unwanted(s, node);
    if (!strcmp(node->text, "normal")) {
        *(int *)s->to = 0;
        return ELBO_OK;
    }
    if (strncmp(node->text, mixture, strlen(mixture)) ||
        !elbo_parse_whole(node->text + strlen(mixture), &negative, &value))
        return unwanted(s, node);
    if (negative || (double)value < s->key->low || (double)value > s->key->high) return unwanted(s, node);
    *(int *)s->to = (int)value;
    return ELBO_OK;
}

static elbo_status read_value(const slot *s, const elbo_yaml_node *node) {
    switch (s->key->type) {
    case ELBO_KEY_TEXT: return read_text(s, node);
    case ELBO_KEY_CHOICE: return read_choice(s, node);
    case ELBO_KEY_WHOLE:
    case ELBO_KEY_SIZE:
    case ELBO_KEY_SEED: return read_whole(s, node);
    case ELBO_KEY_EXTENT: return read_extent(s, node);
    case ELBO_KEY_NUMBER: return read_float(s->key, node, s->to) ? ELBO_OK : unwanted(s, node);
    case ELBO_KEY_NUMBERS: return read_numbers(s, node);
    case ELBO_KEY_LEARNED: return read_learned(s, node);
    case ELBO_KEY_STEPS:
        if (node->kind != ELBO_NODE_LIST) return unwanted(s, node);
        return elbo_layers_read(s->to, node, s->path, s->err);
    case ELBO_KEY_LAYERS:
        if (node->kind != ELBO_NODE_LIST || !node->count) return unwanted(s, node);
        return elbo_layers_read(s->to, node, s->path, s->err);
    case ELBO_KEY_LATENT: return node->kind == ELBO_NODE_MAP ? read_head(s, node) : read_whole(s, node);
    case ELBO_KEY_WORDS: return read_words(s, node);
    case ELBO_KEY_PRIOR: return read_prior(s, node);
    case ELBO_KEY_TERMS: return elbo_terms_read(s->to, s->key, node, s->path, s->err);
    }
    return unwanted(s, node);
}

/* ------------------------------------------------------------------------------------------------ the table */

static elbo_status read_standard(const slot *s, elbo_place place) {
    elbo_yaml_node *root;
    const char *text = s->key->standard;
    ELBO_TRY(elbo_tree_parse(&root, text, strlen(text), place.file, false, s->err));
    elbo_status status = read_value(s, root);
    elbo_tree_free(root);
    return status;
}

/* Another row of the same path takes the key in this recipe. */
static bool applies_elsewhere(const elbo_recipe *r, const elbo_key *key) {
    for (const elbo_key *other = elbo_keys; other->path; other++)
        if (other != key && strcmp(other->path, key->path) == 0 && other->applies(r)) return true;
    return false;
}

static elbo_status read_key(elbo_recipe *r, const elbo_yaml_node *root, const elbo_key *key, elbo_error *err) {
    const elbo_yaml_node *node = elbo_tree_find(root, key->path);
    char path[ELBO_SHOWN];
    snprintf(path, sizeof path, "%s", key->path);
    if (node && node->implied) *strrchr(path, '.') = 0;
    if (key->applies && !key->applies(r)) {
        if (!node || applies_elsewhere(r, key)) return ELBO_OK;
        return elbo_fail_at(err, node->place, "%s: has no effect here; it needs %s", path, key->goes_with);
    }
    elbo_place whole = {r->file, 0};
    slot s = {.key = key, .path = path, .to = (char *)r + key->offset, .recipe = r, .err = err};
    if (key->place) *(elbo_place *)((char *)r + key->place) = node ? node->place : whole;
    if (node) return read_value(&s, node);
    if (key->standard) return read_standard(&s, whole);
    char wanted[ELBO_WANTED], section[ELBO_SHOWN];
    snprintf(section, sizeof section, "%.*s", (int)strcspn(path, "."), path);
    const elbo_yaml_node *part = strchr(path, '.') ? elbo_tree_find(root, section) : NULL;
    return elbo_fail_at(err, part ? part->place : whole, "%s is missing; expected %s", path,
                        elbo_key_wanted(key, wanted));
}

elbo_status elbo_recipe_read(elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err) {
    elbo_place whole = {r->file, 0};
    char shown[ELBO_SHOWN];
    if (!root || elbo_node_is_nothing(root))
        return elbo_fail_at(err, whole, "is empty; a recipe needs kind, latent, encoder and decoder");
    if (root->kind != ELBO_NODE_MAP)
        return elbo_fail_at(err, root->place, "%s; expected a mapping of keys, such as kind: vae",
                            elbo_node_shown(root, shown));
    ELBO_TRY(check_keys(root, "", err));
    for (const elbo_key *key = elbo_keys; key->path; key++) ELBO_TRY(read_key(r, root, key, err));
    if (r->augment.count) {
        r->augments = elbo_alloc(1, sizeof *r->augments);
        if (!r->augments) return elbo_no_memory(err);
        ELBO_TRY(elbo_augment_read(r->augments, &r->augment, err));
    }
    if (r->corrupt.count) {
        r->corrupts = elbo_alloc(1, sizeof *r->corrupts);
        if (!r->corrupts) return elbo_no_memory(err);
        ELBO_TRY(elbo_corrupt_read(r->corrupts, &r->corrupt, err));
    }
    const elbo_yaml_node *loss = elbo_tree_find(root, "loss");
    r->loss_place = loss ? loss->place : whole;
    return elbo_recipe_check_together(r, root, err);
}
