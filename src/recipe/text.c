/* A recipe back to YAML, through libyaml's emitter: it knows when a text needs quotes. Walks the same table of keys as
 * the reader, so a key cannot be read and then forgotten here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "recipe/keys.h"
#include "recipe/numbers.h"

typedef struct writer {
    yaml_emitter_t emitter;
    bool ok; // false after the first failure (memory, the stream): the rest is skipped
} writer;

static void emit(writer *w, int event_made, yaml_event_t *event) {
    if (!event_made)
        w->ok = false;
    else if (!w->ok)
        yaml_event_delete(event);
    else if (!yaml_emitter_emit(&w->emitter, event))
        w->ok = false; // the emitter deletes the event in any case
}

/* Plain where the emitter finds no reason for quotes. */
static void word(writer *w, const char *text) {
    yaml_event_t event;
    emit(w,
         yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, -1, 1, 1, YAML_PLAIN_SCALAR_STYLE),
         &event);
}

static void quoted(writer *w, const char *text) {
    yaml_event_t event;
    emit(w,
         yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, -1, 1, 1,
                                      YAML_DOUBLE_QUOTED_SCALAR_STYLE),
         &event);
}

static void begin_list(writer *w, yaml_sequence_style_t style) {
    yaml_event_t event;
    emit(w, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style), &event);
}

static void end_list(writer *w) {
    yaml_event_t event;
    emit(w, yaml_sequence_end_event_initialize(&event), &event);
}

static void begin_map(writer *w, yaml_mapping_style_t style) {
    yaml_event_t event;
    emit(w, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style), &event);
}

static void end_map(writer *w) {
    yaml_event_t event;
    emit(w, yaml_mapping_end_event_initialize(&event), &event);
}

/* A text that a YAML reader would take for something else: a number, null, a truth value. */
static bool reads_as_something_else(const char *text) {
    static const char *const words[] = {"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", NULL};
    for (int i = 0; words[i]; i++)
        if (strcasecmp(text, words[i]) == 0) return true;
    return text[strspn(text, "0123456789+-.eExXoO_:")] == 0;
}

static void free_text(writer *w, const char *text) {
    if (reads_as_something_else(text))
        quoted(w, text);
    else
        word(w, text);
}

static void layers(writer *w, const elbo_layers *list) {
    begin_list(w, YAML_BLOCK_SEQUENCE_STYLE);
    for (int i = 0; i < list->count; i++) free_text(w, list->layer[i].text);
    end_list(w);
}

/* `{channels: 256, head: conv2d kernel=4}` */
static void head(writer *w, const elbo_recipe *r) {
    char text[16];
    snprintf(text, sizeof text, "%d", r->head.channels);
    begin_map(w, YAML_FLOW_MAPPING_STYLE);
    word(w, "channels");
    word(w, text);
    word(w, "head");
    free_text(w, r->head.layer.layer[0].text);
    end_map(w);
}

/* `mse`, or `[mse, 0.7 l1]` */
static void terms(writer *w, const elbo_terms *t) {
    char text[ELBO_TERMS_TEXT];
    if (t->count > 1) begin_list(w, YAML_FLOW_SEQUENCE_STYLE);
    for (int i = 0; i < t->count; i++) word(w, elbo_terms_text(&(elbo_terms){{t->term[i]}, 1}, text));
    if (t->count > 1) end_list(w);
}

/* `none` (what the key says where there is no word), or `[8, Bag]`. A number stays one. */
static void words(writer *w, const elbo_words *list, const char *none) {
    if (!list->count) {
        word(w, none);
        return;
    }
    begin_list(w, YAML_FLOW_SEQUENCE_STYLE);
    for (int i = 0; i < list->count; i++) {
        const char *text = list->word[i];
        if (text[strspn(text, "0123456789")])
            free_text(w, text);
        else
            word(w, text);
    }
    end_list(w);
}

/* size: (2) height and width. */
static void extent(writer *w, const int *size) {
    char text[32];
    bool list = size[0] != size[1];
    if (list) begin_list(w, YAML_FLOW_SEQUENCE_STYLE);
    for (int i = 0; i < (list ? 2 : 1); i++) {
        snprintf(text, sizeof text, "%d", size[i]);
        word(w, size[i] ? text : "none");
    }
    if (list) end_list(w);
}

