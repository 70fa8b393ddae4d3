/* elbo data: list, fetch, info, preview. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/download/fetch.h"
#include "data_preview.h"
#include "recipe_for.h"
#include "runs.h"

typedef struct data_options {
    const char *path, *mirror, *output, *recipe;
    int count;
    bool json;
} data_options;

/* ---- list ---- */

static int list(const data_options *o) {
    json_t *all = json_array();
    for (const elbo_dataset_info *d = elbo_known_datasets; d->name; d++) {
        const char *where = d->make ? "built in" : elbo_dataset_present(d->name) ? "present" : "missing";
        char train[32], test[32];
        if (o->json)
            json_array_append_new(all, json_pack("{s:s, s:s, s:[i,i,i], s:I, s:I, s:b}", "name", d->name, "about",
                                                 d->about, "shape", d->shape.channels, d->shape.height, d->shape.width,
                                                 "train", (json_int_t)d->train_count, "test", (json_int_t)d->test_count,
                                                 "present", d->make || elbo_dataset_present(d->name)));
        else
            printf("%-15s %-9s %dx%dx%d, %s + %s  %s\n", d->name, where, d->shape.channels, d->shape.height,
                   d->shape.width, elbo_thousands(d->train_count, train), elbo_thousands(d->test_count, test),
                   d->about);
    }
    if (o->json)
        cli_print_json(all);
    else
        json_decref(all);
    return CLI_OK;
}

/* ---- fetch ---- */

static bool show_fetch(void *context, const elbo_fetch_state *s) {
    bool *terminal = context;
    if (*terminal && s->mirror) {
        char line[200], total[32] = "";
        if (s->total) snprintf(total, sizeof total, " of %.1f", 1e-6 * (double)s->total);
        snprintf(line, sizeof line, "%s (%d of %d)  %.1f%s MB", s->file, s->index + 1, s->count, 1e-6 * (double)s->done,
                 total);
        cli_draw_line(line);
    }
    return !cli_interrupted();
}

static int fetch(const char *name, const data_options *o) {
    elbo_error err;
    bool terminal = isatty(STDERR_FILENO);
    name = elbo_fetch_known_name(name);
    cli_catch_interrupts();
    elbo_status status = elbo_fetch(name, o->mirror, show_fetch, &terminal, &err);
    if (terminal) cli_draw_line("");
    if (status != ELBO_OK) return cli_fail(&err);
    char *folder = elbo_dataset_cache_folder(name);
    if (o->json)
        cli_print_json(json_pack("{s:s, s:s}", "name", name, "folder", folder ? folder : ""));
    else
        printf("%s: in %s, checksums verified\n", name, folder ? folder : "");
    free(folder);
    return CLI_OK;
}

/* ---- info ---- */

/* How many values of a factor the images have. */
static int values_of(const elbo_dataset *d, int factor) {
    bool seen[256] = {false};
    int values = 0;
    const elbo_images *splits[] = {&d->train, &d->test};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; splits[s]->factors && i < splits[s]->count; i++)
            seen[splits[s]->factors[i * (size_t)splits[s]->factor_count + (size_t)factor]] = true;
    for (int v = 0; v < 256; v++) values += seen[v];
    return values;
}

static json_t *factors_json(const elbo_dataset *d) {
    json_t *all = json_array();
    for (int k = 0; k < d->train.factor_count; k++)
        json_array_append_new(all, json_pack("{s:s, s:i, s:b}", "name", d->factor[k].name, "values", values_of(d, k),
                                             "ordered", d->factor[k].ordered));
    return all;
}

static void print_factors(const elbo_dataset *d) {
    printf("  factors:");
    for (int k = 0; k < d->train.factor_count; k++)
        printf("%s %s (%d values)", k ? "," : "", d->factor[k].name, values_of(d, k));
    putchar('\n');
}

