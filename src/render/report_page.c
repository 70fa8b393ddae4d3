/* The report: every figure of some runs, a table of their numbers, one sentence on each picture, and the recipes. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "explore/diagnostics/diagnosis.h"
#include "explore/projection.h"
#include "render/charts.h"
#include "render/figures.h"
#include "render/image_figures.h"

enum {
    MOST_FIGURES = 64,
    SHOWN = 10,
    SAMPLES = 64,
    STEPS = 10,
    COLUMNS = 11,
    MOST_SCORES = 24,
    FINDING_COLUMNS = 5,
    MOST_TSNE = 10000
};

typedef struct page {
    const char *folder; // of the run or demo; figures go to folder/figures
    char *figures;
    elbo_run *runs;
    int count, compared; // of the runs, the first `compared` are in every figure
    const elbo_dataset *data;
    const elbo_job *work;
    bool own_data;
    elbo_report_figure figure[MOST_FIGURES];
    int drawn;
    elbo_diagnosis *diagnosis; // (count): of each run
    int checks;                // of a run; 0: there were no images to check with
    char *text[1024];          // everything formatted for the page, freed with it
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
    p->figure[p->drawn++] =
        (elbo_report_figure){.png = say(p, "%s/%s.png", p->figures, name), .title = title, .sentence = sentence};
}

static bool is_vae(const elbo_run *r) { return r->model->recipe.kind == ELBO_VAE; }

/* ---- each figure and its sentence ---- */

static elbo_status add_curves(page *p, elbo_error *err) {
    bool objective = elbo_runs_draw_objective(p->runs, p->compared);
    const char *title = objective ? "Objective over the epochs" : "Loss over the epochs";
    ELBO_TRY(elbo_figure_curves(figure_of(p, "loss", title), p->runs, p->compared, NULL, 0, err));
    bool mixed = false, below = true;
    for (int i = 0; i < p->compared; i++) {
        const elbo_log *log = &p->runs[i].log;
        below = below && log->count && log->epoch[0].test.images && log->epoch[0].test.loss < log->epoch[0].train.loss;
    }
    for (int i = 1; i < p->compared; i++) mixed = mixed || is_vae(&p->runs[i]) != is_vae(&p->runs[0]);
    show(
        p, "loss", objective ? "What was trained" : "Loss curves",
        objective
            ? "The objective, which training minimises, as the recipe weighs and scales it; the loss in nats per image is in "
              "the table. A test curve that turns up while the training curve still falls would mean overfitting."
        : mixed && below
            ? "Both curves count nats per image, so they share one axis: the VAE's lies higher because it pays for its "
              "code (the KL term) as well as for its reconstruction. A train value is the mean while the weights were still "
              "moving, a test value is taken after the epoch, so test starts below."
        : mixed
            ? "Both curves count nats per image, so they share one axis: the VAE's lies higher because it pays for its "
              "code (the KL term) as well as for its reconstruction."
            : "Loss in nats per image; a test curve that turns up while the training curve still falls would mean "
              "overfitting.");
    bool drawn;
    elbo_figure terms = figure_of(p, "terms", "Reconstruction and KL over the epochs");
    ELBO_TRY(elbo_figure_terms(terms, p->runs, p->compared, &drawn, err));
    if (drawn)
        show(
            p, "terms", "Terms of the loss",
            "What an image costs on the test images: how well its code tells it (reconstruction, solid), and what the code "
            "itself costs (KL, dashed), each in nats and without its weight.");
    return ELBO_OK;
}

static elbo_status add_reconstructions(page *p, elbo_error *err) {
    elbo_reconstruct_result r;
    ELBO_TRY(elbo_reconstruct(&r, p->runs, p->compared, p->data, &(elbo_reconstruct_options){.count = SHOWN}, err));
    elbo_status status =
        elbo_figure_reconstruct(figure_of(p, "reconstructions", "Reconstructions of test images"), &r, err);
    elbo_reconstruct_free(&r);
    if (status != ELBO_OK) return status;
    show(
        p, "reconstructions", "Reconstructions",
        is_vae(&p->runs[p->compared - 1]) && !is_vae(&p->runs[0])
            ? "Test images that no model saw in training, above what each model makes of their codes; a VAE's are smoother, "
              "because noise on its codes in training leaves no room for the finest detail."
            : "Test images that no model saw in training, above what each model makes of their codes.");
    return ELBO_OK;
}

