/* elbo sample: new images. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "densities.h"
#include "image_files.h"
#include "explore/novelty.h"
#include "render/latent_figures.h"
#include "job.h"

enum { MOST_SHOWN = 10000, MOST_COMPARED = 400, SHOWN = 64, COMPARED = 20 };

typedef enum source { PRIOR, GAUSSIAN, GMM } source;

typedef struct sample_options {
    cli_look look;
    const char *from, *npy;
    int n, components;
    uint64_t seed;
    double temperature;
    bool nearest, by_default; // by_default: nobody asked for the mixture
    source source;
    elbo_density density;
    elbo_novelty novelty;
} sample_options;

static elbo_status choose_source(sample_options *o, const elbo_model *m, elbo_error *err) {
    bool vae = m->recipe.kind == ELBO_VAE;
    o->by_default = !o->from && !vae;
    if (!o->from) o->from = vae ? "prior" : "gmm";
    o->source = !strcmp(o->from, "prior") ? PRIOR : !strcmp(o->from, "gaussian") ? GAUSSIAN : GMM;
    if (o->source == PRIOR && !vae)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: is an autoencoder, which has no prior to draw codes from; --from gmm or --from "
                         "gaussian draws them from a density of its training codes",
                         m->run);
    return ELBO_OK;
}

/* images: (n, C, H, W) */
static elbo_status make_images(sample_options *o, elbo_model *m, float *images, elbo_error *err) {
    if (o->source == PRIOR) return elbo_sample_prior(m, o->n, o->seed, o->temperature, images, err);
    size_t n = (size_t)o->n;
    float *z = elbo_alloc(n * (size_t)m->network.graph.latent, sizeof *z);
    elbo_status status = z ? elbo_density_draw(&o->density, o->seed, n, o->temperature, z, err) : elbo_no_memory(err);
    if (status == ELBO_OK) elbo_model_decode_codes(m, n, z, images);
    free(z);
    return status;
}

static elbo_status prepare(sample_options *o, bool *was_kept, elbo_error *err) {
    cli_look *look = &o->look;
    elbo_model *m = look->runs.run[0].model;
    ELBO_TRY(choose_source(o, m, err));
    if (o->components && o->source != GMM)
        return elbo_fail(err, ELBO_BAD_INPUT, "--components: only a mixture has them; --from gmm");
    if (o->source != PRIOR) {
        int components = o->source == GAUSSIAN ? 1 : o->components;
        elbo_job work = cli_work(look->threads);
        elbo_status status = cli_density_of_run(&o->density, look, components, &work, was_kept, err);
        cli_work_end();
        cli_release_interrupts();
        ELBO_TRY(status);
    }
    if (o->nearest) ELBO_TRY(cli_look_open_data(look, ELBO_BOTH_SPLITS, err));
    return ELBO_OK;
}

static elbo_status draw_figure(sample_options *o, const float *images, elbo_error *err) {
    cli_look *look = &o->look;
    const elbo_model *m = look->runs.run[0].model;
    if (o->nearest) return elbo_figure_novelty(look->figure, m, images, &o->novelty, &look->runs.data, err);
    return elbo_figure_grid(look->figure, m, images, o->n, err);
}

static elbo_status make(sample_options *o, bool to_figure, bool *was_kept) {
    cli_look *look = &o->look;
    elbo_error *err = &look->err;
    elbo_model *m = look->runs.run[0].model;
    elbo_model_info info = elbo_model_get_info(m);
    ELBO_TRY(prepare(o, was_kept, err));
    static const char *const titles[] = {"New images from the prior", "New images from a Gaussian of the codes",
                                         "New images from a mixture of Gaussians of the codes"};
    look->figure.title = o->nearest ? "New images above the nearest of training" : titles[o->source];
    float *images = elbo_alloc((size_t)o->n * elbo_image_size(m->network.graph.image), sizeof *images);
    elbo_status status = images ? make_images(o, m, images, err) : elbo_no_memory(err);
    if (status == ELBO_OK && o->nearest) {
        elbo_job work = cli_work(look->threads);
        status = elbo_novelty_measure(&o->novelty, m, images, (size_t)o->n, &look->runs.data, &work, err);
        cli_work_end();
        cli_release_interrupts();
    }
    if (status == ELBO_OK)
        status =
            to_figure ? draw_figure(o, images, err) : cli_images_write(look->output, &info, images, (size_t)o->n, err);
    if (status == ELBO_OK && o->npy) status = cli_images_write(o->npy, &info, images, (size_t)o->n, err);
    free(images);
    return status;
}

static json_t *as_json(const sample_options *o, bool to_figure) {
    json_t *j = json_pack("{s:i, s:I, s:s, s:f}", "count", o->n, "seed", (json_int_t)o->seed, "from", o->from,
                          "temperature", o->temperature);
    if (!to_figure) json_object_set_new(j, "images", json_string(o->look.output));
    if (o->npy) json_object_set_new(j, "npy", json_string(o->npy));
    if (o->source != PRIOR) {
        json_object_set_new(j, "components", json_integer(o->density.mixture.components));
        json_object_set_new(j, "log_likelihood", json_real(o->density.mixture.log_likelihood));
    }
    if (o->nearest) {
        json_t *index = json_array(), *distance = json_array();
        for (size_t i = 0; i < o->novelty.n; i++) {
            json_array_append_new(index, json_integer(o->novelty.nearest[i]));
            json_array_append_new(distance, json_real(o->novelty.distance[i]));
        }
        json_t *nearest = json_pack("{s:o, s:o}", "train", index, "distance", distance);
        if (isfinite(o->novelty.usual)) {
            json_object_set_new(nearest, "usual_distance", json_real(o->novelty.usual));
            json_object_set_new(nearest, "rare_distance", json_real(o->novelty.rare));
            json_object_set_new(nearest, "nearer_than_rare", json_integer((json_int_t)o->novelty.near));
        }
        json_object_set_new(j, "nearest", nearest);
    }
    return j;
}

