/* The report: every figure of some runs, a table of their numbers, one sentence on each picture, and the recipes. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "latent/pick.h"
#include "view/story.h"
#include "view/walks.h"

enum { MOST_FIGURES = 32, SHOWN = 10, SAMPLES = 64, STEPS = 10, COLUMNS = 10 };

typedef struct page {
    const char *folder; // of the run or demo; figures go to folder/figures
    char *figures;
    elbo_run *runs;
    int count, compared; // of the runs, the first `compared` are in every figure
    const elbo_dataset *data;
    int threads;
    elbo_report_figure figure[MOST_FIGURES];
    int drawn;
    char *text[4 * MOST_FIGURES]; // everything formatted for the page, freed with it
    int texts;
} page;

static const char *say(page *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *say(page *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0 || p->texts == (int)(sizeof p->text / sizeof *p->text)) return "";
    return p->text[p->texts++] = text;
}

static elbo_figure figure_of(const page *p, const char *name, const char *title) {
    return (elbo_figure){.folder = p->figures, .name = name, .title = title};
}

static void show(page *p, const char *name, const char *title, const char *sentence) {
    if (p->drawn == MOST_FIGURES) return;
    p->figure[p->drawn++] = (elbo_report_figure){say(p, "%s/%s.png", p->figures, name), title, sentence};
}

static bool is_vae(const elbo_run *r) { return r->model->recipe.kind == ELBO_VAE; }

/* ---- each figure and its sentence ---- */

static elbo_status add_curves(page *p, elbo_error *err) {
    ELBO_TRY(elbo_story_curves(figure_of(p, "loss", "Loss over the epochs"), p->runs, p->compared, err));
    bool mixed = false;
    for (int i = 1; i < p->compared; i++) mixed = mixed || is_vae(&p->runs[i]) != is_vae(&p->runs[0]);
    show(p, "loss", "Loss curves",
         mixed ? "Both curves count nats per image, so they share one axis: the VAE's lies higher because it pays for its "
                 "code (the KL term) as well as for its reconstruction. A train value is the mean while the weights were still "
                 "moving, a test value is taken after the epoch, so test starts below."
               : "Loss in nats per image; a test curve that turns up while the training curve still falls would mean "
                 "overfitting.");
    return ELBO_OK;
}

static elbo_status add_reconstructions(page *p, elbo_error *err) {
    uint32_t index[SHOWN];
    int n = elbo_pick_variety(&p->data->test, p->data->classes, SHOWN, index);
    ELBO_TRY(elbo_story_reconstructions(figure_of(p, "reconstructions", "Reconstructions of test images"), p->runs,
                                        p->compared, &p->data->test, index, n, err));
    show(p, "reconstructions", "Reconstructions",
         is_vae(&p->runs[p->compared - 1]) && !is_vae(&p->runs[0])
             ? "Test images that no model saw in training, above what each model makes of their codes; a VAE's are smoother, "
               "because noise on its codes in training leaves no room for the finest detail."
             : "Test images that no model saw in training, above what each model makes of their codes.");
    return ELBO_OK;
}

static elbo_status add_maps(page *p, elbo_error *err) {
    for (int i = 0; i < p->count; i++) {
        elbo_run *r = &p->runs[i];
        elbo_map map;
        ELBO_TRY(elbo_map_make(&map, r->model, &p->data->test, p->threads, err));
        const char *name = say(p, "map-%d-%s", i + 1, is_vae(r) ? "vae" : "ae");
        const char *title = say(p, "Latent space of %s", r->label);
        elbo_status status = elbo_story_map(figure_of(p, name, title), &map, p->data, &p->data->test, err);
        double explained = 100 * (map.explained[0] + map.explained[1]);
        bool raw = map.raw;
        elbo_map_free(&map);
        if (status != ELBO_OK) return status;
        const char *what = p->data->classes ? "Each point is a test image, its colour the class that the model was never told"
                                            : "Each point is a test image";
        if (raw)
            show(p, name, title, say(p, "%s; the code has two dimensions, so this plane is the whole of it.", what));
        else
            show(p, name, title,
                 say(p, "%s; the two axes hold %.0f%% of the codes' variance, so clusters that overlap here may lie apart in "
                        "the other dimensions.", what, explained));
    }
    return ELBO_OK;
}

/* From a 3 to an 8, as the tutorials do; the first two images where there are no such. */
static elbo_status add_interpolation(page *p, elbo_error *err) {
    const elbo_dataset *d = p->data;
    bool classes = d->classes > 8;
    const char *a = classes ? d->class_names[3] : "one image", *b = classes ? d->class_names[8] : "another";
    elbo_expression end[2] = {0};
    elbo_walks w = {.end = end, .pairs = 1, .steps = STEPS, .pixels = true, .words = {.data = d}};
    elbo_status status = elbo_expression_parse(&end[0], classes ? "class:3" : "test:0", err);
    if (status == ELBO_OK)
        status = elbo_expression_parse(&end[1], classes ? "class:8" : d->test.count > 1 ? "test:1" : "test:0", err);
    if (status == ELBO_OK) status = elbo_walks_make(&w, p->runs, p->compared, err);
    if (status == ELBO_OK)
        status = elbo_story_walks(figure_of(p, "interpolation", say(p, "From %s to %s", a, b)), &w, p->runs, p->compared, err);
    elbo_walks_free(&w);
    elbo_expression_free(&end[0]);
    elbo_expression_free(&end[1]);
    if (status == ELBO_OK)
        show(p, "interpolation", "Interpolation",
             say(p, "A straight walk through the latent space from %s to %s, decoded at ten steps, below the same walk from pixel "
                    "to pixel: where the space is well filled every step looks like a real image, where it has holes the steps "
                    "look like the two images laid over each other, as the pixels do.", a, b));
    return status;
}

