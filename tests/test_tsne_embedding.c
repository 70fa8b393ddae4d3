/* Whole t-SNE embeddings: their divergence, the same bits for any number of threads, going on, few points, strange
 * points. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "stats/embedding_scores.h"
#include "stats/tsne.h"

static elbo_error err;
static const elbo_job quietly = {.threads = 2};

static float *clouds(size_t n, size_t dims, size_t clusters, float apart) {
    float *x = elbo_alloc(n * dims, sizeof *x), *centre = elbo_alloc(clusters * dims, sizeof *centre);
    elbo_random_normal((elbo_stream){.seed = 1, .purpose = ELBO_FOR_DIGITS}, x, n * dims);
    elbo_random_normal((elbo_stream){.seed = 2, .purpose = ELBO_FOR_DIGITS}, centre, clusters * dims);
    for (size_t i = 0; i < n * dims; i++) x[i] += apart * centre[(i / dims) % clusters * dims + i % dims];
    free(centre);
    return x;
}

static elbo_tsne_result embedding_of(float *y, const float *x, size_t n, int dims, const elbo_tsne_options *o,
                                     int threads) {
    elbo_tsne_result r;
    elbo_job work = {.threads = threads};
    if (elbo_tsne(y, &r, x, n, dims, o, &work, &err) != ELBO_OK) fail_msg("%s", err.message);
    for (size_t i = 0; i < 2 * n; i++)
        if (!isfinite(y[i])) fail_msg("%zu points: coordinate %zu is %g", n, i, (double)y[i]);
    return r;
}

static void test_same_bits(void **state) {
    (void)state;
    elbo_tsne_options o = elbo_tsne_defaults();
    o.iterations = 60;
    o.exaggerated = 30;
    static const size_t counts[] = {700, 5000}; // exact forces, the grid
    for (int c = 0; c < 2; c++) {
        size_t n = counts[c];
        float *x = clouds(n, 8, 6, 3), *first = malloc(2 * n * sizeof *first), *y = malloc(2 * n * sizeof *y);
        elbo_tsne_result r1 = embedding_of(first, x, n, 8, &o, 1);
        for (int threads = 2; threads <= 3; threads++) {
            elbo_tsne_result r = embedding_of(y, x, n, 8, &o, threads);
            assert_memory_equal(y, first, 2 * n * sizeof *y);
            assert_true(r.kl == r1.kl);
        }
        free(x);
        free(first);
        free(y);
    }
}

static void test_few_points(void **state) {
    (void)state;
    elbo_tsne_options o = elbo_tsne_defaults();
    o.iterations = 300;
    static const size_t counts[] = {1, 2, 3, 4, 5, 31, 91};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        size_t n = counts[c];
        float *x = clouds(n, 3, 2, 2), y[2 * 91];
        elbo_tsne_result r = embedding_of(y, x, n, 3, &o, 2);
        assert_true(n == 1 || r.perplexity <= fmax(1, (double)(n - 1) / 3));
        assert_true(r.kl >= 0);
        assert_int_equal(r.iterations, n == 1 ? 0 : 300);
        free(x);
    }
}

/* Points on a small scale, whose squared distances no float holds: scaled by a power of two it is the same
 * embedding, the same places for new points, and the same scores. */
