/* elbo vector: codes kept with a run under a name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explore/vectors.h"
#include "words.h"

static elbo_status save(cli_runs *r, const char *name, const elbo_expression *e, double *length, elbo_error *err) {
    elbo_model *m = r->run[0].model;
    size_t Z = (size_t)m->network.graph.latent;
    float *code = elbo_alloc(Z, sizeof *code);
    if (!code) return elbo_no_memory(err);
    elbo_operands words = cli_operands(r);
    elbo_status status = elbo_expression_compute(e, Z, elbo_operand_code, &words, code, err);
    if (status == ELBO_OK) status = elbo_vector_save(m, name, e->text, code, err);
    for (size_t i = 0; i < Z; i++) *length += (double)code[i] * code[i];
    *length = sqrt(*length);
    free(code);
    return status;
}

/* elbo vector save NAME EXPR RUN */
static int run_save(char **argv, const char *data, const char *device, int threads, bool json) {
    elbo_error err;
    elbo_expression e;
    if (elbo_expression_check_name(argv[1], &err) != ELBO_OK || elbo_expression_parse(&e, argv[2], &err) != ELBO_OK)
        return cli_fail(&err);
    cli_runs r;
    int code = cli_runs_open(&r, argv + 3, 1, data, elbo_operands_splits(&e), device, threads);
    if (code == CLI_OK) {
        double length = 0;
        elbo_status status = save(&r, argv[1], &e, &length, &err);
        json_t *o = json ? json_pack("{s:s, s:s, s:f}", "name", argv[1], "expression", e.text, "length", length) : NULL;
        code = cli_end(status, &err, json, o, "%s = %s, norm %.3g, saved with %s\n", argv[1], e.text, length, argv[3]);
        cli_runs_close(&r);
    }
    elbo_expression_free(&e);
    return code;
}

static int list(elbo_model *m, bool json) {
    elbo_error err;
    elbo_vector *v;
    int count;
    if (elbo_vectors_list(m, &v, &count, &err) != ELBO_OK) return cli_fail(&err);
    json_t *rows = json ? json_array() : NULL;
    if (!json && count == 0)
        printf("no vectors are saved with %s; `elbo vector save NAME EXPR %s` saves one\n", m->run, m->run);
    size_t widest = 0;
    for (int i = 0; i < count; i++)
        if (strlen(v[i].name) > widest) widest = strlen(v[i].name);
    for (int i = 0; i < count; i++) {
        if (json)
            json_array_append_new(rows, json_pack("{s:s, s:s, s:f, s:b}", "name", v[i].name, "expression",
                                                  v[i].expression, "length", v[i].length, "stale", v[i].stale));
        else
            printf("%-*s  %s  (norm %.3g)%s\n", (int)widest, v[i].name, v[i].expression, v[i].length,
                   v[i].stale ? "  stale, of earlier weights: save it again" : "");
    }
    if (json) cli_print_json(json_pack("{s:o}", "vectors", rows));
    elbo_vectors_free(v, count);
    return CLI_OK;
}

static int run_on_model(const char *verb, const char *name, const char *folder, const elbo_model_options *o,
                        bool json) {
    elbo_error err;
    elbo_model *m;
    if (elbo_model_open_with(&m, folder, o, &err) != ELBO_OK) return cli_fail(&err);
    int code;
    if (!strcmp(verb, "list")) {
        code = list(m, json);
    } else {
        elbo_status status = elbo_vector_remove(m, name, &err);
        code = cli_end(status, &err, json, json ? json_pack("{s:s}", "removed", name) : NULL, "%s: removed\n", name);
    }
    elbo_model_close(m);
    return code;
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *data = NULL, *device = NULL;
    int threads = 0;
    bool json = false;
    cli_option options[] = {
        {"data", 'd', CLI_TEXT, &data, "PATH", "the data set, where it is not what the run was trained on", 0, 0},
        CLI_DEVICE_OPTION(device),
        {"threads", 't', CLI_INT, &threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 4);
    if (CLI_DONE(words)) return CLI_CODE(words);
    static const struct {
        const char *verb;
        int words;
        const char *usage;
    } verbs[] = {{"save", 4, "save NAME EXPR RUN"}, {"list", 2, "list RUN"}, {"remove", 3, "remove NAME RUN"}};
    size_t v = 0;
    while (v < 3 && strcmp(argv[0], verbs[v].verb)) v++;
    if (v == 3) return cli_fail_text("vector %s: expected save, list or remove", argv[0]), CLI_USAGE;
    if (words != verbs[v].words) return cli_fail_text("usage: elbo vector %s", verbs[v].usage), CLI_USAGE;
    if (v == 0) return run_save(argv, data, device, threads, json);
    elbo_model_options o = {.size = sizeof o, .threads = threads, .device = device};
    return run_on_model(argv[0], argv[1], argv[words - 1], &o, json);
}

const cli_command cli_vector = {
    .name = "vector",
    .arguments = "save NAME EXPR RUN | list RUN | remove NAME RUN",
    .summary = "saves a named code with a run, such as an attribute vector",
    .details =
        "EXPR is as `elbo arithmetic` reads it; NAME can then be used in expressions. Saved in RUN/vectors/. A code belongs\n"
        "to the weights that made it: save it again after further training.\n"
        "\n"
        "example:\n"
        "  elbo vector save slant 'mean(test:17, test:26) - mean(class:7)' runs/mnist-vae\n"
        "  elbo arithmetic runs/mnist-vae 'class:4 + 2 * slant'\n",
    .run = run,
};
