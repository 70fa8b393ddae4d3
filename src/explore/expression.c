#include "explore/expression.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shown.h"
#include "data/photos/image_program.h"

enum {
    LONGEST_TEXT = 4000, // bytes
    DEEPEST = 100,       // parentheses in parentheses: the parser calls itself
};

typedef enum token_kind { END, NUMBER, WORD, QUOTED, SIGN } token_kind;

typedef struct token {
    token_kind kind;
    const char *start;
    size_t length;
    double number; // NUMBER
} token;

typedef struct parser {
    elbo_expression *e;
    token now;
    int depth;
    elbo_error *err;
} parser;

/* ---- messages ---- */

/* Characters in front of `at`, plus one. */
static int column_of(const parser *p, const char *at) {
    int column = 1;
    for (const char *c = p->e->text; c < at; c++) column += ((unsigned char)*c & 0xc0) != 0x80;
    return column;
}

static elbo_status fail_at(parser *p, const char *at, const char *what) {
    char shown[ELBO_SHOWN];
    return elbo_fail(p->err, ELBO_BAD_INPUT, "column %d of `%s`: %s", column_of(p, at),
                     elbo_text_shown(p->e->text, shown), what);
}

/* "expected ..., got `)`" */
static elbo_status fail_token(parser *p, const char *wanted) {
    char what[300], word[40];
    snprintf(word, sizeof word, "%.*s", p->now.length > 30 ? 30 : (int)p->now.length, p->now.start);
    if (p->now.kind == END)
        snprintf(what, sizeof what, "expected %s, got the end of the expression", wanted);
    else
        snprintf(what, sizeof what, "expected %s, got `%s`", wanted, word);
    return fail_at(p, p->now.start, what);
}

/* ---- tokens ---- */

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.' || (unsigned char)c >= 0x80; }

/* Takes the token that begins at or behind `at`. */
static elbo_status read_token(parser *p, const char *at) {
    while (*at == ' ' || *at == '\t' || *at == '\n') at++;
    token *t = &p->now;
    *t = (token){.start = at, .length = 1, .kind = SIGN};
    if (!*at) {
        *t = (token){.start = at, .kind = END};
    } else if (isdigit((unsigned char)*at) || (*at == '.' && isdigit((unsigned char)at[1]))) {
        char *end; // (strtod alone would take 0x10 and more for numbers; the program's locale is C)
        bool hexadecimal = at[0] == '0' && (at[1] == 'x' || at[1] == 'X');
        t->number = strtod(at, &end);
        t->kind = NUMBER;
        t->length = (size_t)(end - at);
        if (hexadecimal || in_word(*end)) return fail_at(p, at, "not a number; an image is named as test:17");
    } else if (in_word(*at)) {
        const char *end = at;
        while (in_word(*end)) end++;
        t->kind = WORD;
        t->length = (size_t)(end - at);
    } else if (*at == '"') {
        const char *end = strchr(at + 1, '"');
        if (!end) return fail_at(p, at, "unclosed quote");
        t->kind = QUOTED;
        t->start = at;
        t->length = (size_t)(end - at) + 1;
    } else if (!strchr("+-*/(),:", *at)) {
        return fail_at(p, at, "unexpected character; operators are + - * / ( ) , and names of files are in \"quotes\"");
    }
    return ELBO_OK;
}

static elbo_status next(parser *p) { return read_token(p, p->now.start + p->now.length); }
static bool is_sign(const parser *p, char sign) { return p->now.kind == SIGN && *p->now.start == sign; }
static bool is_word(const parser *p, const char *word) {
    return p->now.kind == WORD && p->now.length == strlen(word) && !strncmp(p->now.start, word, p->now.length);
}

/* ---- the tree ---- */

static elbo_status add_term(parser *p, elbo_expression_term term, int *index) {
    elbo_expression *e = p->e;
    elbo_expression_term *more = realloc(e->term, (size_t)(e->terms + 1) * sizeof *more);
    if (!more) return elbo_no_memory(p->err);
    e->term = more;
    e->term[ *index = e->terms++] = term;
    return ELBO_OK;
}

static const char *const prefixes[] = {"test:", "train:", "class:"};

