/* Random numbers, atomic files, nearest words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/shown.h"
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

/* Interposed: the library asks for no mask, which cannot be asked for without a moment in which another thread's files
 * get another one. */
static int umask_calls;
mode_t umask(mode_t mask) {
    umask_calls++;
    return (mode_t)syscall(SYS_umask, mask);
}

static void files_get_the_users_permissions(void **state) {
    (void)state;
    char folder[] = "/tmp/elbo-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = elbo_path_join(folder, "x");
    static const mode_t masks[] = {022, 027, 0};
    mode_t before = umask(0);
    for (int i = 0; i < 3; i++) {
        umask(masks[i]);
        umask_calls = 0;
        elbo_error err;
        assert_int_equal(elbo_file_write(path, "x", 1, &err), ELBO_OK);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0666 & ~masks[i]);
        assert_int_equal(umask_calls, 0);
        unlink(path);
    }
    umask(before);
    assert_int_equal(rmdir(folder), 0);
    free(path);
}

static void make_old(const char *path) {
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 100}, {.tv_sec = time(NULL) - 100}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

/* Of what was left beside a file, that goes which nobody writes any more, and nothing else. */
static void what_a_kill_left_is_cleaned(void **state) {
    (void)state;
    char folder[] = "/tmp/elbo-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    static const char *const names[] = {"x.tmp-a1B2c3", "x.tmp-young0", "y.tmp-a1B2c3", "x.tmp-of-mine",
                                        "x.tmp-a1B2c34"};
    char *path = elbo_path_join(folder, "x"), *left[5];
    elbo_error err;
    for (int i = 0; i < 5; i++) {
        left[i] = elbo_path_join(folder, names[i]);
        FILE *f = fopen(left[i], "w");
        assert_non_null(f);
        fclose(f);
        if (i != 1) make_old(left[i]);
    }
    elbo_writer slow; // as another process that has been writing for long
    assert_int_equal(elbo_writer_open(&slow, path, &err), ELBO_OK);
    assert_false(elbo_file_exists(left[0]));
    fputs("slow", slow.stream);
    fflush(slow.stream);
    make_old(slow.temporary);
    assert_int_equal(elbo_file_write(path, "fast", 4, &err), ELBO_OK);
    assert_true(elbo_file_exists(slow.temporary));
    if (elbo_writer_commit(&slow, &err) != ELBO_OK) fail_msg("%s", err.message);
    for (int i = 1; i < 5; i++) {
        assert_true(elbo_file_exists(left[i]));
        unlink(left[i]);
        free(left[i]);
    }
    free(left[0]);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    free(path);
}

static void control_characters_are_shown_in_a_message(void **state) {
    (void)state;
    elbo_error err;
    elbo_fail(&err, ELBO_IO, "%s|%s|%s", "a\x1b[31m\nb\tc\x7f", "\xc2\x9b\xc3\xa9\xc2\xa0", "\\x1b");
    assert_string_equal(err.message, "a\\x1b[31m\\nb\\tc\\x7f|\\x9b\xc3\xa9\xc2\xa0|\\x1b");
    errno = ENOENT;
    assert_int_equal(elbo_fail_errno(&err, "%s", "\r"), ELBO_NOT_FOUND);
    assert_string_equal(err.message, "\\r: No such file or directory");
    elbo_fail(&err, ELBO_IO, "again: %s", err.message);
    assert_string_equal(err.message, "again: \\r: No such file or directory");
    char longest[2000], shown[ELBO_SHOWN];
    memset(longest, 1, sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    elbo_fail(&err, ELBO_IO, "%s", longest); // escapes are four letters each, and whole
    assert_int_equal(strlen(err.message) % 4, 0);
    assert_true(strlen(err.message) < sizeof err.message && strlen(err.message) > sizeof err.message - 5);
    elbo_text_shown(longest, shown);
    assert_true(strlen(shown) < sizeof shown && !strcmp(shown + strlen(shown) - 7, "\\x01..."));
    for (int n = 60; n < 90; n++) { // cut between letters, never inside of one
        char letters[200] = "";
        for (int i = 0; i < n / 2; i++) strcat(letters, "\xc3\xa9");
        if (n % 2) strcat(letters, "a");
        elbo_text_shown(letters, shown);
        assert_true(strlen(shown) < sizeof shown);
        if (n < ELBO_SHOWN)
            assert_string_equal(shown, letters);
        else
            assert_true(!strcmp(shown + strlen(shown) - 5, "\xc3\xa9..."));
    }
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
        cmocka_unit_test(files_get_the_users_permissions),
        cmocka_unit_test(what_a_kill_left_is_cleaned),
        cmocka_unit_test(control_characters_are_shown_in_a_message),
        cmocka_unit_test(nearest_word_forgives_a_typo_but_not_another_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