static elbo_status add_samples(page *p, elbo_error *err) {
    for (int i = 0; i < p->count; i++) {
        elbo_run *r = &p->runs[i];
        if (!is_vae(r) || r->map_only || r->model->network.graph.skips) continue; // no prior, or codes are not enough
        float *images = elbo_alloc(SAMPLES * elbo_image_size(r->model->network.graph.image), sizeof *images);
        if (!images) return elbo_no_memory(err);
        elbo_status status = elbo_sample_prior(r->model, SAMPLES, 0, 1, images, err);
        const char *name = say(p, "samples-%d", i + 1), *title = say(p, "New images from %s", r->label);
        if (status == ELBO_OK) status = elbo_story_grid(figure_of(p, name, title), r->model, images, SAMPLES, err);
        free(images);
        if (status != ELBO_OK) return status;
        show(p, name, title,
             "Codes drawn from the prior, a standard normal, and decoded: no image of the data went into them.");
    }
    return ELBO_OK;
}

/* ---- the table ---- */

static void fill_table(page *p, elbo_report_table *table, const char **cells) {
    static const char *const head[] = {"model",  "latent", "parameters", "epochs",  "test loss", "reconstr.",
                                       "KL",     "MSE",    "seconds",    "images/s"};
    _Static_assert(sizeof head / sizeof *head == COLUMNS, "a heading for each column");
    memcpy(cells, head, sizeof head);
    for (int i = 0; i < p->count; i++) {
        const elbo_run *r = &p->runs[i];
        const elbo_log *log = &r->log;
        const elbo_epoch_log *last = log->count ? &log->epoch[log->count - 1] : NULL;
        const elbo_scores *s = last ? (last->test.images ? &last->test : &last->train) : NULL;
        double seconds = 0;
        for (int e = 0; e < log->count; e++) seconds += log->epoch[e].seconds;
        const char **row = cells + (size_t)(i + 1) * COLUMNS;
        row[0] = r->label;
        row[1] = say(p, "%d", r->model->network.graph.latent);
        char number[32];
        row[2] = say(p, "%s", elbo_thousands((double)r->model->network.graph.weights, number));
        row[3] = say(p, "%d", log->count);
        row[4] = s ? say(p, "%.2f", s->loss) : "";
        row[5] = s ? say(p, "%.2f", s->reconstruction) : "";
        row[6] = s && is_vae(r) ? say(p, "%.2f", s->kl) : "–";
        row[7] = s ? say(p, "%.4f", s->mse) : "";
        row[8] = say(p, "%.1f", seconds);
        row[9] = seconds > 0 ? say(p, "%s", elbo_thousands(log->count * (double)last->train.images / seconds, number)) : "";
    }
    *table = (elbo_report_table){"Scores on the test images (losses in nats per image)", p->count + 1, COLUMNS, cells};
}

/* ---- the page ---- */

static elbo_status draw_all(page *p, elbo_error *err) {
    ELBO_TRY(add_curves(p, err));
    if (p->data->test.count == 0) return ELBO_OK;
    ELBO_TRY(add_reconstructions(p, err));
    ELBO_TRY(add_maps(p, err));
    ELBO_TRY(add_interpolation(p, err));
    return add_samples(p, err);
}

static elbo_status write_page(page *p, const char *path, elbo_error *err) {
    const char **cells = calloc((size_t)(p->count + 1) * COLUMNS, sizeof *cells);
    elbo_report_listing *listings = calloc((size_t)p->count, sizeof *listings);
    elbo_status status = cells && listings ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_report_table table;
        fill_table(p, &table, cells);
        const char *title = p->count == 1 ? say(p, "%s", p->runs[0].label) : "Autoencoders compared";
        char train[32], test[32];
        elbo_thousands(p->data->train.count, train);
        elbo_thousands(p->data->test.count, test);
        const char *names = "";
        for (int i = 0; i < p->compared; i++)
            names = say(p, "%s%s%s", names, i == 0 ? "" : i == p->compared - 1 ? " and " : ", ", p->runs[i].label);
        for (int i = 0; i < p->count; i++) {
            char *yaml = elbo_recipe_text(&p->runs[i].model->recipe);
            if (yaml && p->texts < (int)(sizeof p->text / sizeof *p->text)) p->text[p->texts++] = yaml;
            listings[i] = (elbo_report_listing){say(p, "Recipe of %s", p->runs[i].label), yaml ? yaml : ""};
        }
        elbo_report report = {
            .title = title,
            .summary = say(p, "What %s learned from %s training images of %s, shown on %s test images. All losses are in nats "
                              "per image; lower is better.", names, train, p->data->name, test),
            .tables = &table,
            .table_count = 1,
            .figures = p->figure,
            .figure_count = p->drawn,
            .listings = listings,
            .listing_count = p->count,
        };
        status = elbo_report_write(path, &report, err);
    }
    free(cells);
    free(listings);
    return status;
}

elbo_status elbo_story_report(const char *path, const char *folder, elbo_run *runs, int count, const elbo_dataset *d,
                              int threads, elbo_error *err) {
    page *p = calloc(1, sizeof *p);
    if (!p) return elbo_no_memory(err);
    *p = (page){.folder = folder, .runs = runs, .count = count, .data = d, .threads = threads};
    while (p->compared < count && !runs[p->compared].map_only) p->compared++;
    p->figures = elbo_path_join(folder, "figures/report"); // its own folder: a figure drawn by hand is not overwritten
    elbo_status status = p->figures ? draw_all(p, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = write_page(p, path, err);
    for (int i = 0; i < p->texts; i++) free(p->text[i]);
    free(p->figures);
    free(p);
    return status;
}
