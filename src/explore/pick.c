#include "explore/pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/shown.h"
#include "run/model.h"

elbo_status elbo_pick_class(int *class_number, const elbo_dataset *d, const char *word, elbo_error *err) {
    char shown[ELBO_SHOWN];
    if (d->classes == 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "class:%s: %s has no labels; name an image by its number, as `test:17`",
                         elbo_text_shown(word, shown), d->name);
    for (int c = 0; c < d->classes; c++)
        if (!strcasecmp(d->class_names[c], word)) {
            *class_number = c;
            return ELBO_OK;
        }
    char *end;
    long number = strtol(word, &end, 10);
    if (*word && !*end && number >= 0 && number < d->classes) {
        *class_number = (int)number;
        return ELBO_OK;
    }
    char list[300] = "";
    for (int c = 0; c < d->classes && strlen(list) < sizeof list - 40; c++) {
        if (c) strcat(list, ", ");
        strncat(list, d->class_names[c], 30);
    }
    return elbo_fail(err, ELBO_BAD_INPUT, "class:%s: %s has the classes %s", elbo_text_shown(word, shown), d->name,
                     list);
}

static elbo_status pick_typical(uint32_t *index, elbo_model *m, const elbo_images *images, int class_number,
                                const char *word, elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent, n = 0;
    uint32_t *members = malloc((images->count + 1) * sizeof *members);
    if (!members) return elbo_no_memory(err);
    for (uint32_t i = 0; i < images->count; i++)
        if (images->labels[i] == class_number) members[n++] = i;
    float *codes = elbo_alloc(n * Z, sizeof *codes); // (n, Z)
    double *mean = elbo_alloc(Z, sizeof *mean);
    elbo_status status = !codes || !mean ? elbo_no_memory(err)
                         : n == 0        ? elbo_fail(err, ELBO_BAD_INPUT, "%s: no test image is of it", word)
                                         : ELBO_OK;
    if (status == ELBO_OK) status = elbo_model_encode_images(m, images, members, n, codes, NULL, err);
    if (status == ELBO_OK) {
        for (size_t i = 0; i < n * Z; i++) mean[i % Z] += codes[i] / (double)n;
        double best = -1;
        for (size_t i = 0; i < n; i++) {
            double distance = 0;
            for (size_t k = 0; k < Z; k++) distance += (codes[i * Z + k] - mean[k]) * (codes[i * Z + k] - mean[k]);
            if (best < 0 || distance < best) {
                best = distance;
                *index = members[i];
            }
        }
    }
    free(members);
    free(codes);
    free(mean);
    return status;
}

elbo_status elbo_pick(elbo_choice *c, elbo_model *m, const elbo_dataset *d, const char *word, elbo_error *err) {
    char shown[ELBO_SHOWN];
    elbo_text_shown(word, shown);
    *c = (elbo_choice){.images = &d->test};
    if (!strncmp(word, "class:", 6)) {
        int class_number;
        char name[ELBO_SHOWN];
        size_t n = strlen(word + 6); // class:"Maltese dog", as an expression has it, is meant without its quotes
        bool quoted = n >= 2 && n < sizeof name && word[6] == '"' && word[5 + n] == '"';
        snprintf(name, sizeof name, "%.*s", quoted ? (int)n - 2 : 0, word + 7);
        ELBO_TRY(elbo_pick_class(&class_number, d, quoted ? name : word + 6, err));
        return pick_typical(&c->index, m, &d->test, class_number, shown, err);
    }
    const char *number = word, *split = "test";
    if (!strncmp(word, "test:", 5)) number += 5;
    if (!strncmp(word, "train:", 6)) {
        number += 6;
        split = "train";
        c->images = &d->train;
    }
    char *end;
    unsigned long long index = strtoull(number, &end, 10);
    if (*number < '0' || *number > '9' || *end)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: is not an image; expected 17, test:17, train:5, class:3 or photo.png", shown);
    if (index >= c->images->count)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: %s has %u %s images, 0 to %u", shown, d->name, c->images->count,
                         split, c->images->count ? c->images->count - 1 : 0);
    c->index = (uint32_t)index;
    return ELBO_OK;
}

elbo_status elbo_pick_list(elbo_picked *p, elbo_model *m, const elbo_dataset *d, const char *list, const char *what,
                           elbo_error *err) {
    char *copy = strdup(list), *rest = copy, *word;
    if (!copy) return elbo_no_memory(err);
    elbo_status status = ELBO_OK;
    p->n = 0;
    while (status == ELBO_OK && (word = strsep(&rest, ","))) {
        elbo_choice c;
        status = elbo_pick(&c, m, d, word, err);
        if (status == ELBO_OK && p->n == p->most)
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: at most %d", what, p->most);
        if (status == ELBO_OK && p->n && c.images != p->images)
            status = elbo_fail(err, ELBO_BAD_INPUT, "%s: take them from one split, train or test", what);
        if (status == ELBO_OK) {
            p->images = c.images;
            p->index[p->n++] = c.index;
        }
    }
    free(copy);
    return status;
}

int elbo_pick_variety(const elbo_images *images, int classes, int n, uint32_t *index) {
    int found = 0;
    if (images->labels && classes > 0) {
        uint32_t from[ELBO_MAX_CLASSES] = {0}; // where to look for the next of each class
        for (int turn = 0, misses = 0; found < n && misses < classes; turn++) {
            int want = turn % classes;
            uint32_t i = from[want];
            while (i < images->count && images->labels[i] != want) i++;
            from[want] = i + 1;
            if (i < images->count) {
                index[found++] = i;
                misses = 0;
            } else {
                from[want] = images->count;
                misses++;
            }
        }
        return found;
    }
    for (; found < n && (uint32_t)found < images->count; found++) index[found] = (uint32_t)found;
    return found;
}

static bool has_class(const elbo_images *images, int class_number) {
    uint32_t i = 0;
    while (i < images->count && images->labels[i] != class_number) i++;
    return i < images->count;
}

bool elbo_pick_is_class_name(const elbo_dataset *d, const char *word) {
    for (int c = 0; d->test.labels && c < d->classes; c++)
        if (!strcmp(d->class_names[c], word)) return has_class(&d->test, c);
    return false;
}

bool elbo_pick_ends(const elbo_dataset *d, const char **from, const char **to) {
    bool classes = d->classes > 8 && d->test.labels && has_class(&d->test, 3) && has_class(&d->test, 8);
    *from = classes ? "class:3" : "test:0";
    *to = classes ? "class:8" : d->test.count > 1 ? "test:1" : "test:0";
    return classes;
}
