#include "render/report_tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/shown.h"

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

/* ---- the checks ---- */

/* A row for each thing of a run that is not ok, and one for the rest; row: the next one's cells. */
static int fill_findings_of(const char **row, int columns, const elbo_diagnosis *d, const char *label,
                            elbo_report_texts *t) {
    int rows = 0;
    const char *ok = "";
    for (int k = 0; k < d->count; k++) {
        const elbo_check *v = &d->check[k];
        if (v->health == ELBO_CHECK_OK) ok = elbo_report_say(t, "%s%s%s", ok, *ok ? ", " : "", v->title);
        if (v->health != ELBO_CHECK_NOTE && v->health != ELBO_CHECK_PROBLEM) continue;
        const char *const cells[FINDING_COLUMNS] = {rows ? "" : label, v->title, elbo_health_name(v->health),
                                                    v->evidence, v->advice};
        memcpy(row + (size_t)(rows++ * columns), cells, (size_t)columns * sizeof *row);
    }
    const char *const rest[FINDING_COLUMNS] = {rows ? "" : label, rows ? "other checks" : "all checks",
                                               elbo_health_name(ELBO_CHECK_OK), ok, ""};
    memcpy(row + (size_t)(rows * columns), rest, (size_t)columns * sizeof *row);
    return rows + 1;
}

static elbo_status fill_findings(elbo_report_table *table, const elbo_report_data *r, elbo_report_texts *t,
                                 elbo_error *err) {
    static const char *const head[FINDING_COLUMNS] = {"model", "check", "result", "evidence", "what to try"};
    int count = r->comparison.count, rows = 1, columns = FINDING_COLUMNS - 1; // nobody needs advice where all is ok
    for (int i = 0; i < count; i++)
        for (int k = 0; k < r->run[i].diagnosis.count; k++)
            if (*r->run[i].diagnosis.check[k].advice) columns = FINDING_COLUMNS;
    const char **cells = calloc((size_t)(count * (ELBO_MOST_CHECKS + 1) + 1) * FINDING_COLUMNS, sizeof *cells);
    if (!cells) return elbo_no_memory(err);
    memcpy(cells, head, (size_t)columns * sizeof *cells);
    for (int i = 0; i < count; i++)
        rows += fill_findings_of(cells + (size_t)(rows * columns), columns, &r->run[i].diagnosis,
                                 r->comparison.run[i].label, t);
    *table = (elbo_report_table){.title = "Diagnosis (elbo doctor)", .rows = rows, .columns = columns, .cells = cells};
    return ELBO_OK;
}

elbo_status elbo_report_tables_fill(elbo_report_tables *t, const elbo_report_data *r, elbo_report_texts *texts,
                                    elbo_error *err) {
    *t = (elbo_report_tables){.count = r->analysed ? 2 : 1};
    elbo_status status = fill_log(&t->table[0], &r->comparison, texts, err);
    if (status == ELBO_OK) status = fill_scores(&t->table[1], &r->comparison, texts, err);
    if (status == ELBO_OK) status = fill_findings(&t->findings, r, texts, err);
    if (status != ELBO_OK) elbo_report_tables_free(t);
    return status;
}

void elbo_report_tables_free(elbo_report_tables *t) {
    const elbo_report_table *all[] = {&t->table[0], &t->table[1], &t->findings};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free((void *)(uintptr_t)all[i]->cells);
        free((void *)(uintptr_t)all[i]->strong);
    }
    *t = (elbo_report_tables){0};
}
