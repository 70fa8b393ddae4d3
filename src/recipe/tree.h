/* YAML as a small tree, each node with the place it was written at. What the keys mean is recipe.c's business. */
#ifndef ELBO_RECIPE_TREE_H
#define ELBO_RECIPE_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/shown.h"
#include "recipe/recipe.h"

enum {
    ELBO_TREE_MAX_BYTES = 1 << 20, // a recipe is a page of text
    ELBO_TREE_MAX_DEPTH = 8,
    ELBO_TREE_MAX_ENTRIES = 1000, // in one map or list
};

typedef enum elbo_node_kind { ELBO_NODE_TEXT, ELBO_NODE_LIST, ELBO_NODE_MAP } elbo_node_kind;

typedef struct elbo_yaml_node {
    elbo_node_kind kind;
    char *key;    // in a map; else NULL
    char *text;   // of an ELBO_NODE_TEXT; else NULL
    bool plain;   // text without quotes: may be a number, or nothing
    bool implied; // `kl: 1` read as `kl: {weight: 1}`: the key was not written
    elbo_place place;
    int count;
    struct elbo_yaml_node *first, *last, *next;
} elbo_yaml_node;

/* Reads one YAML document. `file` must outlive the tree. `root` is NULL for an empty text. With `lines` false the
 * places have none: a text from the command line. */
elbo_status elbo_tree_parse(elbo_yaml_node **root, const char *text, size_t size, const char *file, bool lines,
                            elbo_error *err);
void elbo_tree_free(elbo_yaml_node *root);

/* The entry of a map, or NULL; NULL too where `map` is no map. */
elbo_yaml_node *elbo_tree_entry(const elbo_yaml_node *map, const char *key);

/* The node at "train.lr", or NULL. */
elbo_yaml_node *elbo_tree_find(const elbo_yaml_node *root, const char *path);

/* Puts `node` under `key` in the map, in place of what stood there. Takes `node`; false when memory is out (then `node`
 * is freed). */
bool elbo_tree_put(elbo_yaml_node *map, const char *key, elbo_yaml_node *node);

/* An empty map, or NULL. */
elbo_yaml_node *elbo_tree_new_map(elbo_place place);

/* Where the text stands at `path` (or nothing is written there), a map takes its place that holds it as `key`. */
elbo_status elbo_tree_wrap(elbo_yaml_node *root, const char *path, const char *key, elbo_error *err);

/* Applies "train.lr=3e-4". The part behind the '=' is YAML; maps that are missing on the way are made. `file` names the
 * override in errors and must outlive the tree. */
elbo_status elbo_tree_set(elbo_yaml_node *root, const char *set, const char *file, elbo_error *err);

/* What a node holds, short and on one line, for messages: `ten`, `"10"`, `a list`, `nothing`. Returns `out`. */
const char *elbo_node_shown(const elbo_yaml_node *node, char out[ELBO_SHOWN]);
/* The same behind "got": `0.1` of plain text. */
enum { ELBO_GOT = ELBO_SHOWN + 2 };
const char *elbo_node_got(const elbo_yaml_node *node, char out[ELBO_GOT]);

/* True for a plain text that YAML reads as null: nothing, `~`, `null`. */
bool elbo_node_is_nothing(const elbo_yaml_node *node);

#endif
