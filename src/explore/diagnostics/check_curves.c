/* What the curves in log.jsonl tell. They are read as the objective that was trained for, with the KL's last weight, so
 * that a warm-up is no problem. */
#include <math.h>
#include <stdio.h>

#include "explore/diagnostics/checks.h"

/* Without what an adversary gives, which means another thing as it learns. */
static elbo_recipe without_adversary(const elbo_eval_context *e) {
    elbo_recipe r = e->model->recipe; // (the memory behind it stays the model's)
    r.adversary.on = ELBO_ADVERSARY_NONE;
    return r;
}

static double objective(const elbo_eval_context *e, const elbo_scores *s) {
    const elbo_model *m = e->model;
    elbo_scores own = *s;
    int term = elbo_metrics_find(&e->log->metrics, "adversary");
    if (term >= 0) own.metric[term] = 0;
    return elbo_objective(&m->recipe, &own, elbo_log_kl_weight(e->log, &m->recipe),
                          elbo_image_size(m->network.graph.image));
}
static double train_at(const elbo_eval_context *e, int epoch) { return objective(e, &e->log->epoch[epoch].train); }
static double test_at(const elbo_eval_context *e, int epoch) { return objective(e, &e->log->epoch[epoch].test); }
/* "loss", or, where it is not the negative ELBO in nats, "objective = reconstruction + 4 kl:". */
static const char *objective_name(const elbo_eval_context *e, char text[ELBO_OBJECTIVE_TEXT + 16]) {
    const elbo_recipe r = without_adversary(e);
    double weight = elbo_log_kl_weight(e->log, &r);
    char formula[ELBO_OBJECTIVE_TEXT];
    elbo_metrics m = elbo_metrics_of(&r);
    if (elbo_objective_is_elbo(&r, weight)) return "loss";
    snprintf(text, ELBO_OBJECTIVE_TEXT + 16, "objective = %s:",
             elbo_objective_text(&r, &m, weight, elbo_image_size(e->model->network.graph.image), formula));
    return text;
}
typedef struct shown {
    char text[ELBO_OBJECTIVE_NUMBER];
} shown;
static shown show(const elbo_eval_context *e, double value) {
    shown s;
    elbo_objective_number(&e->model->recipe, value, s.text);
    return s;
}
/* By how much `loss` lies above `from`, as a share of that one's size. Both are objectives. */
static double rise_from(const elbo_eval_context *e, double from, double loss) {
    const elbo_model *m = e->model;
    double scale = m->recipe.loss.scale == ELBO_MEAN ? (double)elbo_image_size(m->network.graph.image) : 1;
    double size = elbo_loss_size(&m->observation, from * scale) / scale;
    return size > 0 && isfinite(loss) ? (loss - from) / size : 0;
}

static bool has_test(const elbo_log *log) { return log->count > 0 && log->epoch[log->count - 1].test.images > 0; }

elbo_status elbo_check_finished(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    int done = e->log->count, wanted = e->model->recipe.train.epochs;
    if (e->model->facts.imported) return ELBO_OK; // trained elsewhere
    elbo_number(v, "epochs", done);
    elbo_number(v, "epochs_wanted", wanted);
    if (done >= wanted) {
        elbo_found(v, ELBO_CHECK_OK, "%d of %d epochs", done, wanted);
    } else if (elbo_log_stopped_early(e->log, &e->model->recipe)) {
        elbo_found(v, ELBO_CHECK_OK, "%d of %d epochs: the validation objective had not fallen for %d of them", done,
                   wanted, e->model->recipe.train.patience);
    } else {
        elbo_found(v, done ? ELBO_CHECK_NOTE : ELBO_CHECK_PROBLEM,
                   "%d of %d epochs: it was stopped, or ended with an error", done, wanted);
        elbo_advise(v, "`elbo train --resume -o '%s'` continues, or repeats the error", e->model->run);
    }
    return ELBO_OK;
}

/* A loss that leaps, or ends above where it was: steps too large for the weights to settle. */
/* The mean training loss of some epochs: of few images it goes up and down by chance from one epoch to the next. */
static double train_around(const elbo_eval_context *e, int first, int epochs) {
    double sum = 0;
    for (int i = 0; i < epochs; i++) sum += train_at(e, first + i) / epochs;
    return sum;
}

