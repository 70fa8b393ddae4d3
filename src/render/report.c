/* The report: one HTML file that holds its pictures and its style, so that it can be mailed, archived and printed. */
#include "render/render.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "render/text.h"

enum { MAX_PICTURE = 1 << 27 }; // bytes of one PNG

/* The policy keeps the page to itself: nothing is loaded and no script runs, whatever a name in it says. */
static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" content=\"elbo\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
    "'unsafe-inline'\">\n";

static const char style[] =
    "<style>\n"
    ":root { --ink: #1f2328; --soft: #59636e; --line: #d8dde3; --paper: #ffffff; --tint: #f6f8fa; --link: #0069b0; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "  :root { --ink: #e6e8eb; --soft: #a3acb6; --line: #3a4149; --paper: #16191d; --tint: #1f242a; --link: #6cb6ff; "
    "}\n"
    "}\n"
    "* { box-sizing: border-box; }\n"
    "body { margin: 0; background: var(--paper); color: var(--ink); text-rendering: optimizeLegibility;\n"
    "  font: 17px/1.6 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif; }\n"
    "main { max-width: 960px; margin: 0 auto; padding: 56px 24px 72px; }\n"
    "h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 16px; text-wrap: balance; }\n"
    "h2 { font-size: 1.3rem; line-height: 1.3; margin: 56px 0 16px; padding-top: 20px; border-top: 1px solid "
    "var(--line); }\n"
    "h1, figcaption, summary, caption { overflow-wrap: anywhere; }\n"
    ".summary { font-size: 1.1rem; max-width: 44em; margin: 0; }\n"
    ".scroll { overflow-x: auto; margin: 0 0 28px; }\n"
    "th:first-child, td:first-child { white-space: nowrap; }\n"
    "table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }\n"
    "caption { text-align: left; font-weight: 600; padding: 0 0 8px; }\n"
    "th, td { padding: 7px 9px; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--line); }\n"
    "th:first-child, td:first-child { padding-left: 0; }\n"
    "th:last-child, td:last-child { padding-right: 0; }\n"
    "thead th { color: var(--soft); font-weight: 600; border-bottom: 2px solid var(--line); overflow-wrap: normal; }\n"
    "tbody th { font-weight: 500; }\n"
    ".number { text-align: right; white-space: nowrap; }\n"
    "figure { margin: 0 0 40px; break-inside: avoid; }\n"
    ".card { background: #ffffff; border: 1px solid var(--line); border-radius: 8px; padding: 16px; text-align: "
    "center; }\n"
    ".card { overflow-x: auto; }\n"
    ".card img { max-width: 100%; height: auto; vertical-align: top; }\n"
    "@media (max-width: 640px) { main { padding: 32px 14px 48px; } .card { padding: 8px; }\n"
    "  .card img { max-width: none; width: max(100%, min(var(--w), 560px)); } }\n"
    ".found { font-size: 1.1rem; max-width: 46em; margin: 20px 0 0; padding-left: 1.2em; }\n"
    ".found li { margin: 0 0 8px; }\n"
    ".links { white-space: nowrap; } .links a { color: var(--link); margin-left: 0.4em; }\n"
    ".boxes { display: flex; flex-wrap: wrap; gap: 8px 26px; list-style: none; margin: 0; padding: 0 0 0 24px; }\n"
    ".boxes li { position: relative; border: 1px solid var(--line); border-radius: 8px; background: var(--tint);\n"
    "  padding: 8px 12px; max-width: 17em; font-size: 0.92rem; line-height: 1.4; }\n"
    ".boxes li + li::before { content: '\\2192'; position: absolute; left: -21px; top: 50%; margin-top: -0.7em;\n"
    "  color: var(--soft); }\n"
    ".boxes .code { border: 2px solid var(--link); }\n"
    ".boxes small { display: block; color: var(--soft); font-size: 0.85rem; }\n"
    ".pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(380px, 100%), 1fr)); column-gap: 24px; }\n"
    "strong { font-weight: 700; }\n"
    "figcaption { margin-top: 10px; color: var(--soft); font-size: 0.95rem; }\n"
    "figcaption b { color: var(--ink); }\n"
    "figcaption b::after { content: \".\"; }\n"
    "details { border: 1px solid var(--line); border-radius: 8px; background: var(--tint); margin: 0 0 12px; }\n"
    "summary { cursor: pointer; padding: 10px 16px; font-weight: 600; }\n"
    "summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }\n"
    "pre { margin: 0; padding: 4px 16px 16px; overflow-x: auto; tab-size: 4;\n"
    "  font: 0.84rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }\n"
    "@media print {\n"
    "  :root { --ink: #000000; --soft: #444444; --line: #cccccc; --paper: #ffffff; --tint: #ffffff; }\n"
    "  body { font-size: 10.5pt; }\n"
    "  main { max-width: none; padding: 0; }\n"
    "  h2 { break-after: avoid; margin-top: 28px; }\n"
    "  .card { border: 0; padding: 0; }\n"
    "  .scroll { overflow: visible; }\n"
    "  pre { overflow: visible; white-space: pre-wrap; }\n"
    "  tr { break-inside: avoid; }\n"
    "  details::details-content { content-visibility: visible; block-size: auto; }\n"
    "}\n"
    "</style>\n";

static void put(FILE *out, const char *text) { elbo_text_to_html(out, text ? text : "", 0); }

/* The same, with what stands between two backticks as code. */
static void put_with_code(FILE *out, const char *text) {
    for (const char *open, *end; (open = strchr(text, '`')) && (end = strchr(open + 1, '`')); text = end + 1) {
        char *before = strndup(text, (size_t)(open - text)), *code = strndup(open + 1, (size_t)(end - open - 1));
        put(out, before);
        fputs("<code>", out);
        put(out, code);
        fputs("</code>", out);
        free(before);
        free(code);
    }
    put(out, text);
}

static unsigned big_endian(const uint8_t b[4]) {
    return (unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3];
}

/* A path as the value of an href: what has a meaning in an address is escaped. */
static void put_address(FILE *out, const char *path, const char *ending) {
    for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("/-_.", *p);
        fprintf(out, plain ? "%c" : "%%%02X", *p);
    }
    fputs(ending, out);
}