static void test_tiny_points(void **state) {
    (void)state;
    enum { N = 400, M = 30 };
    elbo_tsne_options o = elbo_tsne_defaults();
    o.iterations = 120;
    o.exaggerated = 60;
    static const int dims[] = {8, 300}; // PCA whole, and its first axes
    for (int d = 0; d < 2; d++) {
        size_t size = (size_t)(N + M) * (size_t)dims[d];
        float *x = clouds(N + M, (size_t)dims[d], 6, 3), *tiny = malloc(size * sizeof *tiny);
        float first[2 * N], y[2 * N], placed[2 * M], placed_tiny[2 * M];
        elbo_embedding_scores scores, scores_tiny;
        elbo_tsne_result r1, r = embedding_of(first, x, N, dims[d], &o, 2);
        const float *fresh = x + (size_t)N * (size_t)dims[d], *fresh_tiny = tiny + (size_t)N * (size_t)dims[d];
        elbo_tsne_placement what = {.new_points = fresh, .m = M, .embedding = first, .x = x, .n = N, .dims = dims[d]},
                            what_tiny = what;
        what_tiny.new_points = fresh_tiny;
        what_tiny.x = tiny;
        assert_int_equal(elbo_tsne_transform(placed, &what, &o, &quietly, &err), ELBO_OK);
        assert_int_equal(elbo_embedding_score(&scores, first, x, N, dims[d], NULL, &quietly, &err), ELBO_OK);
        for (int exponent = -60; exponent >= -100; exponent -= 40) {
            for (size_t i = 0; i < size; i++) tiny[i] = ldexpf(x[i], exponent);
            r1 = embedding_of(y, tiny, N, dims[d], &o, 2);
            assert_memory_equal(y, first, sizeof y);
            assert_true(r1.kl == r.kl);
            assert_int_equal(elbo_tsne_transform(placed_tiny, &what_tiny, &o, &quietly, &err), ELBO_OK);
            assert_memory_equal(placed_tiny, placed, sizeof placed);
            assert_int_equal(elbo_embedding_score(&scores_tiny, first, tiny, N, dims[d], NULL, &quietly, &err),
                             ELBO_OK);
            assert_true(scores_tiny.trustworthiness == scores.trustworthiness && scores_tiny.recall == scores.recall);
        }
        // far from the embedding's points: placed somewhere in it
        what_tiny.new_points = fresh;
        assert_int_equal(elbo_tsne_transform(placed_tiny, &what_tiny, &o, &quietly, &err), ELBO_OK);
        for (size_t i = 0; i < 2 * M; i++) assert_true(isfinite(placed_tiny[i]));
        free(x);
        free(tiny);
    }
}

static double spread(const float *y, size_t n, int c) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += (double)y[2 * i + (size_t)c] * (double)y[2 * i + (size_t)c];
    return sqrt(s / (double)n);
}

/* Exaggeration pulls a cloud of few points together to nothing. The embedding still fills the plane afterwards. */
static void test_a_cloud_of_few_points(void **state) {
    (void)state;
    enum { N = 300 };
    elbo_tsne_options o = elbo_tsne_defaults();
    for (o.seed = 0; o.seed < 4; o.seed++) {
        float x[5 * N], y[2 * N];
        elbo_random_normal((elbo_stream){.seed = o.seed, .purpose = ELBO_FOR_DIGITS}, x, 5 * N);
        elbo_tsne_result r = embedding_of(y, x, N, 5, &o, 2);
        assert_true(r.kl < 1.06); // 1.0 to 1.04 by scikit-learn, 1.5 of a line
        assert_true(spread(y, N, 0) > 5 && spread(y, N, 1) > 5);
    }
}

static void test_strange_points(void **state) {
    (void)state;
    enum { N = 2000 };
    elbo_tsne_options o = elbo_tsne_defaults();
    o.iterations = 300;
    o.exaggerated = 100;
    float *x = clouds(N, 4, 5, 3), *y = malloc(2 * N * sizeof *y);
    for (size_t n = 200; n <= N; n += N - 200) {
        for (size_t i = 0; i < n; i++) x[4 * i + 2] = 7; // a constant column
        embedding_of(y, x, n, 4, &o, 2);
        float *line = malloc(n * sizeof *line); // one dimension: the embedding still fills the plane
        for (size_t i = 0; i < n; i++) line[i] = x[4 * i];
        embedding_of(y, line, n, 1, &o, 2);
        assert_true(spread(y, n, 1) > 0.1 && spread(y, n, 0) > 0.1);
        embedding_of(y, x, n / 2, 2, &o, 2);        // of two
        for (size_t i = 0; i < n; i++) line[i] = 3; // all the same
        embedding_of(y, line, n, 1, &o, 2);
        free(line);
    }
    x[4 * 7 + 1] = NAN;
    elbo_tsne_result r;
    assert_int_equal(elbo_tsne(y, &r, x, N, 4, &o, &quietly, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "number 2 of point 8"));
    x[4 * 7 + 1] = 0;
    o.perplexity = 0.5;
    assert_int_equal(elbo_tsne(y, &r, x, N, 4, &o, &quietly, &err), ELBO_BAD_INPUT);
    o.perplexity = 700; // 666 is the most
    o.iterations = 1;
    r = embedding_of(y, x, N, 4, &o, 2);
    assert_true(fabs(r.perplexity - 1999 / 3.0) < 1e-6);
    free(x);
    free(y);
}

/* Going on with a finished embedding leaves it an embedding: no new exaggeration, and the divergence goes on
 * falling. */
