/* elbo interpolate: from one image to another through the latent space. */
#include <stdio.h>
#include <string.h>

#include "explore/interpolate.h"
#include "explore/pick.h"
#include "explore/image_files.h"
#include "formats/npy.h"
#include "render/image_figures.h"
#include "words.h"

enum { MOST_PAIRS = 16, FRAMES = 60 };

typedef struct request {
    cli_look look;
    cli_texts from, to;
    const char *path, *frames, *npy, *class_word;
    int steps, pairs;
    bool no_pixels;
    elbo_expression end[2 * MOST_PAIRS];
} request;

static elbo_status read_end(elbo_expression *e, const char *option, const char *word, elbo_error *err) {
    elbo_error why;
    elbo_status status = elbo_expression_parse_end(e, word, &why);
    return status == ELBO_OK ? ELBO_OK : elbo_fail(err, status, "--%s: %s", option, why.message);
}

/* The ends as they were given, one of each at least. */
static elbo_status read_ends(request *o, elbo_error *err) {
    o->pairs = o->from.count > o->to.count ? o->from.count : o->to.count;
    if (o->from.count != o->to.count && o->from.count && o->to.count)
        return elbo_fail(err, ELBO_BAD_INPUT, "--from is given %d times, --to %d times; they come in pairs",
                         o->from.count, o->to.count);
    if (o->pairs > MOST_PAIRS)
        return elbo_fail(err, ELBO_BAD_INPUT, "--from: %d interpolations; at most %d in one figure", o->pairs,
                         MOST_PAIRS);
    for (int p = 0; p < o->pairs; p++) {
        if (o->from.count) ELBO_TRY(read_end(&o->end[2 * p], "from", o->from.text[p], err));
        if (o->to.count) ELBO_TRY(read_end(&o->end[2 * p + 1], "to", o->to.text[p], err));
    }
    if (o->pairs == 0) o->pairs = 1;
    return ELBO_OK;
}

/* Ends that were not given: from a 3 to an 8, as the tutorials do; between the first images where there are no such. */
static elbo_status default_ends(request *o, const elbo_dataset *d, elbo_error *err) {
    const char *first, *last;
    elbo_pick_ends(d, &first, &last);
    for (int p = 0; p < o->pairs; p++) {
        if (!o->from.count) ELBO_TRY(read_end(&o->end[2 * p], "from", first, err));
        if (!o->to.count) ELBO_TRY(read_end(&o->end[2 * p + 1], "to", last, err));
    }
    return ELBO_OK;
}

/* (runs, steps, C, H, W), and the pairs in front where there are several. */
static elbo_status write_npy(const elbo_interpolate_result *r, const char *path, elbo_error *err) {
    elbo_image_shape s = r->format.shape;
    size_t shape[] = {(size_t)r->pairs,   (size_t)r->runs,  (size_t)r->steps,
                      (size_t)s.channels, (size_t)s.height, (size_t)s.width};
    bool one = r->pairs == 1;
    return elbo_npy_write_f32(path, r->images, 6 - one, shape + one, err);
}

static elbo_status write_files(const request *o, const elbo_interpolate_result *r, const char *gif, elbo_error *err) {
    if (!o->look.no_figure) ELBO_TRY(elbo_figure_interpolate(o->look.figure, r, err));
    if (gif) ELBO_TRY(elbo_interpolate_write_gif(r, gif, err));
    if (o->frames) ELBO_TRY(elbo_interpolate_write_frames(r, o->frames, err));
    return o->npy ? write_npy(r, o->npy, err) : ELBO_OK;
}

static json_t *as_json(const request *o, const elbo_interpolate_result *r, const char *gif) {
    json_t *json = elbo_interpolate_json(r);
    if (gif) json_object_set_new(json, "animation", json_string(gif));
    if (o->frames) json_object_set_new(json, "frames", json_string(o->frames));
    return json;
}

static elbo_status make(request *o, const char *gif, json_t **json) {
    cli_look *look = &o->look;
    cli_runs *r = &look->runs;
    ELBO_TRY(default_ends(o, &r->data, &look->err));
    ELBO_TRY(cli_take_classes(o->end, 2 * o->pairs, &r->data, look->json, &look->err));
    elbo_interpolate_options options = {.end = o->end,
                                        .pairs = o->pairs,
                                        .steps = o->steps,
                                        .path = o->path[0] == 's' ? ELBO_SLERP : ELBO_LINEAR,
                                        .class_word = o->class_word,
                                        .pixels = !o->no_pixels,
                                        .read_image = elbo_image_file_one};
    elbo_interpolate_result result = {0};
    elbo_status status = elbo_interpolate(&result, r->run, r->count, &r->data, &options, &look->err);
    if (status == ELBO_OK) status = write_files(o, &result, gif, &look->err);
    if (status == ELBO_OK && look->json) *json = as_json(o, &result, gif);
    if (status == ELBO_OK && !look->json) {
        if (gif) printf("%s\n", gif);
        if (o->frames) printf("%s: %d frames\n", o->frames, result.steps);
    }
    elbo_interpolate_free(&result);
    return status;
}

