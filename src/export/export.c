#include "export/formats.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct {
    const char *name, *ending;
    const char *made[ELBO_EXPORT_FILES]; // the files' endings; NULL: no second one
    elbo_status (*write)(const elbo_model *m, const elbo_export_files *f, elbo_error *err);
} formats[] = {
    [ELBO_EXPORT_PYTORCH] = {"pytorch", ".py", {".py", ".safetensors"}, elbo_export_pytorch},
    [ELBO_EXPORT_ONNX] = {"onnx", ".onnx", {"-encoder.onnx", "-decoder.onnx"}, elbo_export_onnx},
    [ELBO_EXPORT_C] = {"c", ".c", {".c", NULL}, elbo_export_c},
};

bool elbo_export_format_named(elbo_export_format *format, const char *name) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(name, formats[i].name)) {
            *format = (elbo_export_format)i;
            return true;
        }
    return false;
}

elbo_status elbo_export_files_of(elbo_export_files *f, elbo_export_format format, const char *path, elbo_error *err) {
    *f = (elbo_export_files){.count = 0};
    const char *ending = formats[format].ending;
    size_t n = strlen(path), e = strlen(ending);
    if (n <= e || strcmp(path + n - e, ending) || path[n - e - 1] == '/')
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: expected a name ending in %s, as model%s", path, ending, ending);
    for (int i = 0; i < ELBO_EXPORT_FILES && formats[format].made[i]; i++) {
        f->path[i] = elbo_format("%.*s%s", (int)(n - e), path, formats[format].made[i]);
        if (!f->path[i]) {
            elbo_export_files_free(f);
            return elbo_no_memory(err);
        }
        f->count++;
    }
    return ELBO_OK;
}

void elbo_export_files_free(elbo_export_files *f) {
    for (int i = 0; i < f->count; i++) free(f->path[i]);
    *f = (elbo_export_files){.count = 0};
}

elbo_status elbo_export(const elbo_model *m, elbo_export_format format, const elbo_export_files *f, elbo_error *err) {
    const elbo_term *logits = elbo_terms_of_logits(&m->recipe.loss.reconstruction);
    if (m->observation.is && m->observation.is->mean)
        return elbo_fail(
            err, ELBO_BAD_INPUT,
            "%s: the mean of p(x|z) with loss %s is not what the decoder's last layer gives, which is all that "
            "can be exported",
            m->run, elbo_reconstruction_name(logits->kind));
    return formats[format].write(m, f, err);
}

/* ---- for the formats ---- */

elbo_half elbo_half_of(const elbo_graph *g, bool decoder) {
    if (decoder) return (elbo_half){"decoder", g->at.latent, g->at.output, g->decoder_reads_label ? g->at.label : -1};
    return (elbo_half){"encoder", g->at.input, g->at.code, g->encoder_reads_label ? g->at.label : -1};
}

bool elbo_half_is_given(const elbo_graph *g, int node) { return g->node[node].op == &elbo_op_input; }

elbo_status elbo_export_refuse(const elbo_node *n, const char *format, elbo_error *err) {
    return elbo_node_fail(n, err, "%s: a model with this layer cannot be exported to %s", n->text, format);
}

const elbo_param *elbo_node_param(const elbo_graph *g, const elbo_node *n, const char *suffix, int which) {
    for (int i = 0; i < n->params; i++) {
        const elbo_param *p = &g->param[n->first_param + i];
        const char *dot = strrchr(p->name, '.');
        if (dot && !strcmp(dot + 1, suffix) && which-- == 0) return p;
    }
    return NULL;
}

const char *elbo_identifier(const char *name, char out[ELBO_IDENTIFIER]) {
    size_t n = 0;
    if (!isalpha((unsigned char)name[0])) out[n++] = 'm';
    for (; *name && n < ELBO_IDENTIFIER - 1; name++) out[n++] = isalnum((unsigned char)*name) ? *name : '_';
    out[n] = 0;
    return out;
}

const char *elbo_stem(const char *path, char out[ELBO_IDENTIFIER]) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char stem[ELBO_IDENTIFIER];
    size_t n = strcspn(name, ".");
    if (n >= sizeof stem) n = sizeof stem - 1;
    memcpy(stem, name, n);
    stem[n] = 0;
    return elbo_identifier(stem, out);
}