/* The images that a map shows: those of the test, unless they are too few for one, as in a small folder of photos. */
static elbo_splits mapped(const page *p) {
    enum { ENOUGH = 200 };
    bool test = p->data->test.count >= ENOUGH || p->data->test.count >= p->data->train.count;
    return test ? ELBO_TEST_SPLIT : ELBO_TRAIN_SPLIT;
}

/* Beside the map by PCA, which was shown just before. Fewer than four points have no neighbourhoods. */
static elbo_status add_tsne(page *p, int i, elbo_error *err) {
    elbo_run *r = &p->runs[i];
    elbo_projection map;
    elbo_projection_options o = elbo_projection_defaults();
    o.method = ELBO_PROJECT_TSNE;
    o.splits = mapped(p);
    o.most = MOST_TSNE;
    const char *which = o.splits == ELBO_TEST_SPLIT ? "test" : "training";
    if ((o.splits == ELBO_TEST_SPLIT ? p->data->test : p->data->train).count < 4) return ELBO_OK;
    ELBO_TRY(elbo_project(&map, r->model, p->data, &o, p->work, err));
    double kl = map.tsne.kl;
    const char *name = say(p, "tsne-%d-%s", i + 1, is_vae(r) ? "vae" : "ae"),
               *title = say(p, "Latent space of %s", r->label);
    char points[32];
    elbo_thousands((double)map.n, points);
    elbo_status status = elbo_figure_projection(figure_of(p, name, title), &map, err);
    elbo_projection_free(&map);
    if (status != ELBO_OK) return status;
    if (p->drawn) p->figure[p->drawn - 1].beside = true;
    show(
        p, name, say(p, "%s by t-SNE", title),
        say(p,
            "The codes of %s %s images, placed so that neighbours stay neighbours (KL divergence %.2f); how far apart two "
            "clusters lie, and how large they are, means little.",
            points, which, kl));
    return ELBO_OK;
}

static elbo_status add_dimensions(page *p, elbo_error *err) {
    bool drawn = false;
    ELBO_TRY(elbo_figure_kl(figure_of(p, "kl", "What each latent dimension tells of an image"), p->runs, p->compared,
                            &drawn, err));
    if (drawn)
        show(
            p, "kl", "KL of each latent dimension",
            "How many nats each dimension of the code costs, and so how much it can tell of an image; one near 0 carries nothing.");
    return ELBO_OK;
}

static elbo_status add_maps(page *p, elbo_error *err) {
    elbo_projection_options o = elbo_projection_defaults();
    o.splits = mapped(p);
    const char *which = o.splits == ELBO_TEST_SPLIT ? "test" : "training";
    for (int i = 0; i < p->count; i++) {
        elbo_run *r = &p->runs[i];
        elbo_projection map;
        ELBO_TRY(elbo_project(&map, r->model, p->data, &o, p->work, err));
        const char *name = say(p, "map-%d-%s", i + 1, is_vae(r) ? "vae" : "ae");
        const char *title = say(p, "Latent space of %s", r->label);
        elbo_status status = elbo_figure_projection(figure_of(p, name, title), &map, err);
        double explained = 100 * (map.explained[0] + map.explained[1]);
        bool raw = map.raw;
        elbo_projection_free(&map);
        if (status != ELBO_OK) return status;
        const char *what = say(p, "Each point is a %s image%s", which,
                               p->data->classes ? ", its colour the class that the model was never told" : "");
        if (raw)
            show(p, name, title, say(p, "%s; the code has two dimensions, so this plane is the whole of it.", what));
        else
            show(
                p, name, say(p, "%s by PCA", title),
                say(p,
                    "%s; the two axes hold %.0f%% of the codes' variance, so clusters that overlap here may lie apart in "
                    "the other dimensions.",
                    what, explained));
        if (!raw) ELBO_TRY(add_tsne(p, i, err));
    }
    return ELBO_OK;
}

