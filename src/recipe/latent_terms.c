#include "recipe/latent_terms.h"

const elbo_latent_row elbo_latent_rows[ELBO_LATENT_TERMS] = {
#define ROW_TERM(name, NAME, key, use, reads, unit, help)                                                              \
    [ELBO_LATENT_##NAME] = {#name, key, unit, ELBO_LATENT_##use, ELBO_LATENT_READS_##reads, false},
#define BATCH_TERM(name, NAME, key, use, reads, unit, help)                                                            \
    [ELBO_LATENT_##NAME] = {#name, key, unit, ELBO_LATENT_##use, ELBO_LATENT_READS_##reads, true},
#include "recipe/latent_terms.def"
};

double elbo_latent_term_weight(const elbo_recipe *r, elbo_latent_term term) {
    double number = r->loss.latent[term].number;
    switch (elbo_latent_rows[term].use) {
    case ELBO_LATENT_WEIGHT: return number;
    case ELBO_LATENT_PART: return r->kind == ELBO_VAE ? number - 1 : 0;
    case ELBO_LATENT_BOUND: return number > 0;
    }
    return 0;
}

bool elbo_latent_term_is_on(const elbo_recipe *r, elbo_latent_term term) {
    return elbo_latent_term_weight(r, term) != 0;
}

bool elbo_latent_terms_of_batches(const elbo_recipe *r) {
    bool any = r->adversary.on == ELBO_ADVERSARY_CODE && r->adversary.against == ELBO_AGAINST_SHUFFLED;
    for (int t = 0; t < ELBO_LATENT_TERMS; t++)
        any |= elbo_latent_rows[t].batch && elbo_latent_term_is_on(r, (elbo_latent_term)t);
    return any;
}

bool elbo_codes_match_prior(const elbo_recipe *r) {
    bool aae = r->adversary.on == ELBO_ADVERSARY_CODE && r->adversary.against == ELBO_AGAINST_PRIOR;
    return aae || elbo_latent_term_is_on(r, ELBO_LATENT_MMD);
}
