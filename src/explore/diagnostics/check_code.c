/* Whether the code is used: each dimension, by the decoder, and as the prior says. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "explore/metrics/code_use.h"
#include "explore/diagnostics/checks.h"
#include "stats/neighbours.h"

/* ---- dimensions ---- */

/* "3, 7, 12 and 5 more" */
static void list_idle(char *text, size_t size, const elbo_latent_scores *s) {
    enum { SHOWN = 12 };
    int shown = 0, more = 0;
    size_t n = 0;
    text[0] = 0;
    for (int d = 0; d < s->latent; d++) {
        if (s->variance[d] > s->least) continue;
        if (shown == SHOWN) {
            more++;
            continue;
        }
        n += (size_t)snprintf(text + n, size - n, "%s%d", shown++ ? ", " : "", d);
    }
    if (more) snprintf(text + n, size - n, " and %d more", more);
}

elbo_status elbo_check_collapsed(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    if (e->n < 2) return ELBO_OK; // nothing varies over one image
    elbo_latent_scores s;
    ELBO_TRY(elbo_latent_score(&s, e->mu, e->logvar, e->n, (int)e->Z, err));
    bool vae = e->logvar != NULL;
    vae &= !elbo_prior_is_mixture(&e->model->prior); // the KL is then of no dimension by itself
    double kl_active = 0, kl_idle = 0;
    for (int d = 0; vae && d < s.latent; d++) *(s.variance[d] > s.least ? &kl_active : &kl_idle) += s.kl[d];
    int used = s.active, idle = s.latent - used;
    elbo_number(v, "latent", s.latent);
    elbo_number(v, "collapsed", idle);
    if (vae) elbo_number(v, "kl", kl_active + kl_idle);
    char which[200], cost[120] = "";
    list_idle(which, sizeof which, &s);
    if (vae && used)
        snprintf(cost, sizeof cost, "; KL %.2f nats, %.2f for each that is used", kl_active + kl_idle,
                 kl_active / used);
    if (idle == 0) {
        if (s.latent == 1)
            elbo_found(v, ELBO_CHECK_OK, "the only one is used: the mean code varies over the images%s", cost);
        else
            elbo_found(v, ELBO_CHECK_OK, "all %d are used: the mean code varies over the images in each%s", s.latent,
                       cost);
    } else if (used == 0) {
        elbo_found(v, ELBO_CHECK_PROBLEM, "none of %d is used: the code is the same for every image%s", s.latent,
                   vae ? " (posterior collapse)" : "");
        if (vae)
            elbo_advise(v,
                        "a smaller loss.kl (it was %g), a warm-up of it (`kl: {weight: 1, warmup: 5}`), or a smaller "
                        "learning rate",
                        (double)e->model->recipe.loss.kl);
        else
            elbo_advise(v, "a smaller learning rate, or another seed; see the other checks");
    } else {
        elbo_found(v, ELBO_CHECK_NOTE, "%d of %d carry no information: %s%s", idle, s.latent, which, cost);
        double weight = e->model->recipe.loss.kl;
        if (vae && weight > 1)
            elbo_advise(
                v,
                "a smaller loss.kl (it was %g) lets more of them carry information; nothing, if images and loss are "
                "good as they are",
                weight);
        else
            elbo_advise(v,
                        "nothing, if images and loss are good: the model needs no more than %d. For more of them: %s",
                        used, vae ? "a smaller loss.kl or a warm-up of it" : "longer training");
    }
    elbo_latent_scores_free(&s);
    return ELBO_OK;
}

/* ---- the decoder ---- */

