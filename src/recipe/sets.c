/* `--set train.lr=3e-4`: one value of the tree replaced. Whether the key exists at all is checked later, with the rest
 * of the tree. */
#include <stdlib.h>
#include <string.h>

#include "recipe/tree.h"

/* Goes down `path` (cut in place at its dots), making maps, and puts `value` at its end. Takes `value`. */
static elbo_status put_at(elbo_yaml_node *root, char *path, elbo_yaml_node *value, elbo_place place, elbo_error *err) {
    elbo_yaml_node *map = root;
    for (char *key = path;;) {
        char *dot = strchr(key, '.');
        if (dot) *dot = 0;
        if (!*key) {
            elbo_tree_free(value);
            return elbo_fail_at(err, place, "the key has an empty part; expected one such as train.lr");
        }
        if (!dot) return elbo_tree_put(map, key, value) ? ELBO_OK : elbo_no_memory(err);
        elbo_yaml_node *next = elbo_tree_entry(map, key);
        if (next && next->kind == ELBO_NODE_LIST) {
            char shown[ELBO_SHOWN];
            elbo_tree_free(value);
            return elbo_fail_at(err, place, "%s is a list and is replaced as a whole: %s=[...]",
                                elbo_text_shown(key, shown), shown);
        }
        if (!next || next->kind == ELBO_NODE_TEXT) {
            next = elbo_tree_new_map(place);
            if (!next || !elbo_tree_put(map, key, next)) {
                elbo_tree_free(value);
                return elbo_no_memory(err);
            }
        }
        map = next;
        key = dot + 1;
    }
}

elbo_status elbo_tree_set(elbo_yaml_node *root, const char *set, const char *file, elbo_error *err) {
    elbo_place place = {file, 0};
    const char *equals = strchr(set, '=');
    if (!equals) return elbo_fail_at(err, place, "has no '='; expected key=value, such as train.lr=0.001");
    char *path = strndup(set, (size_t)(equals - set));
    if (!path) return elbo_no_memory(err);
    elbo_yaml_node *value = NULL;
    size_t size = strlen(equals + 1);
    elbo_status status;
    int depth = 0;
    for (const char *p = path; *p; p++) depth += *p == '.';
    if (depth >= ELBO_TREE_MAX_DEPTH)
        status = elbo_fail_at(err, place, "the key has too many parts; expected one such as train.lr");
    else if (size > ELBO_TREE_MAX_BYTES)
        status = elbo_fail_at(err, place, "%zu bytes; at most %d are allowed", size, ELBO_TREE_MAX_BYTES);
    else
        status = elbo_tree_parse(&value, equals + 1, size, file, false, err);
    if (status == ELBO_OK && !value) status = elbo_fail_at(err, place, "has no value after the '='");
    if (status == ELBO_OK) {
        value->place = place;
        status = put_at(root, path, value, place, err);
    }
    free(path);
    return status;
}
