/* A list of words, as a recipe has for `classes: [3, Bag]`. */
#ifndef ELBO_BASE_WORDS_H
#define ELBO_BASE_WORDS_H

typedef struct elbo_words {
    char **word; // (count), each allocated
    int count;
} elbo_words;

void elbo_words_free(elbo_words *words);

/* "3, Bag", a new string; NULL when memory is out. */
char *elbo_words_text(const elbo_words *words);

#endif
