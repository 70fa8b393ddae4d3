/* libyaml's events to a tree. What a recipe has no use for (anchors, tags, several documents) is refused. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "recipe/tree.h"

typedef struct reader {
    yaml_parser_t parser;
    const char *text, *file;
    size_t size;
    bool lines;
    elbo_error *err;
} reader;

static elbo_place place_of(const reader *r, yaml_mark_t mark) {
    return (elbo_place){r->file, r->lines ? (int)mark.line + 1 : 0};
}

/* The commonest slip of all, and libyaml's words for it ("found character that cannot start any token") help nobody. */
static bool line_is_indented_by_a_tab(const reader *r, size_t line) {
    const char *p = r->text, *end = r->text + r->size;
    for (; line && p < end; line--) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        p = newline ? newline + 1 : end;
    }
    while (p < end && *p == ' ') p++;
    return p < end && *p == '\t';
}

static elbo_status syntax_error(const reader *r) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) return elbo_no_memory(r->err);
    const char *problem = p->problem ? p->problem : "cannot be read";
    if (p->error == YAML_READER_ERROR) { // bytes, not letters: it knows no line
        yaml_mark_t mark = {0};
        for (size_t i = 0; i < p->problem_offset && i < r->size; i++) mark.line += r->text[i] == '\n';
        return elbo_fail_at(r->err, place_of(r, mark), "is not YAML: %s", problem);
    }
    elbo_place place = place_of(r, p->problem_mark);
    if (line_is_indented_by_a_tab(r, p->problem_mark.line))
        return elbo_fail_at(r->err, place, "is not YAML: the line begins with a tab; indent with spaces");
    if (p->context && r->lines && p->context_mark.line != p->problem_mark.line)
        return elbo_fail_at(r->err, place, "is not YAML: %s %s that begins in line %d", problem, p->context,
                            (int)p->context_mark.line + 1);
    return elbo_fail_at(r->err, place, "is not YAML: %s%s%s", problem, p->context ? " " : "",
                        p->context ? p->context : "");
}

static elbo_status next_event(reader *r, yaml_event_t *event) {
    return yaml_parser_parse(&r->parser, event) ? ELBO_OK : syntax_error(r);
}

static elbo_status refuse(const reader *r, const yaml_event_t *event, const char *why) {
    return elbo_fail_at(r->err, place_of(r, event->start_mark), "%s", why);
}

static elbo_status check_decoration(const reader *r, const yaml_event_t *event, const void *anchor, const void *tag) {
    if (anchor) return refuse(r, event, "an anchor (&name); recipes have none: write the value where it is needed");
    if (tag) return refuse(r, event, "a tag (!name); recipes have none");
    return ELBO_OK;
}

static elbo_status read_text(const reader *r, const yaml_event_t *event, elbo_yaml_node *node) {
    const char *value = (const char *)event->data.scalar.value;
    ELBO_TRY(check_decoration(r, event, event->data.scalar.anchor, event->data.scalar.tag));
    if (memchr(value, 0, event->data.scalar.length)) return refuse(r, event, "a string with a zero byte");
    node->kind = ELBO_NODE_TEXT;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = strdup(value);
    return node->text ? ELBO_OK : elbo_no_memory(r->err);
}

