#include "explore/recipe_differences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/result.h"

/* The row of a key, made where there is none yet, with every value "". */
static elbo_recipe_difference *row_of(elbo_recipe_differences *d, const char *key) {
    for (size_t i = 0; i < d->count; i++)
        if (!strcmp(d->row[i].key, key)) return &d->row[i];
    if (!elbo_grow(&d->row, d->count, &d->capacity, sizeof *d->row)) return NULL;
    elbo_recipe_difference *row = &d->row[d->count];
    *row = (elbo_recipe_difference){strdup(key), elbo_alloc((size_t)d->runs, sizeof *row->value)};
    d->count++; // freed with the rest, whatever is missing
    for (int r = 0; row->value && r < d->runs; r++) row->value[r] = strdup("");
    return row->key && row->value ? row : NULL;
}

/* Adds to what the value is so far: a list has an item on each line. */
static bool append(elbo_recipe_differences *d, int run, const char *key, const char *text) {
    elbo_recipe_difference *row = row_of(d, key);
    const char *before = row ? row->value[run] : NULL;
    if (!before) return false;
    char *longer = elbo_format("%s%s%s", before, *before && *text ? ", " : "", text);
    if (!longer) return false;
    free(row->value[run]);
    row->value[run] = longer;
    return true;
}

/* The text of a recipe as elbo writes it: `key: value`, a section's keys two spaces further in, a list's items behind
 * dashes. */
static bool take_text(elbo_recipe_differences *d, int run, char *text) {
    char section[200] = "", key[500] = "", *rest = text, *line;
    bool whole = true;
    while (whole && (line = strsep(&rest, "\n"))) {
        size_t in = strspn(line, " ");
        char *at = line + in, *colon = strstr(at, ":");
        if (!*at || *at == '#') continue;
        if (!strncmp(at, "- ", 2)) {
            whole = append(d, run, key, at + 2);
            continue;
        }
        if (!colon || (colon[1] && colon[1] != ' ')) continue;
        *colon = 0;
        const char *value = colon + 1 + strspn(colon + 1, " ");
        if (!in) snprintf(section, sizeof section, "%s", at);
        snprintf(key, sizeof key, in ? "%.190s.%.190s" : "%.0s%.190s", section, at);
        if (!strcmp(key, "about")) continue;
        whole = append(d, run, key, value);
    }
    return whole;
}

static bool differs(const elbo_recipe_difference *row, int runs) {
    for (int r = 1; r < runs; r++)
        if (strcmp(row->value[r], row->value[0]) != 0) return true;
    return false;
}

static void row_free(elbo_recipe_difference *row, int runs) {
    elbo_texts_free(row->value, row->value ? runs : 0);
    free(row->key);
}

elbo_status elbo_recipe_differences_find(elbo_recipe_differences *d, const elbo_run *runs, int count, elbo_error *err) {
    *d = (elbo_recipe_differences){.runs = count};
    bool whole = true;
    for (int r = 0; r < count && whole; r++) {
        char *text = elbo_recipe_text(&runs[r].model->recipe);
        whole = text && take_text(d, r, text);
        free(text);
    }
    size_t kept = 0;
    for (size_t i = 0; i < d->count && whole; i++) {
        if (differs(&d->row[i], count))
            d->row[kept++] = d->row[i];
        else
            row_free(&d->row[i], count);
    }
    if (whole) {
        d->count = kept;
        return ELBO_OK;
    }
    elbo_recipe_differences_free(d);
    return elbo_no_memory(err);
}

void elbo_recipe_differences_free(elbo_recipe_differences *d) {
    for (size_t i = 0; i < d->count; i++) row_free(&d->row[i], d->runs);
    free(d->row);
    *d = (elbo_recipe_differences){0};
}

const elbo_recipe_difference *elbo_recipe_differences_swept(const elbo_recipe_differences *d) {
    const elbo_recipe_difference *found = NULL;
    for (size_t i = 0; i < d->count; i++) {
        if (!strcmp(d->row[i].key, "train.seed")) continue;
        if (found) return NULL;
        found = &d->row[i];
    }
    for (int r = 0; found && r < d->runs; r++) {
        char *end;
        strtod(found->value[r], &end);
        if (!*found->value[r] || *end) return NULL;
    }
    return found;
}

json_t *elbo_recipe_differences_json(const elbo_recipe_differences *d) {
    json_t *o = json_object();
    for (size_t i = 0; i < d->count; i++) {
        json_t *values = json_array();
        for (int r = 0; r < d->runs; r++) json_array_append_new(values, json_string(d->row[i].value[r]));
        json_object_set_new(o, d->row[i].key, values);
    }
    return o;
}
