/* elbo eval: what a run scores on a split. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image_files.h"
#include "runs.h"

static int find_split(const char *name, elbo_splits *split) {
    if (!strcmp(name, "test")) *split = ELBO_TEST_SPLIT;
    else if (!strcmp(name, "train")) *split = ELBO_TRAIN_SPLIT;
    else {
        cli_fail_text("--split %s: it is train or test", name);
        return CLI_USAGE;
    }
    return CLI_OK;
}

static void print_scores(const elbo_run *r, const elbo_dataset *d, const char *split, const elbo_scores *s,
                         const elbo_code_use *use, bool mean_code, bool json) {
    const elbo_recipe *recipe = &r->model->recipe;
    bool vae = recipe->kind == ELBO_VAE;
    char terms[ELBO_TERMS_TEXT];
    elbo_terms computed = elbo_terms_computed(recipe);
    bool bound = computed.count == 1 && computed.term[0].weight == 1; // a weighted sum is no likelihood
    if (json) {
        cli_print_json(json_pack("{s:s, s:s, s:s, s:I, s:s, s:f, s:f, s:f, s:f, s:o, s:o}", "run", r->model->run, "data", d->name,
                                 "split", split, "images", (json_int_t)s->images, "unit", "nats/image", "loss", s->loss,
                                 "reconstruction", s->reconstruction, "kl", s->kl, "mse", s->mse, "mse_own_code",
                                 use->images ? json_real(use->own) : json_null(), "mse_other_code",
                                 use->images ? json_real(use->other) : json_null()));
        return;
    }
    char images[32];
    printf("%s on %s %s images of %s\n", r->label, elbo_thousands(s->images, images), split, d->name);
    printf("  loss            %10.4f nats/image%s\n", s->loss, !vae ? "" : mean_code ? "   (with the mean code: lower than the negative ELBO)"
                                                        : bound ? "   (reconstruction + KL: the negative ELBO)"
                                                                : "   (reconstruction + KL)");
    printf("  reconstruction  %10.4f nats/image   (%s)\n", s->reconstruction,
           elbo_terms_text(&computed, terms));
    if (vae) printf("  kl              %10.4f nats/image\n", s->kl);
    printf("  mse             %10.6f per pixel, of the range %g to %g\n", s->mse, (double)recipe->image.low,
           (double)recipe->image.high);
    cli_say_code_use(r->model, use);
}

/* Given noise must have a row for every image. */
static elbo_status read_noise(const char *path, const elbo_run *r, const elbo_images *images, float **noise,
                              elbo_error *err) {
    if (r->model->recipe.kind != ELBO_VAE)
        return elbo_fail(err, ELBO_BAD_INPUT, "--noise: %s is an autoencoder, which uses none", r->label);
    size_t n, Z = (size_t)r->model->network.graph.latent;
    ELBO_TRY(cli_rows_read(noise, &n, Z, "rows of noise", path, err));
    if (n == images->count) return ELBO_OK;
    free(*noise);
    *noise = NULL;
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: its shape is (%zu, %zu); the split has %u images: (%u, %zu)", path, n, Z,
                     images->count, images->count, Z);
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *data = NULL, *split_name = "test", *noise_path = NULL;
    elbo_eval_options o = {0};
    bool json = false;
    cli_option options[] = {
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        {"split", 0, CLI_TEXT, &split_name, "SPLIT", "test (default) or train", 0, 0},
        {"noise", 0, CLI_TEXT, &noise_path, "EPS.npy", "use this noise, (images, latent) float32, to check a loss by", 0, 0},
        {"mean", 0, CLI_FLAG, &o.mean_code, NULL, "decode the mean code mu instead of a sample", 0, 0},
        {"seed", 's', CLI_U64, &o.seed, "N", "of the noise; default 0", 0, 0},
        {"threads", 't', CLI_INT, &o.threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    elbo_splits split;
    int code = find_split(split_name, &split);
    if (code != CLI_OK) return code;
    cli_runs r;
    code = cli_runs_open(&r, argv, 1, data, (int)split, o.threads);
    if (code != CLI_OK) return code;
    const elbo_images *images = split == ELBO_TEST_SPLIT ? &r.data.test : &r.data.train;
    elbo_model *m = r.run[0].model;
    elbo_error err;
    float *noise = NULL;
    elbo_scores scores;
    elbo_code_use use;
    elbo_status status = images->count ? ELBO_OK
                                       : elbo_fail(&err, ELBO_BAD_INPUT, "%s: has no %s images", r.data.source, split_name);
    if (status == ELBO_OK && noise_path) status = read_noise(noise_path, &r.run[0], images, &noise, &err);
    o.noise = noise;
    if (status == ELBO_OK) status = elbo_evaluate(&scores, &m->network, &m->recipe, images, o, &err);
    if (status == ELBO_OK) status = elbo_code_use_measure(&use, m, images, &err);
    if (status == ELBO_OK && !json) cli_say_losses(&m->recipe);
    if (status == ELBO_OK)
        print_scores(&r.run[0], &r.data, split_name, &scores, &use, o.mean_code, json);
    else
        code = cli_fail(&err);
    free(noise);
    cli_runs_close(&r);
    return code;
}

const cli_command cli_eval = {
    .name = "eval",
    .arguments = "RUN",
    .summary = "scores a run: loss, reconstruction and KL in nats per image, MSE",
    .details = "The loss of a VAE is the negative ELBO, reconstruction + KL, with one sample of the code for each image; the KL\n"
               "counts once whatever loss.kl (beta) it was trained with, so that runs can be compared. The\n"
               "noise is a function of the seed and the image's number, so the same command gives the same digits.\n"
               "Reconstruction is the Bernoulli negative log-likelihood (bce), or the sum of squared (mse) or absolute (l1)\n"
               "errors, which are Gaussian and Laplace negative log-likelihoods less a constant.\n"
               "\n"
               "example:\n"
               "  elbo eval runs/mnist-vae --json\n",
    .run = run,
};
