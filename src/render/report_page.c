/* The report: its sections in order, and the page around them. */
#include "render/report_page.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/shown.h"
#include "data/table.h"
#include "render/report_figures.h"
#include "render/report_sentences.h"
#include "render/report_tables.h"

enum { MOST_RUNS = 16 };

#define SAY ELBO_SAY

/* What the sections hold beside figures. */
typedef struct parts {
    elbo_report_tables tables;
    elbo_report_boxes boxes[MOST_RUNS];
    elbo_report_listing listings[MOST_RUNS];
} parts;

/* "a, b and c, trained on ..." */
static const char *summary(elbo_report_draft *d) {
    char train[32], test[32];
    const char *names = "";
    for (int i = 0; i < d->c->count; i++)
        names = SAY(d, "%s%s%s", names, i == 0 ? "" : i == d->c->count - 1 ? " and " : ", ", d->c->run[i].label);
    return SAY(d,
               "%s, trained on %s images of %s, evaluated on %s test images. All losses are in nats "
               "per image; lower is better.",
               names, elbo_thousands((double)d->r->data.train, train), d->r->data.name,
               elbo_thousands((double)d->r->data.test, test));
}

/* "mnist-ae and mnist-vae on mnist" */
static const char *title(elbo_report_draft *d) {
    if (d->c->count == 1) return SAY(d, "%s on %s", d->c->run[0].label, d->r->data.name);
    if (d->c->count == 2) return SAY(d, "%s and %s on %s", d->c->run[0].label, d->c->run[1].label, d->r->data.name);
    return SAY(d, "%d autoencoders on %s", d->c->count, d->r->data.name);
}

static void add_table(elbo_report_draft *d, const elbo_report_table *t) {
    if (t->rows > 1) elbo_draft_add(d, (elbo_report_item){.table = t});
}

static void add_scores(elbo_report_draft *d, const parts *p) {
    elbo_draft_add(d, (elbo_report_item){.heading = "Scores"});
    add_table(d, &p->tables.log);
    add_table(d, &p->tables.scores);
    add_table(d, &p->tables.classes);
    add_table(d, &p->tables.bytes);
    if (!d->r->analysed) return;
    elbo_draft_add(d, (elbo_report_item){.heading = "Diagnosis"});
    if (p->tables.healthy) elbo_draft_add(d, (elbo_report_item){.paragraph = p->tables.healthy});
    add_table(d, &p->tables.findings);
}

static elbo_status add_networks(elbo_report_draft *d, parts *p, elbo_error *err) {
    elbo_draft_add(d, (elbo_report_item){.heading = "Networks"});
    for (int i = 0; i < d->c->count && i < MOST_RUNS; i++) {
        const elbo_diagram *g = &d->r->run[i].diagram;
        elbo_report_box *box = elbo_alloc((size_t)g->count + 1, sizeof *box);
        if (!box) return elbo_no_memory(err);
        box[0] = (elbo_report_box){.text = "image", .note = g->input};
        for (int k = 0; k < g->count; k++) {
            const elbo_diagram_box *b = &g->box[k];
            char number[32];
            box[k + 1] = (elbo_report_box){.text = b->text,
                                           .note = b->parameters ? SAY(d, "%s, %s parameters", b->shape,
                                                                       elbo_thousands((double)b->parameters, number))
                                                                 : b->shape,
                                           .strong = b->side == ELBO_DIAGRAM_CODE};
        }
        p->boxes[i] = (elbo_report_boxes){
            .title = SAY(d, g->skips ? "%s; its decoder reads %d activations of the encoder besides" : "%s",
                         d->c->run[i].label, g->skips),
            .box = box,
            .count = g->count + 1};
        elbo_draft_add(d, (elbo_report_item){.boxes = &p->boxes[i]});
    }
    return ELBO_OK;
}

static void add_data(elbo_report_draft *d, const parts *p) {
    const elbo_data_sheet *s = &d->r->data;
    char train[32], test[32];
    elbo_draft_add(d, (elbo_report_item){.heading = "Data"});
    const char *classes = s->classes ? SAY(d, "%d classes", s->classes) : "no classes";
    elbo_thousands((double)s->train, train);
    elbo_thousands((double)s->test, test);
    const char *text =
        elbo_shape_is_row(s->shape)
            ? SAY(d, "%s (%s): %s training and %s test rows of %d columns; %s.", s->name, s->source, train, test,
                  s->shape.width, classes)
            : SAY(d, "%s (%s): %s training and %s test images of %d x %d pixels, %d channel%s, %s; %s.", s->name,
                  s->source, train, test, s->shape.width, s->shape.height, s->shape.channels,
                  s->shape.channels == 1 ? "" : "s", s->bytes ? "a byte for each value" : "floats", classes);
    elbo_draft_add(d, (elbo_report_item){.paragraph = text});
    add_table(d, &p->tables.data);
}

