/* elbo data preview: images of a data set with their labels; with a recipe that augments, what training makes of
 * each. */
#include "data_preview.h"

#include <stdlib.h>
#include <string.h>

#include "data/augment/augment.h"
#include "base/memory.h"
#include "explore/pick.h"
#include "runs.h"

enum { COLUMNS = 10, EPOCHS = 4, CAPTION = 40, LINE = 16 };

typedef struct preview {
    const elbo_dataset *data;
    const elbo_recipe *recipe; // or NULL
    int count, columns, rows;
    int versions; // rows for each image: itself, and those augmented
    size_t size;
    uint32_t *index; // (count)
    float *images;   // (rows, columns, C, H, W)
    float *scratch;  // (C, H, W)
    char *text;      // (rows * columns, CAPTION)
    const char **caption, **row_label;
} preview;

static float *cell(const preview *p, int image, int version) {
    int row = image / p->columns * p->versions + version;
    return p->images + (size_t)(row * p->columns + image % p->columns) * p->size;
}

/* A class name below a small picture: a longer one in two lines, a line that is too long cut, though not inside a
 * letter. */
static void caption(char out[CAPTION], const char *name) {
    const char *between = NULL; // the space nearest the middle
    size_t n = strlen(name);
    for (const char *c = name; n > LINE - 4 && *c; c++)
        if (*c == ' ' && (!between || labs(2 * (c - name) - (long)n) < labs(2 * (between - name) - (long)n)))
            between = c;
    for (const char *line = name; line; line = between, between = NULL) {
        line += *line == ' ';
        size_t whole = between ? (size_t)(between - line) : strlen(line), shown = whole;
        if (whole > LINE) {
            shown = LINE - 1;
            while (shown && ((unsigned char)line[shown] & 0xC0) == 0x80) shown--;
        }
        out += sprintf(out, "%.*s%s%s", (int)shown, line, shown < whole ? "..." : "", between ? "\n" : "");
    }
}

static void fill(preview *p) {
    static const char *const epochs[EPOCHS] = {"epoch 1", "epoch 2", "epoch 3", "epoch 4"};
    const elbo_dataset *d = p->data;
    for (int i = 0; i < p->rows * p->columns; i++) {
        p->images[(size_t)i * p->size] = __builtin_nanf("");
        p->caption[i] = p->text + i * CAPTION;
    }
    for (int row = 0; row < p->rows; row++)
        p->row_label[row] = row % p->versions ? epochs[row % p->versions - 1] : "image";
    for (int i = 0; i < p->count; i++) {
        float *image = cell(p, i, 0);
        elbo_images_to_floats(&d->train, &p->index[i], 1, 0, 1, image);
        for (int v = 1; v < p->versions; v++) {
            float *changed = cell(p, i, v);
            elbo_stream stream = {p->recipe->train.seed, ELBO_FOR_AUGMENTATION, (uint32_t)v - 1, p->index[i]};
            memcpy(changed, image, p->size * sizeof *image);
            elbo_augment_run(p->recipe->augments, stream, d->train.shape, 0, 1, changed, p->scratch);
        }
        if (d->train.labels)
            caption(p->text + (i / p->columns * p->versions * p->columns + i % p->columns) * CAPTION,
                    d->class_names[d->train.labels[p->index[i]]]);
    }
}

int cli_preview(const elbo_dataset *d, const elbo_recipe *r, int count, const char *output, bool json) {
    preview p = {.data = d, .recipe = r, .columns = COLUMNS, .versions = r && r->augments ? 1 + EPOCHS : 1};
    p.count = count ? count : p.versions > 1 ? COLUMNS : 4 * COLUMNS;
    p.size = elbo_image_size(d->train.shape);
    p.index = malloc((size_t)p.count * sizeof *p.index);
    elbo_error err;
    elbo_status status = ELBO_OK;
    if (p.index) p.count = elbo_pick_variety(&d->train, d->classes, p.count, p.index);
    if (p.count < p.columns) p.columns = p.count > 0 ? p.count : 1;
    p.rows = (p.count + p.columns - 1) / p.columns * p.versions;
    size_t cells = (size_t)(p.rows * p.columns);
    p.images = elbo_alloc(cells, p.size * sizeof *p.images);
    p.scratch = elbo_alloc(p.size, sizeof *p.scratch);
    p.text = elbo_alloc(cells, CAPTION);
    p.caption = elbo_alloc(cells, sizeof *p.caption);
    p.row_label = elbo_alloc((size_t)p.rows, sizeof *p.row_label);
    cli_figure_place place;
    char title[200];
    snprintf(title, sizeof title, p.versions > 1 ? "%.100s: images and their augmentations" : "%.100s: network input",
             d->name);
    elbo_figure f = cli_figure(&place, ".", "preview", title, output ? output : "preview.png", false);
    if (!p.index || !p.images || !p.scratch || !p.text || !p.caption || !p.row_label) {
        status = elbo_no_memory(&err);
    } else {
        fill(&p);
        elbo_grid grid = {.rows = p.rows,
                          .columns = p.columns,
                          .shape = d->train.shape,
                          .images = p.images,
                          .low = 0,
                          .high = 1,
                          .row_labels = p.versions > 1 ? p.row_label : NULL,
                          .captions = d->train.labels ? p.caption : NULL};
        status = elbo_draw_grid(f, &grid, &err);
    }
    free(p.index);
    free(p.images);
    free(p.scratch);
    free(p.text);
    free(p.caption);
    free(p.row_label);
    if (status != ELBO_OK) return cli_fail(&err);
    json_t *o = json ? json_object() : NULL;
    cli_say_figure(&f, o);
    if (o) cli_print_json(o);
    return CLI_OK;
}