static json_t *split_json(const elbo_images *images, const elbo_dataset *d) {
    json_t *o = json_pack("{s:I}", "images", (json_int_t)images->count);
    if (!images->labels) return o;
    uint32_t count[ELBO_MAX_CLASSES] = {0};
    for (uint32_t i = 0; i < images->count; i++) count[images->labels[i]]++;
    json_t *classes = json_object();
    for (int c = 0; c < d->classes; c++) json_object_set_new(classes, d->class_names[c], json_integer(count[c]));
    json_object_set_new(o, "classes", classes);
    return o;
}

/* Blanks that bring a name to `width` letters; a letter may be several bytes. */
static int padding(const char *name, int width) {
    for (; *name; name++) width -= ((unsigned char)*name & 0xC0) != 0x80;
    return width > 0 ? width : 0;
}

static int info(const elbo_dataset *d, const data_options *o) {
    elbo_image_shape s = d->train.count ? d->train.shape : d->test.shape;
    if (o->json) {
        json_t *all =
            json_pack("{s:s, s:s, s:[i,i,i], s:o, s:o}", "name", d->name, "source", d->source, "shape", s.channels,
                      s.height, s.width, "train", split_json(&d->train, d), "test", split_json(&d->test, d));
        json_t *notes = d->largest[0] > 0 ? json_array() : NULL; // a folder of photographs
        for (int i = 0; notes && i < d->notes; i++) json_array_append_new(notes, json_string(d->note[i]));
        if (notes)
            json_object_update_new(all,
                                   json_pack("{s:i, s:i, s:[i,i], s:[i,i], s:o}", "skipped", (int)d->skipped,
                                             "duplicates", (int)d->duplicates, "smallest", d->smallest[0],
                                             d->smallest[1], "largest", d->largest[0], d->largest[1], "notes", notes));
        if (d->factor) json_object_set_new(all, "factors", factors_json(d));
        cli_print_json(all);
        return CLI_OK;
    }
    char train[32], test[32];
    printf("%s (%s)\n  %s training and %s test images of %dx%dx%d (channels, height, width)\n", d->name, d->source,
           elbo_thousands(d->train.count, train), elbo_thousands(d->test.count, test), s.channels, s.height, s.width);
    if (d->largest[0] > 0) // 0: they were of this shape already
        printf("  files of %dx%d to %dx%d pixels (width, height)\n", d->smallest[1], d->smallest[0], d->largest[1],
               d->largest[0]);
    if (d->factor) print_factors(d);
    if (!d->prepared_now) cli_say_notes(d); // else they were just told
    if (!d->train.labels) {
        puts("  no labels");
        return CLI_OK;
    }
    uint32_t count[2][ELBO_MAX_CLASSES] = {{0}};
    for (uint32_t i = 0; i < d->train.count; i++) count[0][d->train.labels[i]]++;
    for (uint32_t i = 0; d->test.labels && i < d->test.count; i++) count[1][d->test.labels[i]]++;
    printf("  %-16s %8s %8s\n", "class", "train", "test");
    for (int c = 0; c < d->classes; c++)
        printf("  %s%*s %8s %8s\n", d->class_names[c], padding(d->class_names[c], 16), "",
               elbo_thousands(count[0][c], train), elbo_thousands(count[1][c], test));
    return CLI_OK;
}

/* ---- the command ---- */

