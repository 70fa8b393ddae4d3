/* The terms over the code (latent_terms.def) as a table. */
#ifndef ELBO_RECIPE_LATENT_TERMS_H
#define ELBO_RECIPE_LATENT_TERMS_H

#include "recipe/recipe.h"

/* What a term's key says. */
typedef enum elbo_latent_use { ELBO_LATENT_WEIGHT, ELBO_LATENT_PART, ELBO_LATENT_BOUND } elbo_latent_use;
/* What a term reads, added up. */
enum {
    ELBO_LATENT_READS_CODE = 1,
    ELBO_LATENT_READS_POSTERIOR = 2,
    ELBO_LATENT_READS_BOTH = 3,
    ELBO_LATENT_READS_DRAWS = 5
};

typedef struct elbo_latent_row {
    const char *name, *key, *unit;
    elbo_latent_use use;
    int reads;
    bool batch; // looks at all of a batch
} elbo_latent_row;
extern const elbo_latent_row elbo_latent_rows[ELBO_LATENT_TERMS];

bool elbo_latent_term_is_on(const elbo_recipe *r, elbo_latent_term term);
/* Its weight in the objective; of a part of the KL, or a bound, a factor of the KL's. */
double elbo_latent_term_weight(const elbo_recipe *r, elbo_latent_term term);
/* Whether some term looks at all of a batch: then what a split scores depends on how it is cut into batches. */
bool elbo_latent_terms_of_batches(const elbo_recipe *r);
/* Whether an autoencoder's codes are trained towards the prior, by a term or an adversary, and so can be drawn from it. */
bool elbo_codes_match_prior(const elbo_recipe *r);

#endif
