/* k-means and the silhouette, against groups that are known and plain sums. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/random.h"
#include "stats/kmeans.h"

enum { N = 300, D = 3, K = 4 };

/* Four groups of 30, 60, 90 and 120 points, mixed, whose centres lie far apart. */
static void make(float *x, int *group) {
    elbo_random_normal((elbo_stream){.seed = 1, .purpose = ELBO_FOR_PICKING}, x, (size_t)N * D);
    for (int i = 0; i < N; i++) {
        int m = i % 10;
        group[i] = m < 1 ? 0 : m < 3 ? 1 : m < 6 ? 2 : 3;
        for (int d = 0; d < D; d++)
            x[i * D + d] = 0.5f * x[i * D + d] + 8.0f * (float)((group[i] >> (d % 2)) & 1) + (float)d;
    }
}

static void groups_are_found_largest_first(void **state) {
    (void)state;
    float *x = malloc(sizeof *x * N * D);
    int group[N];
    elbo_kmeans c, again;
    elbo_error err;
    make(x, group);
    assert_int_equal(elbo_kmeans_fit(&c, x, N, D, K, 0, NULL, &err), ELBO_OK);
    for (int k = 0; k < K; k++) assert_int_equal(c.size[k], 120 - 30 * k);
    double inertia = 0;
    for (int i = 0; i < N; i++) {
        assert_int_equal(c.cluster[i], 3 - group[i]);
        for (int d = 0; d < D; d++) inertia += pow(x[i * D + d] - c.centre[c.cluster[i] * D + d], 2);
    }
    assert_true(fabs(inertia - c.inertia) < 1e-6 * inertia);
    assert_int_equal(elbo_kmeans_fit(&again, x, N, D, K, 0, &(elbo_job){.threads = 3}, &err), ELBO_OK);
    assert_memory_equal(c.centre, again.centre, sizeof *c.centre * K * D);

    // the silhouette by its definition
    double mean, each[K], wanted = 0;
    assert_int_equal(elbo_silhouette(&mean, each, &c, x, N, &err), ELBO_OK);
    for (int i = 0; i < N; i++) {
        double sum[K] = {0}, a, b = INFINITY;
        int count[K] = {0};
        for (int j = 0; j < N; j++) {
            double d2 = 0;
            for (int d = 0; d < D; d++) d2 += pow((double)x[i * D + d] - x[j * D + d], 2);
            sum[group[j]] += sqrt(d2);
            count[group[j]]++;
        }
        a = sum[group[i]] / (count[group[i]] - 1);
        for (int k = 0; k < K; k++)
            if (k != group[i]) b = fmin(b, sum[k] / count[k]);
        wanted += (b - a) / fmax(a, b) / N;
    }
    assert_true(fabs(mean - wanted) < 1e-9 && mean > 0.7);
    double weighted = 0;
    for (int k = 0; k < K; k++) weighted += each[k] * c.size[k] / N;
    assert_true(fabs(weighted - mean) < 1e-9);
    elbo_kmeans_free(&again);
    elbo_kmeans_free(&c);
    free(x);
}

static bool at_once(void *context) {
    (void)context;
    return true;
}

static void odd_questions(void **state) {
    (void)state;
    const float same[6] = {1, 1, 1, 1, 1, 1};
    elbo_kmeans c;
    elbo_error err;
    double mean;
    assert_int_equal(elbo_kmeans_fit(&c, same, 3, 2, 4, 0, NULL, &err), ELBO_BAD_INPUT);
    assert_int_equal(elbo_kmeans_fit(&c, same, 3, 2, 0, 0, NULL, &err), ELBO_BAD_INPUT);
    assert_int_equal(elbo_kmeans_fit(&c, same, 3, 2, 2, 0, NULL, &err),
                     ELBO_OK); // equal points: one cluster has them all
    assert_true(c.size[0] == 3 && c.size[1] == 0 && c.inertia == 0);
    assert_int_equal(elbo_silhouette(&mean, NULL, &c, same, 3, &err), ELBO_OK);
    assert_true(mean == 0);
    elbo_kmeans_free(&c);
    assert_int_equal(elbo_kmeans_fit(&c, same, 3, 2, 2, 0, &(elbo_job){.interrupted = at_once}, &err), ELBO_STOPPED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_found_largest_first),
        cmocka_unit_test(odd_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
