/* elbo sample: new images. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "explore/run_density.h"
#include "explore/sample.h"
#include "explore/image_files.h"
#include "job.h"
#include "render/image_figures.h"
#include "runs.h"

enum { MOST_SHOWN = 10000, MOST_COMPARED = 400, COMPARED = 20, OF_EACH_CLASS = 8 };

typedef struct request {
    cli_look look;
    const char *from, *npy;
    int components;
    elbo_sample_options sample;
    bool by_default, was_kept; // nobody asked for the mixture; its density was found in the run's folder
    elbo_density density;
    elbo_sample_result result;
} request;

static elbo_status find_density(request *q, const elbo_job *work, elbo_error *err) {
    cli_look *look = &q->look;
    elbo_model *m = look->runs.run[0].model;
    int components = q->sample.source == ELBO_SAMPLE_GAUSSIAN ? 1 : q->components;
    const char *data = look->data ? look->data : "";
    q->was_kept = elbo_run_density_load(&q->density, m, data, components);
    if (q->was_kept) return ELBO_OK;
    ELBO_TRY(cli_look_open_data(look, ELBO_TRAIN_SPLIT, err));
    ELBO_TRY(elbo_run_density_fit(&q->density, m, &look->runs.data.train, components, work, err));
    elbo_error why;
    if (elbo_run_density_save(&q->density, m, data, components, &why) != ELBO_OK)
        fprintf(stderr, "elbo: the fitted density could not be saved and will be fitted again: %s\n", why.message);
    return ELBO_OK;
}

static elbo_status compute(request *q, elbo_error *err) {
    cli_look *look = &q->look;
    elbo_model *m = look->runs.run[0].model;
    q->by_default = q->sample.source == ELBO_SAMPLE_DEFAULT;
    ELBO_TRY(elbo_sample_source_of(&q->sample.source, m, err));
    q->by_default = q->by_default && q->sample.source != ELBO_SAMPLE_PRIOR;
    if (q->components && q->sample.source != ELBO_SAMPLE_GMM)
        return elbo_fail(err, ELBO_BAD_INPUT, "--components: needs --from gmm");
    bool density = q->sample.source != ELBO_SAMPLE_PRIOR;
    elbo_job work = {.threads = look->threads};
    if (density || q->sample.nearest) work = cli_work(look->threads);
    elbo_status status = density ? find_density(q, &work, err) : ELBO_OK;
    q->sample.density = density ? &q->density : NULL;
    if (status == ELBO_OK && q->sample.nearest) status = cli_look_open_data(look, ELBO_BOTH_SPLITS, err);
    if (status == ELBO_OK) status = elbo_sample(&q->result, m, &look->runs.data, &q->sample, &work, err);
    cli_work_end();
    cli_release_interrupts();
    return status;
}

static elbo_status write_files(request *q, bool to_figure, elbo_error *err) {
    cli_look *look = &q->look;
    elbo_model_info info = elbo_model_get_info(look->runs.run[0].model);
    const elbo_sample_result *r = &q->result;
    if (to_figure)
        ELBO_TRY(elbo_figure_sample(look->figure, r, err));
    else
        ELBO_TRY(elbo_image_files_write(look->output, &info, r->images, (size_t)r->count, err));
    return q->npy ? elbo_image_files_write(q->npy, &info, r->images, (size_t)r->count, err) : ELBO_OK;
}

static json_t *as_json(const request *q, bool to_figure) {
    json_t *j = elbo_sample_json(&q->result);
    if (!to_figure) json_object_set_new(j, "images", json_string(q->look.output));
    if (q->npy) json_object_set_new(j, "npy", json_string(q->npy));
    return j;
}

static void say_nearest(const elbo_novelty *v) {
    double mean = 0;
    for (size_t i = 0; i < v->n; i++) mean += v->distance[i] / (double)v->n;
    printf(
        "distance to the nearest training image: mean %.2f (0: identical, 1.41: uncorrelated); of reconstructed test images: median %.2f\n",
        mean, v->median);
    printf("%zu of %zu are closer than 99%% of those: %s\n", v->near, v->n,
           v->near * 20 > v->n ? "possibly memorised; look at them" : "not memorised");
}

static void say(const request *q, bool to_figure) {
    const elbo_sample_result *r = &q->result;
    if (r->source != ELBO_SAMPLE_PRIOR) {
        if (q->by_default) printf("an autoencoder has no prior (--from gmm, --from gaussian): ");
        printf("codes from %s", r->source == ELBO_SAMPLE_GAUSSIAN ? "a Gaussian" : "a mixture of Gaussians");
        if (r->principal)
            printf(" in their first %d principal axes (%.0f%% of the variance)", r->dims, 100 * r->variance_ratio);
        printf(", log-likelihood %.2f nats per code%s\n", r->log_likelihood, q->was_kept ? " (saved earlier)" : "");
    }
    if (r->no_prior && r->source == ELBO_SAMPLE_PRIOR)
        printf(
            "codes from N(0, I), which is not where this model's codes lie: an autoencoder has no prior, so these need "
            "not be images; --from gmm draws from its own codes\n");
    if (r->drawn_pixels) printf("pixels drawn from p(x|z): %s\n", r->observation);
    if (r->has_nearest && isfinite(r->novelty.median)) say_nearest(&r->novelty);
    if (!to_figure) printf("%s: %d image%s\n", q->look.output, r->count, r->count == 1 ? "" : "s");
}

static int look_and_sample(request *q, char **argv) {
    cli_look *look = &q->look;
    bool nearest = q->sample.nearest,
         to_figure = !look->output || cli_ends_with(look->output, ".png") || cli_ends_with(look->output, ".svg");
    int most = nearest ? MOST_COMPARED : MOST_SHOWN;
    bool asked = q->sample.count > 0;
    if (!asked) q->sample.count = nearest ? COMPARED : elbo_sample_defaults().count;
    if (to_figure && q->sample.count > most)
        return cli_fail_text("--count %d: a figure shows at most %d%s; -o X.npy and -o FOLDER take more",
                             q->sample.count, most, nearest ? " with nearest images" : "");
    look->no_figure = !to_figure;
    int code = cli_look_open(look, argv, 1, 0);
    if (code != CLI_OK) return code;
    int classes = look->runs.run[0].model->network.graph.classes;
    if (!asked && !nearest && classes && !q->sample.class_word) q->sample.count = OF_EACH_CLASS * classes;
    elbo_status status = compute(q, &look->err);
    if (status == ELBO_OK) status = write_files(q, to_figure, &look->err);
    json_t *json = NULL;
    if (status == ELBO_OK && look->json) json = as_json(q, to_figure);
    if (status == ELBO_OK && !look->json) say(q, to_figure);
    elbo_density_free(&q->density);
    elbo_sample_free(&q->result);
    return cli_look_close(look, status, json);
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {.look = {.name = "samples"}, .sample = elbo_sample_defaults()};
    q.sample.count = 0; // it depends on --nearest
    cli_option options[] = {
        {"count", 'n', CLI_INT, &q.sample.count, "N",
         "how many; default 64, of a conditional model 8 of each class, with --nearest 20", 1, 1000000},
        {"seed", 's', CLI_U64, &q.sample.seed, "N", "the same seed gives the same images; default 0", 0, 0},
        {"from", 'f', CLI_TEXT, &q.from, "WHERE",
         "prior (default of a VAE), gmm (of an autoencoder) or gaussian; see below", 0, 0},
        {"components", 'k', CLI_INT, &q.components, "K", "components of the mixture; default 10", 1,
         ELBO_MIXTURE_MOST_COMPONENTS},
        {"temperature", 'T', CLI_FLOAT, &q.sample.temperature, "T",
         "multiplies the noise: below 1 more typical, above 1 more varied; default 1", 0, 100},
        {"nearest", 0, CLI_FLAG, &q.sample.nearest, NULL,
         "also the nearest training image of each, to detect memorisation", 0, 0},
        {"draw-pixels", 0, CLI_FLAG, &q.sample.draw_pixels, NULL,
         "draws each pixel from p(x|z), with its noise, in place of the mean", 0, 0},
        {"npy", 0, CLI_OUTPUT, &q.npy, "X.npy", "also the images, (N, C, H, W) float32", 0, 0},
        CLI_CLASS_OPTION(q.sample.class_word, "each in turn"),
        CLI_LOOK_OPTIONS_TO(q.look, "FILE.png|.svg|.npy|FOLDER",
                            "a figure, or the images; default RUN/figures/samples.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (words > 1 && (q.look.output || q.npy))
        return cli_fail_text("sample: of %d runs each gets its own RUN/figures/samples.png; -o and --npy are for one",
                             words),
               CLI_USAGE;
    if (q.from && !elbo_sample_source_named(&q.sample.source, q.from))
        return cli_fail_text("--from %s: expected prior, gaussian or gmm", q.from), CLI_USAGE;
    int code = CLI_OK;
    for (int i = 0; i < words && code == CLI_OK; i++) {
        request one = q;
        code = look_and_sample(&one, argv + i);
    }
    return code;
}

const cli_command cli_sample = {
    .name = "sample",
    .arguments = "RUN [RUN...]",
    .summary = "new images, decoded from codes drawn from the prior or a fitted density",
    .details =
        "--from prior draws standard normal codes, as a VAE is trained for; --from gaussian and --from gmm draw them from a\n"
        "Gaussian, or a mixture of Gaussians with full covariance, fitted on the codes of the training images. It is saved\n"
        "in RUN/codes/ until the model is trained again. An autoencoder has no prior: without --from it takes gmm, and\n"
        "--from prior shows why N(0, I) fails there.\n"
        "Image i depends on the seed and on i alone. Of several runs each gets a figure in its own folder (and --json a line).\n"
        "\n"
        "An image is the mean of p(x|z) for its code. --draw-pixels draws from p(x|z), as its loss says it is: Bernoulli\n"
        "(bce), Gaussian (mse, gaussian), Laplace (l1), logistic ...; what the model calls an image has that noise.\n"
        "\n"
        "With --nearest the numbers under the pairs are distances to the nearest training image, divided by the median\n"
        "of the same distance over reconstructed test images: far below 1, an image is memorised.\n"
        "\n"
        "A conditional model (a layer `concat class`) draws a column for each class, one code in each row; --class draws one.\n"
        "\n"
        "examples:\n"
        "  elbo sample runs/mnist-vae -n 64 --seed 1\n"
        "  elbo sample runs/mnist-cvae --class 3\n"
        "  elbo sample runs/mnist-ae --from gmm --nearest\n"
        "  elbo sample runs/mnist-vae -n 10000 -o samples.npy\n",
    .run = run,
};
