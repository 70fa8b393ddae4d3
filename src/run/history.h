/* Weights of some epochs, epoch 0 among them, where the recipe has train.history. Each is a run folder of its own,
 * RUN/history/00012, that every command opens.
 *
 * Of many epochs fewer and fewer are kept: those that 1, 2, 4, 8, ... divides, the least of these for which they are at
 * most train.history. Which they are depends on the epoch alone, so that a run that was killed and resumed keeps the
 * same. */
#ifndef ELBO_HISTORY_H
#define ELBO_HISTORY_H

#include <stdbool.h>

#include "base/status.h"

/* Whether an epoch is kept when it is the last one so far. most: train.history */
bool elbo_history_keeps(int epoch, int most);

/* "RUN/history/00012", a new string; NULL: no memory. */
char *elbo_history_folder(const char *run, int epoch);

/* The epochs that are there, ascending; none is no failure. *epochs is malloc'd. */
elbo_status elbo_history_list(const char *run, int **epochs, int *count, elbo_error *err);

/* Removes the epochs that are not kept any more once this one is; `most` 0: all. */
elbo_status elbo_history_thin(const char *run, int epoch, int most, elbo_error *err);

#endif