static void say(const sample_options *o, bool to_figure, bool was_kept) {
    if (o->source != PRIOR) {
        const elbo_density *d = &o->density;
        if (o->by_default) printf("an autoencoder has no prior (--from gmm, --from gaussian): ");
        printf("codes from %s", o->source == GAUSSIAN ? "a Gaussian" : "a mixture of Gaussians");
        if (d->axis)
            printf(" in their first %d principal axes (%.0f%% of the variance)", d->mixture.dims, 100 * d->held);
        printf(", log-likelihood %.2f nats per code%s\n", d->mixture.log_likelihood,
               was_kept ? " (kept from before)" : "");
    }
    if (o->nearest && isfinite(o->novelty.usual)) {
        double sum = 0;
        for (size_t i = 0; i < o->novelty.n; i++) sum += o->novelty.distance[i] / (double)o->novelty.n;
        printf(
            "nearest training image: %.2f away on average (0: the same, 1.41: nothing in common); of a reconstructed test image, %.2f (median)\n",
            sum, o->novelty.usual);
        printf("%zu of %zu are nearer to one than 99%% of those are: %s\n", o->novelty.near, o->novelty.n,
               o->novelty.near * 20 > o->novelty.n ? "some may be remembered; look at them" : "new, not remembered");
    }
    if (!to_figure) printf("%s: %d image%s\n", o->look.output, o->n, o->n == 1 ? "" : "s");
}

static int look_and_sample(sample_options *o, char **argv) {
    cli_look *look = &o->look;
    bool to_figure = !look->output || cli_ends_with(look->output, ".png") || cli_ends_with(look->output, ".svg");
    int most = o->nearest ? MOST_COMPARED : MOST_SHOWN;
    if (!o->n) o->n = o->nearest ? COMPARED : SHOWN;
    if (to_figure && o->n > most)
        return cli_fail_text("--count %d: a picture shows at most %d%s; -o X.npy and -o FOLDER take more", o->n, most,
                             o->nearest ? " with their neighbours" : "");
    if (!to_figure && cli_images_check_name(look->output, &look->err) != ELBO_OK) return cli_fail(&look->err);
    look->no_figure = !to_figure;
    int code = cli_look_open(look, argv, 1, 0);
    if (code != CLI_OK) return code;
    bool was_kept = false;
    elbo_status status = make(o, to_figure, &was_kept);
    json_t *json = NULL;
    if (status == ELBO_OK && look->json) json = as_json(o, to_figure);
    if (status == ELBO_OK && !look->json) say(o, to_figure, was_kept);
    elbo_density_free(&o->density);
    elbo_novelty_free(&o->novelty);
    return cli_look_close(look, status, json);
}

static int run(const cli_command *self, int argc, char **argv) {
    sample_options o = {.look = {.name = "samples"}, .temperature = 1};
    cli_option options[] = {
        {"count", 'n', CLI_INT, &o.n, "N", "how many; default 64, with --nearest 20", 1, 1000000},
        {"seed", 's', CLI_U64, &o.seed, "N", "the same seed gives the same images; default 0", 0, 0},
        {"from", 'f', CLI_TEXT, &o.from, "WHERE", "prior (default of a VAE), gmm (of an autoencoder) or gaussian", 0,
         0},
        {"components", 'k', CLI_INT, &o.components, "K", "Gaussians of the mixture; default 10", 1,
         ELBO_MIXTURE_MOST_COMPONENTS},
        {"temperature", 'T', CLI_FLOAT, &o.temperature, "T",
         "stretches the noise: below 1 more typical, above 1 wilder; default 1", 0, 100},
        {"nearest", 0, CLI_FLAG, &o.nearest, NULL,
         "each image's nearest training image below it: is it new, or remembered?", 0, 0},
        {"npy", 0, CLI_TEXT, &o.npy, "X.npy", "also the images, (N, C, H, W) float32", 0, 0},
        CLI_LOOK_OPTIONS(o.look, "or X.npy, or FOLDER; default RUN/figures/samples.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (o.from && strcmp(o.from, "prior") && strcmp(o.from, "gaussian") && strcmp(o.from, "gmm"))
        return cli_fail_text("--from %s: it is prior, gaussian or gmm", o.from), CLI_USAGE;
    if (o.npy && !cli_ends_with(o.npy, ".npy"))
        return cli_fail_text("--npy %s: its name ends in .npy", o.npy), CLI_USAGE;
    return look_and_sample(&o, argv);
}

const cli_command cli_sample = {
    .name = "sample",
    .arguments = "RUN",
    .summary = "new images, decoded from codes drawn from the prior or from a density of the codes",
    .details =
        "--from prior draws standard normal codes, as a VAE is trained for; --from gaussian and --from gmm draw them from a\n"
        "Gaussian, or a mixture of Gaussians with full covariance, fitted on the codes of the training images. It is kept\n"
        "in RUN/codes/ until the model is trained again. An autoencoder has no prior: without --from it takes gmm.\n"
        "Image i depends on the seed and on i alone.\n"
        "\n"
        "With --nearest the numbers under the pairs are distances to the nearest training image, in units of the median of\n"
        "such distances of reconstructed test images, which are new and as smooth: far below 1, an image is remembered.\n"
        "\n"
        "examples:\n"
        "  elbo sample runs/mnist-vae -n 64 --seed 1\n"
        "  elbo sample runs/mnist-ae --from gmm --nearest\n"
        "  elbo sample runs/mnist-vae -n 10000 -o samples.npy\n",
    .run = run,
};
