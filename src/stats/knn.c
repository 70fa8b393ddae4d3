#include "stats/knn.h"

#include "stats/neighbours.h"

uint8_t elbo_knn_vote(const uint32_t *index, int k, const uint8_t *labels) {
    int votes[256] = {0};
    for (int i = 0; i < k; i++) votes[labels[index[i]]]++;
    uint8_t winner = labels[index[0]];
    for (int i = 1; i < k; i++) // nearest first: who only draws level does not win
        if (votes[labels[index[i]]] > votes[winner]) winner = labels[index[i]];
    return winner;
}

elbo_status elbo_knn_accuracy(double *accuracy, const elbo_labelled_codes *codes, int k, const elbo_job *work,
                              elbo_error *err) {
    size_t m = codes->m, right = 0;
    elbo_neighbours_question question = {
        .query = codes->test, .m = m, .x = codes->train, .n = codes->n, .dims = codes->dims, .k = k};
    elbo_neighbours nb;
    if (m == 0) return elbo_fail(err, ELBO_BAD_INPUT, "accuracy of nearest neighbours: no test points");
    ELBO_TRY(elbo_neighbours_of(&nb, &question, work, err));
    for (size_t i = 0; i < m; i++) {
        uint8_t told = elbo_knn_vote(nb.index + i * (size_t)k, k, codes->train_labels);
        if (codes->told) codes->told[i] = told;
        right += told == codes->test_labels[i];
    }
    *accuracy = (double)right / (double)m;
    elbo_neighbours_free(&nb);
    return ELBO_OK;
}
