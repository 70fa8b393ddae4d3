/* elbo interpolate: walks from one image to another through the latent space. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "formats/npy.h"
#include "image_files.h"
#include "formats/gif.h"
#include "render/interpolation_figures.h"
#include "words.h"

enum { MOST_PAIRS = 16, STEPS = 10, FRAMES = 60, FRAME_TIME = 5, PAUSE = 60 }; // times in hundredths of a second

typedef struct walk_options {
    cli_look look;
    cli_texts from, to;
    const char *path, *frames, *npy;
    int steps, pairs;
    bool no_pixels;
    elbo_expression end[2 * MOST_PAIRS];
    char *heading[MOST_PAIRS];
} walk_options;

static elbo_status read_end(elbo_expression *e, const char *option, const char *word, elbo_error *err) {
    elbo_error why;
    elbo_status status = elbo_expression_parse_end(e, word, &why);
    return status == ELBO_OK ? ELBO_OK : elbo_fail(err, status, "--%s: %s", option, why.message);
}

/* The ends as they were given, one of each at least. */
static elbo_status read_ends(walk_options *o, elbo_error *err) {
    o->pairs = o->from.count > o->to.count ? o->from.count : o->to.count;
    if (o->from.count != o->to.count && o->from.count && o->to.count)
        return elbo_fail(err, ELBO_BAD_INPUT, "--from is given %d times, --to %d times; each walk has one of both",
                         o->from.count, o->to.count);
    if (o->pairs > MOST_PAIRS)
        return elbo_fail(err, ELBO_BAD_INPUT, "--from: %d walks; at most %d in one figure", o->pairs, MOST_PAIRS);
    for (int p = 0; p < o->pairs; p++) {
        if (o->from.count) ELBO_TRY(read_end(&o->end[2 * p], "from", o->from.text[p], err));
        if (o->to.count) ELBO_TRY(read_end(&o->end[2 * p + 1], "to", o->to.text[p], err));
    }
    if (o->pairs == 0) o->pairs = 1;
    return ELBO_OK;
}

/* How a title names an end: a bare number as the test image that it means (3 may look like a digit), a file without
 * its folders, which would leave no room for the other end. */
static const char *end_title(const char *text, char *out, size_t size) {
    const char *slash = strrchr(text, '/');
    if (*text && !text[strspn(text, "0123456789")])
        snprintf(out, size, "test:%s", text);
    else
        snprintf(out, size, "%s", slash && elbo_file_exists(text) ? slash + 1 : text);
    return out;
}

/* Ends that were not given: from a 3 to an 8, as the tutorials do; between the first images where there are no such. */
static elbo_status default_ends(walk_options *o, const elbo_dataset *d, elbo_error *err) {
    bool classes = d->classes > 8 && d->test.labels;
    for (int p = 0; p < o->pairs; p++) {
        if (!o->from.count) ELBO_TRY(read_end(&o->end[2 * p], "from", classes ? "class:3" : "0", err));
        if (!o->to.count) ELBO_TRY(read_end(&o->end[2 * p + 1], "to", classes ? "class:8" : "1", err));
        char from[121], to[121];
        o->heading[p] = elbo_format("%s to %s", end_title(o->end[2 * p].text, from, sizeof from),
                                    end_title(o->end[2 * p + 1].text, to, sizeof to));
        if (!o->heading[p]) return elbo_no_memory(err);
    }
    return ELBO_OK;
}

/* There and back again, with a rest at both ends. */
static elbo_status write_gif(const char *path, const uint8_t *frames, int steps, int width, int height, int channels,
                             elbo_error *err) {
    int count = 2 * steps - 2;
    const uint8_t **shown = elbo_alloc((size_t)count, sizeof *shown);
    int *hundredths = elbo_alloc((size_t)count, sizeof *hundredths);
    elbo_status status = shown && hundredths ? ELBO_OK : elbo_no_memory(err);
    for (int i = 0; status == ELBO_OK && i < count; i++) {
        int step = i < steps ? i : count - i;
        shown[i] = frames + (size_t)step * (size_t)width * (size_t)height * (size_t)channels;
        hundredths[i] = step == 0 || step == steps - 1 ? PAUSE : FRAME_TIME;
    }
    if (status == ELBO_OK) status = elbo_gif_write(path, shown, hundredths, count, width, height, channels, err);
    free(shown);
    free(hundredths);
    return status;
}