static void value(writer *w, const elbo_recipe *r, const elbo_key *key) {
    const void *from = (const char *)r + key->offset;
    const float *numbers = from;
    char text[ELBO_FLOAT_TEXT];
    unsigned choice;
    switch (key->type) {
    case ELBO_KEY_TEXT: free_text(w, *(char *const *)from); break;
    case ELBO_KEY_CHOICE:
        memcpy(&choice, from, sizeof choice);
        word(w, key->choices[choice]);
        break;
    case ELBO_KEY_WHOLE:
    case ELBO_KEY_SIZE:
    case ELBO_KEY_LATENT:
        if (key->type == ELBO_KEY_LATENT && r->head.channels) {
            head(w, r);
            break;
        }
        snprintf(text, sizeof text, "%d", *(const int *)from);
        word(w, key->type != ELBO_KEY_WHOLE && *(const int *)from == 0 ? "none" : text);
        break;
    case ELBO_KEY_EXTENT: extent(w, from); break;
    case ELBO_KEY_PRIOR:
        snprintf(text, sizeof text, *(const int *)from ? "mixture %d" : "normal", *(const int *)from);
        word(w, text);
        break;
    case ELBO_KEY_SEED:
        snprintf(text, sizeof text, "%" PRIu64, *(const uint64_t *)from);
        word(w, text);
        break;
    case ELBO_KEY_NUMBER: word(w, elbo_print_float(numbers[0], text)); break;
    case ELBO_KEY_LEARNED: word(w, numbers[0] == 0 ? "learned" : elbo_print_float(numbers[0], text)); break;
    case ELBO_KEY_NUMBERS:
        begin_list(w, YAML_FLOW_SEQUENCE_STYLE);
        word(w, elbo_print_float(numbers[0], text));
        word(w, elbo_print_float(numbers[1], text));
        end_list(w);
        break;
    case ELBO_KEY_LAYERS:
    case ELBO_KEY_STEPS: layers(w, from); break;
    case ELBO_KEY_TERMS: terms(w, from); break;
    case ELBO_KEY_WORDS: words(w, from, key->standard); break;
    }
}

/* How many leading parts ("train.") the path shares with the section that is open. */
static size_t shared(const char *path, const char *section) {
    size_t common = 0;
    for (size_t i = 0; section[i] && section[i] == path[i]; i++)
        if (section[i] == '.') common = i + 1;
    return common;
}

/* Closes and opens maps until `section` ("loss.kl." with its dots, "" for the top) is where `path` belongs. */
static void go_to(writer *w, char *section, const char *path) {
    size_t keep = shared(path, section);
    for (const char *p = section + keep; *p; p++)
        if (*p == '.') end_map(w);
    const char *last = strrchr(path, '.');
    size_t want = last ? (size_t)(last + 1 - path) : 0, start = keep;
    for (size_t i = keep; i < want; i++) {
        if (path[i] != '.') continue;
        char name[ELBO_WANTED];
        snprintf(name, sizeof name, "%.*s", (int)(i - start), path + start);
        word(w, name);
        begin_map(w, start ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE);
        start = i + 1;
    }
    memcpy(section, path, want);
    section[want] = 0;
}

/* What is as it was before there was the key: recipe.yaml, and what is known of a run by its recipe's text, stay. */
static bool goes_without_saying(const elbo_recipe *r, const elbo_key *key) {
    const void *from = (const char *)r + key->offset;
    char text[ELBO_FLOAT_TEXT];
    unsigned choice;
    if (!key->terse) return false;
    switch (key->type) {
    case ELBO_KEY_NUMBER: return !strcmp(elbo_print_float(*(const float *)from, text), key->standard);
    case ELBO_KEY_TEXT: return !**(char *const *)from;
    case ELBO_KEY_WHOLE: return *(const int *)from == atoi(key->standard);
    case ELBO_KEY_PRIOR: return *(const int *)from == 0;
    case ELBO_KEY_CHOICE: memcpy(&choice, from, sizeof choice); return !strcmp(key->choices[choice], key->standard);
    case ELBO_KEY_STEPS: return !((const elbo_layers *)from)->count;
    case ELBO_KEY_WORDS: return !((const elbo_words *)from)->count;
    default: return false;
    }
}

static void document(writer *w, const elbo_recipe *r) {
    yaml_event_t event;
    char section[ELBO_WANTED] = "";
    emit(w, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING), &event);
    emit(w, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), &event);
    begin_map(w, YAML_BLOCK_MAPPING_STYLE);
    for (const elbo_key *key = elbo_keys; key->path; key++) {
        if ((key->applies && !key->applies(r)) || goes_without_saying(r, key)) continue;
        go_to(w, section, key->path);
        const char *dot = strrchr(key->path, '.');
        word(w, dot ? dot + 1 : key->path);
        value(w, r, key);
    }
    go_to(w, section, "");
    end_map(w);
    emit(w, yaml_document_end_event_initialize(&event, 1), &event);
    emit(w, yaml_stream_end_event_initialize(&event), &event);
}

char *elbo_recipe_text(const elbo_recipe *r) {
    char *text = NULL;
    size_t size = 0;
    writer w = {.ok = true};
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    if (yaml_emitter_initialize(&w.emitter)) {
        yaml_emitter_set_output_file(&w.emitter, stream);
        yaml_emitter_set_unicode(&w.emitter, 1);
        yaml_emitter_set_width(&w.emitter, -1); // one line each, however long
        document(&w, r);
    } else
        w.ok = false;
    yaml_emitter_delete(&w.emitter);
    if (fclose(stream) != 0) w.ok = false;
    if (w.ok) return text;
    free(text);
    return NULL;
}