/* Adds a term for the operand; `word` of `length` bytes. */
static elbo_status add_operand(parser *p, elbo_operand_kind kind, const char *word, size_t length, const char *at,
                               int *index) {
    elbo_expression *e = p->e;
    elbo_operand o = {.kind = kind, .word = strndup(word, length), .column = column_of(p, at)};
    if (kind == ELBO_OPERAND_CLASS_MEAN)
        o.label = o.word ? elbo_format("mean(class:%s)", o.word) : NULL;
    else
        o.label = o.word ? elbo_format("%s%s", kind <= ELBO_OPERAND_CLASS ? prefixes[kind] : "", o.word) : NULL;
    elbo_operand *more = o.label ? realloc(e->operand, (size_t)(e->operands + 1) * sizeof *more) : NULL;
    if (!more) {
        free(o.word);
        free(o.label);
        return elbo_no_memory(p->err);
    }
    e->operand = more;
    int same = 0;
    while (same < e->operands && (e->operand[same].kind != kind || strcmp(e->operand[same].word, o.word))) same++;
    if (same == e->operands) {
        e->operand[e->operands++] = o;
    } else {
        free(o.word);
        free(o.label);
    }
    return add_term(p,
                    (elbo_expression_term){ELBO_TERM_OPERAND, .is_code = true, .operand = same, .first = -1, .next = -1,
                                           .column = o.column},
                    index);
}

/* A sign between two terms. */
static elbo_status join(parser *p, const char *sign, int left, int right, int *index) {
    elbo_expression_term *l = &p->e->term[left], *r = &p->e->term[right];
    bool code = l->is_code || r->is_code;
    elbo_term_kind kind = *sign == '+'   ? ELBO_TERM_ADD
                          : *sign == '-' ? ELBO_TERM_SUBTRACT
                          : *sign == '*' ? ELBO_TERM_MULTIPLY
                                         : ELBO_TERM_DIVIDE;
    if (kind <= ELBO_TERM_SUBTRACT && l->is_code != r->is_code)
        return fail_at(p, sign,
                       *sign == '+'
                           ? "a number plus a code; a code can be scaled by a number, as 2 * test:17"
                           : "a number and a code on the two sides of -; a code can be scaled, as 2 * test:17");
    if (kind == ELBO_TERM_MULTIPLY && l->is_code && r->is_code)
        return fail_at(p, sign, "a code times a code; one side of * is a number");
    if (kind == ELBO_TERM_DIVIDE && r->is_code) return fail_at(p, sign, "division by a code; expected a number");
    l->next = right;
    return add_term(
        p, (elbo_expression_term){kind, .is_code = code, .first = left, .next = -1, .column = column_of(p, sign)},
        index);
}

/* ---- grammar ---- */

static elbo_status read_sum(parser *p, int *index);

static elbo_status expect(parser *p, char sign, const char *wanted) {
    if (!is_sign(p, sign)) return fail_token(p, wanted);
    return next(p);
}

/* A code inside mean(...), where a class on its own stands for all its images. */
static elbo_status read_mean_argument(parser *p, int *index) {
    elbo_expression *e = p->e;
    int before = e->operands;
    const char *start = p->now.start;
    ELBO_TRY(read_sum(p, index));
    elbo_expression_term t = e->term[*index];
    if (!t.is_code) return fail_at(p, start, "mean() of a number; it takes codes");
    if (t.kind != ELBO_TERM_OPERAND || e->operand[t.operand].kind != ELBO_OPERAND_CLASS) return ELBO_OK;
    elbo_operand class = e->operand[t.operand];
    bool new = t.operand == before;
    if (new) e->operands--; // nothing else speaks of its typical image
    elbo_status status = add_operand(p, ELBO_OPERAND_CLASS_MEAN, class.word, strlen(class.word), start, index);
    if (new) {
        free(class.word);
        free(class.label);
    }
    return status;
}

static elbo_status read_mean(parser *p, const char *at, int *index) {
    int last = -1, first = -1, count = 0;
    do {
        ELBO_TRY(next(p)); // over `(` or `,`
        int argument;
        ELBO_TRY(read_mean_argument(p, &argument));
        if (last >= 0)
            p->e->term[last].next = argument;
        else
            first = argument;
        last = argument;
        count++;
    } while (is_sign(p, ','));
    ELBO_TRY(expect(p, ')', "`,` or `)`"));
    if (count == 1 && p->e->term[first].kind == ELBO_TERM_OPERAND) { // the mean of one code is that code
        *index = first;
        return ELBO_OK;
    }
    return add_term(
        p,
        (elbo_expression_term){ELBO_TERM_MEAN, .is_code = true, .first = first, .next = -1, .column = column_of(p, at)},
        index);
}

