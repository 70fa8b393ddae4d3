#include "explore/metrics/confusion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/result.h"

elbo_status elbo_confusion_count(elbo_confusion *c, char *const *names, int classes, const uint8_t *labels,
                                 const uint8_t *told[2], size_t n, elbo_error *err) {
    size_t C = (size_t)classes;
    *c = (elbo_confusion){.classes = classes,
                          .name = elbo_alloc(C, sizeof *c->name),
                          .knn = elbo_alloc(C * C, sizeof *c->knn),
                          .probe = elbo_alloc(C * C, sizeof *c->probe)};
    bool whole = c->name && c->knn && c->probe;
    for (size_t k = 0; whole && k < C; k++) whole = (c->name[k] = strdup(names[k])) != NULL;
    if (!whole) {
        elbo_confusion_free(c);
        return elbo_no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        c->knn[labels[i] * C + told[0][i]]++;
        c->probe[labels[i] * C + told[1][i]]++;
    }
    return ELBO_OK;
}

void elbo_confusion_free(elbo_confusion *c) {
    elbo_texts_free(c->name, c->name ? c->classes : 0);
    free(c->knn);
    free(c->probe);
    *c = (elbo_confusion){0};
}

elbo_confused elbo_confusion_of(const uint32_t *table, int classes, int row) {
    const uint32_t *count = table + (size_t)row * (size_t)classes;
    elbo_confused r = {.right = NAN, .other = -1};
    double all = 0;
    for (int k = 0; k < classes; k++) all += count[k];
    for (int k = 0; k < classes; k++)
        if (k != row && count[k] && (r.other < 0 || count[k] > count[r.other])) r.other = k;
    if (all > 0) r.right = count[row] / all;
    if (r.other >= 0) r.share = count[r.other] / all;
    return r;
}

static json_t *table_json(const uint32_t *table, int classes) {
    json_t *rows = json_array();
    for (int r = 0; r < classes; r++) {
        json_t *row = json_array();
        for (int k = 0; k < classes; k++) json_array_append_new(row, json_integer(table[r * classes + k]));
        json_array_append_new(rows, row);
    }
    return rows;
}

json_t *elbo_confusion_json(const elbo_confusion *c) {
    json_t *names = json_array();
    for (int k = 0; k < c->classes; k++) json_array_append_new(names, json_string(c->name[k]));
    return json_pack("{s:o, s:o, s:o}", "classes", names, "knn", table_json(c->knn, c->classes), "probe",
                     table_json(c->probe, c->classes));
}
