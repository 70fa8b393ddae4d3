/* Whether the observation model p(x|z) is as exact as the reconstructions are: its scale weighs them against the KL. */
#include <math.h>

#include "explore/diagnostics/checks.h"

#define TOO_FAR 1.5

/* The root mean square that p(x|z) gives a value's error; NaN: it has no scale, or the error is no square. */
static double deviation_of(const elbo_observation_model *m) {
    if (m->is->of_squares) return m->scale;
    return m->is->discrete && m->is->scale ? m->scale * M_PI / sqrt(3) : NAN; // of a logistic distribution
}

elbo_status elbo_check_observation(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    const elbo_observation_model *m = &e->model->observation;
    if (!e->logvar || !m->is || !e->log->count) return ELBO_OK;
    const elbo_epoch_log *last = &e->log->epoch[e->log->count - 1];
    double error = sqrt(last->test.images ? last->test.mse : last->train.mse), deviation = deviation_of(m),
           ratio = deviation / error;
    char text[ELBO_OBSERVATION_TEXT];
    elbo_observation_text(m, text);
    if (!(ratio > 0)) {
        elbo_found(v, ELBO_CHECK_OK, "p(x|z): %s", text);
        return ELBO_OK;
    }
    elbo_number(v, "sigma", deviation);
    elbo_number(v, "error", error);
    bool wide = ratio > TOO_FAR, narrow = ratio < 1 / TOO_FAR;
    elbo_found(v, wide || narrow ? ELBO_CHECK_NOTE : ELBO_CHECK_OK,
               "p(x|z): %s; values of %s images are off by %.4g (root mean square)%s", text,
               last->test.images ? "test" : "training", error,
               wide     ? ": less than it says, so the KL counts for more than it should"
               : narrow ? ": more than it says, so the KL counts for less than it should"
                        : "");
    if (!wide && !narrow) return ELBO_OK;
    if (m->learned)
        elbo_advise(v, "longer training, or a larger learning rate: the scale is still on its way");
    else
        elbo_advise(v, "`loss: {reconstruction: gaussian}`, which learns sigma%s",
                    wide ? ": sharper images, more of the code used; samples from the prior may get worse"
                         : ": fewer dimensions, and samples that fit the prior");
    return ELBO_OK;
}
