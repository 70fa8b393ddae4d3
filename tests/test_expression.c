/* Arithmetic with codes: what is read, where errors point, and what comes out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "explore/expression.h"
#include "stats/slerp.h"

enum { DIMS = 3 };

/* test:N is (N, 1, 0), train:N (0, N, 1), class:N (N, N, N), mean(class:N) (-N, 0, N), "ab.png" its length everywhere,
 * a saved code (1, 2, 3). */
static elbo_status find(void *context, const elbo_operand *o, float *code, elbo_error *err) {
    (void)context;
    (void)err;
    float n = (float)atof(o->word);
    switch (o->kind) {
    case ELBO_OPERAND_TEST: code[0] = n, code[1] = 1, code[2] = 0; break;
    case ELBO_OPERAND_TRAIN: code[0] = 0, code[1] = n, code[2] = 1; break;
    case ELBO_OPERAND_CLASS: code[0] = code[1] = code[2] = n; break;
    case ELBO_OPERAND_CLASS_MEAN: code[0] = -n, code[1] = 0, code[2] = n; break;
    case ELBO_OPERAND_FILE: code[0] = code[1] = code[2] = (float)strlen(o->word); break;
    case ELBO_OPERAND_SAVED: code[0] = 1, code[1] = 2, code[2] = 3; break;
    }
    return ELBO_OK;
}

static void gives(const char *text, float a, float b, float c) {
    elbo_expression e;
    elbo_error err;
    float code[DIMS], want[DIMS] = {a, b, c};
    if (elbo_expression_parse(&e, text, &err) != ELBO_OK) fail_msg("%s: %s", text, err.message);
    if (elbo_expression_compute(&e, DIMS, find, NULL, code, &err) != ELBO_OK) fail_msg("%s: %s", text, err.message);
    for (int i = 0; i < DIMS; i++)
        if (!(fabsf(code[i] - want[i]) <= 1e-5f))
            fail_msg("%s: number %d is %g, not %g", text, i, (double)code[i], (double)want[i]);
    elbo_expression_free(&e);
}

static void test_values(void **state) {
    (void)state;
    gives("test:17", 17, 1, 0);
    gives("  train:5 ", 0, 5, 1);
    gives("test:3 + train:4 - class:1", 2, 4, 0);
    gives("test:3 - train:4 - class:1", 2, -4, -2); // from the left
    gives("test:3 - (train:4 - class:1)", 4, -2, 0);
    gives("2 * test:3 + train:1 * 3", 6, 5, 3); // products first
    gives("2 * (test:3 + train:1)", 6, 4, 2);
    gives("test:8 / 2 / 2", 2, 0.25f, 0);
    gives("test:8 / (2 / 2)", 8, 1, 0);
    gives("6 / 3 * test:1", 2, 2, 0);
    gives("-test:3", -3, -1, 0);
    gives("--test:3", 3, 1, 0);
    gives("-2 * -test:3", 6, 2, 0);
    gives("(1 + 2) * smile", 3, 6, 9);
    gives("1.5e1 * smile - .5 * smile", 14.5f, 29, 43.5f);
    gives("class:7", 7, 7, 7);
    gives("mean(class:7)", -7, 0, 7);
    gives("mean(class:7) + class:7", 0, 7, 14); // the two are different codes
    gives("mean(class:2, class:4)", -3, 0, 3);
    gives("mean(test:1, test:2, test:6)", 3, 1, 0);
    gives("mean(2 * class:3)", 6, 6, 6); // not on its own: the typical image
    gives("mean(mean(class:2), test:4)", 1, 0.5f, 1);
    gives("lerp(test:0, test:8, 0.25)", 2, 1, 0);
    gives("lerp(test:0, test:8, 1 / 4)", 2, 1, 0);
    gives("slerp(class:1, class:3, 0.5)", 2, 2, 2);
    gives("slerp(test:0, train:0, 0.5)", 0, sqrtf(0.5f), sqrtf(0.5f));
    gives("\"ab.png\" + photo.png", 15, 15, 15);
    gives("class:\"12\"", 12, 12, 12);
    gives("a_1 - b2", 0, 0, 0);
}

