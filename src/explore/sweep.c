/* What a sweep found: means and spreads over the seeds, which value is best and which is enough. */
#include "explore/sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

const elbo_sweep_measure_info elbo_sweep_measures[ELBO_SWEEP_MEASURES] = {
    [ELBO_SWEEP_VALIDATION] = {"validation", "validation", "", -1, 2},
    [ELBO_SWEEP_OBJECTIVE] = {"objective", "objective", "", -1, 2},
    [ELBO_SWEEP_LOSS] = {"loss", "-ELBO", "nats per image", -1, 2},
    [ELBO_SWEEP_RECONSTRUCTION] = {"reconstruction", "reconstruction", "nats per image", -1, 2},
    [ELBO_SWEEP_KL] = {"kl", "KL", "nats per image", 0, 2},
    [ELBO_SWEEP_ACTIVE] = {"active_units", "active units", "", 0, 1},
    [ELBO_SWEEP_LOG_P] = {"log_likelihood", "log p(x)", "nats per image", 1, 2},
};

static elbo_spread spread_of(const elbo_sweep *s, const elbo_sweep_setting *setting, elbo_sweep_measure m) {
    elbo_spread v = {.mean = NAN, .deviation = NAN};
    double sum = 0, squares = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = setting->first; i < setting->first + s->seeds; i++) {
            double x = s->run[i].value[m];
            if (s->run[i].state != ELBO_SWEEP_DONE || !isfinite(x)) continue;
            if (pass == 0) sum += x, v.n++;
            if (pass == 1) squares += (x - v.mean) * (x - v.mean);
        }
        if (!v.n) return v;
        if (pass == 0) v.mean = sum / v.n;
    }
    if (v.n > 1) v.deviation = sqrt(squares / (v.n - 1));
    return v;
}

/* Whether all runs minimise the same, so that objectives can be compared. */
static bool same_objective(const elbo_sweep *s) {
    for (int i = 0; i < s->runs; i++)
        if (!elbo_objective_same(&s->run[i].recipe, &s->run[0].recipe)) return false;
    return true;
}

static bool every_run_has(const elbo_sweep *s, elbo_sweep_measure m) {
    for (int i = 0; i < s->runs; i++)
        if (s->run[i].state == ELBO_SWEEP_DONE && !isfinite(s->run[i].value[m])) return false;
    return true;
}

/* Test images choose nothing where there are images to choose by. What can be compared of any two is the loss. */
static elbo_sweep_measure choose_score(const elbo_sweep *s) {
    bool same = same_objective(s);
    if (same && every_run_has(s, ELBO_SWEEP_VALIDATION)) return ELBO_SWEEP_VALIDATION;
    if (every_run_has(s, ELBO_SWEEP_LOG_P)) return ELBO_SWEEP_LOG_P;
    return same && s->objective_differs ? ELBO_SWEEP_OBJECTIVE : ELBO_SWEEP_LOSS;
}

static double cost_of(const elbo_sweep *s, int setting) { // the less, the better; NaN: unknown
    return -elbo_sweep_measures[s->score].better * s->setting[setting].spread[s->score].mean;
}

/* Of the best's mean. Two or three seeds alone say little of a deviation: that of all settings, pooled, says more. */
static double standard_error(const elbo_sweep *s) {
    double squares = 0;
    int freedom = 0;
    for (int i = 0; i < s->settings; i++) {
        const elbo_spread *v = &s->setting[i].spread[s->score];
        if (v->n < 2) continue;
        squares += v->deviation * v->deviation * (v->n - 1);
        freedom += v->n - 1;
    }
    return freedom ? sqrt(squares / freedom / s->setting[s->best].spread[s->score].n) : NAN;
}

/* Like the best in all keys but the first. */
static bool beside_best(const elbo_sweep *s, int setting) {
    for (int k = 1; k < s->keys; k++)
        if (s->setting[setting].value[k] != s->setting[s->best].value[k]) return false;
    return true;
}

static int find_smallest(const elbo_sweep *s) {
    const double *number = s->key[0].number;
    int smallest = -1;
    if (!number || !isfinite(s->standard_error)) return -1;
    for (int i = 0; i < s->settings; i++) {
        if (!beside_best(s, i) || !(cost_of(s, i) <= cost_of(s, s->best) + 2 * s->standard_error)) continue;
        if (smallest < 0 || number[s->setting[i].value[0]] < number[s->setting[smallest].value[0]]) smallest = i;
    }
    return smallest;
}

void elbo_sweep_summarize(elbo_sweep *s) {
    s->vae = s->objective_differs = false;
    for (int i = 0; i < s->runs; i++) {
        const elbo_recipe *r = &s->run[i].recipe;
        s->vae = s->vae || r->kind == ELBO_VAE;
        s->objective_differs = s->objective_differs || !elbo_objective_stays_elbo(r);
    }
    for (int i = 0; i < s->settings; i++) {
        elbo_sweep_setting *setting = &s->setting[i];
        setting->finished = setting->failed = 0;
        for (int r = setting->first; r < setting->first + s->seeds; r++) {
            setting->finished += s->run[r].state == ELBO_SWEEP_DONE;
            setting->failed += s->run[r].state == ELBO_SWEEP_FAILED;
        }
        for (int m = 0; m < ELBO_SWEEP_MEASURES; m++) setting->spread[m] = spread_of(s, setting, (elbo_sweep_measure)m);
    }
    s->score = choose_score(s);
    s->best = s->smallest = -1;
    s->standard_error = NAN;
    for (int i = 0; i < s->settings; i++)
        if (s->setting[i].spread[s->score].n && (s->best < 0 || cost_of(s, i) < cost_of(s, s->best))) s->best = i;
    if (s->best < 0) return;
    s->standard_error = standard_error(s);
    s->smallest = find_smallest(s);
}

