#include "recipe/terms.h"

#include <stdio.h>
#include <string.h>

#include "recipe/numbers.h"

static const char blanks[] = " \t\r\n";

static elbo_status unwanted(const elbo_key *key, const elbo_yaml_node *node, const char *path, elbo_error *err) {
    char got[ELBO_GOT], wanted[ELBO_WANTED];
    return elbo_fail_at(err, node->place, "%s: expected %s, got %s", path, elbo_key_wanted(key, wanted),
                        elbo_node_got(node, got));
}

/* "mse" or "0.7 l1" */
static elbo_status read_term(elbo_terms *terms, const elbo_key *key, const elbo_yaml_node *node, const char *path,
                             elbo_error *err) {
    if (node->kind != ELBO_NODE_TEXT || strlen(node->text) >= ELBO_TERMS_TEXT) return unwanted(key, node, path, err);
    char text[ELBO_TERMS_TEXT], shown[ELBO_SHOWN], *rest = strcpy(text, node->text), *word[3] = {NULL};
    int words = 0;
    while (words < 3 && (word[words] = strtok_r(rest, blanks, &rest))) words++;
    elbo_term term = {.weight = 1};
    if (words < 1 || words > 2) return unwanted(key, node, path, err);
    if (words == 2 && (!elbo_parse_float(word[0], &term.weight) || !(term.weight > 0)))
        return elbo_fail_at(err, node->place, "%s: %s; expected a weight > 0 and a name, such as 0.7 l1", path,
                            elbo_node_shown(node, shown));
    unsigned kind = 0;
    while (key->choices[kind] && strcmp(key->choices[kind], word[words - 1]) != 0) kind++;
    if (!key->choices[kind]) return unwanted(key, node, path, err);
    term.kind = (elbo_reconstruction)kind;
    if (elbo_term_weight(terms, term.kind) > 0)
        return elbo_fail_at(err, node->place, "%s: %s is given twice; expected one weight", path, key->choices[kind]);
    terms->term[terms->count++] = term;
    return ELBO_OK;
}

elbo_status elbo_terms_read(elbo_terms *terms, const elbo_key *key, const elbo_yaml_node *node, const char *path,
                            elbo_error *err) {
    *terms = (elbo_terms){0};
    if (node->kind != ELBO_NODE_LIST)
        ELBO_TRY(read_term(terms, key, node, path, err));
    else if (!node->count)
        return unwanted(key, node, path, err);
    for (const elbo_yaml_node *child = node->first; node->kind == ELBO_NODE_LIST && child; child = child->next)
        ELBO_TRY(read_term(terms, key, child, path, err)); // each kind once: they fit
    const elbo_term *logits = elbo_terms_of_logits(terms), *scaled = elbo_terms_scaled(terms);
    if (logits && terms->count > 1)
        return elbo_fail_at(err, node->place,
                            "%s: %s is computed from logits, the others after the sigmoid; use it alone, or "
                            "mse and l1",
                            path, elbo_reconstruction_name(logits->kind));
    if (scaled && terms->count > 1)
        return elbo_fail_at(err, node->place,
                            "%s: %s is a normalised density, which another term would change; use it alone, "
                            "or mse and l1",
                            path, elbo_reconstruction_name(scaled->kind));
    if (elbo_term_weight(terms, ELBO_PERCEPTUAL) > 0 && terms->count == 1)
        return elbo_fail_at(
            err, node->place,
            "%s: perceptual alone does not compare pixels; add mse or l1, such as [mse, 0.3 perceptual]", path);
    return ELBO_OK;
}

static const elbo_term *first_of(const elbo_terms *terms, const bool kinds[ELBO_RECONSTRUCTIONS]) {
    for (int i = 0; i < terms->count; i++)
        if (kinds[terms->term[i].kind]) return &terms->term[i];
    return NULL;
}

const elbo_term *elbo_terms_of_logits(const elbo_terms *terms) {
    static const bool kinds[] = {
#define LOGIT_LOSS(name, NAME) [ELBO_##NAME] = true,
#define PIXEL_LOSS(name, NAME) [ELBO_##NAME] = false,
#define OTHER_LOSS PIXEL_LOSS
#include "recipe/losses.def"
#undef PIXEL_LOSS
#undef OTHER_LOSS
    };
    return first_of(terms, kinds);
}

const elbo_term *elbo_terms_scaled(const elbo_terms *terms) {
    static const bool kinds[] = {
#define SCALED_LOSS(name, NAME) [ELBO_##NAME] = true,
#define PIXEL_LOSS(name, NAME) [ELBO_##NAME] = false,
#define OTHER_LOSS PIXEL_LOSS
#include "recipe/losses.def"
#undef PIXEL_LOSS
#undef OTHER_LOSS
    };
    return first_of(terms, kinds);
}

elbo_terms elbo_terms_computed(const elbo_recipe *r) {
    elbo_terms computed = {0};
    for (int i = 0; i < r->loss.reconstruction.count; i++) {
        elbo_term term = r->loss.reconstruction.term[i];
        if (term.kind != ELBO_PERCEPTUAL || (r->vgg16 && *r->vgg16)) computed.term[computed.count++] = term;
    }
    return computed;
}

const char *elbo_terms_text(const elbo_terms *terms, char out[ELBO_TERMS_TEXT]) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; i < terms->count && used < ELBO_TERMS_TEXT; i++) {
        char weight[ELBO_FLOAT_TEXT] = "";
        if (terms->term[i].weight != 1) elbo_print_float(terms->term[i].weight, weight);
        used += (size_t)snprintf(out + used, ELBO_TERMS_TEXT - used, "%s%s%s%s", i ? " + " : "", weight,
                                 *weight ? " " : "", elbo_reconstruction_name(terms->term[i].kind));
    }
    return out;
}
