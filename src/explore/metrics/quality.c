#include "explore/metrics/quality.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

elbo_status elbo_quality_measure(elbo_quality *q, const elbo_eval_context *e, elbo_quality_options o, elbo_error *err) {
    elbo_model *m = e->model;
    *q = (elbo_quality){.metrics = elbo_metrics_of(&m->recipe),
                        .knn = NAN,
                        .probe = NAN,
                        .factors = {.mig = NAN, .factor_vae = NAN, .sap = NAN},
                        .lpips = NAN,
                        .samples = elbo_no_sample_scores(),
                        .observation = elbo_observation_model_of(&m->recipe, &m->network.graph, m->network.params)};
    o.losses.threads = elbo_team_threads(m->team);
    o.losses.device = m->state.device;
    elbo_vgg *vgg = NULL;
    if (o.vgg16) ELBO_TRY(elbo_vgg_open(&vgg, o.vgg16, o.lpips, e->images->shape, m->team, err));
    elbo_status status = elbo_eval_context_step(e->work, "losses", 0, err);
    if (status == ELBO_OK) status = elbo_evaluate(&q->losses, &m->network, &m->recipe, e->images, o.losses, err);
    if (status == ELBO_OK) elbo_quality_set_objective(q, m, e->log);
    if (status == ELBO_OK) status = elbo_latent_score(&q->latent, e->mu, e->logvar, e->n, (int)e->Z, err);
    if (status == ELBO_OK) status = elbo_factor_score(&q->factors, e, &q->latent, err);
    if (status == ELBO_OK) status = elbo_picture_score(&q->pictures, m, e->images, e->mu, e->work, err);
    if (status == ELBO_OK && o.classes) status = elbo_class_score(&q->knn, &q->probe, e, err);
    if (status == ELBO_OK && o.classes) status = elbo_sample_score(&q->samples, e, vgg, err);
    if (status == ELBO_OK && vgg && elbo_vgg_has_lpips(vgg)) status = elbo_lpips_score(&q->lpips, e, vgg, err);
    elbo_vgg_close(vgg);
    if (status == ELBO_OK && o.importance > 0)
        status = elbo_likelihood_estimate(&q->likelihood, m, e->images, e->mu, e->logvar,
                                          &(elbo_likelihood_options){.samples = o.importance, .seed = o.losses.seed},
                                          e->work, err);
    if (status != ELBO_OK) elbo_quality_free(q);
    return status;
}

void elbo_quality_set_objective(elbo_quality *q, const elbo_model *m, const elbo_log *log) {
    q->kl_weight = elbo_log_kl_weight(log, &m->recipe);
    elbo_scores_set_objective(&q->losses, &m->recipe, q->kl_weight, elbo_image_size(m->network.graph.image));
}

static double *copy_of(const double *v, int n) {
    double *copy = v ? elbo_alloc((size_t)n, sizeof *v) : NULL;
    if (copy) memcpy(copy, v, (size_t)n * sizeof *v);
    return copy;
}

elbo_status elbo_quality_copy(elbo_quality *q, const elbo_quality *from, elbo_error *err) {
    const elbo_latent_scores *z = &from->latent;
    *q = *from;
    q->latent.variance = copy_of(z->variance, z->latent);
    q->latent.mean = copy_of(z->mean, z->latent);
    q->latent.kl = copy_of(z->kl, z->latent);
    if (q->latent.variance && q->latent.mean && (q->latent.kl || !z->kl)) return ELBO_OK;
    elbo_quality_free(q);
    return elbo_no_memory(err);
}

void elbo_quality_free(elbo_quality *q) { elbo_latent_scores_free(&q->latent); }

/* ---- the rows ---- */

static double objective(const elbo_quality *q) { return q->losses.objective; }
static double loss(const elbo_quality *q) { return q->losses.loss; }
static double reconstruction(const elbo_quality *q) { return q->losses.reconstruction; }
static double kl(const elbo_quality *q) { return q->latent.kl ? q->losses.kl : NAN; }
static double mse(const elbo_quality *q) { return q->losses.mse; }
static double psnr(const elbo_quality *q) { return q->pictures.psnr; }
static double ssim(const elbo_quality *q) { return q->pictures.ssim; }
static double active(const elbo_quality *q) { return q->latent.active; }
static double knn(const elbo_quality *q) { return q->knn; }
static double probe(const elbo_quality *q) { return q->probe; }
static double mig(const elbo_quality *q) { return q->factors.mig; }
static double factor_vae(const elbo_quality *q) { return q->factors.factor_vae; }
static double sap(const elbo_quality *q) { return q->factors.sap; }
static double precision(const elbo_quality *q) { return q->samples.images ? q->samples.precision : NAN; }
static double recall(const elbo_quality *q) { return q->samples.images ? q->samples.recall : NAN; }
static double ms_ssim(const elbo_quality *q) { return q->pictures.scales > 1 ? q->pictures.ms_ssim : NAN; }
static double lpips(const elbo_quality *q) { return q->lpips; }
#define OF_SAMPLES(name, member)                                                                                       \
    static double name(const elbo_quality *q) { return q->samples.images ? q->samples.member : NAN; }
