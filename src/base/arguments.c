#include "base/arguments.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void elbo_place_text(elbo_place place, char *text, size_t size) {
    if (!place.file)
        text[0] = 0;
    else if (place.line > 0)
        snprintf(text, size, "%s:%d: ", place.file, place.line);
    else
        snprintf(text, size, "%s: ", place.file);
}

elbo_status elbo_fail_at(elbo_error *err, elbo_place place, const char *format, ...) {
    char where[300], message[sizeof err->message];
    elbo_place_text(place, where, sizeof where);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return elbo_fail(err, ELBO_BAD_INPUT, "%s%s", where, message);
}

typedef struct reading {
    const elbo_signature *signature;
    const char *text; // as written
    elbo_place place;
    elbo_error *err;
} reading;

static elbo_status __attribute__((format(printf, 2, 3))) fail(const reading *r, const char *format, ...) {
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return elbo_fail_at(r->err, r->place, "%s", message);
}

/* The place of a word among those that are known. */
static elbo_status find_word(const reading *r, const elbo_value_spec *spec, const char *text, double *value) {
    char list[200] = "";
    for (int i = 0; r->signature->words[i]; i++) {
        *value = i;
        if (!strcmp(r->signature->words[i], text)) return ELBO_OK;
        if (i > 0) strncat(list, " or ", sizeof list - strlen(list) - 1);
        strncat(list, r->signature->words[i], sizeof list - strlen(list) - 1);
    }
    return fail(r, "%s: %s=%s; expected %s", r->text, spec->name, text, list);
}

/* 3 or 3x5 */
static elbo_status read_sides(const reading *r, const elbo_value_spec *spec, const char *text, double *rows,
                              double *columns) {
    char *end = NULL;
    long side[2] = {0, 0};
    int sides = 0;
    for (const char *from = text; sides < 2 && *from >= '0' && *from <= '9'; from = end + 1) {
        side[sides++] = strtol(from, &end, 10);
        if (*end != 'x') break;
    }
    if (!sides || *end)
        return fail(r, "%s: %s=%s; expected an integer, or one for the rows and one for the columns, as 3x5", r->text,
                    spec->name, text);
    for (int i = 0; i < sides; i++)
        if ((double)side[i] < spec->least || (double)side[i] > spec->most)
            return fail(r, "%s: %s=%s; expected a number from %.10g to %.10g", r->text, spec->name, text, spec->least,
                        spec->most);
    *rows = (double)side[0];
    *columns = (double)side[sides - 1];
    return ELBO_OK;
}

static elbo_status read_value(const reading *r, const elbo_value_spec *spec, const char *text, double *value,
                              const char **word) {
    if (spec->kind == ELBO_WORD) {
        if (word) *word = text;
        return r->signature->words ? find_word(r, spec, text, value) : ELBO_OK;
    }
    if (spec->kind == ELBO_BOOL) {
        if (!strcmp(text, "true") || !strcmp(text, "false")) {
            *value = text[0] == 't';
            return ELBO_OK;
        }
        return fail(r, "%s: %s=%s; expected true or false", r->text, spec->name, text);
    }
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v))
        return fail(r, "%s: %s=%s; expected a number, as in `%s`", r->text, spec->name, text, r->signature->usage);
    if (spec->kind == ELBO_INT && v != floor(v))
        return fail(r, "%s: %s=%s; expected an integer", r->text, spec->name, text);
    if (v < spec->least || v > spec->most)
        return fail(r, "%s: %s=%s; expected a number from %.10g to %.10g", r->text, spec->name, text, spec->least,
                    spec->most);
    *value = v;
    return ELBO_OK;
}

/* A number that can only be one has its place for another's sake: output_padding of conv2d. */
static bool not_there(const elbo_value_spec *spec) {
    return (spec->kind == ELBO_INT || spec->kind == ELBO_ROWS_COLUMNS) && spec->least == spec->most;
}

static int value_index(const elbo_signature *s, const char *key) {
    for (int i = 0; i < s->most && s->values[i].kind != ELBO_END_OF_VALUES; i++)
        if (!strcmp(s->values[i].name, key) && !not_there(&s->values[i])) return i;
    return -1;
}

/* PyTorch says kernel_size and scale_factor where a recipe says kernel and scale. */
static const char *meant(const elbo_signature *s, const char *key) {
    const char *names[ELBO_MAX_ARGUMENTS + 1];
    int count = 0;
    for (int i = 0; i < s->most && i < ELBO_MAX_ARGUMENTS && s->values[i].kind != ELBO_END_OF_VALUES; i++)
        if (!not_there(&s->values[i])) names[count++] = s->values[i].name;
    names[count] = NULL;
    for (int i = 0; i < count; i++)
        if (!strncmp(key, names[i], strlen(names[i]))) return names[i];
    return elbo_nearest_word(key, names);
}

static elbo_status unknown_argument(const reading *r, const char *key) {
    const elbo_signature *s = r->signature;
    const char *near = meant(s, key);
    return fail(r, "%s: `%s` has no argument `%s`; %s%s%susage: `%s`", r->text, s->name, key,
                near ? "did you mean `" : "", near ? near : "", near ? "`? " : "", s->usage);
}

elbo_status elbo_arguments_read(const elbo_signature *s, const elbo_layer *layer, elbo_place place, double *value,
                                double *second, const char **word, elbo_error *err) {
    reading r = {s, layer->text, place, err};
    bool given[ELBO_MAX_ARGUMENTS] = {false};
    int position = 0, count = 0;
    while (count < s->most && s->values[count].kind != ELBO_END_OF_VALUES) count++;
    for (int i = 0; i < count; i++) value[i] = s->values[i].otherwise;
    for (int i = 0; i < count && second; i++) second[i] = value[i];
    for (int a = 0; a < layer->argument_count; a++) {
        const elbo_argument *argument = &layer->arguments[a];
        int i = argument->key ? value_index(s, argument->key) : position++;
        if (i < 0) return unknown_argument(&r, argument->key);
        if (i >= count)
            return fail(&r, "%s: `%s` is one argument too many; usage: `%s`", r.text, argument->value, s->usage);
        if (given[i]) return fail(&r, "%s: %s is given twice; usage: `%s`", r.text, s->values[i].name, s->usage);
        given[i] = true;
        if (s->values[i].kind == ELBO_ROWS_COLUMNS)
            ELBO_TRY(read_sides(&r, &s->values[i], argument->value, &value[i], &second[i]));
        else
            ELBO_TRY(read_value(&r, &s->values[i], argument->value, &value[i], word));
        if (second && s->values[i].kind != ELBO_ROWS_COLUMNS) second[i] = value[i];
    }
    for (int i = 0; i < count; i++)
        if (s->values[i].required && !given[i])
            return fail(&r, "%s: %s is missing; usage: `%s`", r.text, s->values[i].name, s->usage);
    return ELBO_OK;
}
