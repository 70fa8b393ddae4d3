/* elbo denoise: what a model makes of noisy images. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/denoise.h"
#include "explore/image_files.h"
#include "explore/pick.h"
#include "formats/npy.h"
#include "job.h"
#include "labels.h"
#include "render/image_figures.h"
#include "runs.h"

enum { MOST = 40 };

typedef struct request {
    cli_look look;
    cli_labels labels;
    const char *list, *npy;
    int count;
} request;

/* ---- images that are noisy as they come ---- */

static elbo_status denoise_file(request *q, const char *input, size_t *n, elbo_error *err) {
    elbo_model *m = q->look.runs.run[0].model;
    const elbo_graph *g = &m->network.graph;
    elbo_model_info info = elbo_model_get_info(m);
    elbo_images images;
    ELBO_TRY(elbo_image_files_read(&images, &info, input, err));
    elbo_model_see(m, &images);
    *n = images.count;
    bool told = g->encoder_reads_label || g->decoder_reads_label;
    float *out = elbo_alloc(*n * elbo_image_size(g->image), sizeof *out);
    elbo_status status = out ? cli_set_labels(m, &q->labels, *n, told, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_denoise_images(m, &images, out, err);
    if (status == ELBO_OK) status = elbo_image_files_write(q->look.output, &info, out, *n, err);
    elbo_images_free(&images);
    free(out);
    return status;
}

static int run_file(request *q, char **argv) {
    cli_look *look = &q->look;
    if (!look->output) {
        cli_fail_text("denoise: expected an output: add -o X.npy, -o X.png or -o FOLDER");
        return CLI_USAGE;
    }
    if (q->list || q->count || q->npy)
        return cli_fail_text("%s: is for test images, which are corrupted here; %s is denoised as it is",
                             q->list  ? "--images"
                             : q->npy ? "--npy"
                                      : "--count",
                             argv[1]),
               CLI_USAGE;
    look->no_figure = true;
    int code = cli_look_open(look, argv, 1, 0);
    if (code != CLI_OK) return code;
    size_t n = 0;
    elbo_status status = denoise_file(q, argv[1], &n, &look->err);
    json_t *json = status == ELBO_OK && look->json
                       ? json_pack("{s:s, s:s, s:I}", "run", argv[0], "images", look->output, "count", (json_int_t)n)
                       : NULL;
    if (status == ELBO_OK && !look->json) printf("%s: %zu image%s\n", look->output, n, n == 1 ? "" : "s");
    return cli_look_close(look, status, json);
}

/* ---- test images, corrupted here ---- */

static elbo_status write_npy(const elbo_denoise_result *r, const char *path, elbo_error *err) {
    elbo_image_shape s = r->format.shape;
    size_t shape[] = {3, (size_t)r->count, (size_t)s.channels, (size_t)s.height, (size_t)s.width};
    return elbo_npy_write_f32(path, r->images, 5, shape, err);
}

static elbo_status denoise_test(request *q, elbo_denoise_result *r, elbo_error *err) {
    cli_look *look = &q->look;
    elbo_model *m = look->runs.run[0].model;
    const elbo_dataset *d = &look->runs.data;
    uint32_t index[MOST];
    elbo_picked picked = {.index = index, .most = MOST};
    elbo_denoise_options o = {.count = q->count};
    if (q->list) {
        ELBO_TRY(elbo_pick_list(&picked, m, d, q->list, "--images", err));
        if (picked.images != &d->test)
            return elbo_fail(err, ELBO_BAD_INPUT, "--images %s: test images are corrupted, not training images",
                             q->list);
        o = (elbo_denoise_options){.count = picked.n, .index = index};
    }
    elbo_job work = cli_work(look->threads);
    elbo_status status = elbo_denoise(r, m, d, &o, &work, err);
    cli_work_end();
    cli_release_interrupts();
    if (status == ELBO_OK) status = elbo_figure_denoise(look->figure, r, err);
    return status == ELBO_OK && q->npy ? write_npy(r, q->npy, err) : status;
}

static int run_test(request *q, char **argv) {
    cli_look *look = &q->look;
    if (q->labels.class_word || q->labels.file)
        return cli_fail_text("%s: test images have labels of their own", q->labels.file ? "--labels" : "--class"),
               CLI_USAGE;
    int code = cli_look_open(look, argv, 1, ELBO_TEST_SPLIT);
    if (code != CLI_OK) return code;
    elbo_denoise_result r = {0};
    elbo_status status = denoise_test(q, &r, &look->err);
    if (status == ELBO_OK && !look->json)
        printf("PSNR %.2f dB corrupted (%s), %.2f dB denoised, means over %u test images\n", r.psnr_before,
               r.corruption, r.psnr_after, r.measured);
    json_t *json = status == ELBO_OK && look->json ? elbo_denoise_json(&r) : NULL;
    elbo_denoise_free(&r);
    return cli_look_close(look, status, json);
}

static int run(const cli_command *self, int argc, char **argv) {
    request q = {.look = {.name = "denoised"}};
    cli_option options[] = {
        {"count", 'n', CLI_INT, &q.count, "N", "how many test images are shown; default 10, one of each class", 1,
         MOST},
        {"images", 'i', CLI_TEXT, &q.list, "LIST", "which test images are shown: 3,17,class:8", 0, 0},
        {"npy", 0, CLI_TEXT, &q.npy, "X.npy", "also those, (3, N, C, H, W) float32: corrupted, denoised, original", 0,
         0},
        CLI_LABELS_OPTIONS(q.labels),
        CLI_LOOK_OPTIONS_TO(q.look, "FILE.png|.svg|.npy|FOLDER",
                            "of IN the images; else a figure, default RUN/figures/denoised.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    return words == 2 ? run_file(&q, argv) : run_test(&q, argv);
}

const cli_command cli_denoise = {
    .name = "denoise",
    .arguments = "RUN [IN]",
    .summary = "noisy images denoised; or test images corrupted, denoised and compared",
    .details =
        "IN is what `elbo encode` takes: images that are noisy as they come, encoded to their mean code and decoded.\n"
        "\n"
        "Without IN the test images are corrupted as the run's recipe says (`corrupt: [noise 0.3, mask 0.25]`), each in the\n"
        "same way each time. The figure shows some of them corrupted, denoised and as they were, with the peak signal-to-noise\n"
        "ratio (PSNR) before and after; the means are over all test images.\n"
        "\n"
        "examples:\n"
        "  elbo denoise runs/mnist-denoising-ae\n"
        "  elbo denoise runs/mnist-denoising-ae scans/ -o clean/\n",
    .run = run,
};
