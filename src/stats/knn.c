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

elbo_status elbo_knn_accuracy(double *accuracy, const float *train, const uint8_t *train_labels, size_t n,
                              const float *test, const uint8_t *test_labels, size_t m, int dims, int k,
                              const elbo_job *work, elbo_error *err) {
    elbo_neighbours nb;
    if (m == 0) return elbo_fail(err, ELBO_BAD_INPUT, "accuracy of nearest neighbours: no test points");
    ELBO_TRY(elbo_neighbours_of(&nb, test, m, train, n, dims, k, work, err));
    size_t right = 0;
    for (size_t i = 0; i < m; i++) right += elbo_knn_vote(nb.index + i * (size_t)k, k, train_labels) == test_labels[i];
    *accuracy = (double)right / (double)m;
    elbo_neighbours_free(&nb);
    return ELBO_OK;
}
