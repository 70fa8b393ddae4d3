#include "base/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void elbo_words_free(elbo_words *words) {
    for (int i = 0; i < words->count; i++) free(words->word[i]);
    free(words->word);
    *words = (elbo_words){0};
}

char *elbo_words_text(const elbo_words *words) {
    char *text = strdup("");
    for (int i = 0; text && i < words->count; i++) {
        char *longer = elbo_format("%s%s%s", text, i ? ", " : "", words->word[i]);
        free(text);
        text = longer;
    }
    return text;
}
