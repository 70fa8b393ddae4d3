/* What a recipe's keys must be together. */
#include "recipe/latent_terms.h"
#include "recipe/numbers.h"
#include "recipe/read.h"

static elbo_place place_at(const elbo_recipe *r, const elbo_yaml_node *root, const char *path) {
    const elbo_yaml_node *node = elbo_tree_find(root, path);
    return node ? node->place : (elbo_place){r->file, 0};
}

static elbo_status check_together(const elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err) {
    char low[ELBO_FLOAT_TEXT], high[ELBO_FLOAT_TEXT];
    elbo_print_float(r->image.low, low);
    elbo_print_float(r->image.high, high);
    if (!(r->image.low < r->image.high))
        return elbo_fail_at(err, place_at(r, root, "image.range"),
                            "image.range: [%s, %s]; expected [black, white], black < white", low, high);
    const elbo_term *logits = elbo_terms_of_logits(&r->loss.reconstruction);
    if (logits && (r->image.low < 0 || r->image.high > 1))
        return elbo_fail_at(err, place_at(r, root, "image.range"),
                            "image.range: [%s, %s] does not go with loss.reconstruction: %s, which needs pixels from 0 "
                            "to 1; use mse or l1",
                            low, high, elbo_reconstruction_name(logits->kind));
    if (r->image.normalize == ELBO_NORMALIZE_GCN) {
        const elbo_term *scaled = elbo_terms_scaled(&r->loss.reconstruction);
        bool steps = scaled && scaled->kind == ELBO_LOGISTIC;
        if (logits || steps)
            return elbo_fail_at(
                err, place_at(r, root, "image.normalize"),
                "image.normalize: gcn does not go with loss.reconstruction: %s: normalised values are no "
                "pixels from black to white; use mse, l1 or gaussian",
                elbo_reconstruction_name(logits ? logits->kind : scaled->kind));
        if (r->image.binary != ELBO_BINARY_NONE || r->augment.count)
            return elbo_fail_at(err, place_at(r, root, "image.normalize"),
                                "image.normalize: gcn cannot be combined with %s",
                                r->augment.count ? "augment" : "image.binary");
        if (r->image.contrast.least > r->image.contrast.most)
            return elbo_fail_at(err, place_at(r, root, "image.gcn"),
                                "image.gcn: expected [least, greatest], the least below the greatest");
    }
    if (r->classes.count && r->exclude.count)
        return elbo_fail_at(err, place_at(r, root, "exclude"), "exclude: cannot be combined with classes");
    if (r->image.channels == 2)
        return elbo_fail_at(err, place_at(r, root, "image.channels"),
                            "image.channels: expected 1 (greyscale) or 3 (RGB), got `2`");
    if (r->kind == ELBO_VAE && r->latent == 0 && r->head.channels == 0)
        return elbo_fail_at(err, r->latent_place,
                            "latent: none; expected a size from 1 to 65536 for the mu and logvar of a vae");
    if (r->train.schedule == ELBO_COSINE && r->train.eta_min > r->train.lr)
        return elbo_fail_at(err, place_at(r, root, "train.eta_min"),
                            "train.eta_min: %s; the learning rate would rise from train.lr, %s",
                            elbo_print_float(r->train.eta_min, low), elbo_print_float(r->train.lr, high));
    return ELBO_OK;
}

/* What is chosen by validation needs images for it, and an epoch that counts. */
static elbo_status check_validation(const elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err) {
    bool best = r->train.keep == ELBO_KEEP_BEST, chooses = best || r->train.patience > 0;
    const char *key = best ? "train.keep" : "train.patience";
    char warmup[ELBO_FLOAT_TEXT];
    if (chooses && r->train.validation <= 0)
        return elbo_fail_at(
            err, place_at(r, root, key),
            "%s: needs validation images; train.validation=0.1 holds out a tenth of the training images", key);
    if (chooses && r->kind == ELBO_VAE && r->loss.kl_warmup >= (float)r->train.epochs)
        return elbo_fail_at(err, place_at(r, root, key),
                            "%s: no epoch has the full KL weight; loss.kl.warmup, %s, must be below train.epochs, %d",
                            key, elbo_print_float(r->loss.kl_warmup, warmup), r->train.epochs);
    return ELBO_OK;
}

