/* Rankings, precision and recall, and what is unusual to a model, each against its definition computed plainly; numbers of
 * numpy and scikit-learn's formulas on the same points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "engine.h"
#include "explore/metrics/scores.h"
#include "explore/outliers.h"
#include "run/model.h"
#include "scratch.h"
#include "stats/precision_recall.h"
#include "stats/random_features.h"
#include "stats/ranking.h"

static scratch here;
static elbo_dataset data;
static const elbo_job work = {.threads = 2};
static elbo_model *model;

static int set_up(void **state) {
    (void)state;
    static const char text[] = "kind: vae\ndata: digits\nlatent: 3\nencoder: [flatten, linear 24, relu]\n"
                               "decoder: [linear 784, sigmoid]\ntrain: {epochs: 3, batch: 20}\n";
    static char path[320], name[] = "digits", source[] = "built in";
    scratch_make(&here);
    data = (elbo_dataset){.name = name, .source = source, .classes = 10};
    assert_ok(elbo_digits_make(&data.train, false, 300, 1, &failure));
    assert_ok(elbo_digits_make(&data.test, true, 60, 1, &failure));
    elbo_recipe r;
    assert_ok(elbo_recipe_open(&r, scratch_write(&here, "vae.yaml", text, strlen(text)), NULL, 0, &failure));
    strcpy(path, scratch_path(&here, "vae"));
    elbo_train_result result;
    assert_ok(elbo_train(&result, &r, &data, (elbo_train_options){.run = path}, &failure));
    elbo_recipe_close(&r);
    assert_ok(elbo_model_open(&model, path, 2, &failure));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    elbo_model_close(model);
    elbo_images_free(&data.train);
    elbo_images_free(&data.test);
    scratch_remove(&here);
    return 0;
}

/* Every pair of a positive and a negative, and every threshold. */
static void test_ranking(void **state) {
    (void)state;
    enum { N = 200 };
    double score[N], right = 0, pairs = 0, area = 0, before = 0;
    bool positive[N];
    uint32_t seed = 1;
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525 + 1013904223;
        positive[i] = seed >> 30 == 0;
        score[i] = (double)(seed >> 8 & 31) + 6 * positive[i]; // with many equal ones
    }
    int P = 0;
    for (int i = 0; i < N; i++) P += positive[i];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (positive[i] && !positive[j]) {
                right += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
                pairs++;
            }
    for (int t = 60; t >= 0; t--) { // thresholds from the highest
        int above = 0, hits = 0;
        for (int i = 0; i < N; i++) above += score[i] >= t, hits += score[i] >= t && positive[i];
        double recall = (double)hits / P;
        if (above) area += (recall - before) * hits / above;
        before = recall;
    }
    elbo_ranking r;
    assert_ok(elbo_rank(&r, score, positive, N, &failure));
    assert_true(fabs(r.auroc - right / pairs) < 1e-12 && fabs(r.average_precision - area) < 1e-12);
    assert_true((int)r.positives == P && r.auroc > 0.5);
    // sklearn.metrics: roc_auc_score and average_precision_score of [1, 2, 3, 4], [0, 1, 0, 1]
    assert_ok(elbo_rank(&r, (double[]){1, 2, 3, 4}, (bool[]){false, true, false, true}, 4, &failure));
    assert_true(fabs(r.auroc - 0.75) < 1e-12 && fabs(r.average_precision - 0.8333333333333333) < 1e-12);
    assert_ok(elbo_rank(&r, (double[]){1, 2}, (bool[]){true, true}, 2, &failure));
    assert_true(isnan(r.auroc) && isnan(r.average_precision));
}

static double plain_share(const float *point, size_t m, const float *centre, size_t n, int dims, int k) {
    size_t inside = 0;
    for (size_t i = 0; i < m; i++) {
        bool in = false;
        for (size_t j = 0; j < n && !in; j++) {
            double to = 0, reach[500];
            for (int d = 0; d < dims; d++) to += pow(point[i * dims + d] - centre[j * dims + d], 2);
            for (size_t l = 0; l < n; l++) {
                reach[l] = 0;
                for (int d = 0; d < dims; d++) reach[l] += pow(centre[l * dims + d] - centre[j * dims + d], 2);
            }
            size_t nearer = 0; // others that lie nearer than the point: in the ball where fewer than k do
            for (size_t l = 0; l < n; l++) nearer += l != j && reach[l] < to;
            in = nearer < (size_t)k;
        }
        inside += in;
    }
    return (double)inside / m;
}

static void test_precision_and_recall(void **state) {
    (void)state;
    enum { N = 120, M = 90, D = 5 };
    static float real[N * D], made[M * D];
    elbo_random_normal((elbo_stream){.seed = 1, .purpose = ELBO_FOR_PICKING}, real, N * D);
    elbo_random_normal((elbo_stream){.seed = 2, .purpose = ELBO_FOR_PICKING}, made, M * D);
    for (int i = 0; i < M * D; i++) made[i] = 0.6f * made[i] + 0.4f;
    for (int k = 1; k < 6; k += 2) {
        elbo_precision_recall p;
        assert_ok(elbo_precision_recall_of(&p, &(elbo_clouds){real, N, made, M, D}, k, &work, &failure));
        assert_true(p.precision == plain_share(made, M, real, N, D, k));
        assert_true(p.recall == plain_share(real, N, made, M, D, k));
        assert_true(p.precision > p.recall); // the narrower cloud
    }
    elbo_precision_recall p;
    assert_int_equal(elbo_precision_recall_of(&p, &(elbo_clouds){real, 3, made, M, D}, 3, &work, NULL), ELBO_BAD_INPUT);
}