elbo_status elbo_check_ignored(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    elbo_code_use use;
    ELBO_TRY(elbo_code_use_measure(&use, e->model, e->images, e->mu, err));
    if (!use.images) return ELBO_OK;
    bool ignored = elbo_code_is_ignored(&use);
    elbo_number(v, "loss_own_code", use.own);
    elbo_number(v, "loss_other_code", use.other);
    elbo_found(v, ignored ? ELBO_CHECK_PROBLEM : ELBO_CHECK_OK,
               "reconstruction %.2f nats with an image's own mean code, %.2f with another image's%s", use.own,
               use.other, ignored ? ": the code hardly matters" : "");
    if (ignored && e->model->network.graph.skips)
        elbo_advise(v, "a decoder without skip connections from the encoder, as photo-vae's");
    else if (ignored && e->logvar)
        elbo_advise(v,
                    "a smaller loss.kl (it was %g) or a warm-up of it, longer training, or a weaker decoder: one that "
                    "needs the code",
                    (double)e->model->recipe.loss.kl);
    else if (ignored)
        elbo_advise(v, "longer training, a smaller learning rate, or another seed; see the other checks");
    return ELBO_OK;
}

/* ---- the prior ---- */

/* All the codes together, q(z) = mean over x of q(z|x), against N(0, I). */
typedef struct aggregate {
    double kl;                // of the Gaussian with the same mean and covariance, nats
    double farthest_mean;     // the mean of a dimension that is farthest from 0
    double narrowest, widest; // variances
    int dimension[3];         // of these three
} aggregate;

/* log det of a symmetric positive definite matrix, which is overwritten: Cholesky.  a: (n, n) */
static double log_determinant(double *a, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double s = a[i * n + j];
            for (size_t k = 0; k < j; k++) s -= a[i * n + k] * a[j * n + k];
            if (i > j) {
                a[i * n + j] = s / a[j * n + j];
            } else {
                if (!(s > 0)) return -INFINITY;
                a[i * n + i] = sqrt(s);
                sum += log(s);
            }
        }
    return sum;
}

/* mu, logvar: (n, Z); logvar NULL of an autoencoder */
static elbo_status aggregate_posterior(aggregate *a, const float *mu, const float *logvar, size_t n, size_t Z,
                                       elbo_error *err) {
    double *mean = elbo_alloc(Z, sizeof *mean), *c = elbo_alloc(Z * Z, sizeof *c); // (Z), (Z, Z)
    if (!mean || !c) {
        free(mean);
        free(c);
        return elbo_no_memory(err);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < Z; d++) mean[d] += (double)mu[i * Z + d] / (double)n;
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < Z; d++) {
            double off = mu[i * Z + d] - mean[d];
            for (size_t k = 0; k <= d; k++) c[d * Z + k] += off * (mu[i * Z + k] - mean[k]) / (double)n;
            if (logvar) c[d * Z + d] += exp((double)elbo_logvar_bounded(logvar[i * Z + d])) / (double)n;
        }
    *a = (aggregate){.narrowest = INFINITY};
    double squares = 0, trace = 0;
    for (size_t d = 0; d < Z; d++) {
        double variance = c[d * Z + d];
        if (fabs(mean[d]) > fabs(a->farthest_mean)) a->farthest_mean = mean[d], a->dimension[0] = (int)d;
        if (variance < a->narrowest) a->narrowest = variance, a->dimension[1] = (int)d;
        if (variance > a->widest) a->widest = variance, a->dimension[2] = (int)d;
        squares += mean[d] * mean[d];
        trace += variance;
    }
    a->kl = 0.5 * (trace + squares - (double)Z - log_determinant(c, Z));
    free(mean);
    free(c);
    return ELBO_OK;
}

/* The median distance of some points (m, Z) to the nearest of the codes (n, Z). */
static elbo_status median_nearest(double *median, const float *points, size_t m, const float *codes, size_t n,
                                  const elbo_eval_context *e, elbo_error *err) {
    elbo_neighbours nb;
    elbo_neighbours_question question = {.query = points, .m = m, .x = codes, .n = n, .dims = (int)e->Z, .k = 1};
    ELBO_TRY(elbo_neighbours_of(&nb, &question, e->work, err));
    qsort(nb.distance2, m, sizeof *nb.distance2, elbo_ascending_floats);
    *median = sqrt((double)nb.distance2[m / 2]);
    elbo_neighbours_free(&nb);
    return ELBO_OK;
}

