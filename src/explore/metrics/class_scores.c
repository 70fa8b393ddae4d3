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

/* Both scores and, where it is asked for, what was told of each code.  told: (2, n) or NULL */
static elbo_status score(double *knn, double *probe, elbo_labelled_codes *codes, uint8_t *told,
                         const elbo_eval_context *e, elbo_error *err) {
    int k = e->train < VOTERS ? (int)e->train : VOTERS;
    codes->told = told;
    ELBO_TRY(elbo_knn_accuracy(knn, codes, k, e->work, err));
    codes->told = told ? told + e->n : NULL;
    ELBO_TRY(elbo_probe_accuracy(probe, codes, e->data->classes, e->work, err));
    if (!told) return ELBO_OK;
    elbo_confusion_free(e->confusion);
    return elbo_confusion_count(e->confusion, e->data->class_names, e->data->classes, e->images->labels,
                                (const uint8_t *[2]){told, told + e->n}, e->n, err);
}

elbo_status elbo_class_score(double *knn, double *probe, const elbo_eval_context *e, elbo_error *err) {
    *knn = *probe = NAN;
    if (!has_classes(e)) return ELBO_OK;
    uint8_t *labels = malloc(e->train);
    float *codes = elbo_alloc(e->train * e->Z, sizeof *codes); // (train, Z)
    uint8_t *told = e->confusion ? malloc(2 * e->n) : NULL;    // (2, n)
    elbo_status status = labels && codes && (told || !e->confusion)
                             ? elbo_eval_context_step(e->work, "encoding the training images", 0, err)
                             : elbo_no_memory(err);
    elbo_labelled_codes labelled = {.train = codes,
                                    .train_labels = labels,
                                    .n = e->train,
                                    .test = e->mu,
                                    .test_labels = e->images->labels,
                                    .m = e->n,
                                    .dims = (int)e->Z};
    if (status == ELBO_OK) {
        for (size_t i = 0; i < e->train; i++) labels[i] = e->data->train.labels[e->train_index[i]];
        status = elbo_model_encode_images(e->model, &e->data->train, e->train_index, e->train, codes, NULL, err);
    }
    if (status == ELBO_OK) status = score(knn, probe, &labelled, told, e, err);
    free(told);
    free(codes);
    free(labels);
    return status;
}