/* Blur, which pixels hardly show, takes images out of the manifold; other images of the data lie in it. */
static void test_blur_is_seen(void **state) {
    (void)state;
    enum { N = 150, SIZE = 784 };
    static float real[N * SIZE], test[N * SIZE], blurred[N * SIZE], features[3][N * ELBO_RANDOM_FEATURES],
        again[N * ELBO_RANDOM_FEATURES];
    elbo_images a, b;
    assert_ok(elbo_digits_make(&a, false, N, 1, &failure));
    assert_ok(elbo_digits_make(&b, true, N, 1, &failure));
    elbo_images_to_floats(&a, NULL, N, 0, 1, real);
    elbo_images_to_floats(&b, NULL, N, 0, 1, test);
    for (int i = 0; i < N; i++)
        for (int y = 0; y < 28; y++)
            for (int x = 0; x < 28; x++) { // 5 x 5 means
                float sum = 0;
                for (int k = 0; k < 25; k++) {
                    int r = y + k / 5 - 2, c = x + k % 5 - 2;
                    if (r >= 0 && r < 28 && c >= 0 && c < 28) sum += test[i * SIZE + r * 28 + c] / 25;
                }
                blurred[i * SIZE + y * 28 + x] = sum;
            }
    elbo_feature_net net;
    elbo_precision_recall p;
    assert_ok(elbo_feature_net_make(&net, 1, 28, 28, &failure));
    assert_ok(elbo_features_of(&net, real, N, features[0], &work, &failure));
    assert_ok(elbo_features_of(&net, test, N, features[1], &work, &failure));
    assert_ok(elbo_features_of(&net, blurred, N, features[2], &work, &failure));
    assert_ok(elbo_features_of(&net, blurred, N, again, &(elbo_job){.threads = 1}, &failure));
    assert_memory_equal(features[2], again, sizeof again);
    assert_ok(elbo_precision_recall_of(&p, &(elbo_clouds){features[0], N, features[1], N, ELBO_RANDOM_FEATURES}, 3,
                                       &work, &failure));
    assert_true(p.precision > 0.7 && p.recall > 0.7);
    assert_ok(elbo_precision_recall_of(&p, &(elbo_clouds){features[0], N, features[2], N, ELBO_RANDOM_FEATURES}, 3,
                                       &work, &failure));
    // (of few images the data's balls are wide, and smooth images lie in the middle of all: recall sees it at once)
    assert_true(p.precision < 0.6 && p.recall < 0.02);
    elbo_feature_net_free(&net);
    elbo_images_free(&a);
    elbo_images_free(&b);
}

/* The scores of each image by itself, their order, and pairs. */
static void test_outliers(void **state) {
    (void)state;
    elbo_images images = data.test;
    uint8_t *copy = malloc(60 * 784);
    memcpy(copy, data.test.bytes, 60 * 784);
    memcpy(copy + 41 * 784, copy + 7 * 784, 784);                                 // a duplicate
    for (int i = 0; i < 784; i++) copy[13 * 784 + i] = (uint8_t)(i * 7919 % 256); // noise
    images.bytes = copy;
    elbo_outliers r;
    elbo_outlier_options o = {.shown = 4, .importance = 1, .anomaly = 3, .duplicates = true};
    assert_ok(elbo_outliers_find(&r, model, &images, &o, &work, &failure));
    assert_int_equal(r.n, 60);
    assert_int_equal(r.order[0], 13);
    assert_true(r.by == ELBO_OUTLIER_LIKELIHOOD);
    for (size_t i = 0; i < 60; i++) {
        float x[784], mu[3], logvar[3], y[784];
        elbo_images one = {.shape = images.shape, .count = 1, .bytes = copy + i * 784};
        elbo_images_to_floats(&one, NULL, 1, 0, 1, x);
        assert_ok(elbo_model_encode_images(model, &one, NULL, 1, mu, logvar, &failure));
        assert_ok(elbo_decode(model, 1, mu, y, &failure));
        double loss = 0, kl = 0;
        for (int d = 0; d < 784; d++) loss -= x[d] * log(y[d]) + (1 - x[d]) * log1p(-y[d]);
        for (int d = 0; d < 3; d++) kl += 0.5 * (mu[d] * mu[d] + exp(logvar[d]) - 1 - logvar[d]);
        assert_true(fabs(r.score[ELBO_OUTLIER_RECONSTRUCTION][i] - loss) < 1e-3 * loss);
        assert_true(fabs(r.score[ELBO_OUTLIER_KL][i] - kl) < 1e-5 * (1 + kl));
        assert_true(r.score[ELBO_OUTLIER_ELBO][i] ==
                    r.score[ELBO_OUTLIER_RECONSTRUCTION][i] + r.score[ELBO_OUTLIER_KL][i]);
        if (i) assert_true(r.score[r.by][r.order[i - 1]] >= r.score[r.by][r.order[i]]);
    }
    assert_true(r.pairs >= 1 && r.pair[0].a == 7 && r.pair[0].b == 41 && r.pair[0].distance == 0);
    assert_true(r.ranking[ELBO_OUTLIER_ELBO].positives > 0 && isfinite(r.ranking[ELBO_OUTLIER_ELBO].auroc));
    json_t *json = elbo_outliers_json(&r);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(json, "order"), 0)), 13);
    assert_int_equal(json_array_size(json_object_get(json_object_get(json, "scores"), "kl")), 60);
    assert_non_null(json_object_get(json_object_get(json, "anomaly"), "negative_elbo"));
    json_decref(json);
    elbo_outliers_free(&r);
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranking),
        cmocka_unit_test(test_precision_and_recall),
        cmocka_unit_test(test_blur_is_seen),
        cmocka_unit_test(test_outliers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
