/* elbo eval: what a run scores on a split. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/image_files.h"
#include "explore/metrics/evaluation.h"
#include "runs.h"
#include "job.h"

static int find_split(const char *name, elbo_splits *split) {
    if (!strcmp(name, "test"))
        *split = ELBO_TEST_SPLIT;
    else if (!strcmp(name, "train"))
        *split = ELBO_TRAIN_SPLIT;
    else {
        cli_fail_text("--split %s: expected train or test", name);
        return CLI_USAGE;
    }
    return CLI_OK;
}

/* ---- what it prints ---- */

static void line(const char *label, const char *format, double value, const char *unit, const char *note) {
    char number[48];
    snprintf(number, sizeof number, format, value);
    printf("  %-16s %10s%s%s", label, number, *unit ? " " : "", unit);
    if (*note) printf("%*s%s", strlen(unit) < 4 ? 5 - (int)strlen(unit) - !!*unit : 2, "", note);
    putchar('\n');
}

static int informative_first(const void *a, const void *b) {
    const double *x = a, *y = b; // (value, dimension)
    if (x[0] != y[0]) return x[0] > y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : 1;
}

/* "3: 2.61", most informative first, eight in a line. */
static void print_dimensions(const elbo_latent_scores *s) {
    enum { SHOWN = 40, IN_A_LINE = 8 };
    double(*d)[2] = malloc((size_t)s->latent * sizeof *d);
    if (!d) return;
    for (int i = 0; i < s->latent; i++) {
        d[i][0] = s->kl[i];
        d[i][1] = i;
    }
    qsort(d, (size_t)s->latent, sizeof *d, informative_first);
    printf("  KL of each dimension, as dimension: nats, most informative first");
    for (int i = 0; i < s->latent && i < SHOWN; i++)
        printf("%s%5.0f:%5.2f", i % IN_A_LINE ? "" : "\n  ", d[i][1], d[i][0]);
    putchar('\n');
    double rest = 0;
    for (int i = SHOWN; i < s->latent; i++) rest += d[i][0];
    if (s->latent > SHOWN)
        printf("    and %d more of %.4f or less, %.2f together\n", s->latent - SHOWN, d[SHOWN][0], rest);
    free(d);
}

static void print_likelihood(const elbo_quality *q) {
    char number[64], note[128];
    printf("likelihood, lower bound from %d importance samples\n", q->likelihood.samples);
    snprintf(number, sizeof number, "nats  ± %.2f", q->likelihood.error);
    double bits = elbo_bits_per_dim(&q->observation, -q->likelihood.log_p);
    note[0] = 0;
    if (!q->observation.is)
        snprintf(note, sizeof note, "(the loss is not a normalised density: up to an unknown constant)");
    else
        snprintf(note, sizeof note, "%.4f bits/dim", bits);
    line("log p(x)", "%.2f", q->likelihood.log_p, number, note);
}

/* p(x|z), and the ELBO in bits per value with it. */
static void print_observation(const elbo_quality *q, bool elbo) {
    const elbo_observation_model *p = &q->observation;
    char text[ELBO_OBSERVATION_TEXT], note[160];
    if (!p->is) return;
    snprintf(note, sizeof note, "%s%s", elbo ? "of the ELBO; p(x|z): " : "p(x|z)", elbo_observation_text(p, text));
    double nats = p->factor * q->losses.reconstruction + p->constant + q->losses.kl;
    if (elbo) line("bits/dim", "%.4f", elbo_bits_per_dim(p, nats), "", note);
}

/* Between two sets of images, and test images' in the samples' place. */
static void print_distances(const char *fd, const char *kid, const elbo_cloud_distances *d,
                            const elbo_cloud_distances *test) {
    char note[120];
    snprintf(note, sizeof note,
             "Fr\xc3\xa9"
             "chet distance of Gaussians; test images: %.4g",
             test->frechet);
    line(fd, "%.4g", d->frechet, "", note);
    snprintf(note, sizeof note, "squared MMD, cubic kernel, unbiased; test images: %.4g", test->kid);
    line(kid, "%.4g", d->kid, "", note);
}

