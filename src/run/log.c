/* log.jsonl: one JSON object a line and epoch, written anew after each (it is small), so that it is always whole. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "run/run_folder.h"
#include "run/scores_json.h"

elbo_status elbo_log_add(elbo_log *log, const elbo_epoch_log *line, elbo_error *err) {
    if (!elbo_grow(&log->epoch, (size_t)log->count, &log->capacity, sizeof *log->epoch)) return elbo_no_memory(err);
    log->epoch[log->count++] = *line;
    return ELBO_OK;
}

void elbo_log_free(elbo_log *log) {
    free(log->epoch);
    *log = (elbo_log){0};
}

const elbo_epoch_log *elbo_log_kept(const elbo_log *log, const elbo_recipe *r) {
    if (!log->count) return NULL;
    int best = r->train.keep == ELBO_KEEP_BEST ? log->epoch[log->count - 1].best : 0;
    return &log->epoch[best > 0 && best <= log->count ? best - 1 : log->count - 1];
}

double elbo_log_kl_weight(const elbo_log *log, const elbo_recipe *r) {
    const elbo_epoch_log *kept = elbo_log_kept(log, r);
    return kept ? kept->kl_weight : (double)r->loss.kl;
}

bool elbo_log_stopped_early(const elbo_log *log, const elbo_recipe *r) {
    int best = log->count ? log->epoch[log->count - 1].best : 0;
    return r->train.patience > 0 && best > 0 && log->count - best >= r->train.patience;
}

/* A float as a recipe has it: 0.001, where its double would be 0.00100000005. */
static double as_written(double v) {
    char text[32];
    snprintf(text, sizeof text, "%.7g", v);
    return strtod(text, NULL);
}

elbo_status elbo_log_save(const char *run, const elbo_log *log, elbo_error *err) {
    char *path = elbo_path_join(run, "log.jsonl");
    if (!path) return elbo_no_memory(err);
    elbo_writer w;
    elbo_status status = elbo_writer_open(&w, path, err);
    free(path);
    if (status != ELBO_OK) return status;
    for (int i = 0; i < log->count; i++) {
        const elbo_epoch_log *e = &log->epoch[i];
        errno = 0; // jansson leaves out what it has no memory for
        json_t *line =
            json_pack("{s:i, s:s, s:o, s:o, s:f, s:f, s:f, s:f}", "epoch", e->epoch, "unit", "nats/image", "train",
                      elbo_scores_to_json(&e->train, &log->metrics), "test",
                      elbo_scores_to_json(&e->test, &log->metrics), "seconds", e->seconds, "images_per_second",
                      e->images_per_second, "lr", as_written(e->lr), "kl_weight", as_written(e->kl_weight));
        if (line && e->validation.images)
            json_object_set_new(line, "validation", elbo_scores_to_json(&e->validation, &log->metrics));
        if (line && e->best) json_object_set_new(line, "best", json_integer(e->best));
        bool whole = line && errno != ENOMEM,
             written = whole && json_dumpf(line, w.stream, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0;
        json_decref(line);
        if (!written) {
            if (!errno) errno = ENOMEM;
            status = elbo_fail_errno(err, "%s/log.jsonl: cannot be written", run);
            elbo_writer_abandon(&w);
            return status;
        }
        fputc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

static bool read_line(elbo_epoch_log *e, const char *text, const elbo_metrics *m, const elbo_recipe *r, size_t values) {
    *e = (elbo_epoch_log){0};
    json_t *o = elbo_json_read(text, strlen(text), 0, NULL);
    bool read =
        o &&
        json_unpack(o, "{s:i, s:F, s:F, s:F, s:F}", "epoch", &e->epoch, "seconds", &e->seconds, "images_per_second",
                    &e->images_per_second, "lr", &e->lr, "kl_weight", &e->kl_weight) == 0 &&
        elbo_scores_from_json(&e->train, json_object_get(o, "train"), m, r, e->kl_weight, values) &&
        elbo_scores_from_json(&e->test, json_object_get(o, "test"), m, r, e->kl_weight, values);
    const json_t *validation = json_object_get(o, "validation");
    if (read && validation) read = elbo_scores_from_json(&e->validation, validation, m, r, (double)r->loss.kl, values);
    if (read) e->best = (int)json_integer_value(json_object_get(o, "best"));
    json_decref(o);
    return read;
}

elbo_status elbo_log_load(const char *run, const elbo_recipe *r, elbo_image_shape image, elbo_log *log,
                          elbo_error *err) {
    *log = (elbo_log){.metrics = elbo_metrics_of(r)};
    char *path = elbo_path_join(run, "log.jsonl");
    if (!path) return elbo_no_memory(err);
    uint8_t *text = NULL;
    size_t size;
    elbo_status status = elbo_file_read(path, (size_t)1 << 30, &text, &size, err);
    if (status == ELBO_OK &&
        memchr(text, 0, size)) // (as a crash of the whole machine leaves: the rest would not be seen)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: has a zero byte in it; the file is damaged", path);
    int number = 0;
    char *rest = (char *)text, *line;
    while (status == ELBO_OK && (line = strsep(&rest, "\n"))) {
        number++;
        if (!*line) continue;
        elbo_epoch_log e;
        errno = 0;
        status = read_line(&e, line, &log->metrics, r, elbo_image_size(image)) ? elbo_log_add(log, &e, err)
                 : errno == ENOMEM
                     ? elbo_no_memory(err)
                     : elbo_fail(err, ELBO_BAD_INPUT, "%s:%d: is not a line of an elbo log", path, number);
    }
    free(text);
    free(path);
    if (status != ELBO_OK) elbo_log_free(log);
    return status;
}