enum { DRAWN = 500, AGAINST = 5000 };

/* Holes: how much farther codes drawn from the prior lie from those of training images than codes drawn for test images
 * do. */
static elbo_status measure_holes(double *prior, double *test, const elbo_eval_context *e, elbo_error *err) {
    size_t Z = e->Z, m = e->n < DRAWN ? e->n : DRAWN;
    uint32_t *index = elbo_alloc(AGAINST, sizeof *index);
    float *codes = elbo_alloc(AGAINST * Z, sizeof *codes), *drawn = elbo_alloc(2 * m * Z, sizeof *drawn);
    float *posterior = drawn ? drawn + m * Z : NULL;
    elbo_status status = index && codes && drawn ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        size_t n = elbo_eval_context_some_training(e, AGAINST, index);
        status = elbo_model_encode_images(e->model, &e->data->train, index, n, codes, NULL, err);
        for (size_t i = 0; i < m; i++) {
            const elbo_graph *g = &e->model->network.graph;
            e->model->prior.is->sample(&e->model->prior, drawn + i * Z, 1,
                                       (elbo_stream){.purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)i});
            if (!e->logvar) {
                memcpy(posterior + i * Z, e->mu + i * Z, Z * sizeof *posterior);
                continue;
            }
            elbo_random_normal((elbo_stream){.purpose = ELBO_FOR_TEST_NOISE, .sample = (uint32_t)i}, posterior + i * Z,
                               Z);
            g->posterior->sample(posterior + i * Z, (const float *const[]){e->mu + i * Z, e->logvar + i * Z},
                                 posterior + i * Z, Z);
        }
        if (status == ELBO_OK) status = median_nearest(prior, drawn, m, codes, n, e, err);
        if (status == ELBO_OK) status = median_nearest(test, posterior, m, codes, n, e, err);
    }
    free(index);
    free(codes);
    free(drawn);
    return status;
}

/* By the training images, where those of the test are too few for a covariance: a small folder of photographs. */
static elbo_status aggregate_of_training(aggregate *a, const elbo_eval_context *e, elbo_error *err) {
    uint32_t *index = elbo_alloc(AGAINST, sizeof *index);
    float *codes = elbo_alloc(2 * AGAINST * e->Z, sizeof *codes); // mu (AGAINST, Z), logvar (AGAINST, Z)
    elbo_status status = index && codes ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        float *logvar = e->logvar ? codes + AGAINST * e->Z : NULL;
        size_t n = elbo_eval_context_some_training(e, AGAINST, index);
        status = elbo_model_encode_images(e->model, &e->data->train, index, n, codes, logvar, err);
        if (status == ELBO_OK) status = aggregate_posterior(a, codes, logvar, n, e->Z, err);
    }
    free(index);
    free(codes);
    return status;
}

/* The mean log density, of a prior that is a mixture, of codes drawn for test images, and of its own draws: -H. */
static elbo_status measure_density(double *codes, double *own, const elbo_eval_context *e, elbo_error *err) {
    const elbo_prior_model *p = &e->model->prior;
    float *z = elbo_alloc(e->Z, sizeof *z);
    if (!z) return elbo_no_memory(err);
    *codes = *own = 0;
    for (size_t i = 0; i < e->n; i++) {
        elbo_stream noise = {.purpose = ELBO_FOR_TEST_NOISE, .sample = (uint32_t)i},
                    draw = {.purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)i};
        elbo_random_normal(noise, z, e->Z);
        e->model->network.graph.posterior->sample(z, (const float *const[]){e->mu + i * e->Z, e->logvar + i * e->Z}, z,
                                                  e->Z);
        *codes += p->is->log_p(p, z) / (double)e->n;
        p->is->sample(p, z, 1, draw);
        *own += p->is->log_p(p, z) / (double)e->n;
    }
    free(z);
    return ELBO_OK;
}

