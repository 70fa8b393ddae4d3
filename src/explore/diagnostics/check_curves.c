/* What the curves in log.jsonl tell. They are read as the objective that was trained for, with the KL's last weight, so
 * that a warm-up is no problem. */
#include <math.h>
#include <stdio.h>

#include "explore/diagnostics/checks.h"

static double objective(const elbo_log *log, const elbo_scores *s) {
    return s->reconstruction + log->epoch[log->count - 1].kl_weight * s->kl;
}
/* Said where that objective is not the loss that all else tells of, in which the KL counts once. */
static const char *weighting(const elbo_log *log, char text[40]) {
    double weight = log->epoch[log->count - 1].kl_weight;
    bool plain = weight == 1 || log->epoch[log->count - 1].train.kl == 0;
    snprintf(text, 40, plain ? "" : " (its KL times %g)", weight);
    return text;
}
static double train_at(const elbo_log *log, int epoch) { return objective(log, &log->epoch[epoch].train); }
static double test_at(const elbo_log *log, int epoch) { return objective(log, &log->epoch[epoch].test); }
static bool has_test(const elbo_log *log) { return log->count > 0 && log->epoch[log->count - 1].test.images > 0; }

elbo_status elbo_check_finished(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    int done = e->log->count, wanted = e->model->recipe.train.epochs;
    elbo_number(v, "epochs", done);
    elbo_number(v, "epochs_wanted", wanted);
    if (done >= wanted) {
        elbo_found(v, ELBO_CHECK_OK, "%d of %d epochs", done, wanted);
    } else {
        elbo_found(v, done ? ELBO_CHECK_NOTE : ELBO_CHECK_PROBLEM,
                   "%d of %d epochs: it was stopped, or ended with an error", done, wanted);
        elbo_advise(v, "`elbo train --resume -o '%s'` goes on where it stopped, or says again what was wrong",
                    e->model->run);
    }
    return ELBO_OK;
}

/* A loss that leaps, or ends above where it was: steps too large for the weights to settle. */
/* The mean training loss of some epochs: of few images it goes up and down by chance from one epoch to the next. */
static double train_around(const elbo_log *log, int first, int epochs) {
    double sum = 0;
    for (int i = 0; i < epochs; i++) sum += train_at(log, first + i) / epochs;
    return sum;
}

elbo_status elbo_check_diverged(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    const elbo_log *log = e->log;
    if (log->count < 2) return ELBO_OK;
    int some = log->count / 20 > 1 ? log->count / 20 : 1;
    double best = INFINITY, leap = 1, last = train_around(log, log->count - some, some);
    int leapt = 0;
    bool finite = true;
    char text[40];
    for (int i = 0; i + some <= log->count; i++) {
        double now = train_around(log, i, some);
        finite = finite && isfinite(now);
        if (best > 0 && now / best > leap) {
            leap = now / best;
            leapt = i + 1;
        }
        if (now < best) best = now;
    }
    elbo_number(v, "last_train_loss", last);
    elbo_number(v, "best_train_loss", best);
    elbo_number(v, "largest_leap", leap);
    if (finite && last <= 1.02 * best && leap <= 1.1) {
        elbo_found(v, ELBO_CHECK_OK, "training loss%s %.2f at the end, the lowest was %.2f", weighting(log, text), last,
                   best);
        return ELBO_OK;
    }
    elbo_found(
        v, last > 1.02 * best || !finite ? ELBO_CHECK_PROBLEM : ELBO_CHECK_NOTE,
        "training loss%s %.2f at the end, but it was %.2f before; in epoch %d it stood %.0f %% above the lowest so far",
        weighting(log, text), last, best, leapt, 100 * (leap - 1));
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
    double last = test ? test_at(log, n - 1) : train_at(log, n - 1);
    double before = test ? test_at(log, n - 1 - tail) : train_at(log, n - 1 - tail);
    double fall = before > 0 ? (before - last) / before : 0;
    elbo_number(v, "fall", fall);
    elbo_number(v, "epochs_looked_at", tail);
    bool falling = fall > 0.02;
    char epochs[40], text[40];
    snprintf(epochs, sizeof epochs, "%d epochs", tail);
    elbo_found(v, falling ? ELBO_CHECK_PROBLEM : ELBO_CHECK_OK, "%s loss%s %.2f; the last %s lowered it by %.1f %%%s",
               test ? "test" : "training", weighting(log, text), last, tail > 1 ? epochs : "epoch", 100 * fall,
               falling ? ": it is still falling" : "");
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
        if (test_at(log, i) < test_at(log, best)) best = i;
    double test = test_at(log, n - 1), train = train_at(log, n - 1), lowest = test_at(log, best);
    double gap = train > 0 ? (test - train) / train : 0, rise = lowest > 0 ? (test - lowest) / lowest : 0;
    bool turned = rise > 0.01 && train<train_at(log, best), apart = gap> 0.1;
    char text[40];
    weighting(log, text);
    elbo_number(v, "train_loss", train);
    elbo_number(v, "test_loss", test);
    elbo_number(v, "gap", gap);
    elbo_number(v, "rise", rise);
    elbo_number(v, "best_epoch", best + 1);
    if (!turned && !apart) {
        elbo_found(v, ELBO_CHECK_OK, "loss%s %.2f on test images, %.2f in training (%+.1f %%)", text, test, train,
                   100 * gap);
        return ELBO_OK;
    }
    if (turned)
        elbo_found(
            v, ELBO_CHECK_PROBLEM,
            "loss%s %.2f on test images, %.2f in training (%+.1f %%); the test loss was lowest, %.2f, after epoch %d "
            "of %d and has risen since",
            text, test, train, 100 * gap, lowest, best + 1, n);
    else
        elbo_found(v, ELBO_CHECK_PROBLEM, "loss%s %.2f on test images, %.2f in training: %+.1f %%", text, test, train,
                   100 * gap);
    if (turned)
        elbo_advise(v,
                    "stop after about %d epochs; more images, a smaller network, `dropout`, or train.weight_decay with "
                    "adamw keep the "
                    "gap small",
                    best + 1);
    else
        elbo_advise(v, "more images, a smaller network, `dropout`, or train.weight_decay with adamw");
    return ELBO_OK;
}
