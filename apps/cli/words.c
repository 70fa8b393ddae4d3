#include "words.h"

#include <stdio.h>
#include <string.h>

#include "explore/image_files.h"
#include "recipe_for.h"

elbo_operands cli_operands(cli_runs *r) {
    return (elbo_operands){.model = r->run[0].model,
                           .chooser = elbo_runs_chooser(r->run, r->count)->model,
                           .data = &r->data,
                           .read_image = elbo_image_file_one};
}

elbo_status cli_take_classes(elbo_expression *e, int count, const elbo_dataset *d, bool quiet, elbo_error *err) {
    const char *word[2] = {0};
    int words = 0;
    for (int i = 0; i < count; i++) {
        bool taken;
        ELBO_TRY(elbo_operands_take_class(&e[i], d, &taken, err));
        if (taken && words < 2) word[words++] = e[i].operand[0].word;
    }
    if (words == 2 && !strcmp(word[0], word[1])) words = 1;
    if (words == 0 || quiet) return ELBO_OK;
    fprintf(stderr, "%s%s%s: taken as class%s of %s (class:%s); the test image%s by number: test:%s%s%s\n", word[0],
            words > 1 ? ", " : "", words > 1 ? word[1] : "", words > 1 ? "es" : "", d->name, word[0],
            words > 1 ? "s" : "", word[0], words > 1 ? ", test:" : "", words > 1 ? word[1] : "");
    return ELBO_OK;
}

bool cli_is_end(const char *word) {
    elbo_expression e;
    elbo_error none;
    if (cli_names_run(word) || elbo_expression_parse_end(&e, word, &none) != ELBO_OK) return false;
    bool end = false; // (saved names alone may as well be runs that are not there: `my-run`)
    for (int i = 0; i < e.operands; i++) end = end || e.operand[i].kind != ELBO_OPERAND_SAVED;
    elbo_expression_free(&e);
    return end;
}
