/* The report: one page that holds all it shows, whatever the texts in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "render/render.h"

#define HOSTILE "<script>alert('x & \"y\"')</script>\xff"
#define ESCAPED "&lt;script&gt;alert(&#39;x &amp; &quot;y&quot;&#39;)&lt;/script&gt;?"

static char folder[] = "/tmp/elbo-test-XXXXXX";
static char *page_path, *pictures[3];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    page_path = elbo_path_join(folder, "report.html");
    for (int i = 0; i < 3; i++) { // lengths of 0, 1 and 2 modulo 3, so that base64 ends in each of its ways
        char name[] = "0.png";
        name[0] = (char)('0' + i);
        pictures[i] = elbo_path_join(folder, name);
        uint8_t pixels[30 * 3];
        for (size_t k = 0; k < sizeof pixels; k++) pixels[k] = (uint8_t)(k * k * 31 + (size_t)i);
        if (elbo_png_write(pictures[i], pixels, 10 + i, 2, 3, NULL) != ELBO_OK) return -1;
        uint8_t *bytes, longer[1024] = {0};
        size_t size;
        if (elbo_file_read(pictures[i], sizeof longer - 3, &bytes, &size, NULL) != ELBO_OK) return -1;
        memcpy(longer, bytes, size);
        free(bytes);
        while (size % 3 != (size_t)i) size++;
        if (elbo_file_write(pictures[i], longer, size, NULL) != ELBO_OK) return -1;
    }
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(page_path);
    free(page_path);
    for (int i = 0; i < 3; i++) {
        unlink(pictures[i]);
        free(pictures[i]);
    }
    return rmdir(folder); // fails where a temporary file was left
}

static int occurrences(const char *text, const char *of) {
    int n = 0;
    for (; (text = strstr(text, of)); text += strlen(of)) n++;
    return n;
}

/* Decodes base64 up to its end; an independent loop, digit by digit. */
static size_t decode(const char *text, uint8_t *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0, letters = 0;
    unsigned bits = 0, have = 0;
    for (const char *d; *text && (d = strchr(digits, *text)); text++, letters++) {
        bits = (bits << 6 | (unsigned)(d - digits)) & 0xffff;
        have += 6;
        if (have >= 8) out[n++] = (uint8_t)(bits >> (have -= 8));
    }
    for (; *text == '='; text++) letters++;
    assert_int_equal(letters % 4, 0);
    assert_int_equal(*text, '"');
    return n;
}

static char *page_of(const elbo_report *report) {
    elbo_error err;
    if (elbo_report_write(page_path, report, &err) != ELBO_OK) fail_msg("%s", err.message);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(elbo_file_read(page_path, 1 << 24, &bytes, &size, &err), ELBO_OK);
    assert_int_equal(strlen((char *)bytes), size);
    return (char *)bytes;
}

