/* Nearest neighbours, scores of an embedding and the vote of neighbours, against plain loops and scikit-learn's
 * numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "close.h"
#include "stats/near.h"
#include "stats/cells.h"
#include "stats/knn.h"
#include "stats/embedding_scores.h"
#include "stats/near_search.h"
#include "stats/neighbours.h"

static void well(elbo_status status, const elbo_error *err) {
    if (status != ELBO_OK) fail_msg("%s", err->message);
}

static float *room(size_t n) {
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    return x;
}

/* Whole numbers from 0 to 999: their distances are exact in float32, equal ones are many, and NumPy can make them too.
 */
static float *whole_numbers(size_t n, int dims, uint32_t seed, uint32_t most) {
    float *x = room(n * (size_t)dims);
    for (size_t i = 0; i < n * (size_t)dims; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((seed >> 8) % most);
    }
    return x;
}

static float *normal_numbers(size_t n, int dims, uint32_t sample) {
    float *x = room(n * (size_t)dims);
    elbo_random_normal((elbo_stream){.seed = 3, .purpose = ELBO_FOR_PICKING, .sample = sample}, x, n * (size_t)dims);
    return x;
}

/* ---- a plain loop ---- */

typedef struct ranked {
    double distance2;
    size_t index;
} ranked;

static int by_distance(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->distance2 != y->distance2) return x->distance2 < y->distance2 ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* All points but `self` in order of their distance. Returns how many. */
static size_t rank_all(ranked *r, const float *query, const float *x, size_t n, int dims, size_t self) {
    size_t held = 0;
    for (size_t j = 0; j < n; j++) {
        double sum = 0;
        for (int d = 0; d < dims; d++) sum += pow((double)query[d] - x[j * (size_t)dims + (size_t)d], 2);
        if (j != self) r[held++] = (ranked){sum, j};
    }
    qsort(r, held, sizeof *r, by_distance);
    return held;
}

/* Each row against the plain loop; `exact`: whole numbers, where ties must be broken as promised. */
static void check_rows(const elbo_neighbours *nb, const float *query, const float *x, size_t n, int dims, bool self,
                       bool exact) {
    ranked *r = malloc(n * sizeof *r);
    assert_non_null(r);
    for (size_t i = 0; i < nb->n; i++) {
        rank_all(r, query + i * (size_t)dims, x, n, dims, self ? i : SIZE_MAX);
        for (size_t j = 0; j < (size_t)nb->k; j++) {
            size_t at = i * (size_t)nb->k + j;
            assert_near("distance2", at, nb->distance2[at], r[j].distance2, exact ? 0 : 1e-5 * r[j].distance2 + 1e-30);
            if (exact) assert_int_equal(nb->index[at], r[j].index);
            assert_true(nb->index[at] < n && (!self || nb->index[at] != i));
        }
    }
    free(r);
}

/* ---- kernels ---- */

