/* Reading a command line by a table of options, and showing the table as help. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "device/device.h"
#include "manual.h"
#include "recipe/keys.h"

static int done(int code) { return -1 - code; }

/* A line for each device; the first is the default. */
static void show_devices(const char *left) {
    for (int i = 0; elbo_devices[i]; i++)
        printf("  %-26s %s%s: %s\n", i ? "" : left, elbo_devices[i]->name, i ? "" : " (default)",
               elbo_devices[i]->about);
    printf("  %-26s auto: cuda where there is a GPU, else %s\n", "", elbo_devices[0]->name);
}

static void show_help(const cli_command *c, const cli_option *options) {
    printf("%s\n\nusage: elbo %s%s%s [options]\n\n%s\noptions:\n", c->summary, c->name, *c->arguments ? " " : "",
           c->arguments, c->details);
    for (const cli_option *o = options; o->name; o++) {
        char left[64];
        if (!o->help) continue;
        snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : "", o->letter ? o->letter : ' ',
                 o->letter ? ", " : "   ", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        if (o->kind == CLI_DEVICE)
            show_devices(left);
        else
            printf("  %-26s %s\n", left, o->help);
    }
    printf("  %-26s %s\n", "-h, --help", "shows this");
}

static int usage_error(const cli_command *c, const char *what, const char *word, const char *advice) {
    fprintf(stderr, "elbo: %s: %s%s%s%s\n", c->name, what, word ? word : "", advice ? "; " : "", advice ? advice : "");
    return done(CLI_USAGE);
}

static const cli_option *find_option(const cli_option *options, const char *name, size_t length) {
    for (; options->name; options++)
        if (strlen(options->name) == length && !strncmp(options->name, name, length)) return options;
    return NULL;
}

static const cli_option *find_letter(const cli_option *options, char letter) {
    for (; options->name; options++)
        if (options->letter == letter) return options;
    return NULL;
}

static const char *nearest_option(const cli_option *options, const char *word) {
    const char *names[40] = {"help"};
    int count = 1;
    for (; options->name && count < 39; options++)
        if (options->help) names[count++] = options->name;
    names[count] = NULL;
    return elbo_nearest_word(word, names);
}

/* The recipe's key that --latent, --lr, --kl or --train.lr means: "train.lr"; NULL: none. `n`: letters of the word. */
static const char *key_meant(const char *word, size_t n) {
    for (const elbo_key *key = elbo_keys; key->path; key++) {
        const char *dot = strrchr(key->path, '.'), *last = dot ? dot + 1 : key->path;
        if (!strcmp(last, "weight")) continue; // (loss.kl.weight is loss.kl)
        if ((strlen(last) == n && !strncmp(last, word, n)) || (strlen(key->path) == n && !strncmp(key->path, word, n)))
            return key->path;
    }
    if (n == 4 && !strncmp(word, "beta", 4)) return "loss.kl";
    return (n == 2 && !strncmp(word, "kl", 2)) || (n == 7 && !strncmp(word, "loss.kl", 7)) ? "loss.kl" : NULL;
}

/* `next`: the word behind it, or NULL. */
static int unknown_option(const cli_command *c, const cli_option *options, const char *word, const char *next) {
    const char *bare = word;
    while (*bare == '-') bare++;
    const char *nearest = nearest_option(options, bare), *equals = strchr(bare, '=');
    bool sets = find_option(options, "set", 3) != NULL;
    const char *key = sets ? key_meant(bare, equals ? (size_t)(equals - bare) : strlen(bare)) : NULL;
    char advice[160];
    if (key)
        snprintf(advice, sizeof advice, "a key of the recipe is set by --set: --set %s=%.60s", key,
                 equals                 ? equals + 1
                 : next && *next != '-' ? next
                                        : "VALUE");
    else if (nearest)
        snprintf(advice, sizeof advice, "did you mean --%s?", nearest);
    else if (sets)
        snprintf(advice, sizeof advice, "`elbo recipes --keys` lists the keys of a recipe, which --set KEY=VALUE sets");
    else
        snprintf(advice, sizeof advice, "`elbo %s --help` lists its options", c->name);
    return usage_error(c, "unknown option ", word, advice);
}