static void print_samples(const elbo_sample_scores *s) {
    char images[32], note[120];
    printf(
        "samples from the prior, %s against as many training images, in features of a random convolutional network\n",
        elbo_thousands((double)s->images, images));
    snprintf(note, sizeof note, "inside the %d-NN balls of the data; test images: %.1f %%", s->k,
             100 * s->test_precision);
    line("precision", "%.1f", 100 * s->precision, "%", note);
    snprintf(note, sizeof note, "of the data inside the %d-NN balls of samples; test images: %.1f %%", s->k,
             100 * s->test_recall);
    line("recall", "%.1f", 100 * s->recall, "%", note);
    snprintf(note, sizeof note, "data's 5-NN balls that a sample lies in, over 5; test images: %.2f", s->test_density);
    line("density", "%.2f", s->density, "", note);
    snprintf(note, sizeof note, "data's 5-NN balls with a sample in them; test images: %.1f %%",
             100 * s->test_coverage);
    line("coverage", "%.1f", 100 * s->coverage, "%", note);
    print_distances("FD", "KID", &s->distance, &s->test_distance);
    line("sharpness", "%.3f", s->sharpness, "", "of the data's: RMS of the Laplacian over the contrast, medians");
    if (!isfinite(s->vgg.frechet)) return;
    printf("the same samples in features of VGG16, relu5_3, mean over positions\n");
    print_distances("FD-VGG16", "KID-VGG16", &s->vgg, &s->test_vgg);
}

static void print_factors(const elbo_disentanglement *d) {
    printf("disentanglement, of the factors that made the images\n");
    line("MIG", "%.3f", d->mig, "", "mutual information gap, 20 bins (Chen et al. 2018)");
    line("FactorVAE score", "%.1f", 100 * d->factor_vae, "%",
         "factor told by the dimension of least variance (Kim, Mnih 2018)");
    line("SAP", "%.3f", d->sap, "",
         "R\xc2\xb2 or accuracy of the best dimension less the second's (Kumar et al. 2018)");
}

/* What it was trained for, where that is not the loss; then the loss and what it is made of, term by term. */
static void print_losses(const elbo_evaluation *v) {
    const elbo_quality *q = &v->quality;
    const elbo_metrics *m = &q->metrics;
    bool vae = v->kind == ELBO_VAE;
    char note[64];
    if (!v->objective_is_loss)
        printf("  %-16s %10s%5s%s\n", "objective", v->objective_number, "", v->objective_formula);
    line("loss", "%.4f", q->losses.loss, "nats",
         !vae           ? ""
         : v->mean_code ? "with the mean code: below the negative ELBO"
         : v->elbo      ? "reconstruction + KL: the negative ELBO"
                        : "reconstruction + KL");
    line("reconstruction", "%.4f", q->losses.reconstruction, "nats", v->reconstruction);
    if (vae) line("KL", "%.4f", q->losses.kl, "nats", "");
    print_observation(q, vae && !v->mean_code);
    for (int i = 0; i < m->count; i++) {
        const elbo_metric *k = &m->metric[i];
        bool summed = k->role == ELBO_METRIC_RECONSTRUCTION || k->role == ELBO_METRIC_KL;
        bool told = summed && elbo_metrics_count(m, k->role) == 1; // above
        if (told || k->role == ELBO_METRIC_SQUARED_ERROR || !isfinite(q->losses.metric[i])) continue;
        snprintf(note, sizeof note, "%s, weight %g", k->unit, elbo_metric_weight(k, q->kl_weight));
        line(k->name, "%.4f", q->losses.metric[i], "", elbo_metric_is_trained(k) ? note : k->unit);
    }
}