static elbo_status write_frames(const char *folder, const uint8_t *frames, int steps, int width, int height,
                                int channels, elbo_error *err) {
    char *next = elbo_format("%s/%05d.png", folder, steps);
    if (!next) return elbo_no_memory(err);
    elbo_status status = elbo_file_exists(next) ? elbo_fail(err, ELBO_BAD_INPUT,
                                                            "%s: is of an earlier, longer walk; remove it, or name "
                                                            "another folder",
                                                            next)
                                                : ELBO_OK;
    free(next);
    if (status == ELBO_OK) status = elbo_make_folder(folder, err);
    for (int i = 0; status == ELBO_OK && i < steps; i++) {
        char *path = elbo_format("%s/%05d.png", folder, i);
        status = path ? elbo_png_write(path, frames + (size_t)i * (size_t)width * (size_t)height * (size_t)channels,
                                       width, height, channels, err)
                      : elbo_no_memory(err);
        free(path);
    }
    return status;
}

static elbo_status write_moving(walk_options *o, const elbo_interpolations *w, const char *gif) {
    const elbo_run *runs = o->look.runs.run;
    elbo_error *err = &o->look.err;
    int width, height, channels = runs[0].model->network.graph.image.channels;
    uint8_t *frames;
    ELBO_TRY(elbo_interpolations_frames(w, runs, o->look.runs.count, &frames, &width, &height, err));
    elbo_status status = gif ? write_gif(gif, frames, w->steps, width, height, channels, err) : ELBO_OK;
    if (status == ELBO_OK && o->frames)
        status = write_frames(o->frames, frames, w->steps, width, height, channels, err);
    free(frames);
    return status;
}

/* (runs, steps, C, H, W), and the pairs in front where there are several. */
static elbo_status write_npy(const walk_options *o, const elbo_interpolations *w, elbo_error *err) {
    elbo_image_shape s = o->look.runs.run[0].model->network.graph.image;
    size_t shape[] = {(size_t)w->pairs,   (size_t)o->look.runs.count, (size_t)w->steps,
                      (size_t)s.channels, (size_t)s.height,           (size_t)s.width};
    bool one = w->pairs == 1;
    return elbo_npy_write_f32(o->npy, w->images, 6 - one, shape + one, err);
}

static elbo_status make(walk_options *o, const char *gif, json_t **json) {
    cli_look *look = &o->look;
    cli_runs *r = &look->runs;
    ELBO_TRY(default_ends(o, &r->data, &look->err));
    elbo_interpolations w = {.end = o->end,
                             .heading = (const char *const *)o->heading,
                             .pairs = o->pairs,
                             .steps = o->steps,
                             .path = o->path[0] == 's' ? ELBO_SLERP : ELBO_LINEAR,
                             .pixels = !o->no_pixels,
                             .words = cli_operands(r)};
    char title[300], from[121], to[121];
    snprintf(title, sizeof title, o->pairs > 1 ? "Walks through the latent space" : "From %s to %s",
             end_title(o->end[0].text, from, sizeof from), end_title(o->end[1].text, to, sizeof to));
    look->figure.title = title;
    elbo_status status = elbo_interpolations_make(&w, r->run, r->count, &look->err);
    if (status == ELBO_OK && !look->no_figure)
        status = elbo_figure_walks(look->figure, &w, r->run, r->count, &look->err);
    if (status == ELBO_OK && (gif || o->frames)) status = write_moving(o, &w, gif);
    if (status == ELBO_OK && o->npy) status = write_npy(o, &w, &look->err);
    if (status == ELBO_OK && look->json) {
        *json = json_pack("{s:s, s:s, s:i, s:s}", "from", o->end[0].text, "to", o->end[1].text, "steps", o->steps,
                          "path", o->path);
        json_t *pairs = json_array();
        for (int p = 0; p < o->pairs; p++)
            json_array_append_new(pairs, json_pack("[s, s]", o->end[2 * p].text, o->end[2 * p + 1].text));
        json_object_set_new(*json, "walks", pairs);
        if (gif) json_object_set_new(*json, "animation", json_string(gif));
        if (o->frames) json_object_set_new(*json, "frames", json_string(o->frames));
    } else if (status == ELBO_OK) {
        if (gif) printf("%s\n", gif);
        if (o->frames) printf("%s: %d frames\n", o->frames, o->steps);
    }
    elbo_interpolations_free(&w);
    return status;
}

