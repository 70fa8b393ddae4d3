/* Expressions of codes: read both ways, and computed. */
#include "fuzz.h"

#include <math.h>

#include "explore/expression.h"

enum { DIMS = 5 };

static elbo_status find(void *context, const elbo_operand *operand, float *code, elbo_error *err) {
    (void)context;
    if (operand->kind == ELBO_OPERAND_TEST && strlen(operand->word) > 3)
        return elbo_fail(err, ELBO_BAD_INPUT, "test:%s: there are 1000 test images", operand->word);
    for (int i = 0; i < DIMS; i++) code[i] = (float)(i + 1) / (float)(1 + operand->kind + operand->word[0] % 7);
    return ELBO_OK;
}

static void compute(const elbo_expression *e) {
    FUZZ_ASSERT(e->root >= 0 && e->root < e->terms, "root %d of %d terms", e->root, e->terms);
    for (int i = 0; i < e->operands; i++) {
        fuzz_touch(e->operand[i].label, strlen(e->operand[i].label));
        FUZZ_ASSERT(e->operand[i].column >= 1, "column %d", e->operand[i].column);
        FUZZ_ASSERT(elbo_expression_has(e, e->operand[i].kind), "operand %d is not there", i);
    }
    for (int i = 0; i < e->terms; i++)
        FUZZ_ASSERT(e->term[i].kind != ELBO_TERM_OPERAND || e->term[i].operand < e->operands, "term %d", i);
    float code[DIMS];
    elbo_error err;
    if (fuzz_succeeded(elbo_expression_compute(e, DIMS, find, NULL, code, &err), &err))
        for (int i = 0; i < DIMS; i++) FUZZ_ASSERT(isfinite(code[i]), "%s: number %d is not finite", e->text, i);
}

static void run(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size);
    elbo_expression e;
    elbo_error err;
    if (fuzz_succeeded(elbo_expression_parse(&e, text, &err), &err)) {
        compute(&e);
        elbo_expression_free(&e);
    }
    if (fuzz_succeeded(elbo_expression_parse_end(&e, text, &err), &err)) {
        compute(&e);
        elbo_expression_free(&e);
    }
    fuzz_succeeded(elbo_expression_check_name(text, &err), &err);
    free(text);
}

const fuzz_target fuzz_expression = {"expression", 256, run};