static void write_links(FILE *out, const elbo_report_figure *figure) {
    fputs(" <span class=\"links\"><a href=\"", out);
    put_address(out, figure->links, figure->pixels ? "-pixels.png" : ".csv");
    fprintf(out, "\">%s</a> <a href=\"", figure->pixels ? "pixels" : "data");
    put_address(out, figure->links, ".gp");
    fputs("\">script</a></span>", out);
}

/* Pictures are drawn at twice the size they are shown at, so that they are sharp on fine screens and in print. */
static elbo_status write_figure(FILE *out, const elbo_report_figure *figure, elbo_error *err) {
    static const uint8_t signature[16] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    uint8_t *png;
    size_t size;
    ELBO_TRY(elbo_file_read(figure->png, MAX_PICTURE, &png, &size, err));
    if (size < 24 || memcmp(png, signature, 16) != 0) {
        free(png);
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not a PNG file; the report embeds PNG images", figure->png);
    }
    unsigned width = big_endian(png + 16), height = big_endian(png + 20);
    fprintf(out, "<figure>\n<div class=\"card\"><img width=\"%u\" height=\"%u\" style=\"--w:%upx\" alt=\"",
            (width + 1) / 2, (height + 1) / 2, (width + 1) / 2);
    put(out, figure->title);
    if (figure->sentence && figure->sentence[0]) fputs(": ", out);
    put(out, figure->sentence);
    fputs("\" src=\"data:image/png;base64,", out);
    elbo_text_base64(out, png, size);
    fputs("\"></div>\n<figcaption><b>", out);
    put(out, figure->title);
    fputs("</b> ", out);
    put(out, figure->sentence);
    if (figure->links) write_links(out, figure);
    fputs("</figcaption>\n</figure>\n", out);
    free(png);
    return ELBO_OK;
}

/* "12.3", "-4", "1,024", "97.1 %", "3e-4", "-", "" */
static bool reads_as_number(const char *cell) {
    return strspn(cell, "0123456789+-.,eE% \xc2\xa0\xc2\xb1\xe2\x88\x92\xe2\x80\x93\xe2\x80\x94") == strlen(cell) ||
           !strcmp(cell, "nan") || !strcmp(cell, "inf") || !strcmp(cell, "n/a");
}

