#include "render/report_tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"
#include "data/table.h"

enum { COLUMNS = 11, FINDING_COLUMNS = 5 };

/* ---- the logs ---- */

/* The last column, the objective, is there only where some run needs it. */
static elbo_status fill_log(elbo_report_table *table, const elbo_comparison *c, elbo_report_texts *t, elbo_error *err) {
    static const char *const head[] = {"model", "latent", "parameters", "epochs",   "test loss", "reconstr.",
                                       "KL",    "MSE",    "seconds",    "images/s", "objective"};
    _Static_assert(sizeof head / sizeof *head == COLUMNS, "a heading for each column");
    size_t columns = COLUMNS - 1;
    for (int i = 0; i < c->count; i++)
        if (!c->run[i].objective_is_loss) columns = COLUMNS;
    const char **cells = calloc((size_t)(c->count + 1) * columns, sizeof *cells); // (count + 1, columns)
    if (!cells) return elbo_no_memory(err);
    memcpy(cells, head, columns * sizeof *head);
    for (int i = 0; i < c->count; i++) {
        const elbo_compared_run *r = &c->run[i];
        const elbo_scores *s = elbo_compared_scores(r);
        const char **row = cells + (size_t)(i + 1) * columns;
        char number[32];
        row[0] = r->label;
        row[1] = elbo_report_say(t, "%d", r->latent);
        row[2] = elbo_report_say(t, "%s", elbo_thousands((double)r->parameters, number));
        row[3] = elbo_report_say(t, "%d", r->epochs);
        row[4] = s ? elbo_report_say(t, "%.2f", s->loss) : "";
        row[5] = s ? elbo_report_say(t, "%.2f", s->reconstruction) : "";
        row[6] = s && r->kind == ELBO_VAE ? elbo_report_say(t, "%.2f", s->kl) : "–";
        row[7] = s ? elbo_report_say(t, "%.4f", s->mse) : "";
        row[8] = elbo_report_say(t, "%.1f", r->seconds);
        row[9] = r->seconds > 0 ? elbo_report_say(t, "%s", elbo_thousands(r->images_per_second, number)) : "";
        if (columns == COLUMNS) row[10] = s && !r->objective_is_loss ? r->objective_number : "–";
    }
    *table = (elbo_report_table){.title = "Scores on the test images (losses in nats per image)",
                                 .rows = c->count + 1,
                                 .columns = (int)columns,
                                 .cells = cells};
    return ELBO_OK;
}

/* ---- the scores ---- */

static elbo_status fill_scores(elbo_report_table *table, const elbo_comparison *c, elbo_report_texts *t,
                               elbo_error *err) {
    int column[ELBO_MOST_QUALITY_ROWS + 1], columns = 1; // rows of elbo_quality_rows
    for (int row = 0; elbo_quality_rows[row].key; row++)
        if (elbo_comparison_has(c, &elbo_quality_rows[row])) column[columns++] = row;
    size_t size = (size_t)(c->count + 1) * (size_t)columns;
    const char **cells = calloc(size, sizeof *cells); // (count + 1, columns)
    bool *strong = calloc(size, sizeof *strong);
    *table = (elbo_report_table){
        .title = "Reconstruction, codes and classification (test images; the best of a column is bold)",
        .rows = c->count + 1,
        .columns = columns,
        .cells = cells,
        .strong = strong};
    if (!cells || !strong) return elbo_no_memory(err);
    cells[0] = "model";
    for (int k = 1; k < columns; k++) cells[k] = elbo_quality_rows[column[k]].short_label;
    for (int i = 0; i < c->count; i++) {
        const elbo_compared_run *r = &c->run[i];
        size_t at = (size_t)(i + 1) * (size_t)columns;
        cells[at] = r->label;
        for (int k = 1; k < columns; k++) {
            char text[ELBO_QUALITY_TEXT];
            elbo_quality_text(&elbo_quality_rows[column[k]], elbo_compared_quality(r), text);
            cells[at + (size_t)k] = *text ? elbo_report_say(t, "%s", text) : "–";
            strong[at + (size_t)k] = r->best[column[k]];
        }
    }
    return ELBO_OK;
}

/* ---- classes ---- */