static void test_kernels_agree_with_plain_loops(void **state) {
    (void)state;
    static const int every_dims[] = {1, 2, 3, 20, 65};
    for (int isa = 0; isa <= (int)elbo_cpu_isa(); isa++)
        for (size_t t = 0; t < sizeof every_dims / sizeof *every_dims; t++) {
            enum { POINTS = 150, K = 7, BLOCKS = (POINTS + 15) / 16 };
            int dims = every_dims[t];
            const elbo_near_kernels *k = elbo_near_kernels_for((elbo_isa)isa);
            float *x = whole_numbers(POINTS, dims, 7, 9), *packed = room((size_t)BLOCKS * 16 * (size_t)dims);
            float *group = room((size_t)dims * 6), out[BLOCKS * 16], candidates[6][100], best[K], nearest[6];
            uint32_t index[BLOCKS * 16], at[6][100], best_index[K], place[6];
            elbo_near_pack(packed, x, NULL, 0, POINTS, dims);
            for (uint32_t i = 0; i < BLOCKS * 16; i++) index[i] = i < POINTS ? i : ELBO_NEAR_NONE;
            elbo_near_group(group, x, NULL, 10, 6, dims);
            k->nearest(place, nearest, group, packed + (size_t)dims * 16, BLOCKS - 1, dims);
            elbo_near_row row[6];
            for (uint32_t i = 0; i < 6; i++)
                row[i] = (elbo_near_row){
                    .bound = INFINITY, .self = 10 + i, .room = 20, .distance2 = candidates[i], .index = at[i]};
            k->search(row, group, packed, index, BLOCKS, dims, K);
            ranked r[POINTS];
            for (size_t i = 0; i < 6; i++) {
                const float *query = x + (10 + i) * (size_t)dims;
                size_t held = rank_all(r, query, x, POINTS, dims, 10 + i);
                k->finish(&row[i], K, best, best_index);
                for (size_t j = 0; j < K; j++) {
                    assert_near(k->name, j, best[j], r[j].distance2, 0);
                    assert_int_equal(best_index[j], r[j].index);
                }
                k->distances(out, query, packed, BLOCKS, dims);
                for (size_t j = 0; j < held; j++) assert_near("distances", j, out[r[j].index], r[j].distance2, 0);
                assert_true(POINTS == BLOCKS * 16 || isinf(out[BLOCKS * 16 - 1]));
                held = rank_all(r, query, x + (size_t)dims * 16, POINTS - 16, dims, SIZE_MAX);
                assert_int_equal(place[i], r[0].index);
                assert_near("nearest", i, nearest[i], r[0].distance2, 0);
            }
            free(x);
            free(packed);
            free(group);
        }
}

/* ---- neighbours ---- */

static void test_every_size(void **state) {
    (void)state;
    static const struct {
        size_t n;
        int dims, k;
        uint32_t most; // 1: all points are the same
    } sizes[] = {{2, 1, 1, 10},       {5, 2, 4, 3},      {31, 3, 30, 1000}, {17, 1, 5, 4},
                 {700, 20, 90, 1000}, {700, 2, 90, 10},  {900, 3, 11, 1},   {1500, 1, 10, 50},
                 {1500, 6, 40, 3},    {300, 300, 10, 4}, {2600, 5, 1, 1000}};
    for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
        size_t n = sizes[t].n;
        int dims = sizes[t].dims;
        float *x = whole_numbers(n, dims, (uint32_t)t, sizes[t].most);
        elbo_neighbours nb;
        elbo_error err;
        well(elbo_neighbours_of_all(&nb, x, n, dims, sizes[t].k, NULL, &err), &err);
        assert_true(nb.recall == 1 && nb.n == n && nb.k == sizes[t].k);
        check_rows(&nb, x, x, n, dims, true, true);
        elbo_neighbours_free(&nb);
        free(x);
    }
}

static void test_far_from_the_origin(void **state) {
    (void)state;
    enum { N = 1200, DIMS = 7, K = 25 };
    float *x = normal_numbers(N, DIMS, 1);
    for (size_t i = 0; i < N * DIMS; i++) x[i] = x[i] * 0.01f + 1000; // products would lose all digits here
    elbo_neighbours nb;
    elbo_error err;
    well(elbo_neighbours_of_all(&nb, x, N, DIMS, K, NULL, &err), &err);
    check_rows(&nb, x, x, N, DIMS, true, false);
    elbo_neighbours_free(&nb);
    free(x);
}

static void test_of_other_points(void **state) {
    (void)state;
    enum { M = 250, N = 900, DIMS = 4 };
    float *x = whole_numbers(N, DIMS, 5, 40), *query = whole_numbers(M, DIMS, 6, 40);
    for (int k = 1; k <= N; k += 899) { // one, and all
        elbo_neighbours nb;
        elbo_error err;
        const elbo_neighbours_question q = {.query = query, .m = M, .x = x, .n = N, .dims = DIMS, .k = k};
        well(elbo_neighbours_of(&nb, &q, NULL, &err), &err);
        check_rows(&nb, query, x, N, DIMS, false, true);
        elbo_neighbours_free(&nb);
    }
    free(x);
    free(query);
}