/* Rows: what an image is; columns: what its code is told to be, in percent of the row. */
static void print_confusion(const elbo_confusion *c, const char *by, const uint32_t *table) {
    enum { MOST_COLUMNS = 20 };
    printf("%s: what the images of each class are taken for, in %% of the class\n", by);
    int columns = c->classes <= MOST_COLUMNS ? c->classes : 0;
    if (columns) printf("  %-16s", "");
    for (int k = 0; k < columns; k++) printf(" %6.6s", c->name[k]);
    if (columns) putchar('\n');
    for (int r = 0; r < c->classes; r++) {
        double all = 0;
        for (int k = 0; k < c->classes; k++) all += table[r * c->classes + k];
        elbo_confused most = elbo_confusion_of(table, c->classes, r);
        if (!(all > 0)) continue;
        printf("  %-16.16s", c->name[r]);
        for (int k = 0; k < columns; k++) {
            uint32_t n = table[r * c->classes + k];
            if (n)
                printf(" %6.1f", 100 * n / all);
            else
                printf(" %6s", "");
        }
        if (!columns && most.other < 0) printf(" %6.1f", 100 * most.right);
        if (!columns && most.other >= 0)
            printf(" %6.1f  most often %.1f as %s", 100 * most.right, 100 * most.share, c->name[most.other]);
        putchar('\n');
    }
}

static void print_table(const elbo_evaluation *v) {
    const elbo_quality *q = &v->quality;
    char images[32], note[160];
    bool vae = v->kind == ELBO_VAE;
    printf("%s on %s %s images of %s\n", v->label, elbo_thousands(q->losses.images, images),
           v->on_training ? "train" : "test", v->data);
    print_losses(v);
    snprintf(note, sizeof note, "per pixel, of the range %g to %g", (double)v->low, (double)v->high);
    line("MSE", "%.6f", q->losses.mse, "", note);
    printf("reconstructions from the mean code\n");
    line("PSNR", "%.2f", q->pictures.psnr, "dB", "");
    line("SSIM", "%.4f", q->pictures.ssim, "", "");
    snprintf(note, sizeof note, "%d scales", q->pictures.scales);
    if (q->pictures.scales > 1) line("MS-SSIM", "%.4f", q->pictures.ms_ssim, "", note);
    if (isfinite(q->lpips)) line("LPIPS", "%.4f", q->lpips, "", "VGG16, at most 1,000 images");
    cli_say_code_use(v->run, &v->code_use, v->skips);
    printf("code of %d dimensions\n", q->latent.latent);
    if (vae)
        snprintf(note, sizeof note, "of %d: variance of the mean code over the images above %g", q->latent.latent,
                 ELBO_ACTIVE_VARIANCE);
    else
        snprintf(note, sizeof note, "of %d: variance of the code above %g of the widest dimension's", q->latent.latent,
                 ELBO_ACTIVE_SHARE);
    line("active units", "%.0f", q->latent.active, "", note);
    snprintf(note, sizeof note, "of %zu bytes an image: %.3g times %s", v->image_bytes,
             v->image_bytes > v->code_bytes ? (double)v->image_bytes / (double)v->code_bytes
                                            : (double)v->code_bytes / (double)v->image_bytes,
             v->image_bytes > v->code_bytes ? "smaller" : "larger");
    line("bytes per code", "%.0f", (double)v->code_bytes, "", note);
    if (q->latent.kl) print_dimensions(&q->latent);
    if (isfinite(q->probe)) {
        printf("classification, from %s training codes\n", elbo_thousands((double)v->training_codes, images));
        line("5-NN", "%.2f", 100 * q->knn, "%", "majority vote of the 5 nearest codes");
        line("linear probe", "%.2f", 100 * q->probe, "%", "logistic regression on the codes");
    }
    if (isfinite(q->factors.mig)) print_factors(&q->factors);
    if (v->confusion.classes) print_confusion(&v->confusion, "5-NN", v->confusion.knn);
    if (v->confusion.classes) print_confusion(&v->confusion, "linear probe", v->confusion.probe);
    if (q->samples.images) print_samples(&q->samples);
    if (q->likelihood.samples) print_likelihood(q);
}