static void append(elbo_yaml_node *parent, elbo_yaml_node *child) {
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static elbo_status read_node(reader *r, const yaml_event_t *event, int depth, elbo_yaml_node *node);

/* The key of a map's next entry: a new string. */
static elbo_status read_key(const reader *r, const yaml_event_t *event, const elbo_yaml_node *map, char **key) {
    elbo_yaml_node node = {0};
    if (event->type != YAML_SCALAR_EVENT) return refuse(r, event, "a key that is not a string");
    ELBO_TRY(read_text(r, event, &node));
    *key = node.text; // the caller's, from here on
    if (!*node.text) return refuse(r, event, "a key without a name");
    const elbo_yaml_node *twin = elbo_tree_entry(map, node.text);
    if (!twin) return ELBO_OK;
    char shown[ELBO_SHOWN];
    elbo_text_shown(node.text, shown);
    if (!r->lines) return elbo_fail_at(r->err, place_of(r, event->start_mark), "%s: is given twice", shown);
    return elbo_fail_at(r->err, place_of(r, event->start_mark), "%s: is given twice; the first is in line %d", shown,
                        twin->place.line);
}

/* The value that begins with `event`, as the next child of a list (key NULL) or map. Takes `key`. */
static elbo_status read_child(reader *r, const yaml_event_t *event, int depth, elbo_yaml_node *parent, char *key,
                              elbo_place place) {
    elbo_yaml_node *child = calloc(1, sizeof *child);
    if (!child) {
        free(key);
        return elbo_no_memory(r->err);
    }
    child->key = key;
    append(parent, child); // freed with its parent, whatever comes
    ELBO_TRY(read_node(r, event, depth, child));
    child->place = place;
    return ELBO_OK;
}

/* The children of a list or map, up to and with the event that ends it. In a map each is a key and a value. */
static elbo_status read_children(reader *r, int depth, elbo_yaml_node *parent) {
    bool map = parent->kind == ELBO_NODE_MAP;
    for (;;) {
        yaml_event_t event;
        ELBO_TRY(next_event(r, &event));
        elbo_place place = place_of(r, event.start_mark); // a map's entry is where its key is
        bool end = event.type == (map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT);
        elbo_status status = ELBO_OK;
        char *key = NULL;
        if (!end && parent->count == ELBO_TREE_MAX_ENTRIES)
            status =
                elbo_fail_at(r->err, place, "more than %d entries; no recipe needs that many", ELBO_TREE_MAX_ENTRIES);
        else if (!end && map) {
            status = read_key(r, &event, parent, &key);
            yaml_event_delete(&event);
            if (status == ELBO_OK) status = next_event(r, &event);
            if (status != ELBO_OK) {
                free(key);
                return status;
            }
        }
        if (status == ELBO_OK && !end) status = read_child(r, &event, depth, parent, key, place);
        yaml_event_delete(&event);
        if (status != ELBO_OK || end) return status;
    }
}

static elbo_status read_node(reader *r, const yaml_event_t *event, int depth, elbo_yaml_node *node) {
    node->place = place_of(r, event->start_mark);
    if (event->type == YAML_ALIAS_EVENT)
        return refuse(r, event,
                      "an alias (*name); recipes have none: write the value out, in quotes if it is a string");
    if (event->type == YAML_SCALAR_EVENT) return read_text(r, event, node);
    if (depth == ELBO_TREE_MAX_DEPTH) return refuse(r, event, "lists and mappings are nested too deep for a recipe");
    bool map = event->type == YAML_MAPPING_START_EVENT;
    if (map)
        ELBO_TRY(check_decoration(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag));
    else
        ELBO_TRY(check_decoration(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag));
    node->kind = map ? ELBO_NODE_MAP : ELBO_NODE_LIST;
    return read_children(r, depth + 1, node);
}

static elbo_status read_stream(reader *r, elbo_yaml_node **root) {
    for (bool seen = false;;) {
        yaml_event_t event;
        ELBO_TRY(next_event(r, &event));
        elbo_status status = ELBO_OK;
        bool end = event.type == YAML_STREAM_END_EVENT;
        switch (event.type) {
        case YAML_STREAM_START_EVENT:
        case YAML_STREAM_END_EVENT:
        case YAML_DOCUMENT_END_EVENT: break;
        case YAML_DOCUMENT_START_EVENT:
            if (seen) status = refuse(r, &event, "a second document; a file holds one recipe");
            seen = true;
            break;
        default:
            *root = calloc(1, sizeof **root);
            status = *root ? read_node(r, &event, 0, *root) : elbo_no_memory(r->err);
        }
        yaml_event_delete(&event);
        if (status != ELBO_OK || end) return status;
    }
}

elbo_status elbo_tree_parse(elbo_yaml_node **root, const char *text, size_t size, const char *file, bool lines,
                            elbo_error *err) {
    reader r = {.text = text, .file = file, .size = size, .lines = lines, .err = err};
    *root = NULL;
    if (!yaml_parser_initialize(&r.parser)) return elbo_no_memory(err);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    elbo_status status = read_stream(&r, root);
    yaml_parser_delete(&r.parser);
    if (status != ELBO_OK) {
        elbo_tree_free(*root);
        *root = NULL;
    }
    return status;
}
