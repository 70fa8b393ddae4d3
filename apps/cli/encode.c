/* elbo encode: images to codes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli.h"
#include "data/table.h"
#include "explore/image_files.h"
#include "formats/matrix.h"
#include "labels.h"

/* Images from a file, or a split of the run's data set by its word. */
static elbo_status open_images(const char *word, const char *data, elbo_model *m, int threads, elbo_images *own,
                               elbo_dataset *set, const elbo_images **images, elbo_error *err) {
    bool test = !strcmp(word, "test"), train = !strcmp(word, "train");
    if (test || train) {
        ELBO_TRY(cli_open_model_data(set, m, data, test ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT, threads, err));
        *images = test ? &set->test : &set->train;
        return ELBO_OK;
    }
    elbo_model_info info = elbo_model_get_info(m);
    *images = own;
    if (elbo_shape_is_row(m->network.graph.image)) return cli_read_table(own, m, word, threads, err);
    ELBO_TRY(elbo_image_files_read(own, &info, word, err));
    elbo_model_see(m, own);
    return ELBO_OK;
}

/* A split has labels of its own. */
static elbo_status set_labels(elbo_model *m, const elbo_images *images, const elbo_images *own,
                              const cli_labels *labels, elbo_error *err) {
    if (images != own && (labels->class_word || labels->file))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: the images of a split have labels of their own",
                         labels->file ? "--labels" : "--class");
    return cli_set_labels(m, labels, images->count, images == own && m->network.graph.encoder_reads_label, err);
}

static elbo_status encode(elbo_model *m, const elbo_images *images, const char *output, const char *logvar_output,
                          elbo_error *err) {
    size_t Z = (size_t)m->network.graph.latent, n = images->count;
    if (logvar_output && m->recipe.kind != ELBO_VAE)
        return elbo_fail(err, ELBO_BAD_INPUT, "--logvar: %s is an autoencoder; only a VAE's code has a variance",
                         m->run);
    float *mu = elbo_alloc(n * Z, sizeof *mu), *logvar = logvar_output ? elbo_alloc(n * Z, sizeof *mu) : NULL;
    elbo_status status = mu && (logvar || !logvar_output) ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_encode_images(m, images, NULL, images->count, mu, logvar, err);
    if (status == ELBO_OK) status = elbo_matrix_write(output, mu, n, (int)Z, err);
    if (status == ELBO_OK && logvar) status = elbo_matrix_write(logvar_output, logvar, n, (int)Z, err);
    free(mu);
    free(logvar);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *output = NULL, *logvar = NULL, *data = NULL;
    elbo_model_options o = {.size = sizeof o};
    bool json = false;
    cli_labels labels = {0};
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &output, "Z.npy|.csv", "where the codes go, (N, latent) float32; required", 0, 0},
        {"logvar", 0, CLI_OUTPUT, &logvar, "V.npy|.csv", "also the logarithm of each code's variance (VAE)", 0, 0},
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set that `test` and `train` mean", 0, 0},
        CLI_LABELS_OPTIONS(labels),
        CLI_DEVICE_OPTION(o.device),
        {"threads", 't', CLI_INT, &o.threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 2, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (!output) {
        cli_fail_text("encode: expected an output: add -o Z.npy");
        return CLI_USAGE;
    }
    elbo_error err;
    elbo_model *m;
    if (elbo_model_open_with(&m, argv[0], &o, &err) != ELBO_OK) return cli_fail(&err);
    elbo_images own = {0};
    elbo_dataset set = {0};
    const elbo_images *images = NULL;
    elbo_status status = open_images(argv[1], data, m, o.threads, &own, &set, &images, &err);
    if (status == ELBO_OK) status = set_labels(m, images, &own, &labels, &err);
    if (status == ELBO_OK) status = encode(m, images, output, logvar, &err);
    uint32_t n = status == ELBO_OK ? images->count : 0;
    int Z = m->network.graph.latent;
    json_t *result =
        json ? json_pack("{s:s, s:s, s:I, s:i}", "run", argv[0], "codes", output, "images", (json_int_t)n, "latent", Z)
             : NULL;
    int code = cli_end(status, &err, json, result, "%s: %u codes of %d\n", output, n, Z);
    elbo_images_free(&own);
    elbo_dataset_close(&set);
    elbo_model_close(m);
    return code;
}

const cli_command cli_encode = {
    .name = "encode",
    .arguments = "RUN IN",
    .summary = "images to codes: a .npy, IDX or image file, a folder of these, or a split",
    .details =
        "IN is a .npy of images ((N,C,H,W), (N,H,W,C), (N,H,W) or (N,D); uint8, or float32 or float64 in the recipe's\n"
        "range), an IDX file (.gz too), an image file (scaled and cut to the model's size), a folder of these, or the word\n"
        "test or train for that split of the run's data. A VAE gives its mean code mu. The same image gives the same\n"
        "bits, alone or among others.\n"
        "\n"
        "example:\n"
        "  elbo encode runs/mnist-vae test -o codes.npy\n",
    .run = run,
};