/* Given noise must have a row for every image. */
static elbo_status read_noise(const char *path, const elbo_run *r, const elbo_images *images, float **noise,
                              elbo_error *err) {
    if (r->model->recipe.kind != ELBO_VAE)
        return elbo_fail(err, ELBO_BAD_INPUT, "--noise: %s is an autoencoder, which has no noise", r->label);
    size_t n, Z = (size_t)r->model->network.graph.latent;
    ELBO_TRY(elbo_rows_file_read(noise, &n, Z, "rows of noise", path, err));
    if (n == images->count) return ELBO_OK;
    free(*noise);
    *noise = NULL;
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: its shape is (%zu, %zu); the split has %u images: (%u, %zu)", path, n, Z,
                     images->count, images->count, Z);
}

/* ---- the command ---- */

typedef struct request {
    elbo_evaluation_options options;
    const char *noise, *device;
    bool json, keep; // keep: in the run's scores.json
} request;

static elbo_status evaluate(const elbo_run *run, const elbo_dataset *d, request *q, elbo_error *err) {
    elbo_quality_options *measure = &q->options.measure;
    const elbo_images *images = q->options.split == ELBO_TEST_SPLIT ? &d->test : &d->train;
    float *noise = NULL;
    if (measure->importance > 0 && run->model->recipe.kind != ELBO_VAE)
        return elbo_fail(err, ELBO_BAD_INPUT, "--importance: %s is an autoencoder; only a VAE has a likelihood",
                         run->label);
    if (q->noise && images->count) ELBO_TRY(read_noise(q->noise, run, images, &noise, err));
    measure->losses.noise = noise;
    elbo_job job = cli_work(measure->losses.threads);
    elbo_evaluation v = {0};
    elbo_status status = elbo_evaluate_run(&v, run, d, &q->options, &job, err);
    // scores of a run that cannot be written (another's, on a full or read-only disk) are as true
    if (status == ELBO_OK && q->keep && elbo_quality_keep(&v.quality, run->model, d, err) != ELBO_OK)
        fprintf(stderr, "elbo: the scores were not saved with the run: %s\n", err->message);
    cli_work_end();
    if (status == ELBO_OK && q->json) cli_print_json(elbo_evaluation_json(&v));
    if (status == ELBO_OK && !q->json) print_table(&v);
    free(noise);
    elbo_evaluation_free(&v);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *data = NULL, *split_name = "test";
    bool all = false, brief = false;
    request q = {.options = elbo_evaluation_defaults()};
    elbo_quality_options *measure = &q.options.measure;
    elbo_eval_options *o = &measure->losses;
    cli_option options[] = {
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        {"split", 0, CLI_TEXT, &split_name, "SPLIT", "test (default) or train", 0, 0},
        {"importance", 'k', CLI_INT, &measure->importance, "N",
         "log-likelihood of a VAE from N importance samples per image; default: off", 1, 100000},
        {"all", 'a', CLI_FLAG, &all, NULL, "every score, including the likelihood of a VAE (64 samples without -k)", 0,
         0},
        {"brief", 'b', CLI_FLAG, &brief, NULL, "leaves out classification, which needs the training images", 0, 0},
        {"vgg16", 0, CLI_TEXT, &measure->vgg16, "FILE",
         "torchvision's vgg16 as safetensors: distances of samples in its features, and LPIPS", 0, 0},
        {"lpips", 0, CLI_TEXT, &measure->lpips, "FILE",
         "linear layers of LPIPS for vgg, as safetensors, for LPIPS of reconstructions; with --vgg16", 0, 0},
        {"confusion", 0, CLI_FLAG, &q.options.confusion, NULL, "also which classes 5-NN and probe take for which", 0,
         0},
        {"noise", 0, CLI_TEXT, &q.noise, "EPS.npy", "use this noise, (images, latent) float32, to reproduce a loss", 0,
         0},
        {"mean", 0, CLI_FLAG, &o->mean_code, NULL, "decode the mean code mu instead of a sample", 0, 0},
        {"seed", 's', CLI_U64, &o->seed, "N", "of the noise; default 0", 0, 0},
        CLI_DEVICE_OPTION(q.device),
        {"threads", 't', CLI_INT, &o->threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &q.json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    int code = find_split(split_name, &q.options.split);
    if (code != CLI_OK) return code;
    if (measure->lpips && !measure->vgg16) {
        cli_fail_text("--lpips %s: LPIPS weighs features of VGG16; name its weights too (--vgg16 FILE)",
                      measure->lpips);
        return CLI_USAGE;
    }
    measure->classes = !brief && q.options.split == ELBO_TEST_SPLIT;
    cli_runs r;
    code = cli_runs_open(&r, argv, 1, data, measure->classes ? ELBO_BOTH_SPLITS : (int)q.options.split, q.device,
                         o->threads);
    if (code != CLI_OK) return code;
    if (all && !measure->importance && r.run[0].model->recipe.kind == ELBO_VAE) measure->importance = 64;
    q.keep =
        measure->classes && !q.noise && !o->mean_code && !o->seed && !data; // what compare and report would measure
    elbo_error err;
    if (evaluate(&r.run[0], &r.data, &q, &err) != ELBO_OK) code = cli_fail(&err);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_eval = {
    .name = "eval",
    .arguments = "RUN",
    .summary = "scores a run: losses, reconstructions, codes, classification, likelihood",
    .details =
        "The loss of a VAE is the negative ELBO, reconstruction + KL, with one sample of the code for each image; the KL\n"
        "has weight 1 whatever loss.kl (beta) was in training, so that runs can be compared. Where weights or\n"
        "loss.scale make the training objective differ, it is printed too. The noise is a function\n"
        "of the seed and the image's number, so the same command gives the same digits.\n"
        "Reconstruction is -log p(x|z): Bernoulli (bce), continuous Bernoulli (cb), Gaussian, discretised logistic; or the\n"
        "sum of squared (mse) or absolute (l1) errors, which are Gaussian and Laplace less a constant: trained with KL\n"
        "weight w, of variance w / 2 and of scale w. bits/dim and the likelihood are those of this p(x|z), constants\n"
        "included, as bits for each of an image's D values: (nats / D) / ln 2; of a density over [0, 1], plus 8.\n"
        "\n"
        "Reconstructions: PSNR and SSIM (Wang et al. 2004), from the mean code. Codes: active units (Burda et al. 2015), and\n"
        "the KL of each dimension. Classification: test accuracy of 5-NN and of a linear probe on the training codes.\n"
        "Samples against training images, in features of a fixed random network: precision and recall (Kynkaanniemi et al.\n"
        "2019), density and coverage (Naeem et al. 2020), Frechet distance and KID, which are not FID and KID of Inception\n"
        "features; with --vgg16 in features of VGG16. Reconstructions then have LPIPS, where --lpips has its weights.\n"
        "Disentanglement, where the data's factors are known (dsprites): MIG (Chen et al. 2018), FactorVAE's score (Kim and Mnih\n"
        "2018), SAP (Kumar et al. 2018).\n"
        "Likelihood: -k N or --all; log p(x) from N importance samples (Burda et al. 2015) is a tighter bound than the\n"
        "ELBO, the larger N, the tighter. On MNIST 64 samples take a few seconds.\n"
        "\n"
        "Scores of the test images are kept in RUN/scores.json, where compare and report find them.\n"
        "\n"
        "examples:\n"
        "  elbo eval runs/mnist-vae --json\n"
        "  elbo eval runs/mnist-vae --all\n"
        "  elbo eval runs/fashion-vae --confusion\n",
    .run = run,
};