/* From a 3 to an 8, as the tutorials do; the first two images where there are no such. */
static elbo_status add_interpolation(page *p, elbo_error *err) {
    const elbo_dataset *d = p->data;
    bool classes = d->classes > 8;
    const char *a = classes ? d->class_names[3] : "one image", *b = classes ? d->class_names[8] : "another";
    elbo_expression end[2] = {0};
    elbo_interpolate_options o = {.end = end, .pairs = 1, .steps = STEPS, .pixels = true};
    elbo_interpolate_result w = {0};
    elbo_status status = elbo_expression_parse(&end[0], classes ? "class:3" : "test:0", err);
    if (status == ELBO_OK)
        status = elbo_expression_parse(&end[1], classes ? "class:8" : d->test.count > 1 ? "test:1" : "test:0", err);
    if (status == ELBO_OK) status = elbo_interpolate(&w, p->runs, p->compared, d, &o, err);
    if (status == ELBO_OK)
        status = elbo_figure_interpolate(figure_of(p, "interpolation", say(p, "From %s to %s", a, b)), &w, err);
    elbo_interpolate_free(&w);
    elbo_expression_free(&end[0]);
    elbo_expression_free(&end[1]);
    if (status == ELBO_OK)
        show(
            p, "interpolation", "Interpolation",
            say(p,
                "A straight walk through the latent space from %s to %s, decoded at ten steps, below the same walk from pixel "
                "to pixel: where the space is well filled every step looks like a real image, where it has holes the steps "
                "look like the two images laid over each other, as the pixels do.",
                a, b));
    return status;
}

static elbo_status add_samples(page *p, elbo_error *err) {
    for (int i = 0; i < p->count; i++) {
        elbo_run *r = &p->runs[i];
        if (!is_vae(r) || r->map_only || r->model->network.graph.skips) continue; // no prior, or codes are not enough
        elbo_sample_options o = elbo_sample_defaults();
        elbo_sample_result samples;
        o.count = SAMPLES;
        ELBO_TRY(elbo_sample(&samples, r->model, NULL, &o, NULL, err));
        const char *name = say(p, "samples-%d", i + 1), *title = say(p, "New images from %s", r->label);
        elbo_status status = elbo_figure_sample(figure_of(p, name, title), &samples, err);
        elbo_sample_free(&samples);
        if (status != ELBO_OK) return status;
        show(p, name, title,
             "Codes drawn from the prior, a standard normal, and decoded: no image of the data went into them.");
    }
    return ELBO_OK;
}

/* ---- the table ---- */

/* At the end of training. */
static bool loss_is_objective(const elbo_run *r) {
    return elbo_objective_is_elbo(&r->model->recipe, elbo_log_kl_weight(&r->log, &r->model->recipe));
}

/* cells: (count + 1, COLUMNS), of which the last column, the objective, is there only where some run needs it */
static void fill_table(page *p, elbo_report_table *table, const char **cells) {
    static const char *const head[] = {"model", "latent", "parameters", "epochs",   "test loss", "reconstr.",
                                       "KL",    "MSE",    "seconds",    "images/s", "objective"};
    _Static_assert(sizeof head / sizeof *head == COLUMNS, "a heading for each column");
    size_t columns = COLUMNS - 1;
    for (int i = 0; i < p->count; i++)
        if (!loss_is_objective(&p->runs[i])) columns = COLUMNS;
    memcpy(cells, head, columns * sizeof *head);
    for (int i = 0; i < p->count; i++) {
        const elbo_run *r = &p->runs[i];
        const elbo_log *log = &r->log;
        const elbo_epoch_log *last = log->count ? &log->epoch[log->count - 1] : NULL;
        const elbo_scores *s = last ? (last->test.images ? &last->test : &last->train) : NULL;
        double seconds = 0;
        for (int e = 0; e < log->count; e++) seconds += log->epoch[e].seconds;
        const char **row = cells + (size_t)(i + 1) * columns;
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
        row[9] =
            seconds > 0 ? say(p, "%s", elbo_thousands(log->count * (double)last->train.images / seconds, number)) : "";
        if (columns < COLUMNS) continue;
        bool own = s && !loss_is_objective(r);
        row[10] = own ? say(p, "%s", elbo_objective_number(&r->model->recipe, s->objective, number)) : "–";
    }
    *table = (elbo_report_table){.title = "Scores on the test images (losses in nats per image)",
                                 .rows = p->count + 1,
                                 .columns = (int)columns,
                                 .cells = cells};
}