/* lerp(a, b, t), slerp(a, b, t) */
static elbo_status read_between(parser *p, elbo_term_kind kind, const char *at, int *index) {
    int argument[3];
    const char *name = kind == ELBO_TERM_LERP ? "lerp" : "slerp";
    char what[120];
    for (int i = 0; i < 3; i++) {
        snprintf(what, sizeof what, "`,` (%s takes two codes and a number, %s(a, b, 0.5))", name, name);
        if (i && !is_sign(p, ',')) return fail_token(p, what);
        ELBO_TRY(next(p));
        const char *start = p->now.start;
        ELBO_TRY(read_sum(p, &argument[i]));
        snprintf(what, sizeof what, "a %s; %s takes two codes and a number, %s(a, b, 0.5)",
                 i < 2 ? "number for a code" : "code for a number", name, name);
        if (p->e->term[argument[i]].is_code != (i < 2)) return fail_at(p, start, what);
    }
    snprintf(what, sizeof what, "`)` (%s takes two codes and a number, %s(a, b, 0.5))", name, name);
    ELBO_TRY(expect(p, ')', what));
    p->e->term[argument[0]].next = argument[1];
    p->e->term[argument[1]].next = argument[2];
    return add_term(
        p, (elbo_expression_term){kind, .is_code = true, .first = argument[0], .next = -1, .column = column_of(p, at)},
        index);
}

/* Behind `test`, `train`, `class`, which the `:` follows. */
static elbo_status read_pick(parser *p, elbo_operand_kind kind, const char *at, int *index) {
    ELBO_TRY(expect(p, ':', "`:` (an image is test:17, train:5 or class:3)"));
    token word = p->now;
    bool whole_number = word.kind == NUMBER && strspn(word.start, "0123456789") >= word.length;
    if (kind == ELBO_OPERAND_CLASS ? !whole_number && word.kind != WORD && word.kind != QUOTED : !whole_number)
        return fail_token(p, kind == ELBO_OPERAND_CLASS
                                 ? "a class by number or name, such as class:3 or class:\"Ankle boot\""
                                 : "the number of an image, such as test:17");
    bool quoted = word.kind == QUOTED;
    ELBO_TRY(next(p));
    return add_operand(p, kind, word.start + quoted, word.length - 2 * quoted, at, index);
}

/* A name without quotes that can only be an image's; whether images of its kind can be read is the reader's business.
 */
static bool ends_as_image(const char *word, size_t n) {
    char end[8] = "";
    size_t keep = n < 6 ? n : 6;
    memcpy(end, word + n - keep, keep);
    return elbo_is_image_name(end) || (n > 4 && !strncasecmp(word + n - 4, ".npy", 4));
}

static elbo_status read_word(parser *p, int *index) {
    static const struct {
        const char *word;
        elbo_term_kind kind;
    } functions[] = {{"mean", ELBO_TERM_MEAN}, {"lerp", ELBO_TERM_LERP}, {"slerp", ELBO_TERM_SLERP}};
    token word = p->now;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (!is_word(p, functions[i].word)) continue;
        ELBO_TRY(next(p));
        if (!is_sign(p, '(')) return fail_token(p, "`(` after a function's name");
        return functions[i].kind == ELBO_TERM_MEAN ? read_mean(p, word.start, index)
                                                   : read_between(p, functions[i].kind, word.start, index);
    }
    for (elbo_operand_kind k = ELBO_OPERAND_TEST; k <= ELBO_OPERAND_CLASS; k++)
        if (word.length + 1 == strlen(prefixes[k]) && !strncmp(word.start, prefixes[k], word.length)) {
            ELBO_TRY(next(p));
            return read_pick(p, k, word.start, index);
        }
    ELBO_TRY(next(p));
    if (is_sign(p, '(')) return fail_at(p, word.start, "no function of this name; there are mean, lerp and slerp");
    elbo_operand_kind kind = ends_as_image(word.start, word.length) ? ELBO_OPERAND_FILE : ELBO_OPERAND_SAVED;
    if (kind == ELBO_OPERAND_SAVED && memchr(word.start, '.', word.length))
        return fail_at(p, word.start, "a name with a dot; the name of such a file is in \"quotes\"");
    return add_operand(p, kind, word.start, word.length, word.start, index);
}