static void write_table(FILE *out, const elbo_report_table *t) {
    if (t->rows < 1 || t->columns < 1) return;
    fputs("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"", out);
    put(out, t->title);
    fputs("\">\n<table>\n<caption>", out);
    put(out, t->title);
    fputs("</caption>\n", out);
    for (int r = 0; r < t->rows; r++) {
        fputs(r == 0 ? "<thead>\n<tr>" : r == 1 ? "<tbody>\n<tr>" : "<tr>", out);
        for (int c = 0; c < t->columns; c++) {
            bool number = c > 0; // a column of numbers is one of numbers throughout; the first one names the rows
            for (int k = 1; number && k < t->rows; k++) {
                const char *cell = t->cells[k * t->columns + c];
                number = !cell || reads_as_number(cell);
            }
            const char *tag = r == 0 || c == 0 ? "th" : "td";
            fprintf(out, "<%s%s%s>", tag,
                    r == 0   ? " scope=\"col\""
                    : c == 0 ? " scope=\"row\""
                             : "",
                    number ? " class=\"number\"" : "");
            bool strong = t->strong && t->strong[r * t->columns + c];
            if (strong) fputs("<strong>", out);
            put_with_code(out, t->cells[r * t->columns + c] ? t->cells[r * t->columns + c] : "");
            if (strong) fputs("</strong>", out);
            fprintf(out, "</%s>", tag);
        }
        fputs(r == 0 ? "</tr>\n</thead>\n" : "</tr>\n", out);
    }
    fputs(t->rows > 1 ? "</tbody>\n</table>\n</div>\n" : "</table>\n</div>\n", out);
}

static void write_listing(FILE *out, const elbo_report_listing *l) {
    fputs("<details>\n<summary>", out);
    put(out, l->title);
    fputs("</summary>\n<pre>", out);
    elbo_text_to_html(out, l->text ? l->text : "", 1);
    fputs("</pre>\n</details>\n", out);
}

static void write_boxes(FILE *out, const elbo_report_boxes *b) {
    fputs("<figure>\n<ol class=\"boxes\">\n", out);
    for (int i = 0; i < b->count; i++) {
        fprintf(out, "<li%s>", b->box[i].strong ? " class=\"code\"" : "");
        put(out, b->box[i].text);
        fputs("<small>", out);
        put(out, b->box[i].note);
        fputs("</small></li>\n", out);
    }
    fputs("</ol>\n<figcaption><b>", out);
    put(out, b->title);
    fputs("</b></figcaption>\n</figure>\n", out);
}

static bool stands_beside(const elbo_report_item *i) { return i->figure && i->figure->beside; }

static elbo_status write_items(FILE *out, const elbo_report *r, elbo_error *err) {
    bool open = false;
    for (int i = 0; i < r->count; i++) {
        const elbo_report_item *item = &r->items[i];
        bool pair = i > 0 && stands_beside(&r->items[i - 1]);
        if (item->heading) {
            fprintf(out, "%s<section aria-labelledby=\"s%d\">\n<h2 id=\"s%d\">", open ? "</section>\n" : "", i, i);
            put(out, item->heading);
            fputs("</h2>\n", out);
            open = true;
        }
        if (item->paragraph) {
            fputs("<p>", out);
            put_with_code(out, item->paragraph);
            fputs("</p>\n", out);
        }
        if (stands_beside(item) && !pair) fputs("<div class=\"pair\">\n", out);
        if (item->figure) ELBO_TRY(write_figure(out, item->figure, err));
        if (pair && !stands_beside(item)) fputs("</div>\n", out);
        if (stands_beside(item) && i == r->count - 1) fputs("</div>\n", out);
        if (item->table) write_table(out, item->table);
        if (item->boxes) write_boxes(out, item->boxes);
        if (item->listing) write_listing(out, item->listing);
    }
    if (open) fputs("</section>\n", out);
    return ELBO_OK;
}

static elbo_status write_page(FILE *out, const elbo_report *r, elbo_error *err) {
    fputs(head, out);
    fputs("<title>", out);
    put(out, r->title);
    fputs("</title>\n", out);
    fputs(style, out);
    fputs("</head>\n<body>\n<main>\n<header>\n<h1>", out);
    put(out, r->title);
    fputs("</h1>\n", out);
    if (r->summary && r->summary[0]) {
        fputs("<p class=\"summary\">", out);
        put(out, r->summary);
        fputs("</p>\n", out);
    }
    if (r->sentence_count) fputs("<ul class=\"found\">\n", out);
    for (int i = 0; i < r->sentence_count; i++) {
        fputs("<li>", out);
        put(out, r->sentences[i]);
        fputs("</li>\n", out);
    }
    fputs(r->sentence_count ? "</ul>\n</header>\n" : "</header>\n", out);
    ELBO_TRY(write_items(out, r, err));
    fputs("</main>\n</body>\n</html>\n", out);
    return ELBO_OK;
}

elbo_status elbo_report_write(const char *path, const elbo_report *report, elbo_error *err) {
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    elbo_status status = write_page(w.stream, report, err);
    if (status == ELBO_OK) return elbo_writer_commit(&w, err);
    elbo_writer_abandon(&w);
    return status;
}