static int look_and_make(walk_options *o, char **argv, int words) {
    cli_look *look = &o->look;
    bool animation = look->output && cli_ends_with(look->output, ".gif");
    look->no_figure = animation || (o->frames && !look->output);
    if (!o->steps) o->steps = look->no_figure ? FRAMES : STEPS;
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
    walk_options o = {.look = {.name = "interpolation"}, .path = "linear"};
    cli_option options[] = {
        {"from", 'a', CLI_TEXTS, &o.from, "A",
         "17, test:17, train:5, class:3, 'mean(class:3)', an image file or an expression", 0, 0},
        {"to", 'b', CLI_TEXTS, &o.to, "B",
         "the other end; default class:3 to class:8, or 0 to 1; several pairs: give both again", 0, 0},
        {"path", 'p', CLI_TEXT, &o.path, "PATH", "linear (default), or slerp: along the great circle", 0, 0},
        {"steps", 'n', CLI_INT, &o.steps, "N", "images of a walk, both ends among them; default 10, of an animation 60",
         2, 1000},
        {"frames", 0, CLI_TEXT, &o.frames, "FOLDER", "each step as a picture of its own, FOLDER/00000.png ...", 0, 0},
        {"no-pixels", 0, CLI_FLAG, &o.no_pixels, NULL, "leaves out the row that fades one image into the other", 0, 0},
        {"npy", 0, CLI_TEXT, &o.npy, "X.npy",
         "also the images, (runs, steps, C, H, W) float32; of several walks (walks, runs, ...)", 0, 0},
        CLI_LOOK_OPTIONS(o.look, "or FILE.gif, an animation; default RUN/figures/interpolation.png of the first run"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, CLI_MOST_RUNS);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (strcmp(o.path, "linear") && strcmp(o.path, "slerp"))
        return cli_fail_text("--path %s: it is linear or slerp", o.path), CLI_USAGE;
    int code = look_and_make(&o, argv, words);
    for (int i = 0; i < 2 * MOST_PAIRS; i++) elbo_expression_free(&o.end[i]);
    for (int p = 0; p < MOST_PAIRS; p++) free(o.heading[p]);
    return code;
}

const cli_command cli_interpolate = {
    .name = "interpolate",
    .arguments = "RUN [RUN...]",
    .summary = "walks from one image to another, through the latent space",
    .details =
        "A walk has a row for each run, and one that fades the two images into each other pixel by pixel, for contrast. A\n"
        "number is a test image; class:3 is the test image whose code lies nearest to its class's mean code, mean(class:3)\n"
        "that mean itself; an end may be any expression of `elbo arithmetic`. -o FILE.gif moves there and back.\n"
        "\n"
        "examples:\n"
        "  elbo interpolate runs/mnist-ae runs/mnist-vae --from class:3 --to class:8\n"
        "  elbo interpolate runs/mnist-vae --from 17 --to my-digit.png --from 'mean(class:4)' --to 'mean(class:9)'\n"
        "  elbo interpolate runs/mnist-vae --path slerp -o walk.gif\n",
    .run = run,
};
