#include "recipe/layers.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char blanks[] = " \t\r\n\v\f";

/* `word` (of `n` bytes): `400` or `kernel=3`. */
static elbo_status read_argument(elbo_layer *layer, const char *word, size_t n, elbo_error *err) {
    char text[ELBO_SHOWN], shown[ELBO_SHOWN];
    elbo_text_shown(layer->text, text);
    if (layer->argument_count == ELBO_MAX_ARGUMENTS)
        return elbo_fail_at(err, layer->place, "%s: more than %d arguments; no layer has so many", text,
                            ELBO_MAX_ARGUMENTS);
    elbo_argument *argument = &layer->arguments[layer->argument_count];
    const char *equals = memchr(word, '=', n);
    if (equals) {
        argument->key = strndup(word, (size_t)(equals - word));
        argument->value = strndup(equals + 1, n - (size_t)(equals - word) - 1);
    } else
        argument->value = strndup(word, n);
    layer->argument_count++; // half read, but freed with the rest
    if (!argument->value || (equals && !argument->key)) return elbo_no_memory(err);
    if (!equals) return ELBO_OK;
    elbo_text_shown(argument->key, shown);
    if (!*argument->key || !*argument->value || strchr(argument->value, '='))
        return elbo_fail_at(err, layer->place, "%s: misplaced '='; expected a number or name=value, without blanks",
                            text);
    for (int i = 0; i < layer->argument_count - 1; i++)
        if (layer->arguments[i].key && strcmp(layer->arguments[i].key, argument->key) == 0)
            return elbo_fail_at(err, layer->place, "%s: %s= is given twice", text, shown);
    return ELBO_OK;
}

static elbo_status read_layer(elbo_layer *layer, const elbo_yaml_node *node, const char *path, int number,
                              elbo_error *err) {
    layer->place = node->place;
    char shown[ELBO_SHOWN];
    if (node->kind != ELBO_NODE_TEXT || elbo_node_is_nothing(node))
        return elbo_fail_at(err, node->place, "%s: layer %d is %s; expected a layer, such as conv2d 16 kernel=3", path,
                            number, elbo_node_shown(node, shown));
    const char *word = node->text + strspn(node->text, blanks);
    if (!*word)
        return elbo_fail_at(err, node->place, "%s: layer %d is blank; expected a layer, such as conv2d 16 kernel=3",
                            path, number);
    layer->text = strdup(node->text);
    size_t n = strcspn(word, blanks);
    layer->name = strndup(word, n);
    if (!layer->text || !layer->name) return elbo_no_memory(err);
    if (strchr(layer->name, '='))
        return elbo_fail_at(err, node->place, "%s: begins with an argument; expected a layer's name",
                            elbo_text_shown(node->text, shown));
    for (word += n; *(word += strspn(word, blanks)); word += n) {
        n = strcspn(word, blanks);
        ELBO_TRY(read_argument(layer, word, n, err));
    }
    return ELBO_OK;
}

elbo_status elbo_layers_read(elbo_layers *layers, const elbo_yaml_node *node, const char *path, elbo_error *err) {
    if (node->count > ELBO_MAX_LAYERS)
        return elbo_fail_at(err, node->place, "%s: %d layers; at most %d are allowed", path, node->count,
                            ELBO_MAX_LAYERS);
    layers->layer = elbo_alloc((size_t)node->count, sizeof *layers->layer);
    if (!layers->layer) return elbo_no_memory(err);
    for (const elbo_yaml_node *child = node->first; child; child = child->next) {
        int i = layers->count++;
        ELBO_TRY(read_layer(&layers->layer[i], child, path, i + 1, err));
    }
    return ELBO_OK;
}

elbo_status elbo_layers_read_one(elbo_layers *layers, const elbo_yaml_node *node, const char *path, elbo_error *err) {
    layers->layer = elbo_alloc(1, sizeof *layers->layer);
    if (!layers->layer) return elbo_no_memory(err);
    layers->count = 1;
    return read_layer(layers->layer, node, path, 1, err);
}

elbo_status elbo_layers_parse(elbo_layers *layers, const char *text, const char *file, elbo_error *err) {
    elbo_yaml_node *root;
    *layers = (elbo_layers){0};
    ELBO_TRY(elbo_tree_parse(&root, text, strlen(text), file, false, err));
    elbo_status status = elbo_layers_read(layers, root, "layers", err);
    elbo_tree_free(root);
    return status;
}

void elbo_layers_free(elbo_layers *layers) {
    for (int i = 0; i < layers->count; i++) {
        elbo_layer *layer = &layers->layer[i];
        for (int k = 0; k < layer->argument_count; k++) {
            free(layer->arguments[k].key);
            free(layer->arguments[k].value);
        }
        free(layer->name);
        free(layer->text);
    }
    free(layers->layer);
    *layers = (elbo_layers){0};
}