/* ---- results.csv ---- */

static const char *const states[] = {[ELBO_SWEEP_WAITING] = "waiting",
                                     [ELBO_SWEEP_DONE] = "done",
                                     [ELBO_SWEEP_FAILED] = "failed",
                                     [ELBO_SWEEP_CUT] = "stopped"};

static void csv_text(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

elbo_status elbo_sweep_write_csv(const elbo_sweep *s, elbo_error *err) {
    char *path = elbo_path_join(s->folder, "results.csv");
    if (!path) return elbo_no_memory(err);
    elbo_writer w;
    elbo_status status = elbo_writer_open(&w, path, err);
    free(path);
    if (status != ELBO_OK) return status;
    fputs("run", w.stream);
    for (int k = 0; k < s->keys; k++) {
        fputc(',', w.stream);
        csv_text(w.stream, s->key[k].key);
    }
    fputs(",seed,state,epochs,seconds", w.stream);
    for (int m = 0; m < ELBO_SWEEP_MEASURES; m++) fprintf(w.stream, ",%s", elbo_sweep_measures[m].key);
    fputs(",error\n", w.stream);
    for (int i = 0; i < s->runs; i++) {
        const elbo_sweep_run *r = &s->run[i];
        csv_text(w.stream, r->name);
        for (int k = 0; k < s->keys; k++) {
            fputc(',', w.stream);
            csv_text(w.stream, s->key[k].value[s->setting[r->setting].value[k]]);
        }
        fprintf(w.stream, ",%llu,%s,%d,%.3f", (unsigned long long)r->seed, states[r->state], r->epochs, r->seconds);
        for (int m = 0; m < ELBO_SWEEP_MEASURES; m++) {
            fputc(',', w.stream);
            if (isfinite(r->value[m])) fprintf(w.stream, "%.9g", r->value[m]);
        }
        fputc(',', w.stream);
        csv_text(w.stream, r->error ? r->error : "");
        fputc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

/* ---- JSON ---- */

static json_t *values_json(const elbo_sweep *s, const elbo_sweep_setting *setting) {
    json_t *o = json_object();
    for (int k = 0; k < s->keys; k++) {
        const elbo_sweep_key *key = &s->key[k];
        int v = setting->value[k];
        json_object_set_new(o, key->key, key->number ? json_real(key->number[v]) : json_string(key->value[v]));
    }
    return o;
}

static json_t *setting_json(const elbo_sweep *s, int i) {
    const elbo_sweep_setting *setting = &s->setting[i];
    json_t *o = json_pack("{s:s, s:o, s:i, s:i}", "name", setting->name, "values", values_json(s, setting), "finished",
                          setting->finished, "failed", setting->failed);
    for (int m = 0; m < ELBO_SWEEP_MEASURES; m++) {
        const elbo_spread *v = &setting->spread[m];
        if (!v->n) continue;
        json_t *spread = json_pack("{s:f, s:i}", "mean", v->mean, "seeds", v->n);
        if (isfinite(v->deviation)) json_object_set_new(spread, "deviation", json_real(v->deviation));
        json_object_set_new(o, elbo_sweep_measures[m].key, spread);
    }
    return o;
}

static json_t *run_json(const elbo_sweep *s, const elbo_sweep_run *r) {
    json_t *o = json_pack("{s:s, s:o, s:I, s:s, s:i, s:f, s:s*}", "run", r->name, "values",
                          values_json(s, &s->setting[r->setting]), "seed", (json_int_t)r->seed, "state",
                          states[r->state], "epochs", r->epochs, "seconds", r->seconds, "error", r->error);
    for (int m = 0; m < ELBO_SWEEP_MEASURES; m++)
        if (isfinite(r->value[m])) json_object_set_new(o, elbo_sweep_measures[m].key, json_real(r->value[m]));
    return o;
}

json_t *elbo_sweep_json(const elbo_sweep *s) {
    json_t *keys = json_array(), *settings = json_array(), *runs = json_array();
    for (int k = 0; k < s->keys; k++) json_array_append_new(keys, json_string(s->key[k].key));
    for (int i = 0; i < s->settings; i++) json_array_append_new(settings, setting_json(s, i));
    for (int i = 0; i < s->runs; i++) json_array_append_new(runs, run_json(s, &s->run[i]));
    json_t *o = json_pack("{s:s, s:s, s:o, s:i, s:s, s:s, s:s, s:o, s:o}", "sweep", s->folder, "recipe", s->recipe,
                          "keys", keys, "seeds", s->seeds, "unit", "nats/image", "split", s->split, "score",
                          elbo_sweep_measures[s->score].key, "settings", settings, "runs", runs);
    if (!o) return NULL;
    if (s->best >= 0) json_object_set_new(o, "best", json_string(s->setting[s->best].name));
    if (isfinite(s->standard_error)) json_object_set_new(o, "standard_error", json_real(s->standard_error));
    if (s->smallest >= 0) json_object_set_new(o, "smallest", json_string(s->setting[s->smallest].name));
    return o;
}
