/* RUN/figures/training.png: test images above their reconstructions, refreshed while a run is trained. */
#ifndef ELBO_CLI_TRAINING_FIGURE_H
#define ELBO_CLI_TRAINING_FIGURE_H

#include "data/data.h"

typedef struct cli_training_figure {
    const char *run; // its folder
    const elbo_dataset *data;
    const char *device;
    int threads;
    double seconds, last; // that drawing took; when it was done
} cli_training_figure;

/* An elbo_train_options.saved. Where it cannot be drawn, training goes on without it. */
void cli_training_figure_draw(void *figure);

#endif