/* ---- is it any good ---- */

static elbo_status examine(page *p, elbo_error *err) {
    p->diagnosis = calloc((size_t)p->count, sizeof *p->diagnosis);
    if (!p->diagnosis) return elbo_no_memory(err);
    for (int i = 0; i < p->count; i++) {
        elbo_eval_context e;
        elbo_run *r = &p->runs[i];
        ELBO_TRY(elbo_eval_context_open(&e, r->model, &r->log, p->data, ELBO_TEST_SPLIT, p->work, err));
        elbo_status status = elbo_run_measure(r, &e, p->own_data && elbo_runs_same_data(r, &p->runs[0]), err);
        if (status == ELBO_OK) status = elbo_diagnose_context(&p->diagnosis[i], &e, err);
        elbo_eval_context_close(&e);
        if (status != ELBO_OK) return status;
        p->checks = p->diagnosis[i].count;
    }
    return ELBO_OK;
}

/* Scores that the first table, of the logs, has not: a row for each run. cells, strong: (count + 1, MOST_SCORES) */
static void fill_scores(page *p, elbo_report_table *table, const char **cells, bool *strong) {
    const elbo_quality_row *column[MOST_SCORES];
    int columns = 1;
    for (const elbo_quality_row *row = elbo_quality_rows; row->key && columns < MOST_SCORES; row++) {
        static const char told[] = "objective loss reconstruction kl mse";
        bool there = false;
        for (int i = 0; i < p->count; i++) there = there || elbo_quality_shown(row, p->runs[i].quality);
        if (there && !strstr(told, row->key)) column[columns++] = row;
    }
    cells[0] = "model";
    for (int c = 1; c < columns; c++) cells[c] = column[c]->short_label;
    for (int i = 0; i < p->count; i++) {
        size_t at = (size_t)(i + 1) * (size_t)columns;
        cells[at] = p->runs[i].label;
        for (int c = 1; c < columns; c++) {
            char text[ELBO_QUALITY_TEXT];
            elbo_quality_text(column[c], p->runs[i].quality, text);
            cells[at + (size_t)c] = *text ? say(p, "%s", text) : "–";
            strong[at + (size_t)c] = elbo_run_best(p->runs, p->count, i, column[c]);
        }
    }
    *table = (elbo_report_table){.title = "Pictures, codes and classes (test images; the best of a column is bold)",
                                 .rows = p->count + 1,
                                 .columns = columns,
                                 .cells = cells,
                                 .strong = strong};
}

/* A row for each thing that is not ok, and one for the rest of each run. cells: (1 + count * (ELBO_MOST_CHECKS +
 * 1), FINDING_COLUMNS) */