static void refused(const char *text, int column, const char *says) {
    elbo_expression e;
    elbo_error err;
    if (elbo_expression_parse(&e, text, &err) == ELBO_OK) fail_msg("%s: is taken", text);
    char place[40];
    snprintf(place, sizeof place, "column %d of", column);
    if (strncmp(err.message, place, strlen(place)) || !strstr(err.message, says) || strchr(err.message, '\n'))
        fail_msg("%s: \"%s\" is not of column %d and \"%s\"", text, err.message, column, says);
}

static void test_columns(void **state) {
    (void)state;
    refused("", 1, "expected a code");
    refused("   ", 4, "expected a code");
    refused("test:17 +", 10, "got the end of the expression");
    refused("test:17 + * 2", 11, "`*`");
    refused("test:17 test:18", 9, "expected an operator + - * /, got `test`");
    refused("(test:17", 9, "expected `)`");
    refused("test:17)", 8, "`)`");
    refused("test 17", 6, "expected `:`");
    refused("test:", 6, "number of an image");
    refused("test:1.5", 6, "`1.5`");
    refused("test:-1", 6, "`-`");
    refused("class:+", 7, "expected a class");
    refused("test:1 + 2", 8, "a number plus a code");
    refused("2 - test:1", 3, "a number and a code");
    refused("test:1 * test:2", 8, "a code times a code");
    refused("2 / test:1", 3, "division by a code");
    refused("2 + 3", 1, "a number, not a code");
    refused("17", 1, "test:17");
    refused("17:test", 1, "test:17");
    refused("17abc", 1, "test:17");
    refused("0x10", 1, "test:17");
    refused("mean()", 6, "got `)`");
    refused("mean(1, 2)", 6, "mean() of a number");
    refused("mean test:1", 6, "expected `(`");
    refused("mean(test:1", 12, "`,` or `)`");
    refused("lerp(test:1, test:2)", 20, "two codes and a number");
    refused("lerp(test:1, 2, test:3)", 14, "a number for a code");
    refused("slerp(test:1, test:2, test:3)", 23, "a code for a number");
    refused("slerp(test:1, test:2, 0.5, 1)", 26, "expected `)`");
    refused("sin(test:1)", 1, "mean, lerp and slerp");
    refused("test:1 + \"a.png", 10, "unclosed quote");
    refused("\"\" + test:1", 1, "empty quotes");
    refused("test:1 & test:2", 8, "unexpected character");
    refused("my/photo.png + test:1", 3, "division by a code"); // a path needs quotes
    refused("photo.raw", 1, "a name with a dot");
    refused("\"h\xc3\xa4nde.png\" + + test:1", 15, "`+`"); // columns are letters, not bytes
    char deep[400];
    memset(deep, '(', 300);
    strcpy(deep + 300, "test:1");
    elbo_expression e;
    elbo_error err;
    assert_int_equal(elbo_expression_parse(&e, deep, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "too deep"));
    memset(deep, '-', 300);
    assert_int_equal(elbo_expression_parse(&e, deep, &err), ELBO_BAD_INPUT);
}

static void test_operands(void **state) {
    (void)state;
    elbo_expression e;
    elbo_error err;
    assert_int_equal(elbo_expression_parse(&e, "mean(class:3) - mean(class:8) + test:17 + mean(class:3)", &err),
                     ELBO_OK);
    assert_int_equal(e.operands, 3); // each once; inside mean() the classes' typical images are not meant
    assert_string_equal(e.operand[0].label, "mean(class:3)");
    assert_string_equal(e.operand[1].word, "8");
    assert_string_equal(e.operand[2].label, "test:17");
    assert_true(elbo_expression_has(&e, ELBO_OPERAND_CLASS_MEAN) && !elbo_expression_has(&e, ELBO_OPERAND_CLASS));
    elbo_expression_free(&e);
    float code[DIMS];
    assert_int_equal(elbo_expression_parse(&e, "test:1 / 0", &err), ELBO_OK);
    assert_int_equal(elbo_expression_compute(&e, DIMS, find, NULL, code, &err), ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "not finite"));
    elbo_expression_free(&e);
}

static void is_end(const char *text, elbo_operand_kind kind, const char *word) {
    elbo_expression e;
    elbo_error err;
    if (elbo_expression_parse_end(&e, text, &err) != ELBO_OK) fail_msg("%s: %s", text, err.message);
    assert_int_equal(e.operands, 1);
    assert_int_equal(e.operand[0].kind, kind);
    assert_string_equal(e.operand[0].word, word);
    elbo_expression_free(&e);
}