static void the_page_holds_everything(void **state) {
    (void)state;
    const char *const cells[] = {"run",
                                 "loss",
                                 "note",
                                 HOSTILE,
                                 "106.8",
                                 "a",
                                 "b",
                                 ("\xe2\x88\x92" // (in parentheses: one text, no comma was forgotten)
                                  "1.5e-3"),
                                 "2"};
    static const bool strong[9] = {[8] = true};
    const elbo_report_table table = {.title = "Scores", .rows = 3, .columns = 3, .cells = cells, .strong = strong};
    const elbo_report_figure figures[3] = {
        {.png = pictures[0], .title = HOSTILE, .sentence = "One."},
        {.png = pictures[1], .title = "B", .sentence = HOSTILE, .beside = true},
        {.png = pictures[2], .title = "C", .sentence = "", .links = "figures/a\" b"}};
    const elbo_report_listing listing = {"recipe.yaml", "kind: vae\n\tx: <1 & 2>\n"};
    const elbo_report_box box[] = {{.text = HOSTILE, .note = "784"}, {.text = "code", .note = HOSTILE, .strong = true}};
    const elbo_report_boxes boxes = {"Network", box, 2};
    const char *const sentences[] = {"Found.", HOSTILE};
    const elbo_report_item items[] = {
        {.heading = "First"},    {.table = &table},       {.paragraph = "see `elbo doctor`, " HOSTILE},
        {.table = &table},       {.figure = &figures[0]}, {.figure = &figures[1]},
        {.figure = &figures[2]}, {.heading = HOSTILE},    {.boxes = &boxes},
        {.listing = &listing}};
    char *page = page_of(&(elbo_report){.title = "Digits & " HOSTILE,
                                        .summary = HOSTILE,
                                        .sentences = sentences,
                                        .sentence_count = 2,
                                        .items = items,
                                        .count = sizeof items / sizeof *items});
    assert_int_equal(occurrences(page, "<section"), 2);
    assert_int_equal(occurrences(page, "</section>"), 2);
    assert_non_null(strstr(page, "<li>Found.</li>\n<li>" ESCAPED "</li>"));
    assert_non_null(strstr(page, "<p>see <code>elbo doctor</code>, " ESCAPED "</p>"));
    assert_non_null(strstr(page, "<li class=\"code\">code<small>" ESCAPED "</small></li>"));
    // links beside the figure whose files are named: an address has no quotes and no colon of its own
    assert_int_equal(occurrences(page, "<a href="), 2);
    assert_non_null(
        strstr(page, "<a href=\"figures/a%22%20b.csv\">data</a> <a href=\"figures/a%22%20b.gp\">script</a>"));

    // the findings are a table of their own; what stands out does so; two of the figures stand beside each other
    assert_int_equal(occurrences(page, "<table>"), 2);
    assert_int_equal(occurrences(page, "<strong>"), 2);
    assert_int_equal(occurrences(page, "<strong>2</strong>"), 2);
    assert_int_equal(occurrences(page, "<div class=\"pair\">"), 1);
    const char *pair = strstr(page, "<div class=\"pair\">"), *end = strstr(pair, "</figure>\n</div>");
    assert_true(end > strstr(pair, "<b>B</b>") && end > strstr(pair, "<b>C</b>"));

    assert_int_equal(occurrences(page, "<script"), 0);
    assert_int_equal(occurrences(page, "http://") + occurrences(page, "https://") + occurrences(page, "url("), 0);
    assert_non_null(strstr(page, "<title>Digits &amp; " ESCAPED "</title>"));
    assert_non_null(strstr(page, "<h1>Digits &amp; " ESCAPED "</h1>"));
    assert_non_null(strstr(page, "<p class=\"summary\">" ESCAPED "</p>"));
    assert_non_null(strstr(page, "<html lang=\"en\">"));
    assert_non_null(strstr(page, "<pre>kind: vae\n\tx: &lt;1 &amp; 2&gt;\n</pre>"));
    assert_non_null(strstr(page, "alt=\"" ESCAPED ": One.\""));
    assert_non_null(strstr(page, "<figcaption><b>B</b> " ESCAPED "</figcaption>"));
    assert_non_null(strstr(page, "<th scope=\"row\">" ESCAPED "</th>"));
    assert_non_null(
        strstr(page, "<td class=\"number\">106.8</td><td>a</td>")); // a column with one word is one of words
    assert_non_null(strstr(page, "<th scope=\"col\" class=\"number\">loss</th>"));
    assert_non_null(strstr(page, "</html>\n"));

    const char *at = page;
    for (int i = 0; i < 3; i++) {
        static const char before[] = "src=\"data:image/png;base64,";
        at = strstr(at, before);
        assert_non_null(at);
        at += strlen(before);
        uint8_t *file, *decoded = malloc(strlen(at));
        size_t size;
        assert_int_equal(elbo_file_read(pictures[i], 1 << 20, &file, &size, NULL), ELBO_OK);
        assert_int_equal(decode(at, decoded), size);
        assert_memory_equal(decoded, file, size);
        free(file);
        free(decoded);
    }
    assert_null(strstr(at, "<img"));
    free(page);
}

static void a_page_may_have_next_to_nothing(void **state) {
    (void)state;
    char *page = page_of(&(elbo_report){.title = "Empty"});
    assert_null(strstr(page, "<section"));
    assert_non_null(strstr(page, "</html>\n"));
    free(page);
}

static void a_missing_picture_leaves_the_old_page(void **state) {
    (void)state;
    free(page_of(&(elbo_report){.title = "Old"}));
    elbo_report_figure figure = {.png = "/nowhere/x.png", .title = "X", .sentence = ""};
    elbo_error err;
    const elbo_report_item item = {.figure = &figure};
    const elbo_report report = {.title = "New", .items = &item, .count = 1};
    assert_int_equal(elbo_report_write(page_path, &report, &err), ELBO_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nowhere/x.png"));
    figure.png = page_path; // there, but no PNG
    assert_int_equal(elbo_report_write(page_path, &report, &err), ELBO_BAD_INPUT);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(elbo_file_read(page_path, 1 << 24, &bytes, &size, NULL), ELBO_OK);
    assert_non_null(strstr((char *)bytes, "<h1>Old</h1>"));
    free(bytes);
    assert_int_equal(elbo_report_write("/nowhere/report.html", &(elbo_report){.title = "x"}, &err), ELBO_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_holds_everything),
        cmocka_unit_test(a_page_may_have_next_to_nothing),
        cmocka_unit_test(a_missing_picture_leaves_the_old_page),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
