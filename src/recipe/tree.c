#include "recipe/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void elbo_tree_free(elbo_yaml_node *root) {
    if (!root) return;
    for (elbo_yaml_node *child = root->first, *next; child; child = next) { // depth is limited by the reader
        next = child->next;
        elbo_tree_free(child);
    }
    free(root->key);
    free(root->text);
    free(root);
}

elbo_yaml_node *elbo_tree_new_map(elbo_place place) {
    elbo_yaml_node *map = calloc(1, sizeof *map);
    if (map) *map = (elbo_yaml_node){.kind = ELBO_NODE_MAP, .place = place};
    return map;
}

elbo_yaml_node *elbo_tree_entry(const elbo_yaml_node *map, const char *key) {
    if (!map || map->kind != ELBO_NODE_MAP) return NULL;
    for (elbo_yaml_node *child = map->first; child; child = child->next)
        if (strcmp(child->key, key) == 0) return child;
    return NULL;
}

elbo_yaml_node *elbo_tree_find(const elbo_yaml_node *root, const char *path) {
    const elbo_yaml_node *node = root;
    while (node) {
        const char *dot = strchrnul(path, '.');
        char key[64]; // the paths asked for are those of the table of keys
        size_t length = (size_t)(dot - path);
        if (length >= sizeof key) return NULL;
        memcpy(key, path, length);
        key[length] = 0;
        node = elbo_tree_entry(node, key);
        if (!*dot) break;
        path = dot + 1;
    }
    return (elbo_yaml_node *)node;
}

bool elbo_tree_put(elbo_yaml_node *map, const char *key, elbo_yaml_node *node) {
    char *copy = strdup(key);
    if (!copy) {
        elbo_tree_free(node);
        return false;
    }
    free(node->key);
    node->key = copy;
    elbo_yaml_node *before = NULL, *old = map->first;
    while (old && strcmp(old->key, key) != 0) {
        before = old;
        old = old->next;
    }
    node->next = old ? old->next : NULL;
    if (before)
        before->next = node;
    else
        map->first = node;
    if (!node->next) map->last = node;
    if (old)
        elbo_tree_free(old);
    else
        map->count++;
    return true;
}

elbo_status elbo_tree_wrap(elbo_yaml_node *root, const char *path, const char *key, elbo_error *err) {
    elbo_yaml_node *node = elbo_tree_find(root, path);
    if (!node || node->kind != ELBO_NODE_TEXT) return ELBO_OK;
    elbo_yaml_node *inner = calloc(1, sizeof *inner);
    if (!inner) return elbo_no_memory(err);
    *inner = (elbo_yaml_node){.kind = ELBO_NODE_TEXT, .text = node->text, .plain = node->plain, .place = node->place};
    inner->implied = true;
    node->kind = ELBO_NODE_MAP;
    node->text = NULL;
    return elbo_tree_put(node, key, inner) ? ELBO_OK : elbo_no_memory(err);
}

bool elbo_node_is_nothing(const elbo_yaml_node *node) {
    return node->kind == ELBO_NODE_TEXT && node->plain &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcasecmp(node->text, "null") == 0);
}

const char *elbo_node_shown(const elbo_yaml_node *node, char out[ELBO_SHOWN]) {
    if (node->kind == ELBO_NODE_MAP) return strcpy(out, "a mapping");
    if (node->kind == ELBO_NODE_LIST) return strcpy(out, node->count ? "a list" : "an empty list");
    if (elbo_node_is_nothing(node)) return strcpy(out, "nothing");
    if (node->plain) return elbo_text_shown(node->text, out);
    char *quoted = elbo_format("\"%s\"", node->text);
    elbo_text_shown(quoted ? quoted : node->text, out);
    free(quoted);
    return out;
}

const char *elbo_node_got(const elbo_yaml_node *node, char out[ELBO_GOT]) {
    char shown[ELBO_SHOWN];
    elbo_node_shown(node, shown);
    bool plain = node->kind == ELBO_NODE_TEXT && node->plain && !elbo_node_is_nothing(node);
    snprintf(out, ELBO_GOT, plain ? "`%s`" : "%s", shown);
    return out;
}