static elbo_status read_factor(parser *p, int *index) {
    token t = p->now;
    if (++p->depth > DEEPEST) return fail_at(p, t.start, "nested too deep");
    elbo_status status;
    if (t.kind == NUMBER) {
        status = next(p);
        if (status == ELBO_OK && is_sign(p, ':'))
            return fail_at(p, t.start, "a number in front of `:`; an image is named as test:17");
        elbo_expression_term term = {ELBO_TERM_NUMBER, .number = t.number, .first = -1, .next = -1,
                                     .column = column_of(p, t.start)};
        if (status == ELBO_OK) status = add_term(p, term, index);
    } else if (t.kind == WORD) {
        status = read_word(p, index);
    } else if (t.kind == QUOTED) {
        if (t.length == 2) return fail_at(p, t.start, "empty quotes; expected the name of a file");
        status = next(p);
        if (status == ELBO_OK) status = add_operand(p, ELBO_OPERAND_FILE, t.start + 1, t.length - 2, t.start, index);
    } else if (is_sign(p, '-')) {
        int inner;
        ELBO_TRY(next(p));
        ELBO_TRY(read_factor(p, &inner));
        elbo_expression_term term = {ELBO_TERM_NEGATE, .is_code = p->e->term[inner].is_code, .first = inner, .next = -1,
                                     .column = column_of(p, t.start)};
        status = add_term(p, term, index);
    } else if (is_sign(p, '(')) {
        ELBO_TRY(next(p));
        ELBO_TRY(read_sum(p, index));
        status = expect(p, ')', "`)`");
    } else {
        status = fail_token(p, "a code (test:17, train:5, class:3, \"a file.png\", a saved name, mean(...))");
    }
    p->depth--;
    return status;
}

static elbo_status read_product(parser *p, int *index) {
    ELBO_TRY(read_factor(p, index));
    while (is_sign(p, '*') || is_sign(p, '/')) {
        const char *sign = p->now.start;
        int right;
        ELBO_TRY(next(p));
        ELBO_TRY(read_factor(p, &right));
        ELBO_TRY(join(p, sign, *index, right, index));
    }
    return ELBO_OK;
}

static elbo_status read_sum(parser *p, int *index) {
    ELBO_TRY(read_product(p, index));
    while (is_sign(p, '+') || is_sign(p, '-')) {
        const char *sign = p->now.start;
        int right;
        ELBO_TRY(next(p));
        ELBO_TRY(read_product(p, &right));
        ELBO_TRY(join(p, sign, *index, right, index));
    }
    return ELBO_OK;
}

static elbo_status read_all(parser *p) {
    ELBO_TRY(read_token(p, p->e->text));
    if (p->now.kind == END) return fail_token(p, "a code, such as test:17 or mean(class:3) - mean(class:8) + test:17");
    ELBO_TRY(read_sum(p, &p->e->root));
    if (p->now.kind != END) return fail_token(p, "an operator + - * /");
    if (!p->e->term[p->e->root].is_code)
        return fail_at(p, p->e->text, "its value is a number, not a code; an image is named as test:17");
    return ELBO_OK;
}

elbo_status elbo_expression_parse(elbo_expression *e, const char *text, elbo_error *err) {
    *e = (elbo_expression){.text = strdup(text)};
    parser p = {.e = e, .err = err};
    elbo_status status = !e->text ? elbo_no_memory(err)
                         : strlen(text) > LONGEST_TEXT
                             ? elbo_fail(err, ELBO_BAD_INPUT, "an expression of %zu letters; at most %d are read",
                                         strlen(text), LONGEST_TEXT)
                             : read_all(&p);
    if (status != ELBO_OK) elbo_expression_free(e);
    return status;
}

/* What does not need the grammar: an image's number, a file's name as a shell completes it, a class name with spaces.
 */
static elbo_status parse_plain(elbo_expression *e, const char *text, elbo_operand_kind kind, const char *word,
                               elbo_error *err) {
    *e = (elbo_expression){.text = strdup(text)};
    parser p = {.e = e, .err = err};
    elbo_status status = e->text ? add_operand(&p, kind, word, strlen(word), e->text, &e->root) : elbo_no_memory(err);
    if (status != ELBO_OK) elbo_expression_free(e);
    return status;
}

elbo_status elbo_expression_parse_end(elbo_expression *e, const char *text, elbo_error *err) {
    size_t n = strlen(text);
    if (n && strspn(text, "0123456789") == n) {
        ELBO_TRY(parse_plain(e, text, ELBO_OPERAND_TEST, text, err));
        e->bare = true;
        return ELBO_OK;
    }
    if (ends_as_image(text, n) && !strchr(text, '"')) return parse_plain(e, text, ELBO_OPERAND_FILE, text, err);
    if (!strncmp(text, "class:", 6) && text[6] && !strpbrk(text, "()\"*,") && !strstr(text, " + ") &&
        !strstr(text, " - ") && !strstr(text, " / "))
        return parse_plain(e, text, ELBO_OPERAND_CLASS, text + 6, err);
    return elbo_expression_parse(e, text, err);
}
