/* Arithmetic with codes: `mean(class:3) - mean(class:8) + test:17`, read into a tree and computed with codes that the
 * caller finds for its words.
 *
 *     sum     = product { (+ | -) product }
 *     product = factor { (* | /) factor }
 *     factor  = - factor | ( sum ) | number | operand | mean(sum, ...) | lerp(a, b, t) | slerp(a, b, t)
 *     operand = test:17 | train:5 | class:3 | class:"Ankle boot" | photo.png | "my photo.png" | a saved name
 *
 * A number stretches a code (2 * a, a / 2); the other mixtures of numbers and codes are errors, found before anything
 * is computed. class:3 is the class's most typical image; inside mean(...) it stands for all of the class's training
 * images. */
#ifndef ELBO_EXPRESSION_H
#define ELBO_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef enum elbo_operand_kind {
    ELBO_OPERAND_TEST,       // word: "17"
    ELBO_OPERAND_TRAIN,      // word: "5"
    ELBO_OPERAND_CLASS,      // word: "3" or "Bag"
    ELBO_OPERAND_CLASS_MEAN, // the same
    ELBO_OPERAND_FILE,       // word: "my photo.png"
    ELBO_OPERAND_SAVED       // word: "smile"
} elbo_operand_kind;

typedef struct elbo_operand {
    elbo_operand_kind kind;
    char *word;  // what the kind says
    char *label; // as a figure shows it: "mean(class:3)"
    int column;  // from 1
} elbo_operand;

typedef enum elbo_term_kind {
    ELBO_TERM_NUMBER,
    ELBO_TERM_OPERAND,
    ELBO_TERM_NEGATE,
    ELBO_TERM_ADD,
    ELBO_TERM_SUBTRACT,
    ELBO_TERM_MULTIPLY,
    ELBO_TERM_DIVIDE,
    ELBO_TERM_MEAN,
    ELBO_TERM_LERP,
    ELBO_TERM_SLERP
} elbo_term_kind;

/* A term, its arguments in a list. Indices into elbo_expression.term; -1: none. */
typedef struct elbo_expression_term {
    elbo_term_kind kind;
    bool is_code;    // else a number
    double number;   // ELBO_TERM_NUMBER
    int operand;     // ELBO_TERM_OPERAND: index into elbo_expression.operand
    int first, next; // first argument; the next argument of whoever has this one
    int column;
} elbo_expression_term;

typedef struct elbo_expression {
    char *text;
    elbo_expression_term *term;
    elbo_operand *operand; // in the order of the text, each different one once
    int terms, operands, root;
    bool
        bare; // a number alone, read by elbo_expression_parse_end: test:N until elbo_operands_take_class says otherwise
} elbo_expression;

/* Reads a whole expression whose value is a code. Errors name the column. */
elbo_status elbo_expression_parse(elbo_expression *e, const char *text, elbo_error *err);
/* Reads what may stand for one image too: a bare number (test:17), a path without quotes, class:Ankle boot; else as
 * above. */
elbo_status elbo_expression_parse_end(elbo_expression *e, const char *text, elbo_error *err);
void elbo_expression_free(elbo_expression *e);

/* True where an operand of the kind is in it. */
bool elbo_expression_has(const elbo_expression *e, elbo_operand_kind kind);

/* Finds an operand's code.  code: (dims) */
typedef elbo_status (*elbo_find_code)(void *context, const elbo_operand *operand, float *code, elbo_error *err);
/* Computes in double precision.  code: (dims) */
elbo_status elbo_expression_compute(const elbo_expression *e, size_t dims, elbo_find_code find, void *context,
                                    float *code, elbo_error *err);

/* Whether a code may be saved under the name: letters, digits and _, no word of the language. */
elbo_status elbo_expression_check_name(const char *name, elbo_error *err);

#endif