/* A row for each class; of each run that was asked: 5-NN with what it is most often taken for, and the linear probe. */
static elbo_status fill_classes(elbo_report_table *table, const elbo_report_data *r, elbo_report_texts *t,
                                elbo_error *err) {
    const elbo_confusion *first = NULL;
    int count = r->comparison.count, columns = 1, classes = 0;
    for (int i = 0; i < count; i++) {
        const elbo_confusion *c = &r->run[i].confusion;
        if (!c->classes || (first && c->classes != first->classes)) continue;
        if (!first) first = c;
        columns += 2;
    }
    *table = (elbo_report_table){.title = "Classes told from the codes, % of each class's test images"};
    if (!first) return ELBO_OK;
    classes = first->classes;
    const char **cells = calloc((size_t)(classes + 1) * (size_t)columns, sizeof *cells); // (classes + 1, columns)
    if (!cells) return elbo_no_memory(err);
    cells[0] = "class";
    int rows = 1;
    for (int k = 0; k < classes; k++) {
        if (!isfinite(elbo_confusion_of(first->knn, classes, k).right)) continue; // no test image is of it
        const char **row = cells + (size_t)rows++ * (size_t)columns;
        row[0] = first->name[k];
        for (int i = 0, at = 1; i < count; i++) {
            const elbo_confusion *c = &r->run[i].confusion;
            if (c->classes != classes) continue;
            elbo_confused n = elbo_confusion_of(c->knn, classes, k), p = elbo_confusion_of(c->probe, classes, k);
            cells[at] = elbo_report_say(t, "%s 5\u2011NN", r->comparison.run[i].label);
            row[at++] = n.other < 0 ? elbo_report_say(t, "%.1f", 100 * n.right)
                                    : elbo_report_say(t, "%.1f\u00a0(%.1f\u00a0as\u00a0%s)", 100 * n.right,
                                                      100 * n.share, c->name[n.other]);
            cells[at] = "probe";
            row[at++] = elbo_report_say(t, "%.1f", 100 * p.right);
        }
    }
    table->rows = rows;
    table->columns = columns;
    table->cells = cells;
    return ELBO_OK;
}

/* ---- bytes ---- */

static elbo_status fill_bytes(elbo_report_table *table, const elbo_report_data *r, elbo_report_texts *t,
                              elbo_error *err) {
    enum { BYTE_COLUMNS = 4 };
    static const char *const head[BYTE_COLUMNS] = {"model", "bytes per image", "bytes per code", "ratio"};
    const elbo_comparison *c = &r->comparison;
    const char **cells = calloc((size_t)(c->count + 1) * BYTE_COLUMNS, sizeof *cells);
    if (!cells) return elbo_no_memory(err);
    memcpy(cells, head, sizeof head);
    for (int i = 0; i < c->count; i++) {
        const char **row = cells + (size_t)(i + 1) * BYTE_COLUMNS;
        size_t image = elbo_image_bytes(r->data.shape), code = sizeof(float) * (size_t)c->run[i].latent;
        char number[2][32];
        row[0] = c->run[i].label;
        row[1] = elbo_report_say(t, "%s", elbo_thousands((double)image, number[0]));
        row[2] = elbo_report_say(t, "%s", elbo_thousands((double)code, number[1]));
        row[3] = elbo_report_say(t, "%.2f", (double)image / (double)code);
    }
    *table =
        (elbo_report_table){.title = elbo_shape_is_row(r->data.shape)
                                         ? "Compression (four bytes for each value)"
                                         : "Compression (a byte for each value of an image, four for each of a code)",
                            .rows = c->count + 1,
                            .columns = BYTE_COLUMNS,
                            .cells = cells};
    return ELBO_OK;
}

/* ---- the data ---- */

static elbo_status fill_data(elbo_report_table *table, const elbo_data_sheet *d, elbo_report_texts *t,
                             elbo_error *err) {
    enum { DATA_COLUMNS = 3, MOST_LISTED = 40 };
    int listed = d->classes <= MOST_LISTED ? d->classes : 0, rows = 1;
    const char **cells = calloc((size_t)(listed + 8) * DATA_COLUMNS, sizeof *cells), **row = cells + DATA_COLUMNS;
    char number[32];
    if (!cells) return elbo_no_memory(err);
    cells[0] = "images";
    cells[1] = "training";
    cells[2] = "test";
    row[0] = "all";
    row[1] = elbo_report_say(t, "%s", elbo_thousands((double)d->train, number));
    row[2] = elbo_report_say(t, "%s", elbo_thousands((double)d->test, number));
    rows++;
    for (int k = 0; k < listed; k++) {
        if (!d->count[0][k] && !d->count[1][k]) continue;
        row = cells + (size_t)rows++ * DATA_COLUMNS;
        row[0] = elbo_report_say(t, "class %s", d->class_name[k]);
        row[1] = elbo_report_say(t, "%s", elbo_thousands((double)d->count[0][k], number));
        row[2] = elbo_report_say(t, "%s", elbo_thousands((double)d->count[1][k], number));
    }
    *table = (elbo_report_table){.title = "Images by class", .rows = rows, .columns = DATA_COLUMNS, .cells = cells};
    return ELBO_OK;
}

