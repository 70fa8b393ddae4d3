/* Random numbers, atomic files, nearest words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"

/* Known answer of Random123's own kat_vectors: philox4x32, 10 rounds, counter and key all zero. */
static void a_growing_array_keeps_what_it_holds(void **state) {
    (void)state;
    size_t capacity = 0;
    uint32_t *a = NULL;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(elbo_grow(&a, i, &capacity, sizeof *a));
        assert_true(capacity > i);
        a[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++) assert_int_equal(a[i], i);
    // refused, and as it was: twice its elements have more bytes than a size can say
    size_t before = capacity;
    assert_false(elbo_grow(&a, capacity, &capacity, SIZE_MAX / capacity));
    assert_int_equal(capacity, before);
    assert_int_equal(a[999], 999);
    free(a);
}

static void philox_gives_its_published_words(void **state) {
    (void)state;
    uint32_t words[4];
    elbo_random_words((elbo_stream){0}, 0, words);
    assert_int_equal(words[0], 0x6627e8d5);
    assert_int_equal(words[1], 0xe169c58d);
    assert_int_equal(words[2], 0xbc57ac4c);
    assert_int_equal(words[3], 0x9b00dbd8);
}

static void normals_have_the_moments_of_a_normal(void **state) {
    (void)state;
    enum { N = 200001 };
    float *x = malloc(N * sizeof *x);
    elbo_random_normal((elbo_stream){.seed = 7, .purpose = ELBO_FOR_NOISE}, x, N);
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < N; i++) {
        sum += x[i];
        squares += x[i] * x[i];
        fourth += pow(x[i], 4);
    }
    assert_true(fabs(sum / N) < 0.01);
    assert_true(fabs(squares / N - 1) < 0.02);
    assert_true(fabs(fourth / N - 3) < 0.1);
    free(x);
}

static void a_permutation_holds_every_number_once(void **state) {
    (void)state;
    enum { N = 1000 };
    uint32_t p[N];
    char seen[N] = {0};
    elbo_random_permutation((elbo_stream){.seed = 1, .purpose = ELBO_FOR_SHUFFLE, .epoch = 3}, p, N);
    int fixed = 0;
    for (int i = 0; i < N; i++) {
        assert_true(p[i] < N && !seen[p[i]]);
        seen[p[i]] = 1;
        fixed += p[i] == (uint32_t)i;
    }
    assert_true(fixed < 10); // one is expected
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    char folder[] = "/tmp/elbo-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = elbo_path_join(folder, "x");
    elbo_error err;
    assert_int_equal(elbo_file_write(path, "old", 3, &err), ELBO_OK);
    elbo_writer w;
    assert_int_equal(elbo_writer_open(&w, path, &err), ELBO_OK);
    fputs("half", w.stream);
    elbo_writer_abandon(&w);
    uint8_t *bytes;
    size_t n;
    assert_int_equal(elbo_file_read(path, 100, &bytes, &n, &err), ELBO_OK);
    assert_string_equal((char *)bytes, "old");
    free(bytes);
    assert_int_equal(elbo_file_read(path, 2, &bytes, &n, &err), ELBO_BAD_INPUT);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); // no temporary file was left
    free(path);
}

static void nearest_word_forgives_a_typo_but_not_another_word(void **state) {
    (void)state;
    const char *words[] = {"linear", "leaky_relu", "relu", NULL};
    assert_string_equal(elbo_nearest_word("liner", words), "linear");
    assert_string_equal(elbo_nearest_word("leaky-relu", words), "leaky_relu");
    assert_null(elbo_nearest_word("convolution", words));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_growing_array_keeps_what_it_holds),
        cmocka_unit_test(philox_gives_its_published_words),
        cmocka_unit_test(normals_have_the_moments_of_a_normal),
        cmocka_unit_test(a_permutation_holds_every_number_once),
        cmocka_unit_test(a_failed_write_leaves_the_old_file),
        cmocka_unit_test(nearest_word_forgives_a_typo_but_not_another_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
