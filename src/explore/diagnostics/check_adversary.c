/* Whether the game between model and discriminator goes on: what the discriminator's curves in log.jsonl tell. */
#include <math.h>

#include "explore/diagnostics/checks.h"

/* Of codes or images that it is shown, it tells so many right where it has won: the model's term is flat there, or leads
 * nowhere. In healthy runs on MNIST 0.55 to 0.85. */
#define ELBO_DISCRIMINATOR_WON 0.97

elbo_status elbo_check_adversary(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    (void)err;
    const elbo_recipe *r = &e->model->recipe;
    const elbo_log *log = e->log;
    if (!elbo_has_adversary(r) || !log->count) return ELBO_OK;
    const elbo_scores *last = &log->epoch[log->count - 1].train;
    double loss = elbo_scores_value(last, &log->metrics, "discriminator"),
           accuracy = elbo_scores_value(last, &log->metrics, "d_accuracy");
    elbo_number(v, "discriminator", loss);
    elbo_number(v, "d_accuracy", accuracy);
    bool code = r->adversary.on == ELBO_ADVERSARY_CODE, won = accuracy > ELBO_DISCRIMINATOR_WON;
    elbo_found(v, won ? ELBO_CHECK_PROBLEM : ELBO_CHECK_OK,
               "%sthe discriminator tells %.1f %% of %s right in the last epoch's training, with a loss of %.3f (0.693 "
               "where it guesses)",
               won ? "the discriminator has won: " : "", 100 * accuracy, code ? "codes" : "images", loss);
    if (won)
        elbo_advise(v,
                    "a smaller adversary.lr (it was %g) or a smaller discriminator, so that the model can follow, or a "
                    "larger adversary.weight (it was %g)",
                    (double)r->adversary.lr, (double)r->adversary.weight);
    return ELBO_OK;
}
