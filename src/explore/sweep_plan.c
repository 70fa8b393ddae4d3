/* From `--over latent=2,10,20` to the recipe of every run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/memory.h"
#include "base/shown.h"
#include "explore/result.h"
#include "explore/sweep.h"

/* ---- keys and values ---- */

/* Up to the next comma that stands in no list, map or quotes. */
static size_t value_length(const char *text) {
    int depth = 0;
    char quote = 0;
    size_t n = 0;
    for (; text[n]; n++) {
        char c = text[n];
        if (quote) {
            if (c == quote) quote = 0;
            continue;
        }
        if (c == '\'' || c == '"') quote = c;
        if (c == '[' || c == '{') depth++;
        if ((c == ']' || c == '}') && depth > 0) depth--;
        if (c == ',' && depth == 0) break;
    }
    return n;
}

static elbo_status add_value(elbo_sweep_key *k, const char *over, const char *text, size_t n, size_t *capacity,
                             elbo_error *err) {
    char shown[ELBO_SHOWN];
    while (n && *text == ' ') text++, n--;
    while (n && text[n - 1] == ' ') n--;
    if (!n)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "--over %s: a value is empty; values stand between commas, as latent=2,10,20",
                         elbo_text_shown(over, shown));
    for (int i = 0; i < k->values; i++)
        if (strlen(k->value[i]) == n && !strncmp(k->value[i], text, n))
            return elbo_fail(err, ELBO_BAD_INPUT, "--over %s: the value %.*s is named twice",
                             elbo_text_shown(over, shown), (int)(n < 40 ? n : 40), text);
    if (!elbo_grow(&k->value, (size_t)k->values, capacity, sizeof *k->value)) return elbo_no_memory(err);
    k->value[k->values] = strndup(text, n);
    if (!k->value[k->values]) return elbo_no_memory(err);
    k->values++;
    return ELBO_OK;
}

static elbo_status read_numbers(elbo_sweep_key *k, elbo_error *err) {
    k->number = elbo_alloc((size_t)k->values, sizeof *k->number);
    if (!k->number) return elbo_no_memory(err);
    for (int i = 0; i < k->values; i++) {
        char *end;
        k->number[i] = strtod(k->value[i], &end);
        if (!*end && isfinite(k->number[i])) continue;
        free(k->number);
        k->number = NULL;
        return ELBO_OK;
    }
    return ELBO_OK;
}

static elbo_status read_over(elbo_sweep_key *k, const char *over, elbo_error *err) {
    char shown[ELBO_SHOWN];
    elbo_text_shown(over, shown);
    const char *equals = strchr(over, '=');
    if (!equals || equals == over)
        return elbo_fail(err, ELBO_BAD_INPUT, "--over %s: expected KEY=VALUE,VALUE,..., such as latent=2,10,20", shown);
    k->key = strndup(over, (size_t)(equals - over));
    if (!k->key) return elbo_no_memory(err);
    if (!strcmp(k->key, "train.seed"))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "--over %s: seeds are not a value to compare; --seeds N trains each value N times", shown);
    size_t capacity = 0;
    for (const char *at = equals + 1;;) {
        size_t n = value_length(at);
        ELBO_TRY(add_value(k, over, at, n, &capacity, err));
        if (!at[n]) break;
        at += n + 1;
    }
    return read_numbers(k, err);
}

/* A key that is set, or swept, a second time: the values of one would be lost. */
static elbo_status check_key(const elbo_sweep *s, int which, const elbo_sweep_plan_options *o, elbo_error *err) {
    const char *key = s->key[which].key;
    size_t n = strlen(key);
    char shown[ELBO_SHOWN];
    for (int i = 0; i < which; i++)
        if (!strcmp(s->key[i].key, key))
            return elbo_fail(err, ELBO_BAD_INPUT, "--over %s: is there twice; all its values go into one --over",
                             elbo_text_shown(key, shown));
    for (int i = 0; i < o->set_count; i++)
        if (!strncmp(o->sets[i], key, n) && o->sets[i][n] == '=')
            return elbo_fail(err, ELBO_BAD_INPUT, "--over %s: is set by --set too, which would have no effect",
                             elbo_text_shown(key, shown));
    return ELBO_OK;
}

/* ---- names ---- */

/* A value as a part of a folder's name: what a shell or a path would take for something else becomes `_`, and a checksum
 * tells apart what is then alike. */
