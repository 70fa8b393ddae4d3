/* What is asked of an expression that was read, and of the names that one may hold. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/shown.h"
#include "explore/expression.h"

void elbo_expression_free(elbo_expression *e) {
    for (int i = 0; i < e->operands; i++) {
        free(e->operand[i].word);
        free(e->operand[i].label);
    }
    free(e->operand);
    free(e->term);
    free(e->text);
    *e = (elbo_expression){0};
}

bool elbo_expression_has(const elbo_expression *e, elbo_operand_kind kind) {
    for (int i = 0; i < e->operands; i++)
        if (e->operand[i].kind == kind) return true;
    return false;
}

elbo_status elbo_expression_check_name(const char *name, elbo_error *err) {
    static const char *const taken[] = {"mean", "lerp", "slerp", "test", "train", "class"};
    char shown[ELBO_SHOWN];
    elbo_text_shown(name, shown);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!strcmp(name, taken[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: is a keyword of expressions; choose another name", shown);
    bool good = *name && !isdigit((unsigned char)*name) && strlen(name) <= 60;
    for (const char *c = name; good && *c; c++)
        good = (isalnum((unsigned char)*c) && (unsigned char)*c < 0x80) || *c == '_';
    if (good) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT,
                     "%s: is not a valid name for a code; expected letters, digits and _, a letter first, at most 60",
                     shown);
}
