/* A linear probe: how well a straight cut through the codes tells the classes apart. */
#ifndef ELBO_PROBE_H
#define ELBO_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/job.h"
#include "stats/labelled_codes.h"

/* Fits multinomial logistic regression on the training codes, each dimension standardised by their mean and deviation,
 * and gives the share of the test codes that it tells right. The objective is scikit-learn's LogisticRegression with C
 * = 1, the sum of the log losses + |weights|^2 / 2, minimised by L-BFGS (Liu and Nocedal 1989).
 *
 * Labels are below `classes`. The same bits for any number of threads. */
elbo_status elbo_probe_accuracy(double *accuracy, const elbo_labelled_codes *codes, int classes, const elbo_job *work,
                                elbo_error *err);

#endif