static char *value_name(const char *value) {
    enum { LONGEST = 48 };
    char name[LONGEST + 1];
    size_t n = strlen(value), kept = n < LONGEST ? n : LONGEST;
    bool changed = n > LONGEST || value[0] == '.';
    for (size_t i = 0; i < kept; i++) {
        unsigned char c = (unsigned char)value[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("._+-", c);
        name[i] = plain ? (char)c : '_';
        changed = changed || !plain;
    }
    name[kept] = 0;
    if (!changed) return strdup(name);
    return elbo_format("%s~%06x", name, (unsigned)(elbo_checksum(ELBO_CHECKSUM_START, value, n) & 0xffffff));
}

/* "latent=2,loss.kl=4"; `folder`: values as value_name has them. */
static char *setting_name(const elbo_sweep *s, const elbo_sweep_setting *setting, bool folder) {
    char *name = strdup("");
    for (int k = 0; name && k < s->keys; k++) {
        const char *value = s->key[k].value[setting->value[k]];
        char *part = folder ? value_name(value) : strdup(value);
        char *longer = part ? elbo_format("%s%s%s=%s", name, k ? "," : "", s->key[k].key, part) : NULL;
        free(part);
        free(name);
        name = longer;
    }
    return name;
}

/* ---- recipes ---- */

/* "--set latent=x: ..." becomes "--over latent=x: ...", as it was written. */
static void blame_over(const elbo_sweep *s, elbo_error *err) {
    for (int k = 0; k < s->keys; k++) {
        size_t n = strlen(s->key[k].key);
        if (strncmp(err->message, "--set ", 6) || strncmp(err->message + 6, s->key[k].key, n) ||
            err->message[6 + n] != '=')
            continue;
        char rest[sizeof err->message];
        strcpy(rest, err->message + 6);
        snprintf(err->message, sizeof err->message, "--over %.580s", rest);
        return;
    }
}

/* `seed` NULL: the recipe's own. */
static elbo_status open_recipe(elbo_recipe *r, const elbo_sweep *s, const elbo_sweep_setting *setting,
                               const elbo_sweep_plan_options *o, const uint64_t *seed, elbo_error *err) {
    char *made[ELBO_SWEEP_KEYS + 1] = {0};
    int count = 0, all = o->set_count;
    const char **sets = elbo_alloc((size_t)o->set_count + ELBO_SWEEP_KEYS + 1, sizeof *sets);
    for (int k = 0; k < s->keys; k++)
        made[count++] = elbo_format("%s=%s", s->key[k].key, s->key[k].value[setting->value[k]]);
    if (seed) made[count++] = elbo_format("train.seed=%llu", (unsigned long long)*seed);
    bool room = sets != NULL;
    for (int i = 0; i < count; i++) room = room && made[i];
    if (room && o->set_count) memcpy(sets, o->sets, (size_t)o->set_count * sizeof *sets);
    for (int i = 0; room && i < count; i++) sets[all++] = made[i];
    elbo_status status = room ? elbo_recipe_open(r, o->recipe, sets, all, err) : elbo_no_memory(err);
    if (status != ELBO_OK && room) blame_over(s, err);
    for (int i = 0; i < count; i++) free(made[i]);
    free(sets);
    return status;
}

/* 2 and 2.0 are one value: their recipes are the same. */
static elbo_status check_different(const elbo_sweep *s, elbo_error *err) {
    char **text = elbo_alloc((size_t)s->settings, sizeof *text);
    elbo_status status = text ? ELBO_OK : elbo_no_memory(err);
    for (int i = 0; i < s->settings && status == ELBO_OK; i++) {
        text[i] = elbo_recipe_text(&s->run[s->setting[i].first].recipe);
        if (!text[i]) status = elbo_no_memory(err);
        for (int j = 0; j < i && status == ELBO_OK; j++)
            if (!strcmp(text[i], text[j]))
                status = elbo_fail(err, ELBO_BAD_INPUT, "--over: %.120s and %.120s are the same recipe",
                                   s->setting[j].name, s->setting[i].name);
    }
    if (text) elbo_texts_free(text, s->settings);
    return status;
}

static elbo_status make_runs(elbo_sweep *s, elbo_sweep_setting *setting, const elbo_sweep_plan_options *o,
                             elbo_error *err) {
    elbo_recipe first;
    ELBO_TRY(open_recipe(&first, s, setting, o, NULL, err));
    uint64_t seed = first.train.seed;
    elbo_recipe_close(&first);
    if (seed > UINT64_MAX - (uint64_t)o->seeds)
        return elbo_fail(err, ELBO_BAD_INPUT, "train.seed=%llu: leaves no room for %d seeds", (unsigned long long)seed,
                         o->seeds);
    setting->first = s->runs;
    char *folder = setting_name(s, setting, true);
    elbo_status status = folder ? ELBO_OK : elbo_no_memory(err);
    for (int i = 0; i < o->seeds && status == ELBO_OK; i++, seed++) {
        elbo_sweep_run *r = &s->run[s->runs];
        status = open_recipe(&r->recipe, s, setting, o, &seed, err);
        if (status != ELBO_OK) break;
        s->runs++;
        r->setting = (int)(setting - s->setting);
        r->seed = seed;
        for (int k = 0; k < ELBO_SWEEP_MEASURES; k++) r->value[k] = NAN;
        r->name = elbo_format("%s,seed=%llu", folder, (unsigned long long)seed);
        if (!r->name) status = elbo_no_memory(err);
    }
    free(folder);
    return status;
}

static elbo_status make_settings(elbo_sweep *s, const elbo_sweep_plan_options *o, elbo_error *err) {
    double settings = 1;
    for (int k = 0; k < s->keys; k++) settings *= s->key[k].values;
    if (settings * o->seeds > ELBO_SWEEP_RUNS)
        return elbo_fail(err, ELBO_BAD_INPUT, "%.0f values times %d seeds; a sweep has at most %d runs", settings,
                         o->seeds, ELBO_SWEEP_RUNS);
    s->setting = elbo_alloc((size_t)settings, sizeof *s->setting);
    s->run = elbo_alloc((size_t)settings * (size_t)o->seeds, sizeof *s->run);
    if (!s->setting || !s->run) return elbo_no_memory(err);
    while (s->settings < (int)settings) {
        elbo_sweep_setting *setting = &s->setting[s->settings];
        int rest = s->settings++;
        for (int k = s->keys - 1; k >= 0; k--) {
            setting->value[k] = rest % s->key[k].values;
            rest /= s->key[k].values;
        }
        setting->name = setting_name(s, setting, false);
        if (!setting->name) return elbo_no_memory(err);
        ELBO_TRY(make_runs(s, setting, o, err));
    }
    s->recipe = strdup(s->run[0].recipe.name);
    if (!s->recipe) return elbo_no_memory(err);
    return check_different(s, err);
}

static elbo_status plan(elbo_sweep *s, const elbo_sweep_plan_options *o, elbo_error *err) {
    if (o->over_count < 1)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "nothing to sweep over; --over latent=2,10,20 names a key and its values");
    if (o->over_count > ELBO_SWEEP_KEYS)
        return elbo_fail(err, ELBO_BAD_INPUT, "--over: %d keys; a sweep has at most %d", o->over_count,
                         ELBO_SWEEP_KEYS);
    for (int k = 0; k < o->over_count; k++) {
        s->keys = k + 1; // what was read before a failure is freed with the rest
        ELBO_TRY(read_over(&s->key[k], o->over[k], err));
        ELBO_TRY(check_key(s, k, o, err));
    }
    return make_settings(s, o, err);
}

elbo_status elbo_sweep_plan(elbo_sweep *s, const elbo_sweep_plan_options *o, elbo_error *err) {
    *s =
        (elbo_sweep){.lock = -1, .seeds = o->seeds, .split = "test", .best = -1, .smallest = -1, .standard_error = NAN};
    elbo_status status = plan(s, o, err);
    if (status != ELBO_OK) elbo_sweep_free(s);
    return status;
}

void elbo_sweep_free(elbo_sweep *s) {
    for (int k = 0; k < s->keys; k++) {
        elbo_texts_free(s->key[k].value, s->key[k].values);
        free(s->key[k].number);
        free(s->key[k].key);
    }
    for (int i = 0; i < s->settings; i++) free(s->setting[i].name);
    for (int i = 0; i < s->runs; i++) {
        elbo_recipe_close(&s->run[i].recipe);
        free(s->run[i].name);
        free(s->run[i].error);
    }
    if (s->lock >= 0) close(s->lock);
    free(s->setting);
    free(s->run);
    free(s->recipe);
    free(s->folder);
    free(s->data);
    *s = (elbo_sweep){.lock = -1};
}
