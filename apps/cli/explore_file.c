#include "explore_file.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "apps/serve/page/page.h"
#include "base/file.h"
#include "base/json_text.h"
#include "render/text.h"

/* Scripts run, nothing is loaded: what the page shows is in it. */
static const char policy[] = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src blob: "
                             "data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n";

/* ---- data ---- */

/* As text of a script element: no '<', which alone could end it. */
static elbo_status put_json(FILE *out, const char *name, const json_t *o, elbo_error *err) {
    char *text = elbo_json_text(o, JSON_COMPACT);
    if (!text) return elbo_no_memory(err);
    fprintf(out, "<script type=\"application/json\" id=\"elbo-%s\">", name);
    for (const char *t = text; *t; t++) *t == '<' ? fputs("\\u003c", out) : fputc(*t, out);
    fputs("</script>\n", out);
    free(text);
    return ELBO_OK;
}

/* An array by its name and type ("f32", "u8"), deflated. */
static elbo_status put_bytes(FILE *out, const char *name, const char *type, const void *bytes, size_t n,
                             elbo_error *err) {
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(9);
    size_t room = c ? libdeflate_zlib_compress_bound(c, n) : 0;
    uint8_t *packed = c ? malloc(room) : NULL;
    size_t size = packed ? libdeflate_zlib_compress(c, bytes, n, packed, room) : 0;
    if (size) {
        fprintf(out, "<script type=\"text/plain\" id=\"elbo-%s\" data-type=\"%s\">", name, type);
        elbo_text_base64(out, packed, size);
        fputs("</script>\n", out);
    }
    free(packed);
    libdeflate_free_compressor(c);
    return size ? ELBO_OK : elbo_no_memory(err);
}

static elbo_status put_data(FILE *out, const elbo_page_data *d, const elbo_page_network *network, elbo_error *err) {
    json_t *arrays = json_pack("{s:I, s:i, s:[i, i, i]}", "points", (json_int_t)d->n, "code", d->code, "thumb",
                               d->thumb.channels, d->thumb.height, d->thumb.width);
    elbo_status status = put_json(out, "arrays", arrays, err);
    json_decref(arrays);
    ELBO_TRY(status);
    ELBO_TRY(put_json(out, "facts", d->facts, err));
    ELBO_TRY(put_json(out, "network", network->layers, err));
    ELBO_TRY(put_bytes(out, "weights", "u8", network->bytes, network->size, err));
    if (d->tsne) ELBO_TRY(put_bytes(out, "tsne", "f32", d->tsne, d->n * 2 * sizeof *d->tsne, err));
    if (d->labels) ELBO_TRY(put_bytes(out, "labels", "u8", d->labels, d->n, err));
    return put_bytes(out, "thumbs", "u8", d->thumbs, d->n * elbo_image_size(d->thumb), err);
}

/* ---- the page ---- */

static const elbo_page_file *file_named(const char *name) {
    const elbo_page_file *f = elbo_page_files;
    while (f->name && strcmp(f->name, name)) f++;
    return f->name ? f : NULL;
}

/* Modules one behind the other as one: their imports left out, and the word "export". */
static void put_modules(FILE *out) {
    fputs("<script type=\"module\">\n", out);
    for (const elbo_page_file *f = elbo_page_files; f->name; f++) {
        if (strncmp(f->type, "text/javascript", 15)) continue;
        for (const char *line = f->text, *end; *line; line = end) {
            end = strchr(line, '\n');
            end = end ? end + 1 : line + strlen(line);
            if (!strncmp(line, "import ", 7)) continue;
            if (!strncmp(line, "export ", 7)) line += 7;
            fwrite(line, 1, (size_t)(end - line), out);
        }
    }
    fputs("</script>\n", out);
}

/* index.html, in which the lines of the style sheet and of the module become what they name. */
static elbo_status put_page(FILE *out, const elbo_page_data *d, const elbo_page_network *network, elbo_error *err) {
    for (const char *line = file_named("index.html")->text, *end; *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end + 1 : line + strlen(line);
        size_t n = (size_t)(end - line);
        if (memmem(line, n, "rel=\"icon\"", 10)) continue; // a file of its own
        if (memmem(line, n, "rel=\"stylesheet\"", 16)) {
            fputs(policy, out);
            fprintf(out, "<style>\n%s</style>\n", file_named("style.css")->text);
        } else if (memmem(line, n, "<script type=\"module\"", 21)) {
            ELBO_TRY(put_data(out, d, network, err));
            put_modules(out);
        } else
            fwrite(line, 1, n, out);
    }
    return ELBO_OK;
}

elbo_status cli_write_explorer(const char *path, const elbo_page_data *data, const elbo_page_network *network,
                               elbo_error *err) {
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    elbo_status status = put_page(w.stream, data, network, err);
    if (status == ELBO_OK) return elbo_writer_commit(&w, err);
    elbo_writer_abandon(&w);
    return status;
}
