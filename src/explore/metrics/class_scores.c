/* What the codes know of the classes, which no model was told. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "explore/metrics/scores.h"
#include "stats/knn.h"
#include "stats/probe.h"

/* A split of one class, or a data set without labels, has nothing to tell apart. */
static bool has_classes(const elbo_eval_context *e) {
    if (!e->images->labels || !e->data->train.labels || e->train == 0 || e->trained_on) return false;
    for (size_t i = 1; i < e->train; i++)
        if (e->data->train.labels[e->train_index[i]] != e->data->train.labels[e->train_index[0]]) return true;
    return false;
}

enum { VOTERS = 5 };

elbo_status elbo_class_score(double *knn, double *probe, const elbo_eval_context *e, elbo_error *err) {
    *knn = *probe = NAN;
    if (!has_classes(e)) return ELBO_OK;
    uint8_t *labels = malloc(e->train);
    float *codes = elbo_alloc(e->train * e->Z, sizeof *codes); // (train, Z)
    elbo_status status =
        labels && codes ? elbo_eval_context_step(e->work, "encoding the training images", 0, err) : elbo_no_memory(err);
    elbo_labelled_codes labelled = {.train = codes,
                                    .train_labels = labels,
                                    .n = e->train,
                                    .test = e->mu,
                                    .test_labels = e->images->labels,
                                    .m = e->n,
                                    .dims = (int)e->Z};
    if (status == ELBO_OK) {
        for (size_t i = 0; i < e->train; i++) labels[i] = e->data->train.labels[e->train_index[i]];
        int k = e->train < VOTERS ? (int)e->train : VOTERS;
        status = elbo_model_encode_images(e->model, &e->data->train, e->train_index, e->train, codes, NULL, err);
        if (status == ELBO_OK) status = elbo_knn_accuracy(knn, &labelled, k, e->work, err);
    }
    if (status == ELBO_OK) status = elbo_probe_accuracy(probe, &labelled, e->data->classes, e->work, err);
    free(codes);
    free(labels);
    return status;
}