/* Without a recipe, in the shape that `elbo train NAME` would choose. */
static elbo_status open_as_trained(elbo_dataset *d, const char *name, const data_options *o, const elbo_recipe *r,
                                   elbo_error *err) {
    const char *path = o->path ? o->path : name;
    const elbo_dataset_info *known = elbo_known_datasets; // whose shape is known
    while (path && known->name && strcmp(known->name, path)) known++;
    if (r || !path || known->name || cli_ends_with(path, ".npy") || !cli_names_data(path))
        return cli_open_dataset(d, name ? name : r->data, o->path, r, ELBO_BOTH_SPLITS, 0, err);
    cli_suited suited;
    elbo_recipe recipe;
    ELBO_TRY(cli_recipe_for(&suited, path, 0, err));
    ELBO_TRY(elbo_recipe_open(&recipe, suited.recipe, NULL, 0, err));
    elbo_status status = cli_open_dataset(d, name ? name : path, o->path, &recipe, ELBO_BOTH_SPLITS, 0, err);
    elbo_recipe_close(&recipe);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    data_options o = {0};
    cli_texts sets = {0};
    cli_option options[] = {
        {"data", 'd', CLI_TEXT, &o.path, "PATH", "info, preview: a folder or file in the name's place", 0, 0},
        {"mirror", 0, CLI_TEXT, &o.mirror, "URL", "fetch: download from this folder instead of the built-in mirrors", 0,
         0},
        {"count", 'n', CLI_INT, &o.count, "N", "preview: how many images; default 40, or 10 with their augmentation", 1,
         400},
        {"output", 'o', CLI_OUTPUT, &o.output, "FILE.png|.svg", "preview: default preview.png", 0, 0},
        {"recipe", 'r', CLI_TEXT, &o.recipe, "R",
         "info, preview: images in this recipe's size; its data where no NAME is given", 0, 0},
        {"set", 0, CLI_TEXTS, &sets, "KEY=VALUE", "overrides a key of that recipe, as image.size=32; repeatable", 0, 0},
        {"json", 0, CLI_FLAG, &o.json, NULL, "prints JSON", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 2);
    if (CLI_DONE(words)) return CLI_CODE(words);
    const char *what = argv[0], *name = words > 1 ? argv[1] : NULL;
    if (!strcmp(what, "list")) return list(&o);
    bool known = !strcmp(what, "fetch") || !strcmp(what, "info") || !strcmp(what, "preview");
    if (!known) {
        cli_fail_text("data %s: expected list, fetch, info or preview", what);
        return CLI_USAGE;
    }
    if (!name && o.path && strcmp(what, "fetch")) name = o.path;
    if (!name && (!o.recipe || !strcmp(what, "fetch"))) {
        cli_fail_text("data %s: expected a data set's name; `elbo data list` prints them", what);
        return CLI_USAGE;
    }
    if (!strcmp(what, "fetch")) return fetch(name, &o);
    elbo_error err;
    elbo_dataset d;
    elbo_recipe recipe = {0}, *r = o.recipe ? &recipe : NULL;
    if (r && elbo_recipe_open(r, o.recipe, sets.text, sets.count, &err) != ELBO_OK) return cli_fail(&err);
    int code = open_as_trained(&d, name, &o, r, &err) == ELBO_OK ? CLI_OK : cli_fail(&err);
    if (code == CLI_OK) {
        code = !strcmp(what, "info") ? info(&d, &o) : cli_preview(&d, r, o.count, o.output, o.json);
        elbo_dataset_close(&d);
    }
    if (r) elbo_recipe_close(r);
    return code;
}

const cli_command cli_data = {
    .name = "data",
    .arguments = "list|fetch|info|preview [NAME]",
    .summary = "data sets: list, download, count, preview",
    .details =
        "  list           the known data sets, and which are present\n"
        "  fetch NAME     downloads one into ~/.cache/elbo, checked by its checksum; a broken download is resumed\n"
        "  info NAME      images per class; for photographs also their sizes, and skipped files\n"
        "  preview NAME   a grid of images as the network sees them; with --recipe R, each above its\n"
        "                 augmented versions of four epochs\n"
        "\n"
        "A data set is looked up in --data PATH, in $ELBO_DATA/NAME, then in ~/.cache/elbo/NAME.\n"
        "\n"
        "examples:\n"
        "  elbo data fetch mnist\n"
        "  elbo data preview fashion-mnist -o fashion.png\n"
        "  elbo data preview --recipe mine.yaml --data my/photos\n",
    .run = run,
};