static void test_any_number_of_threads(void **state) {
    (void)state;
    enum { N = 3000, DIMS = 9, K = 20 };
    float *x = normal_numbers(N, DIMS, 2);
    elbo_neighbours one, three;
    elbo_error err;
    well(elbo_neighbours_of_all(&one, x, N, DIMS, K, &(elbo_job){.threads = 1}, &err), &err);
    well(elbo_neighbours_of_all(&three, x, N, DIMS, K, &(elbo_job){.threads = 3}, &err), &err);
    assert_memory_equal(one.index, three.index, N * K * sizeof *one.index);
    assert_memory_equal(one.distance2, three.distance2, N * K * sizeof *one.distance2);
    elbo_neighbours_free(&one);
    elbo_neighbours_free(&three);
    free(x);
}

/* A search of few cells finds some, and of more cells more: what the search of a million points relies on. */
static void test_few_cells_find_most(void **state) {
    (void)state;
    enum { N = 6000, DIMS = 8, K = 10 };
    float *x = normal_numbers(N, DIMS, 3), *distance2 = room(N * K);
    uint32_t *index = malloc(2 * N * K * sizeof *index), *found = index + N * K;
    assert_non_null(index);
    elbo_cells cells;
    elbo_error err;
    well(elbo_cells_make(&cells, x, N, DIMS, 100, 0, &err), &err);
    elbo_near_search s = {
        .cells = &cells, .query = x, .m = N, .self = true, .k = K, .index = index, .distance2 = distance2};
    well(elbo_near_run(&s, "", 0, 1, NULL, &err), &err);
    double share[2];
    for (int t = 0; t < 2; t++) {
        s.index = found;
        s.probes = t ? 30 : 3;
        well(elbo_near_run(&s, "", 0, 1, NULL, &err), &err);
        size_t hits = 0;
        for (size_t i = 0; i < N * K; i++)
            for (size_t j = 0; j < K; j++) hits += index[i] == found[i / K * K + j];
        share[t] = (double)hits / (N * K);
    }
    assert_true(share[0] > 0.4 && share[0] < share[1] && share[1] > 0.95);
    elbo_cells_free(&cells);
    free(x);
    free(distance2);
    free(index);
}

/* Small cells in few dimensions, so that most are passed over, and none that holds a near point. */
static void test_passing_over_cells(void **state) {
    (void)state;
    enum { N = 1500, DIMS = 3, K = 4 };
    float *x = normal_numbers(N, DIMS, 6), distance2[N * K];
    uint32_t index[N * K];
    elbo_cells cells;
    elbo_error err;
    well(elbo_cells_make(&cells, x, N, DIMS, 10, 0, &err), &err);
    assert_int_equal(cells.count, 150);
    elbo_near_search s = {
        .cells = &cells, .query = x, .m = N, .self = true, .k = K, .index = index, .distance2 = distance2};
    well(elbo_near_run(&s, "", 0, 1, NULL, &err), &err);
    elbo_neighbours nb = {.n = N, .k = K, .index = index, .distance2 = distance2};
    check_rows(&nb, x, x, N, DIMS, true, false);
    elbo_cells_free(&cells);
    free(x);
}

static bool at_once(void *context) {
    ++*(int *)context;
    return true;
}