/* Whole numbers and numbers, with their range. */
static int set_number(const cli_command *c, const cli_option *o, const char *text) {
    char *end, advice[160], from[32], to[32];
    errno = 0;
    double v = strtod(text, &end);
    bool whole = o->kind != CLI_FLOAT, bounded = o->least != 0 || o->most != 0;
    double least = o->kind == CLI_U64 ? 0 : bounded ? o->least : whole ? -2147483648.0 : -INFINITY;
    double most = o->kind == CLI_U64 ? 18446744073709549568.0 : bounded ? o->most : whole ? 2147483647.0 : INFINITY;
    if (end == text || *end || isnan(v) || (whole && v != floor(v)) || v < least || v > most) {
        if (o->kind == CLI_U64)
            snprintf(advice, sizeof advice, "expected an integer >= 0");
        else if (bounded)
            snprintf(advice, sizeof advice, "expected %s from %s to %s", whole ? "an integer" : "a number",
                     elbo_thousands(least, from), elbo_thousands(most, to));
        else
            snprintf(advice, sizeof advice, "expected %s", whole ? "an integer" : "a number");
        char what[96];
        snprintf(what, sizeof what, "--%s ", o->name);
        return usage_error(c, what, text, advice);
    }
    if (o->kind == CLI_INT) *(int *)o->value = (int)v;
    if (o->kind == CLI_U64) *(uint64_t *)o->value = strtoull(text, NULL, 10);
    if (o->kind == CLI_FLOAT) *(double *)o->value = v;
    return 0;
}

static int set_option(const cli_command *c, const cli_option *o, const char *text) {
    switch (o->kind) {
    case CLI_FLAG: *(bool *)o->value = true; return 0;
    case CLI_TEXT:
    case CLI_DEVICE: *(const char **)o->value = text; return 0;
    case CLI_OUTPUT: {
        elbo_error err;
        if (cli_check_output(o->name, o->argument, text, &err) != ELBO_OK)
            return usage_error(c, err.message, NULL, NULL);
        *(const char **)o->value = text;
        return 0;
    }
    case CLI_TEXTS: {
        cli_texts *t = o->value;
        if (t->count == (int)(sizeof t->text / sizeof *t->text))
            return usage_error(c, "--", o->name, "is repeated too often");
        t->text[t->count++] = text;
        return 0;
    }
    default: return set_number(c, o, text);
    }
}

bool cli_ends_with(const char *text, const char *ending) {
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && !strcmp(text + n - m, ending);
}

/* Whether `-epochs` or `-json`, of whose letters the first is an option, was meant with two dashes: it is the name of one, or
 * its value could not be right. */
static bool meant_long(const cli_option *o, const char *value, const cli_option *options, const char *word) {
    char *end;
    if (find_option(options, word, strcspn(word, "="))) return true;
    if (o->kind == CLI_FLAG) return true;
    bool number = o->kind == CLI_INT || o->kind == CLI_U64 || o->kind == CLI_FLOAT;
    strtod(value, &end);
    return number && (end == value || *end);
}

int cli_parse(const cli_command *c, const cli_option *options, int argc, char **argv, int least, int most) {
    int words = 0;
    bool only_words = false;
    for (int i = 0; i < argc; i++) {
        char *word = argv[i];
        bool negative_number = word[0] == '-' && word[1] >= '0' && word[1] <= '9';
        if (!*word) return usage_error(c, "empty argument; expected a name", NULL, NULL);
        if (only_words || word[0] != '-' || !word[1] || negative_number) {
            argv[words++] = word;
            continue;
        }
        if (!strcmp(word, CLI_DESCRIBE)) {
            cli_describe(c, options);
            return done(CLI_OK);
        }
        if (!strcmp(word, "--")) {
            only_words = true;
            continue;
        }
        if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
            show_help(c, options);
            return done(CLI_OK);
        }
        const cli_option *o;
        const char *value = NULL;
        if (word[1] == '-') {
            const char *equals = strchr(word, '=');
            o = find_option(options, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
            if (equals) value = equals + 1;
        } else {
            o = find_letter(options, word[1]);
            if (o && word[2]) value = word + 2; // -n64
            const char *name =
                value && meant_long(o, value, options, word + 1) ? nearest_option(options, word + 1) : NULL;
            if (name) {
                char advice[80];
                snprintf(advice, sizeof advice, "did you mean --%s?", name);
                return usage_error(c, "unknown option ", word, advice);
            }
        }
        if (!o) return unknown_option(c, options, word, i + 1 < argc ? argv[i + 1] : NULL);
        if (o->kind == CLI_FLAG && value) return usage_error(c, "", word, "it takes no value");
        if (o->kind != CLI_FLAG && !value) {
            bool another_option = i + 1 < argc && !strncmp(argv[i + 1], "--", 2); // (a name like that: --output=--x)
            if (i + 1 >= argc || another_option) {
                char what[96];
                snprintf(what, sizeof what, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
                return usage_error(c, what, NULL, NULL);
            }
            value = argv[++i];
        }
        if (value && !*value) return usage_error(c, "an empty value for --", o->name, NULL);
        int result = set_option(c, o, value);
        if (result) return result;
    }
    char advice[160];
    snprintf(advice, sizeof advice, "usage: elbo %s %s [options]; `elbo %s --help` says more", c->name, c->arguments,
             c->name);
    if (words < least)
        return usage_error(c, words ? "missing argument after " : "missing argument", words ? argv[words - 1] : NULL,
                           advice);
    if (most >= 0 && words > most) return usage_error(c, "unexpected argument: ", argv[most], advice);
    return words;
}
