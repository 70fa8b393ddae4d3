/* elbo export: a model in other programs' formats. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "export/export.h"

/* The format that --to names, or the output's ending. */
static int find_format(elbo_export_format *format, const char *to, const char *output) {
    const char *dot = strrchr(output, '.');
    const char *implied = !dot                    ? NULL
                          : !strcmp(dot, ".py")   ? "pytorch"
                          : !strcmp(dot, ".onnx") ? "onnx"
                          : !strcmp(dot, ".c")    ? "c"
                                                  : NULL;
    if (!to && !implied)
        return cli_fail_text("%s: expected a name ending in .py (PyTorch), .onnx or .c", output), CLI_USAGE;
    if (!elbo_export_format_named(format, to ? to : implied))
        return cli_fail_text("--to %s: expected pytorch, onnx or c", to), CLI_USAGE;
    return CLI_OK;
}

static json_t *as_json(const char *run, const elbo_export_files *f) {
    json_t *files = json_array();
    for (int i = 0; i < f->count; i++) json_array_append_new(files, json_string(f->path[i]));
    return json_pack("{s:s, s:o}", "run", run, "files", files);
}

static int run(const cli_command *self, int argc, char **argv) {
    const char *output = NULL, *to = NULL;
    bool json = false;
    cli_option options[] = {
        {"output", 'o', CLI_TEXT, &output, "FILE", "model.py, model.onnx or model.c; required", 0, 0},
        {"to", 0, CLI_TEXT, &to, "FORMAT", "pytorch, onnx or c; default by FILE's ending", 0, 0},
        {"json", 0, CLI_FLAG, &json, NULL, "prints one JSON object", 0, 0},
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    if (!output)
        return cli_fail_text("export: expected an output: add -o model.py, -o model.onnx or -o model.c"), CLI_USAGE;
    elbo_export_format format;
    int code = find_format(&format, to, output);
    if (code != CLI_OK) return code;
    elbo_error err;
    elbo_export_files files = {.count = 0};
    elbo_model *m = NULL;
    elbo_status status = elbo_export_files_of(&files, format, output, &err);
    if (status == ELBO_OK) status = elbo_model_open(&m, argv[0], 1, &err);
    if (status == ELBO_OK) status = elbo_export(m, format, &files, &err);
    json_t *result = json && status == ELBO_OK ? as_json(argv[0], &files) : NULL;
    code = cli_end(status, &err, json, result, "%s%s%s\n", files.count ? files.path[0] : "",
                   files.count > 1 ? "\n" : "", files.count > 1 ? files.path[1] : "");
    elbo_export_files_free(&files);
    elbo_model_close(m);
    return code;
}

const cli_command cli_export = {
    .name = "export",
    .arguments = "RUN",
    .summary = "a model as a PyTorch module, as ONNX, or as one C file",
    .details =
        "  model.py    a readable PyTorch module; its weights in model.safetensors beside it, for Model.load\n"
        "  model.onnx  two graphs of any batch, model-encoder.onnx and model-decoder.onnx (opset 17)\n"
        "  model.c     one C17 file without dependencies, weights inside: encode and decode for one image a call\n"
        "\n"
        "All compute what `elbo encode` and `elbo decode` do, within rounding: running statistics, no dropout.\n"
        "\n"
        "examples:\n"
        "  elbo export runs/mnist-vae -o model.py\n"
        "  elbo export runs/mnist-vae -o decoder.c\n",
    .run = run,
};