OF_SAMPLES(density, density)
OF_SAMPLES(coverage, coverage)
OF_SAMPLES(test_density, test_density)
OF_SAMPLES(test_coverage, test_coverage)
OF_SAMPLES(frechet, distance.frechet)
OF_SAMPLES(kid, distance.kid)
OF_SAMPLES(test_frechet, test_distance.frechet)
OF_SAMPLES(test_kid, test_distance.kid)
OF_SAMPLES(frechet_vgg16, vgg.frechet)
OF_SAMPLES(kid_vgg16, vgg.kid)
OF_SAMPLES(test_frechet_vgg16, test_vgg.frechet)
OF_SAMPLES(test_kid_vgg16, test_vgg.kid)
static double sharpness(const elbo_quality *q) { return q->samples.images ? q->samples.sharpness : NAN; }
static double test_precision(const elbo_quality *q) { return q->samples.images ? q->samples.test_precision : NAN; }
static double test_recall(const elbo_quality *q) { return q->samples.images ? q->samples.test_recall : NAN; }
static double log_p(const elbo_quality *q) { return q->likelihood.samples ? q->likelihood.log_p : NAN; }
/* Of the negative ELBO, where p(x|z) is normalised. */
static double bits(const elbo_quality *q) {
    const elbo_observation_model *p = &q->observation;
    if (!q->latent.kl) return NAN;
    return elbo_bits_per_dim(p, p->factor * q->losses.reconstruction + p->constant + q->losses.kl);
}
static double bits_of_log_p(const elbo_quality *q) { return elbo_bits_per_dim(&q->observation, -log_p(q)); }
static double log_p_error(const elbo_quality *q) { return q->likelihood.samples ? q->likelihood.error : NAN; }

const elbo_quality_row elbo_quality_rows[] = {
    {"objective", "objective", "objective", 4, 1, 0, objective},
    {"loss", "loss (nats)", "loss", 2, 1, -1, loss},
    {"reconstruction", "reconstruction (nats)", "reconstr.", 2, 1, -1, reconstruction},
    {"kl", "KL (nats)", "KL", 2, 1, 0, kl},
    {"mse", "MSE", "MSE", 4, 1, -1, mse},
    {"psnr", "PSNR (dB)", "PSNR dB", 2, 1, 1, psnr},
    {"ssim", "SSIM", "SSIM", 3, 1, 1, ssim},
    {"ms_ssim", "MS-SSIM", NULL, 3, 1, 1, ms_ssim},
    {"lpips", "LPIPS (VGG16)", "LPIPS", 3, 1, -1, lpips},
    {"active_units", "active units", "active", 0, 1, 0, active},
    {"knn_accuracy", "5-NN accuracy (%)", "5-NN %", 1, 100, 1, knn},
    {"probe_accuracy", "linear probe (%)", "probe %", 1, 100, 1, probe},
    {"mig", "MIG", "MIG", 3, 1, 1, mig},
    {"factor_vae_score", "FactorVAE score (%)", "FactorVAE %", 1, 100, 1, factor_vae},
    {"sap", "SAP", "SAP", 3, 1, 1, sap},
    {"sample_precision", "precision of samples (%)", "prec. %", 1, 100, 1, precision},
    {"sample_recall", "recall of samples (%)", "recall %", 1, 100, 1, recall},
    {"sample_density", "density of samples", "density", 2, 1, 1, density},
    {"sample_coverage", "coverage of samples (%)", "cover. %", 1, 100, 1, coverage},
    {"sample_frechet_random", "FD of samples, random features", NULL, 4, 1, -1, frechet},
    {"sample_kid_random", "KID of samples, random features", NULL, 5, 1, -1, kid},
    {"sample_frechet_vgg16", "FD-VGG16 of samples", "FD-VGG16", 3, 1, -1, frechet_vgg16},
    {"sample_kid_vgg16", "KID-VGG16 of samples", NULL, 5, 1, -1, kid_vgg16},
    {"sample_sharpness", "sharpness of samples", NULL, 3, 1, 0, sharpness},
    {"test_precision", "precision of test images (%)", NULL, 1, 100, 0, test_precision},
    {"test_recall", "recall of test images (%)", NULL, 1, 100, 0, test_recall},
    {"test_density", "density of test images", NULL, 2, 1, 0, test_density},
    {"test_coverage", "coverage of test images (%)", NULL, 1, 100, 0, test_coverage},
    {"test_frechet_random", "FD of test images, random features", NULL, 4, 1, 0, test_frechet},
    {"test_kid_random", "KID of test images, random features", NULL, 5, 1, 0, test_kid},
    {"test_frechet_vgg16", "FD-VGG16 of test images", NULL, 3, 1, 0, test_frechet_vgg16},
    {"test_kid_vgg16", "KID-VGG16 of test images", NULL, 5, 1, 0, test_kid_vgg16},
    {"log_likelihood", "log p(x) (nats)", "log p(x)", 2, 1, 1, log_p},
    {"bits_per_dim", "bits/dim of the ELBO", "bits/dim", 4, 1, -1, bits},
    {"log_likelihood_bits_per_dim", "bits/dim of log p(x)", NULL, 4, 1, -1, bits_of_log_p},
    {"log_likelihood_error", "its standard error", NULL, 2, 1, 0, log_p_error},
    {0},
};
_Static_assert(sizeof elbo_quality_rows / sizeof *elbo_quality_rows <= ELBO_MOST_QUALITY_ROWS, "tables hold every row");

bool elbo_quality_shown(const elbo_quality_row *row, const elbo_quality *q) {
    return row->short_label && q && isfinite(row->value(q));
}

const char *elbo_quality_text(const elbo_quality_row *row, const elbo_quality *q, char text[ELBO_QUALITY_TEXT]) {
    text[0] = 0;
    if (!elbo_quality_shown(row, q)) return text;
    int n = snprintf(text, ELBO_QUALITY_TEXT, "%.*f", row->decimals, row->scale * row->value(q));
    if (row->value == log_p && isfinite(q->likelihood.error))
        snprintf(text + n, ELBO_QUALITY_TEXT - (size_t)n, " \xc2\xb1 %.2f", q->likelihood.error);
    return text;
}