static void fill_findings(page *p, elbo_report_table *table, const char **cells) {
    static const char *const head[FINDING_COLUMNS] = {"model", "check", "result", "evidence", "what to try"};
    int rows = 1, columns = FINDING_COLUMNS - 1; // nobody needs advice where all is ok
    for (int i = 0; i < p->count * p->checks; i++)
        if (*p->diagnosis[i / p->checks].check[i % p->checks].advice) columns = FINDING_COLUMNS;
    memcpy(cells, head, (size_t)columns * sizeof *cells);
    for (int i = 0; i < p->count; i++) {
        const char *ok = "", *label = p->runs[i].label;
        bool alone = true;
        for (int k = 0; k < p->checks; k++) {
            const elbo_check *v = &p->diagnosis[i].check[k];
            if (v->health == ELBO_CHECK_OK) ok = say(p, "%s%s%s", ok, *ok ? ", " : "", v->title);
            if (v->health != ELBO_CHECK_NOTE && v->health != ELBO_CHECK_PROBLEM) continue;
            const char *const row[FINDING_COLUMNS] = {alone ? label : "", v->title, elbo_health_name(v->health),
                                                      v->evidence, v->advice};
            memcpy(cells + (size_t)(rows++ * columns), row, (size_t)columns * sizeof *cells);
            alone = false;
        }
        const char *const row[FINDING_COLUMNS] = {alone ? label : "", alone ? "all checks" : "other checks", "ok", ok,
                                                  ""};
        memcpy(cells + (size_t)(rows++ * columns), row, (size_t)columns * sizeof *cells);
    }
    *table = (elbo_report_table){
        .title = "What the doctor finds (elbo doctor)", .rows = rows, .columns = columns, .cells = cells};
}

/* ---- the page ---- */

static elbo_status draw_all(page *p, elbo_error *err) {
    ELBO_TRY(add_curves(p, err));
    if (p->data->test.count == 0) return ELBO_OK;
    ELBO_TRY(examine(p, err));
    ELBO_TRY(add_reconstructions(p, err));
    ELBO_TRY(add_dimensions(p, err));
    ELBO_TRY(add_maps(p, err));
    ELBO_TRY(add_interpolation(p, err));
    return add_samples(p, err);
}

static elbo_status write_page(page *p, const char *path, elbo_error *err) {
    const char **cells = calloc((size_t)(p->count + 1) * COLUMNS, sizeof *cells);
    elbo_report_listing *listings = calloc((size_t)p->count, sizeof *listings);
    const char **scores = calloc((size_t)(p->count + 1) * MOST_SCORES, sizeof *scores);
    const char **findings = calloc((size_t)(p->count * (ELBO_MOST_CHECKS + 1) + 1) * FINDING_COLUMNS, sizeof *findings);
    bool *strong = calloc((size_t)(p->count + 1) * MOST_SCORES, sizeof *strong);
    elbo_status status = cells && listings && scores && findings && strong ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_report_table table[2], found;
        fill_table(p, &table[0], cells);
        fill_scores(p, &table[1], scores, strong);
        fill_findings(p, &found, findings);
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
            .summary =
                say(p,
                    "What %s learned from %s training images of %s, shown on %s test images. All losses are in nats "
                    "per image; lower is better.",
                    names, train, p->data->name, test),
            .tables = table,
            .table_count = p->checks ? 2 : 1,
            .findings = p->checks ? &found : NULL,
            .figures = p->figure,
            .figure_count = p->drawn,
            .listings = listings,
            .listing_count = p->count,
        };
        status = elbo_report_write(path, &report, err);
    }
    free(cells);
    free(listings);
    free(scores);
    free(findings);
    free(strong);
    return status;
}

elbo_status elbo_figure_report(const char *path, const char *folder, elbo_run *runs, int count, const elbo_dataset *d,
                               bool own_data, const elbo_job *work, elbo_error *err) {
    page *p = calloc(1, sizeof *p);
    if (!p) return elbo_no_memory(err);
    *p = (page){.folder = folder, .runs = runs, .count = count, .data = d, .work = work, .own_data = own_data};
    while (p->compared < count && !runs[p->compared].map_only) p->compared++;
    p->figures = elbo_path_join(folder, "figures/report"); // its own folder: a figure drawn by hand is not overwritten
    elbo_status status = p->figures ? draw_all(p, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = write_page(p, path, err);
    for (int i = 0; i < p->texts; i++) free(p->text[i]);
    free(p->figures);
    free(p->diagnosis);
    free(p);
    return status;
}
