/* An evaluator kept ready, so that the test loss of every epoch uses one plan for each player. `features`: of the perceptual term, or
 * NULL. */
#ifndef ELBO_EVALUATE_H
#define ELBO_EVALUATE_H

#include "train/trainer.h"

typedef struct elbo_evaluator {
    elbo_plan plan[ELBO_PLAYERS];
    int players;
    const elbo_recipe *recipe;
    uint32_t *index; // (batch)
    uint32_t batch;
} elbo_evaluator;

/* The state must outlive the evaluator. */
elbo_status elbo_evaluator_make(elbo_evaluator *e, elbo_state *s, const elbo_recipe *r, const elbo_network *features,
                                elbo_error *err);
void elbo_evaluator_free(elbo_evaluator *e);
elbo_status elbo_evaluator_run(elbo_evaluator *e, elbo_scores *s, const elbo_images *images, const elbo_eval_options *o,
                               elbo_error *err);

#endif