static void test_what_is_refused(void **state) {
    (void)state;
    float x[] = {1, 2, 3, NAN, 5, 1e20f};
    elbo_neighbours nb;
    elbo_error err;
    assert_int_equal(elbo_neighbours_of_all(&nb, x, 1, 1, 1, NULL, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "1 nearest neighbours of each of 1 points"));
    assert_int_equal(elbo_neighbours_of_all(&nb, x, 3, 1, 3, NULL, &err), ELBO_BAD_INPUT);
    elbo_neighbours_question q = {.query = x, .m = 3, .x = x, .n = 3, .dims = 1, .k = 4};
    assert_int_equal(elbo_neighbours_of(&nb, &q, NULL, &err), ELBO_BAD_INPUT);
    assert_int_equal(elbo_neighbours_of_all(&nb, x, 2, 2, 1, NULL, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "point 1: dimension 1 is nan"));
    q = (elbo_neighbours_question){.query = x + 4, .m = 1, .x = x, .n = 1, .dims = 2, .k = 1};
    assert_int_equal(elbo_neighbours_of(&nb, &q, NULL, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "query 0: dimension 1 is 1e+20"));
    elbo_embedding_scores scores;
    assert_int_equal(elbo_embedding_score(&scores, x, x, 2, 2, NULL, NULL, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "2 points"));
    int asked = 0;
    float *many = normal_numbers(3000, 2, 4);
    elbo_job work = {.interrupted = at_once, .context = &asked};
    assert_int_equal(elbo_neighbours_of_all(&nb, many, 3000, 2, 5, &work, &err), ELBO_STOPPED);
    assert_true(asked == 1 && !nb.index && !nb.distance2);
    free(many);
}

/* ---- scores of an embedding ---- */

/* sklearn.manifold.trustworthiness 1.2.1 on the same whole numbers, and with the spaces exchanged. */
static void test_scores_are_those_of_scikit_learn(void **state) {
    (void)state;
    static const struct {
        size_t n;
        int dims, k;
        double trustworthiness, continuity;
    } golden[] = {{60, 5, 10, 0.651947565543, 0.718314606742},
                  {31, 3, 10, 0.774817898023, 0.841207075963},
                  {5, 2, 2, 2.0 / 3, 0.8},
                  {3, 2, 1, 2.0 / 3, 2.0 / 3}};
    for (size_t t = 0; t < sizeof golden / sizeof *golden; t++) {
        size_t n = golden[t].n;
        int dims = golden[t].dims;
        float *x = whole_numbers(n, dims, 1, 1000), *embedding = whole_numbers(n, 2, 2, 1000);
        for (size_t i = 0; i < n; i++) embedding[2 * i] += 4 * x[i * (size_t)dims];
        elbo_embedding_scores s;
        elbo_error err;
        well(elbo_embedding_score(&s, embedding, x, n, dims, NULL, NULL, &err), &err);
        assert_int_equal(s.k, golden[t].k);
        assert_int_equal(s.asked, n);
        assert_near("trustworthiness", t, s.trustworthiness, golden[t].trustworthiness, 1e-9);
        assert_near("continuity", t, s.continuity, golden[t].continuity, 1e-9);
        assert_true(isnan(s.knn_points) && isnan(s.knn_embedding));
        free(x);
        free(embedding);
    }
}