/* ---- the checks ---- */

/* A row for each thing of a run that is not ok; row: the next one's cells. */
static int fill_findings_of(const char **row, int columns, const elbo_diagnosis *d, const char *label) {
    int rows = 0;
    for (int k = 0; k < d->count; k++) {
        const elbo_check *v = &d->check[k];
        if (v->health != ELBO_CHECK_NOTE && v->health != ELBO_CHECK_PROBLEM) continue;
        const char *const cells[FINDING_COLUMNS] = {rows ? "" : label, v->title, elbo_health_name(v->health),
                                                    v->evidence, v->advice};
        memcpy(row + (size_t)(rows++ * columns), cells, (size_t)columns * sizeof *row);
    }
    return rows;
}

/* Runs without a row are well, and are named in `healthy`, one line for all of them. */
static elbo_status fill_findings(elbo_report_tables *t, const elbo_report_data *r, elbo_report_texts *texts,
                                 elbo_error *err) {
    static const char *const head[FINDING_COLUMNS] = {"model", "check", "result", "evidence", "what to try"};
    int count = r->comparison.count, rows = 1, columns = FINDING_COLUMNS - 1, well = 0, checks = 0;
    for (int i = 0; i < count; i++)
        for (int k = 0; k < r->run[i].diagnosis.count; k++)
            if (*r->run[i].diagnosis.check[k].advice) columns = FINDING_COLUMNS; // nobody needs advice where all is ok
    const char **cells = calloc((size_t)(count * ELBO_MOST_CHECKS + 1) * FINDING_COLUMNS, sizeof *cells);
    if (!cells) return elbo_no_memory(err);
    memcpy(cells, head, (size_t)columns * sizeof *cells);
    const char *names = "";
    for (int i = 0; i < count; i++) {
        int found = fill_findings_of(cells + (size_t)(rows * columns), columns, &r->run[i].diagnosis,
                                     r->comparison.run[i].label);
        int ok = elbo_diagnosis_count(&r->run[i].diagnosis, ELBO_CHECK_OK);
        rows += found;
        if (found) continue;
        names = elbo_report_say(texts, "%s%s%s", names, well++ ? ", " : "", r->comparison.run[i].label);
        checks += ok;
    }
    if (well) t->healthy = elbo_report_say(texts, "%s: all %d checks of `elbo doctor` are ok.", names, checks);
    t->findings = (elbo_report_table){
        .title = "What `elbo doctor` found", .rows = rows > 1 ? rows : 0, .columns = columns, .cells = cells};
    return ELBO_OK;
}

elbo_status elbo_report_tables_fill(elbo_report_tables *t, const elbo_report_data *r, elbo_report_texts *texts,
                                    elbo_error *err) {
    *t = (elbo_report_tables){0};
    elbo_status status = fill_log(&t->log, &r->comparison, texts, err);
    if (status == ELBO_OK && r->analysed) status = fill_scores(&t->scores, &r->comparison, texts, err);
    if (status == ELBO_OK && r->analysed) status = fill_classes(&t->classes, r, texts, err);
    if (status == ELBO_OK) status = fill_bytes(&t->bytes, r, texts, err);
    if (status == ELBO_OK) status = fill_data(&t->data, &r->data, texts, err);
    if (status == ELBO_OK) status = fill_findings(t, r, texts, err);
    if (status != ELBO_OK) elbo_report_tables_free(t);
    return status;
}

void elbo_report_tables_free(elbo_report_tables *t) {
    const elbo_report_table *all[] = {&t->log, &t->scores, &t->classes, &t->bytes, &t->data, &t->findings};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free((void *)(uintptr_t)all[i]->cells);
        free((void *)(uintptr_t)all[i]->strong);
    }
    *t = (elbo_report_tables){0};
}