/* A mixture is where the codes are if these are as dense in it as its own draws, which leave no holes. */
static elbo_status check_mixture(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    double codes = 0, own = 0, prior = 0, test = 0;
    ELBO_TRY(measure_density(&codes, &own, e, err));
    if (e->train && !e->trained_on) ELBO_TRY(measure_holes(&prior, &test, e, err));
    double each = (own - codes) / (double)e->Z, ratio = test > 0 ? prior / test : 1;
    elbo_number(v, "log_p_of_codes", codes);
    elbo_number(v, "log_p_of_draws", own);
    elbo_number(v, "prior_to_code", prior);
    elbo_number(v, "test_to_code", test);
    bool off = !(fabs(each) < 0.5), holes = ratio > 1.5;
    elbo_found(
        v, off || holes ? ELBO_CHECK_PROBLEM : ELBO_CHECK_OK,
        "aggregate posterior against the mixture of %zu Gaussians: log p(z) %.2f nats for test codes, %.2f for its "
        "own draws (%+.2f for each dimension); distance to the nearest training code: %.2f from test codes, %.2f "
        "from prior samples",
        e->model->prior.mixture.K, codes, own, -each, test, prior);
    if (off || holes)
        elbo_advise(v,
                    "longer training, a larger loss.kl (it was %g) or more components make the prior match the codes",
                    (double)e->model->recipe.loss.kl);
    return ELBO_OK;
}

elbo_status elbo_check_prior(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    bool enough = e->n >= 2 * e->Z, training = !enough && e->train >= e->Z && e->train >= 2;
    if (!e->model->prior.is || (!enough && !training))
        return ELBO_OK; // an autoencoder; or too few images for a covariance
    if (elbo_prior_is_mixture(&e->model->prior)) return check_mixture(v, e, err);
    aggregate a = {0};
    double prior = 0, test = 0;
    ELBO_TRY(training ? aggregate_of_training(&a, e, err) : aggregate_posterior(&a, e->mu, e->logvar, e->n, e->Z, err));
    if (e->train && !e->trained_on) ELBO_TRY(measure_holes(&prior, &test, e, err));
    double each = a.kl / (double)e->Z, ratio = test > 0 ? prior / test : 1;
    elbo_number(v, "kl_to_prior", a.kl);
    elbo_number(v, "farthest_mean", a.farthest_mean);
    elbo_number(v, "smallest_variance", a.narrowest);
    elbo_number(v, "largest_variance", a.widest);
    elbo_number(v, "prior_to_code", prior);
    elbo_number(v, "test_to_code", test);
    bool off = !(each < 0.5), holes = ratio > 1.5;
    char stronger[60];
    const elbo_recipe *r = &e->model->recipe;
    if (r->kind == ELBO_VAE)
        snprintf(stronger, sizeof stronger, "a larger loss.kl (it was %g)", (double)r->loss.kl);
    else
        snprintf(stronger, sizeof stronger, "a larger weight of %s",
                 r->adversary.on == ELBO_ADVERSARY_CODE ? "the adversary" : "loss.mmd");
    elbo_found(
        v, off || holes ? ELBO_CHECK_PROBLEM : ELBO_CHECK_OK,
        "aggregate posterior%s against N(0, I): means within %.2f of 0, variances %.2f to %.2f, KL %.2f nats (%.2f for "
        "each dimension); distance to the nearest training code: %.2f from test codes, %.2f from prior samples",
        training ? " of training images" : "", fabs(a.farthest_mean), a.narrowest, a.widest, a.kl, each, test, prior);
    if (off || holes)
        elbo_advise(
            v,
            "%s. `elbo sample --from gaussian` draws from where the codes are; longer training, %s or a smaller "
            "latent makes them match the prior",
            off && a.widest > 1.5 ? "samples from the prior cover a small part of the codes"
                                  : "samples from the prior lie where no code was seen",
            stronger);
    return ELBO_OK;
}