elbo_status elbo_check_diverged(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    const elbo_log *log = e->log;
    if (log->count < 2) return ELBO_OK;
    int some = log->count / 20 > 1 ? log->count / 20 : 1;
    double best = INFINITY, leap = 1, last = train_around(e, log->count - some, some);
    int leapt = 0;
    bool finite = true;
    char text[ELBO_OBJECTIVE_TEXT + 16];
    for (int i = 0; i + some <= log->count; i++) {
        double now = train_around(e, i, some);
        finite = finite && isfinite(now);
        if (isfinite(best) && 1 + rise_from(e, best, now) > leap) {
            leap = 1 + rise_from(e, best, now);
            leapt = i + 1;
        }
        if (now < best) best = now;
    }
    elbo_number(v, "last_train_loss", last);
    elbo_number(v, "best_train_loss", best);
    elbo_number(v, "largest_leap", leap);
    bool above = rise_from(e, best, last) > 0.02;
    if (finite && !above && leap <= 1.1) {
        elbo_found(v, ELBO_CHECK_OK, "training %s %s at the end, the lowest was %s", objective_name(e, text),
                   show(e, last).text, show(e, best).text);
        return ELBO_OK;
    }
    elbo_found(v, above || !finite ? ELBO_CHECK_PROBLEM : ELBO_CHECK_NOTE,
               "training %s %s at the end, but it was %s before; in epoch %d it was %.0f %% above the lowest so far",
               objective_name(e, text), show(e, last).text, show(e, best).text, leapt, 100 * (leap - 1));
    elbo_advise(v, "a smaller learning rate (--set train.lr=%g), or train.clip=1",
                (double)e->model->recipe.train.lr / 10);
    return ELBO_OK;
}

elbo_status elbo_check_underfitting(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    const elbo_log *log = e->log;
    if (log->count < 2) return ELBO_OK;
    int n = log->count, tail = n / 10 > 1 ? n / 10 : 1;
    bool test = has_test(log);
    double last = test ? test_at(e, n - 1) : train_at(e, n - 1);
    double before = test ? test_at(e, n - 1 - tail) : train_at(e, n - 1 - tail);
    double fall = -rise_from(e, before, last);
    elbo_number(v, "fall", fall);
    elbo_number(v, "epochs_looked_at", tail);
    bool falling = fall > 0.02;
    char epochs[40], text[ELBO_OBJECTIVE_TEXT + 16];
    snprintf(epochs, sizeof epochs, "%d epochs", tail);
    elbo_found(v, falling ? ELBO_CHECK_PROBLEM : ELBO_CHECK_OK, "%s %s %s; the last %s lowered it by %.1f %%%s",
               test ? "test" : "training", objective_name(e, text), show(e, last).text, tail > 1 ? epochs : "epoch",
               100 * fall, falling ? ": it is still falling" : "");
    if (falling) elbo_advise(v, "train longer: `elbo train --resume -o '%s' -e %d`", e->model->run, 2 * n);
    return ELBO_OK;
}

/* The gap between the splits, and a test loss that has turned up while the training loss still falls. The training loss
 * of an epoch is a mean over it, so that of a healthy run lies above the test loss taken behind it. */
elbo_status elbo_check_overfitting(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    const elbo_log *log = e->log;
    if (log->count < 2 || !has_test(log)) return ELBO_OK;
    int n = log->count, best = 0;
    for (int i = 1; i < n; i++)
        if (test_at(e, i) < test_at(e, best)) best = i;
    int kept = (int)(elbo_log_kept(log, &e->model->recipe) - log->epoch); // the weights that are looked at
    double test = test_at(e, kept), train = train_at(e, kept), lowest = test_at(e, best);
    double gap = rise_from(e, train, test), rise = rise_from(e, lowest, test);
    bool turned = rise > 0.01 && train < train_at(e, best);
    bool apart = gap > 0.1;
    char text[ELBO_OBJECTIVE_TEXT + 16];
    const char *name = objective_name(e, text);
    elbo_number(v, "train_loss", train);
    elbo_number(v, "test_loss", test);
    elbo_number(v, "gap", gap);
    elbo_number(v, "rise", rise);
    elbo_number(v, "best_epoch", best + 1);
    if (!turned && !apart) {
        elbo_found(v, ELBO_CHECK_OK, "%s %s on test images, %s in training (%+.1f %%)", name, show(e, test).text,
                   show(e, train).text, 100 * gap);
        return ELBO_OK;
    }
    if (turned)
        elbo_found(
            v, ELBO_CHECK_PROBLEM,
            "%s %s on test images, %s in training (%+.1f %%); on test images it was lowest, %s, after epoch %d of %d "
            "and has risen since",
            name, show(e, test).text, show(e, train).text, 100 * gap, show(e, lowest).text, best + 1, n);
    else
        elbo_found(v, ELBO_CHECK_PROBLEM, "%s %s on test images, %s in training: %+.1f %%", name, show(e, test).text,
                   show(e, train).text, 100 * gap);
    if (turned)
        elbo_advise(v,
                    "keep the best epoch (--set train.keep=best --set train.validation=0.1), or stop after about %d "
                    "epochs; more images, a smaller network, `dropout`, or train.weight_decay with adamw keep the gap "
                    "small",
                    best + 1);
    else
        elbo_advise(v, "more images, a smaller network, `dropout`, or train.weight_decay with adamw");
    return ELBO_OK;
}
