/* The one table of a recipe's keys: reading, checking, writing and explaining a recipe all walk it. */
#ifndef ELBO_RECIPE_KEYS_H
#define ELBO_RECIPE_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "recipe/recipe.h"

typedef enum elbo_key_type {
    ELBO_KEY_TEXT,    // char *
    ELBO_KEY_CHOICE,  // an enum: the index into `choices`
    ELBO_KEY_WHOLE,   // int
    ELBO_KEY_SIZE,    // int, or the word `none` for 0
    ELBO_KEY_EXTENT,  // int[2]: one number for both, a list of two, or `none` for 0
    ELBO_KEY_SEED,    // uint64_t
    ELBO_KEY_NUMBER,  // float
    ELBO_KEY_NUMBERS, // float[2]
    ELBO_KEY_LEARNED, // float, or the word `learned` for 0
    ELBO_KEY_LAYERS,  // elbo_layers
    ELBO_KEY_STEPS,   // elbo_layers, of augmentation or corruption; may be empty
    ELBO_KEY_LATENT,  // as ELBO_KEY_SIZE, or a map of channels and head: the recipe's `latent` and `head`
    ELBO_KEY_PRIOR,   // int: components of `mixture 50`, or the word `normal` for 0
    ELBO_KEY_TERMS,   // elbo_terms
    ELBO_KEY_WORDS,   // elbo_words: one word, a list, or what `standard` says for none of them
} elbo_key_type;

typedef struct elbo_key {
    const char *path;
    elbo_key_type type;
    size_t offset;        // into elbo_recipe
    size_t place;         // offset of the elbo_place that remembers it, or 0
    const char *standard; // what it is when it is not written, as YAML; NULL: it must be written
    double low, high;
    bool above, below; // low, high itself is out of range
    const char *const *choices;
    const char *wanted;                    // ELBO_KEY_STEPS: what a list of them is
    bool (*applies)(const elbo_recipe *r); // NULL: always. Looks only at keys of earlier rows
    const char *goes_with;                 // the same in words: "kind: vae"
    bool terse; // not written where it has its default: a recipe of before there was the key stays as it was
    const char *help;
} elbo_key;

/* Ended by a row whose path is NULL. A path may have several rows that apply in different recipes. */
extern const elbo_key elbo_keys[];

/* "an integer from 1 to 65536". Returns `out`. */
enum { ELBO_WANTED = 120 };
const char *elbo_key_wanted(const elbo_key *key, char out[ELBO_WANTED]);

/* The parts of keys directly under `section` ("" for the top, "train"), in order, for messages and suggestions: fills
 * `names`, ended by NULL. They belong to `storage`. Returns how many. */
enum { ELBO_MAX_NAMES = 32 };
typedef struct elbo_names {
    const char *name[ELBO_MAX_NAMES + 1];
    int count;
    char storage[ELBO_MAX_NAMES][32];
} elbo_names;
void elbo_keys_under(const char *section, elbo_names *names);

/* "a, b or c", cut where it does not fit. Returns `out`. */
const char *elbo_join_words(const char *const *words, const char *last, char *out, size_t size);

#endif