/* Of more points than a cell holds, with ties, against plain loops. */
static void test_scores_are_those_of_plain_loops(void **state) {
    (void)state;
    enum { N = 800, DIMS = 6, K = 10 };
    float *x = whole_numbers(N, DIMS, 8, 6), *embedding = whole_numbers(N, 2, 9, 60);
    uint8_t label[N];
    for (size_t i = 0; i < N; i++) {
        embedding[2 * i] += 9 * x[i * DIMS];
        label[i] = (uint8_t)(x[i * DIMS] + (x[i * DIMS + 1] > 2));
    }
    elbo_embedding_scores s;
    elbo_error err;
    well(elbo_embedding_score(&s, embedding, x, N, DIMS, label, NULL, &err), &err);
    static ranked near[2][N];
    static size_t rank[2][N];
    double sum[2] = {0}, hits = 0, right[2] = {0};
    for (size_t i = 0; i < N; i++) {
        for (int space = 0; space < 2; space++) {
            const float *p = space ? embedding : x;
            int dims = space ? 2 : DIMS, votes[256] = {0}, most = 0;
            rank_all(near[space], p + i * (size_t)dims, p, N, dims, i);
            for (size_t j = 0; j < N - 1; j++) rank[space][near[space][j].index] = j + 1;
            for (size_t j = 0; j < K; j++) {
                int v = ++votes[label[near[space][j].index]];
                most = v > most ? v : most;
            }
            size_t first = 0;
            while (votes[label[near[space][first].index]] < most) first++;
            right[space] += label[near[space][first].index] == label[i];
        }
        for (size_t j = 0; j < K; j++) {
            sum[0] += fmax(0, (double)rank[0][near[1][j].index] - K);
            sum[1] += fmax(0, (double)rank[1][near[0][j].index] - K);
            hits += rank[1][near[0][j].index] <= K;
        }
    }
    double scale = 2.0 / (N * K * (2.0 * N - 3 * K - 1));
    assert_near("trustworthiness", 0, s.trustworthiness, 1 - scale * sum[0], 1e-12);
    assert_near("continuity", 0, s.continuity, 1 - scale * sum[1], 1e-12);
    assert_near("recall", 0, s.recall, hits / (N * K), 1e-12);
    assert_near("knn_points", 0, s.knn_points, right[0] / N, 1e-12);
    assert_near("knn_embedding", 0, s.knn_embedding, right[1] / N, 1e-12);
    assert_true(s.recall > 0.01 && s.knn_points > 0.1 && s.knn_embedding > 0.1); // (not all zeros)
    free(x);
    free(embedding);
}

static void test_a_perfect_map(void **state) {
    (void)state;
    enum { N = 500 };
    float *embedding = normal_numbers(N, 2, 5);
    elbo_embedding_scores s;
    elbo_error err;
    well(elbo_embedding_score(&s, embedding, embedding, N, 2, NULL, NULL, &err), &err);
    assert_true(s.trustworthiness == 1 && s.continuity == 1 && s.recall == 1);
    for (size_t i = 0; i < 2 * N; i++) embedding[i] = 3; // all in one place
    well(elbo_embedding_score(&s, embedding, embedding, N, 2, NULL, NULL, &err), &err);
    assert_true(s.trustworthiness == 1 && s.continuity == 1 && s.recall == 1);
    free(embedding);
}

static void test_votes(void **state) {
    (void)state;
    const uint8_t label[] = {3, 1, 2, 2, 1, 255};
    assert_int_equal(elbo_knn_vote((const uint32_t[]){0, 1, 2, 3, 5}, 5, label), 2);
    assert_int_equal(elbo_knn_vote((const uint32_t[]){0, 1, 2, 3, 4}, 5, label), 1); // equal votes: 1 came first
    assert_int_equal(elbo_knn_vote((const uint32_t[]){5, 1, 2}, 3, label), 255);
    const float train[] = {0, 1, 2, 10, 11, 12}, test[] = {-1, 1, 13, 10.5f, 11.5f};
    const elbo_labelled_codes codes = {.train = train,
                                       .train_labels = (const uint8_t[]){7, 7, 7, 9, 9, 9},
                                       .n = 6,
                                       .test = test,
                                       .test_labels = (const uint8_t[]){7, 7, 9, 7, 9},
                                       .m = 5,
                                       .dims = 1};
    double accuracy;
    elbo_error err;
    well(elbo_knn_accuracy(&accuracy, &codes, 3, NULL, &err), &err);
    assert_near("accuracy", 0, accuracy, 0.8, 0); // 0.6 with test and training codes exchanged
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernels_agree_with_plain_loops),
        cmocka_unit_test(test_every_size),
        cmocka_unit_test(test_far_from_the_origin),
        cmocka_unit_test(test_of_other_points),
        cmocka_unit_test(test_any_number_of_threads),
        cmocka_unit_test(test_few_cells_find_most),
        cmocka_unit_test(test_passing_over_cells),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_scores_are_those_of_scikit_learn),
        cmocka_unit_test(test_scores_are_those_of_plain_loops),
        cmocka_unit_test(test_a_perfect_map),
        cmocka_unit_test(test_votes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