static void add_origin(elbo_report_draft *d, parts *p, const char *command) {
    const char *seeds = "", *comma = "";
    elbo_draft_add(d, (elbo_report_item){.heading = "How to repeat this"});
    for (int i = 0; i < d->c->count; i++, comma = ", ")
        seeds = SAY(d, "%s%s%s %llu", seeds, comma, d->c->run[i].label, (unsigned long long)d->r->run[i].seed);
    elbo_draft_add(d,
                   (elbo_report_item){.paragraph = SAY(d,
                                                       "Made by elbo " ELBO_VERSION " with `%s`. Seeds: %s. The same "
                                                       "recipe and seed give the same bits on any number of threads.",
                                                       command ? command : "elbo report", seeds)});
    elbo_draft_add(
        d, (elbo_report_item){.paragraph = SAY(d, "Each figure's data and gnuplot script are in `%s`.", d->figures)});
    elbo_draft_add(d,
                   (elbo_report_item){.paragraph = "To explore a run: `elbo serve RUN` opens its latent space in the "
                                                   "browser; `elbo report RUN --explore` writes it as one page that "
                                                   "decodes by itself, beside this one as explore.html."});
    for (int i = 0; i < d->c->count && i < MOST_RUNS; i++) {
        p->listings[i] = (elbo_report_listing){SAY(d, "Recipe of %s", d->c->run[i].label), d->r->run[i].recipe};
        elbo_draft_add(d, (elbo_report_item){.listing = &p->listings[i]});
    }
}

static elbo_status put_together(elbo_report_draft *d, parts *p, const char *command, elbo_error *err) {
    ELBO_TRY(elbo_report_tables_fill(&p->tables, d->r, &d->texts, err));
    if (d->r->analysed) ELBO_TRY(elbo_draft_pictures(d, err));
    ELBO_TRY(elbo_draft_training(d, err));
    add_scores(d, p);
    if (d->r->analysed) ELBO_TRY(elbo_draft_latent_space(d, err));
    ELBO_TRY(add_networks(d, p, err));
    add_data(d, p);
    add_origin(d, p, command);
    return ELBO_OK;
}

/* The folder of the figures as the page says it: from its own folder where it lies above them. */
static char *links_of(const char *path, const char *folder, const char *figures) {
    const char *slash = strrchr(path, '/');
    char *place = slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup("."), a[PATH_MAX],
         b[PATH_MAX];
    bool same = place && realpath(place, a) && realpath(folder, b) && !strcmp(a, b);
    free(place);
    if (same) return strdup("figures/report");
    return strdup(realpath(figures, a) ? a : figures);
}

elbo_status elbo_figure_report(const char *path, const char *folder, const elbo_report_data *r, const char *command,
                               elbo_error *err) {
    elbo_report_draft *d = calloc(1, sizeof *d);
    parts *p = calloc(1, sizeof *p);
    elbo_status status = d && p ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        d->r = r;
        d->c = &r->comparison;
        d->figures =
            elbo_path_join(folder, "figures/report"); // its own folder: a figure drawn by hand is not overwritten
        status = d->figures ? elbo_make_folder(d->figures, err) : elbo_no_memory(err);
    }
    if (status == ELBO_OK && !(d->links = links_of(path, folder, d->figures))) status = elbo_no_memory(err);
    if (status == ELBO_OK) status = put_together(d, p, command, err);
    if (status == ELBO_OK) {
        const char *sentence[ELBO_REPORT_SENTENCES];
        elbo_report report = {.title = title(d),
                              .summary = summary(d),
                              .sentences = sentence,
                              .sentence_count = elbo_report_sentences(sentence, r, &d->texts),
                              .items = d->item,
                              .count = d->count};
        status = d->texts.failed ? elbo_no_memory(err) : elbo_report_write(path, &report, err);
    }
    if (d && p) {
        for (int i = 0; i < MOST_RUNS; i++) free((void *)(uintptr_t)p->boxes[i].box);
        elbo_report_tables_free(&p->tables);
        elbo_report_texts_free(&d->texts);
        free(d->figures);
        free(d->links);
    }
    free(d);
    free(p);
    return status;
}