static void test_going_on(void **state) {
    (void)state;
    enum { N = 2500, D = 6 };
    float *x = clouds(N, D, 6, 3), *y = malloc(2 * N * sizeof *y), *more = malloc(2 * N * sizeof *more);
    elbo_tsne_options o = elbo_tsne_defaults();
    o.iterations = 400;
    elbo_tsne_result first = embedding_of(y, x, N, D, &o, 2);
    o.start = y;
    o.iterations = 0;
    elbo_tsne_result same = embedding_of(more, x, N, D, &o, 2);
    assert_true(fabs(same.kl - first.kl) < 1e-5);
    for (size_t i = 0; i < 2 * N; i++) assert_true(fabsf(more[i] - y[i]) < 1e-3f);
    o.iterations = 200;
    elbo_tsne_result later = embedding_of(more, x, N, D, &o, 2);
    assert_true(later.kl < first.kl && later.kl > 0.8 * first.kl);
    free(x);
    free(y);
    free(more);
}

static int calls;
static bool stop_soon(void *context) { return ++calls > *(int *)context; }

static void test_stopping(void **state) {
    (void)state;
    enum { N = 500 };
    float *x = clouds(N, 3, 3, 3), *y = malloc(2 * N * sizeof *y);
    elbo_tsne_options o = elbo_tsne_defaults();
    int most = 40;
    calls = 0;
    elbo_job work = {.threads = 1, .interrupted = stop_soon, .context = &most};
    elbo_tsne_result r;
    assert_int_equal(elbo_tsne(y, &r, x, N, 3, &o, &work, &err), ELBO_STOPPED);
    assert_true(r.iterations > 10 && r.iterations <= 40 && r.kl > 0);
    for (size_t i = 0; i < 2 * N; i++) assert_true(isfinite(y[i]));
    free(x);
    free(y);
}

/* A point of the embedding, placed anew, lands near itself: nearer than a neighbour of its is, as a rule. */
static void test_placing(void **state) {
    (void)state;
    enum { N = 2000, D = 5, M = 300 };
    float *x = clouds(N, D, 5, 4), *embedding = malloc(2 * N * sizeof *embedding), placed[2 * M], again[2 * M];
    elbo_tsne_options o = elbo_tsne_defaults();
    o.iterations = 500;
    embedding_of(embedding, x, N, D, &o, 2);
    const elbo_tsne_placement what = {.new_points = x, .m = M, .embedding = embedding, .x = x, .n = N, .dims = D};
    assert_int_equal(elbo_tsne_transform(placed, &what, &o, &quietly, &err), ELBO_OK);
    const elbo_job alone = {.threads = 1};
    assert_int_equal(elbo_tsne_transform(again, &what, &o, &alone, &err), ELBO_OK);
    assert_memory_equal(placed, again, sizeof placed);
    double near = 0, wide = spread(embedding, N, 0);
    size_t astray = 0;
    for (size_t i = 0; i < M; i++) {
        double d = hypot(placed[2 * i] - embedding[2 * i], placed[2 * i + 1] - embedding[2 * i + 1]);
        near += d / M;
        if (d > wide) astray++;
    }
    if (!(near < wide / 10 && astray == 0))
        fail_msg("%g away, of an embedding %g wide; %zu astray", near, wide, astray);
    free(x);
    free(embedding);
}

/* scikit-learn 1.2.1 makes of the same points (TSNE(perplexity=30, init="pca", learning_rate="auto", n_iter=750)) an
 * embedding whose divergence, under P as it is here, is 1.6196. */
static void test_divergence(void **state) {
    (void)state;
    enum { N = 2000, D = 10 };
    float *x = clouds(N, D, 8, 1), *y = malloc(2 * N * sizeof *y);
    elbo_tsne_options o = elbo_tsne_defaults();
    elbo_tsne_result r = embedding_of(y, x, N, D, &o, 2);
    if (!(r.kl <= 1.6196 * 1.005 && r.kl > 1.55)) fail_msg("divergence %g", r.kl);
    free(x);
    free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),      cmocka_unit_test(test_tiny_points),
        cmocka_unit_test(test_few_points),     cmocka_unit_test(test_a_cloud_of_few_points),
        cmocka_unit_test(test_strange_points), cmocka_unit_test(test_going_on),
        cmocka_unit_test(test_stopping),       cmocka_unit_test(test_placing),
        cmocka_unit_test(test_divergence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