/* `interpolate RUN 3 8`: two words behind the runs that can only be ends. Returns how many words name runs; 0: usage. */
static int take_ends(request *o, char **argv, int words) {
    bool last = words > 1 && cli_is_end(argv[words - 1]), both = last && words > 2 && cli_is_end(argv[words - 2]);
    if (!last) return words;
    if (!both || o->from.count || o->to.count) {
        cli_fail_text(
            "interpolate: `%s` is one end; expected both, as in `elbo interpolate %s 3 8`, or by --from A --to B",
            argv[words - 1], argv[0]);
        return 0;
    }
    o->from = (cli_texts){{argv[words - 2]}, 1};
    o->to = (cli_texts){{argv[words - 1]}, 1};
    return words - 2;
}

static int look_and_make(request *o, char **argv, int words) {
    cli_look *look = &o->look;
    bool animation = look->output && cli_ends_with(look->output, ".gif");
    look->no_figure = animation || (o->frames && !look->output);
    if (!o->steps) o->steps = look->no_figure ? FRAMES : ELBO_INTERPOLATE_STEPS;
    if (read_ends(o, &look->err) != ELBO_OK) return cli_fail(&look->err);
    int splits = o->from.count && o->to.count ? 0 : ELBO_TEST_SPLIT;
    for (int i = 0; i < 2 * o->pairs; i++) splits |= elbo_operands_splits(&o->end[i]);
    int code = cli_look_open(look, argv, words, splits);
    if (code != CLI_OK) return code;
    json_t *json = NULL;
    elbo_status status = make(o, animation ? look->output : NULL, &json);
    return cli_look_close(look, status, json);
}

static int run(const cli_command *self, int argc, char **argv) {
    request o = {.look = {.name = "interpolation"}, .path = "linear"};
    cli_option options[] = {
        {"from", 'a', CLI_TEXTS, &o.from, "A",
         "3, class:3, 17, test:17, train:5, 'mean(class:3)', an image file or an expression", 0, 0},
        {"to", 'b', CLI_TEXTS, &o.to, "B",
         "the other end; default class:3 to class:8, or 0 to 1; repeat both for several pairs", 0, 0},
        {"path", 'p', CLI_TEXT, &o.path, "PATH", "linear (default), or slerp (spherical)", 0, 0},
        {"steps", 'n', CLI_INT, &o.steps, "N",
         "images of an interpolation, both ends among them; default 10, of an animation 60", 2, 1000},
        {"frames", 0, CLI_OUTPUT, &o.frames, "FOLDER", "each step as an image of its own, FOLDER/00000.png ...", 0, 0},
        {"no-pixels", 0, CLI_FLAG, &o.no_pixels, NULL, "leaves out the row of pixel-wise interpolation", 0, 0},
        {"npy", 0, CLI_OUTPUT, &o.npy, "X.npy",
         "also the images, (runs, steps, C, H, W) float32; of several pairs (pairs, runs, ...)", 0, 0},
        CLI_CLASS_OPTION(o.class_word, "from one end's to the other's"),
        CLI_LOOK_OPTIONS_TO(o.look, "FILE.png|.svg|.gif",
                            "a figure, or an animation; default RUN/figures/interpolation.png of the first run"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS + 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    words = take_ends(&o, argv, words);
    if (words == 0) return CLI_USAGE;
    if (words > CLI_MOST_RUNS)
        return cli_fail_text("interpolate: at most %d runs in one figure", CLI_MOST_RUNS), CLI_USAGE;
    if (strcmp(o.path, "linear") && strcmp(o.path, "slerp"))
        return cli_fail_text("--path %s: expected linear or slerp", o.path), CLI_USAGE;
    int code = look_and_make(&o, argv, words);
    for (int i = 0; i < 2 * MOST_PAIRS; i++) elbo_expression_free(&o.end[i]);
    return code;
}

const cli_command cli_interpolate = {
    .name = "interpolate",
    .arguments = "RUN [RUN...] [A B]",
    .summary = "interpolates from one image to another through the latent space",
    .details =
        "Each pair of ends gets a row for each run, and a row of pixel-wise interpolation for comparison.\n"
        "class:3 is the test image whose code lies nearest to its class's mean code, mean(class:3) that mean itself. A bare\n"
        "number is the class of that name where the data have one (of digits 3 is a 3, test:3 the test image), else a test\n"
        "image: 17. An end may be any expression of `elbo arithmetic`. -o FILE.gif goes there and back.\n"
        "\n"
        "examples:\n"
        "  elbo interpolate runs/mnist-vae 3 8                                     from a 3 to an 8\n"
        "  elbo interpolate runs/mnist-ae runs/mnist-vae --from class:3 --to class:8\n"
        "  elbo interpolate runs/mnist-vae --from 17 --to my-digit.png --from 'mean(class:4)' --to 'mean(class:9)'\n"
        "  elbo interpolate runs/mnist-vae --path slerp -o interpolation.gif\n",
    .run = run,
};
