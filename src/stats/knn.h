/* Classes by the vote of the nearest neighbours: how well codes tell classes apart without any training. */
#ifndef ELBO_KNN_H
#define ELBO_KNN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/job.h"
#include "stats/labelled_codes.h"

/* The class that most of these neighbours have; of equal votes that of the nearest wins.  index: (k), nearest first */
uint8_t elbo_knn_vote(const uint32_t *index, int k, const uint8_t *labels);

/* The share of the test codes whose class is that of their k nearest training codes, k at most n. Exact. */
elbo_status elbo_knn_accuracy(double *accuracy, const elbo_labelled_codes *codes, int k, const elbo_job *work,
                              elbo_error *err);

#endif
