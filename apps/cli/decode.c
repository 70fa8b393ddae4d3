/* elbo decode: codes to images. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli.h"
#include "explore/image_files.h"
#include "labels.h"

static elbo_status decode(elbo_model *m, const char *input, const char *output, const cli_labels *labels, size_t *n,
                          elbo_error *err) {
    elbo_model_info info = elbo_model_get_info(m);
    float *z;
    ELBO_TRY(elbo_rows_file_read(&z, n, (size_t)info.latent, "codes", input, err));
    float *images = elbo_alloc(*n * elbo_image_size(m->network.graph.image), sizeof *images);
    elbo_status status =
        images ? cli_set_labels(m, labels, *n, m->network.graph.decoder_reads_label, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_model_decode_checked(m, *n, z, images, err);
    if (status == ELBO_OK) status = elbo_image_files_write(output, &info, images, *n, err);
    free(images);
    free(z);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *output = NULL;
    elbo_model_options o = {.size = sizeof o};
    bool json = false;
    cli_labels labels = {0};
    cli_option options[] = {
        {"output", 'o', CLI_OUTPUT, &output, "X.npy|.png|FOLDER",
         "a .png holds a grid, a folder one .png each; required", 0, 0},
        CLI_LABELS_OPTIONS(labels),
        CLI_DEVICE_OPTION(o.device),
        {"threads", 't', CLI_INT, &o.threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 2, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (!output) {
        cli_fail_text("decode: expected an output: add -o X.npy, -o X.png or -o FOLDER");
        return CLI_USAGE;
    }
    elbo_error err;
    elbo_model *m;
    size_t n = 0;
    if (elbo_model_open_with(&m, argv[0], &o, &err) != ELBO_OK) return cli_fail(&err);
    elbo_status status = decode(m, argv[1], output, &labels, &n, &err);
    json_t *result =
        json ? json_pack("{s:s, s:s, s:I}", "run", argv[0], "images", output, "count", (json_int_t)n) : NULL;
    int code = cli_end(status, &err, json, result, "%s: %zu image%s\n", output, n, n == 1 ? "" : "s");
    elbo_model_close(m);
    return code;
}

const cli_command cli_decode = {
    .name = "decode",
    .arguments = "RUN Z.npy",
    .summary = "codes to images: a .npy, a .png or a folder",
    .details =
        "Z.npy (or .csv) holds codes, (N, latent) float32. A .npy gets (N, C, H, W) float32 in the recipe's range.\n"
        "\n"
        "examples:\n"
        "  elbo encode runs/mnist-vae digit.png -o z.npy\n"
        "  elbo decode runs/mnist-vae z.npy -o again.png\n"
        "  elbo decode runs/mnist-cvae z.npy --class 8 -o eights.png\n",
    .run = run,
};