/* Several samples of an image: what reads codes as those of as many images, and what is no density. */
static elbo_status check_samples(const elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err) {
    enum { MOST = 65536 };
    bool iwae = r->loss.bound == ELBO_BOUND_IWAE;
    if (r->kind != ELBO_VAE) return ELBO_OK;
    if ((int64_t)r->loss.samples * r->train.batch > MOST)
        return elbo_fail_at(err, place_at(r, root, "loss.samples"),
                            "loss.samples: %d of train.batch %d images are %lld codes in a step; expected at most %d",
                            r->loss.samples, r->train.batch, (long long)r->loss.samples * r->train.batch, MOST);
    for (int t = 0; t < ELBO_LATENT_TERMS; t++) {
        const elbo_latent_row *row = &elbo_latent_rows[t];
        if (!elbo_latent_term_is_on(r, (elbo_latent_term)t)) continue;
        if (iwae)
            return elbo_fail_at(
                err, place_at(r, root, "loss.bound"),
                "loss.bound: iwae weights samples by p(x, z) / q(z|x), of which %s is not a part; use loss.bound: elbo",
                row->key);
        if (r->loss.samples > 1 && row->batch && row->reads & ELBO_LATENT_READS_CODE)
            return elbo_fail_at(
                err, place_at(r, root, "loss.samples"),
                "loss.samples: %d cannot be combined with %s, which compares codes of different images; use loss.samples: 1",
                r->loss.samples, row->key);
    }
    if (iwae && elbo_term_weight(&r->loss.reconstruction, ELBO_PERCEPTUAL) > 0)
        return elbo_fail_at(err, place_at(r, root, "loss.bound"),
                            "loss.bound: iwae needs a density p(x|z), which perceptual is not; use loss.bound: elbo");
    return ELBO_OK;
}

/* Terms that are parts of the closed form, or that compare with draws from the standard normal. */
static elbo_status check_prior(const elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err) {
    const char *other = NULL;
    if (r->kind != ELBO_VAE || !r->mixture) return ELBO_OK;
    for (int t = 0; t < ELBO_LATENT_TERMS; t++) {
        const elbo_latent_row *row = &elbo_latent_rows[t];
        bool apart = row->use == ELBO_LATENT_WEIGHT && row->reads == ELBO_LATENT_READS_CODE;
        if (!apart && elbo_latent_term_is_on(r, (elbo_latent_term)t)) other = row->key;
    }
    if (r->loss.bound == ELBO_BOUND_IWAE) other = "loss.bound: iwae";
    if (elbo_has_adversary(r) && (elbo_codes_match_prior(r) || r->adversary.on == ELBO_ADVERSARY_IMAGE))
        other = "an adversary that draws from the prior";
    if (!other) return ELBO_OK;
    return elbo_fail_at(
        err, place_at(r, root, "prior"),
        "prior: mixture %d cannot be combined with %s, which is for the standard normal prior; use prior: "
        "normal",
        r->mixture, other);
}

/* A game has no objective that falls: what one player gains the other loses. */
static elbo_status check_adversary(const elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err) {
    if (!elbo_has_adversary(r)) return ELBO_OK;
    if (r->kind == ELBO_VAE && r->loss.bound == ELBO_BOUND_IWAE)
        return elbo_fail_at(err, r->adversary.place,
                            "adversary: loss.bound: iwae weights samples by p(x, z) / q(z|x), of which an adversary's "
                            "term is not a part; use loss.bound: elbo");
    if (r->kind == ELBO_VAE && r->loss.samples > 1)
        return elbo_fail_at(err, r->adversary.place,
                            "adversary: cannot be combined with loss.samples: %d; use loss.samples: 1",
                            r->loss.samples);
    bool draws = r->kind == ELBO_VAE && r->adversary.on == ELBO_ADVERSARY_IMAGE; // of images beside reconstructions
    for (int t = 0; draws && t < ELBO_LATENT_TERMS; t++)
        if (elbo_latent_term_is_on(r, (elbo_latent_term)t))
            return elbo_fail_at(err, r->adversary.place, "adversary.on: image: cannot be combined with %s in a vae",
                                elbo_latent_rows[t].key);
    if (draws && elbo_term_weight(&r->loss.reconstruction, ELBO_PERCEPTUAL) > 0)
        return elbo_fail_at(err, r->adversary.place,
                            "adversary.on: image: cannot be combined with perceptual in a vae");
    if (r->train.keep == ELBO_KEEP_BEST || r->train.patience > 0) {
        const char *key = r->train.keep == ELBO_KEEP_BEST ? "train.keep" : "train.patience";
        return elbo_fail_at(
            err, place_at(r, root, key),
            "%s: cannot be combined with an adversary, against whom the lowest objective is not the best; "
            "leave it out",
            key);
    }
    return ELBO_OK;
}

elbo_status elbo_recipe_check_together(const elbo_recipe *r, const elbo_yaml_node *root, elbo_error *err) {
    ELBO_TRY(check_validation(r, root, err));
    ELBO_TRY(check_samples(r, root, err));
    ELBO_TRY(check_adversary(r, root, err));
    ELBO_TRY(check_prior(r, root, err));
    return check_together(r, root, err);
}