static void test_ends(void **state) {
    (void)state;
    is_end("17", ELBO_OPERAND_TEST, "17");
    is_end("../my photos/a-b.png", ELBO_OPERAND_FILE, "../my photos/a-b.png");
    is_end("class:Ankle boot", ELBO_OPERAND_CLASS, "Ankle boot");
    is_end("class:T-shirt/top", ELBO_OPERAND_CLASS, "T-shirt/top");
    is_end("mean(class:3)", ELBO_OPERAND_CLASS_MEAN, "3");
    is_end("2 * smile", ELBO_OPERAND_SAVED, "smile");
    elbo_expression e;
    elbo_error err;
    assert_int_equal(elbo_expression_parse_end(&e, "class:3 - class:8", &err), ELBO_OK);
    assert_int_equal(e.operands, 2);
    elbo_expression_free(&e);
    static const char *const good[] = {"smile", "a", "A_1"}, *const bad[] = {"",     "1a",    "a-b",      "a.b",
                                                                             "mean", "class", "\xc3\xa4", "a/b"};
    for (size_t i = 0; i < 3; i++) assert_int_equal(elbo_expression_check_name(good[i], &err), ELBO_OK);
    for (size_t i = 0; i < 8; i++) assert_int_equal(elbo_expression_check_name(bad[i], &err), ELBO_BAD_INPUT);
}

/* ---- interpolation ---- */

static double norm(const double *v, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += v[i] * v[i];
    return sqrt(sum);
}

static void test_slerp(void **state) {
    (void)state;
    const double a[4] = {1, 2, -0.5, 0.3}, b[4] = {-0.7, 1.1, 2, 0}, opposite[4] = {-2, -4, 1, -0.6},
                 same[4] = {3, 6, -1.5, 0.9};
    const double zero[4] = {0};
    double out[4], dot = 0;
    for (int i = 0; i < 4; i++) dot += a[i] * b[i];
    double angle = acos(dot / norm(a, 4) / norm(b, 4)); // White's formula, plainly
    for (double t = 0; t <= 1; t += 0.125) {
        elbo_slerp(a, b, 4, t, out);
        for (int i = 0; i < 4; i++) {
            double want = (sin((1 - t) * angle) * a[i] + sin(t * angle) * b[i]) / sin(angle);
            assert_true(fabs(out[i] - want) < 1e-12);
        }
        elbo_slerp(a, same, 4, t, out); // one way: a line
        for (int i = 0; i < 4; i++) assert_true(fabs(out[i] - (1 + 2 * t) * a[i]) < 1e-12);
        elbo_slerp(a, zero, 4, t, out);
        for (int i = 0; i < 4; i++) assert_true(fabs(out[i] - (1 - t) * a[i]) < 1e-12);
        elbo_slerp(a, opposite, 4, t, out); // opposite ways: half a circle whose radius goes from |a| to 2 |a|
        assert_true(fabs(norm(out, 4) - (1 + t) * norm(a, 4)) < 1e-12);
        double cosine = 0;
        for (int i = 0; i < 4; i++) cosine += out[i] * a[i] / norm(a, 4) / norm(out, 4);
        assert_true(fabs(cosine - cos(M_PI * t)) < 1e-12);
    }
    elbo_slerp(a, opposite, 1, 0.5, out); // in one dimension there is no way round
    assert_true(fabs(out[0] + 0.5) < 1e-12);
}

static void test_path_between(void **state) {
    (void)state;
    const float a[2] = {1, 0}, b[2] = {0, 1};
    float out[6];
    elbo_error err;
    assert_int_equal(elbo_path_between(ELBO_LINEAR, a, b, 2, 3, out, &err), ELBO_OK);
    const float line[6] = {1, 0, 0.5f, 0.5f, 0, 1};
    assert_memory_equal(out, line, sizeof line);
    assert_int_equal(elbo_path_between(ELBO_SLERP, a, b, 2, 3, out, &err), ELBO_OK);
    assert_true(fabsf(out[2] - (float)M_SQRT1_2) < 1e-6f && fabsf(out[3] - (float)M_SQRT1_2) < 1e-6f);
    assert_true(out[0] == 1 && fabsf(out[5] - 1) < 1e-6f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_columns), cmocka_unit_test(test_operands),
        cmocka_unit_test(test_ends),   cmocka_unit_test(test_slerp),   cmocka_unit_test(test_path_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
