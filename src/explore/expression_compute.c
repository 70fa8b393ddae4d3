/* The value of an expression. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/expression.h"
#include "stats/slerp.h"

typedef struct computation {
    const elbo_expression *e;
    size_t dims;
    const float *operand; // (operands, dims)
    elbo_error *err;
} computation;

/* A term's value: a number or, where the term is a code, (dims) of them. */
static elbo_status compute(const computation *c, int index, double *value);

/* The values of a term's arguments, one behind the other. Numbers take the first place of theirs.  *values: (count,
 * dims) */
static elbo_status compute_arguments(const computation *c, const elbo_expression_term *t, double **values, int *count) {
    *count = 0;
    for (int i = t->first; i >= 0; i = c->e->term[i].next) ++*count;
    *values = elbo_alloc((size_t)*count * c->dims, sizeof **values);
    if (!*values) return elbo_no_memory(c->err);
    double *v = *values;
    for (int i = t->first; i >= 0; i = c->e->term[i].next, v += c->dims) ELBO_TRY(compute(c, i, v));
    return ELBO_OK;
}

static bool is_code(const computation *c, const elbo_expression_term *t, int argument) {
    int i = t->first;
    while (argument--) i = c->e->term[i].next;
    return c->e->term[i].is_code;
}

static void combine(const computation *c, const elbo_expression_term *t, const double *v, int count, double *out) {
    size_t n = t->is_code ? c->dims : 1;
    const double *a = v, *b = v + c->dims;
    switch (t->kind) {
    case ELBO_TERM_NEGATE:
        for (size_t i = 0; i < n; i++) out[i] = -a[i];
        break;
    case ELBO_TERM_ADD:
        for (size_t i = 0; i < n; i++) out[i] = a[i] + b[i];
        break;
    case ELBO_TERM_SUBTRACT:
        for (size_t i = 0; i < n; i++) out[i] = a[i] - b[i];
        break;
    case ELBO_TERM_MULTIPLY: {
        const double *code = is_code(c, t, 1) ? b : a, factor = code == b ? *a : *b;
        for (size_t i = 0; i < n; i++) out[i] = code[i] * factor;
        break;
    }
    case ELBO_TERM_DIVIDE:
        for (size_t i = 0; i < n; i++) out[i] = a[i] / *b;
        break;
    case ELBO_TERM_MEAN:
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (int k = 0; k < count; k++) sum += v[(size_t)k * c->dims + i];
            out[i] = sum / count;
        }
        break;
    case ELBO_TERM_LERP:
    case ELBO_TERM_SLERP:
        (t->kind == ELBO_TERM_LERP ? elbo_lerp : elbo_slerp)(a, b, c->dims, v[2 * c->dims], out);
        break;
    default: break;
    }
}

static elbo_status compute(const computation *c, int index, double *value) {
    const elbo_expression_term *t = &c->e->term[index];
    if (t->kind == ELBO_TERM_NUMBER) {
        *value = t->number;
        return ELBO_OK;
    }
    if (t->kind == ELBO_TERM_OPERAND) {
        for (size_t i = 0; i < c->dims; i++) value[i] = c->operand[(size_t)t->operand * c->dims + i];
        return ELBO_OK;
    }
    double *arguments = NULL;
    int count;
    elbo_status status = compute_arguments(c, t, &arguments, &count);
    if (status == ELBO_OK) combine(c, t, arguments, count, value);
    free(arguments);
    return status;
}

elbo_status elbo_expression_compute(const elbo_expression *e, size_t dims, elbo_find_code find, void *context,
                                    float *code, elbo_error *err) {
    float *operand = elbo_alloc((size_t)e->operands * dims, sizeof *operand);
    double *value = elbo_alloc(dims, sizeof *value);
    computation c = {e, dims, operand, err};
    elbo_status status = operand && value ? ELBO_OK : elbo_no_memory(err);
    for (int i = 0; status == ELBO_OK && i < e->operands; i++)
        status = find(context, &e->operand[i], operand + (size_t)i * dims, err);
    if (status == ELBO_OK) status = compute(&c, e->root, value);
    for (size_t i = 0; status == ELBO_OK && i < dims; i++) {
        code[i] = (float)value[i];
        if (!isfinite(code[i])) // a division by zero, a factor of 1e300
            status = elbo_fail(err, ELBO_BAD_INPUT, "%.100s: its value is not finite; division by zero or overflow",
                               e->text);
    }
    free(operand);
    free(value);
    return status;
}
