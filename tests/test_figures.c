/* Figures: what each leaves in its folder, and what it does where it cannot be drawn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "render/fonts.h"
#include "render/text.h"
#include "render/colour.h"
#include "render/render.h"

/* All that gnuplot could take for something else than text. */
#define HOSTILE "it's \"q\" {/b} a_b^c \\n @x `id` $y %d # & <i>\n\xff\xc3\xa9"

static char folder[32];
static char *search_path;

static int make_folder(void **state) {
    (void)state;
    strcpy(folder, "/tmp/elbo-test-XXXXXX");
    search_path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    setenv("PATH", search_path, 1);
    free(search_path);
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *path = elbo_path_join(folder, e->d_name);
        unlink(path);
        free(path);
    }
    if (dir) closedir(dir);
    return rmdir(folder);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names in the folder, sorted, with a space behind each: temporary files would show here. */
static void assert_folder_holds(const char *expected) {
    char *names[64], all[2048] = "";
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir)) && n < 64;)
        if (e->d_name[0] != '.') names[n++] = strdup(e->d_name);
    closedir(dir);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        strcat(strcat(all, names[i]), " ");
        free(names[i]);
    }
    assert_string_equal(all, expected);
}

__attribute__((noinline)) static char *text_of(const char *name) { // inlined, gcc 12 sees a dangling pointer
    char *path = elbo_path_join(folder, name);
    uint8_t *bytes;
    size_t size;
    assert_int_equal(elbo_file_read(path, 1 << 24, &bytes, &size, NULL), ELBO_OK);
    free(path);
    return (char *)bytes;
}

static void assert_says(const char *name, const char *wanted) {
    char *text = text_of(name);
    if (!strstr(text, wanted)) fail_msg("%s does not say \"%s\":\n%s", name, wanted, text);
    free(text);
}

static uint8_t *picture(const char *name, int *width, int *height) {
    char *path = elbo_path_join(folder, name);
    uint8_t *pixels;
    elbo_error err;
    if (elbo_png_read(path, 3, &pixels, width, height, &err) != ELBO_OK) fail_msg("%s", err.message);
    free(path);
    return pixels;
}

/* How many pixels of a picture are of a colour. */
static int pixels_of(const char *name, unsigned colour) {
    int width, height, n = 0;
    uint8_t *p = picture(name, &width, &height);
    for (int i = 0; i < width * height; i++)
        n += (unsigned)(p[3 * i] << 16 | p[3 * i + 1] << 8 | p[3 * i + 2]) == colour;
    free(p);
    return n;
}

static elbo_status draw_two_curves(const char *where, bool svg, elbo_error *err) {
    static const float train[4] = {165, 121, 115, 112}, test[3] = {126, NAN, 113.5f};
    const elbo_series series[2] = {{"vae (train)", train, 4, 0, false}, {HOSTILE, test, 3, 0, true}};
    return elbo_draw_curves((elbo_figure){.folder = where, .name = "loss", .title = HOSTILE, .svg = svg}, "epoch",
                            "loss (nats per image)", series, 2, err);
}

static void curves_leave_script_data_and_picture(void **state) {
    (void)state;
    elbo_error err = {0};
    if (draw_two_curves(folder, true, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_folder_holds("loss.csv loss.gp loss.png loss.svg ");
    char *csv = text_of("loss.csv");
    const char *rows = strchr(csv, '\n'); // behind the header, whose newline inside the label became a space
    assert_non_null(rows);
    assert_string_equal(rows, "\n1,165,126\n2,121,\n3,115,113.5\n4,112,\n");
    assert_int_equal(strncmp(csv, "epoch,\"vae (train)\",\"it's \"\"q\"\" {/b}", 36), 0);
    free(csv);
    assert_true(pixels_of("loss.png", elbo_colour(0, 2)) > 500);            // the lines are there
    assert_says("loss.svg", "{/b} a_b^c \\n @x `id` $y %d # &amp; &lt;i>"); // drawn as it is, nothing interpreted
    assert_says("loss.gp", "\"it's \\\"q\\\" \\173/b\\175 a_b^c");

    // by hand, as a user would
    char *command = elbo_format("cd %s && mv loss.png first.png && gnuplot loss.gp && cmp loss.png first.png", folder);
    assert_int_equal(system(command), 0);
    free(command);
}

/* Names that broke a figure, or could: quotes at either end and doubled, what strings in double quotes expand, what the
 * shell expands, what gnuplot's enhanced text and formats change. */
static const char *const hostile_names[] = {"'t Hooft",
                                            "rock ''n'' roll",
                                            "''",
                                            "'",
                                            "\"",
                                            "\"\"quoted\"\"",
                                            "\\",
                                            "ends in \\",
                                            "a\\nb\\1017\\\"",
                                            "`touch pwned`",
                                            "$(touch pwned)",
                                            "@png $0 $x ${x}",
                                            "{/*9 big} {} }{",
                                            "a_b^c&d~e @f",
                                            "%s %d %n 50%",
                                            "# none; exit",
                                            "a\nb\tc\rd",
                                            "-e 'x' |y <z>",
                                            "\xc3\xa9\xc3\xa0 \xce\xb1\xe2\x82\xac",
                                            "1234567890123\\0"};
enum { NAMES = sizeof hostile_names / sizeof *hostile_names };

/* The name as gnuplot's SVG has it. */
static char *as_svg(const char *name) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputc('>', out);
    for (; *name; name++)
        if (*name == '&' || *name == '<')
            fputs(*name == '&' ? "&amp;" : "&lt;", out);
        else
            fputc((unsigned char)*name < ' ' ? ' ' : *name, out);
    fputs("</text>", out);
    fclose(out);
    return text;
}

static void assert_names_are_in(const char *svg) {
    for (int i = 0; i < NAMES; i++) {
        char *name = as_svg(hostile_names[i]);
        assert_says(svg, name);
        free(name);
    }
}

static void any_name_is_drawn_as_it_is(void **state) {
    (void)state;
    elbo_error err;
    const float value[2] = {1, 2};
    elbo_series series[NAMES];
    char *classes[NAMES];
    float xy[2 * NAMES];
    uint8_t labels[NAMES];
    for (int i = 0; i < NAMES; i++) {
        series[i] = (elbo_series){hostile_names[i], value, 2, i, false};
        classes[i] = (char *)(uintptr_t)hostile_names[i];
        labels[i] = (uint8_t)i;
        xy[2 * i] = (float)(i % 5);
        xy[2 * i + 1] = (float)i;
    }
    if (elbo_draw_curves((elbo_figure){.folder = folder, .name = "c", .title = "'t Hooft", .svg = true}, "\"x\"",
                         "''y''", series, NAMES, &err) != ELBO_OK)
        fail_msg("%s", err.message);
    assert_names_are_in("c.svg");
    elbo_figure map = {.folder = folder, .name = "a'b'' \"c` \\ $(id) {", .title = "\\", .svg = true};
    elbo_scatter points = {"'", "\\", xy, labels, NAMES, classes, NAMES};
    if (elbo_draw_scatter(map, &points, &err) != ELBO_OK) fail_msg("%s", err.message);
    assert_names_are_in("a'b'' \"c` \\ $(id) {.svg");
    char *command = elbo_format("cd %s && test ! -e pwned && test $(ls | wc -l) = 8 && gnuplot c.gp", folder);
    assert_int_equal(system(command), 0);
    free(command);
}

/* The range of the y axis, from the script. */
static void y_range(float first, int count, double *low, double *high) {
    float *v = malloc((size_t)count * sizeof *v);
    for (int i = 0; i < count; i++) v[i] = i ? 100 + 10 * expf((float)-i / 3) : first;
    const elbo_series series = {"x", v, count, 0, false};
    assert_int_equal(elbo_draw_curves((elbo_figure){.folder = folder, .name = "range", .title = "", .svg = false}, NULL,
                                      NULL, &series, 1, NULL),
                     ELBO_OK);
    free(v);
    char *script = text_of("range.gp"), *line = strstr(script, "set yrange [");
    assert_non_null(line);
    assert_int_equal(sscanf(line, "set yrange [%lf:%lf]", low, high), 2);
    free(script);
}

static void a_bad_first_epoch_does_not_flatten_the_rest(void **state) {
    (void)state;
    double low, high;
    y_range(112, 10, &low, &high); // fits
    assert_true(low > 98 && low < 101 && high > 112 && high < 114);
    y_range(150, 10, &low, &high); // the fall is the story
    assert_true(low > 95 && high > 150 && high < 156);
    y_range(545, 10, &low, &high); // does not fit
    assert_true(low > 98 && low < 101 && high > 107 && high < 112);
    assert_says("range.gp", "up to 545 in epoch 1");
}

static void no_value_is_no_chart(void **state) {
    (void)state;
    const float nothing[2] = {NAN, NAN};
    const elbo_series series = {"x", nothing, 2, 0, false};
    elbo_error err;
    assert_int_equal(elbo_draw_curves((elbo_figure){.folder = folder, .name = "x", .title = "", .svg = false}, NULL,
                                      NULL, &series, 1, &err),
                     ELBO_BAD_INPUT);
    assert_string_equal(err.message, "figure x: no values to draw");
    assert_folder_holds("");
}

static void a_scatter_has_a_row_per_point_and_a_colour_per_class(void **state) {
    (void)state;
    enum { N = 3000 };
    float *xy = malloc(2 * N * sizeof *xy);
    uint8_t *labels = malloc(N);
    elbo_random_normal((elbo_stream){.seed = 1, .purpose = ELBO_FOR_PICKING}, xy, 2 * N);
    for (int i = 0; i < N; i++) {
        labels[i] = (uint8_t)(i % 3);
        xy[2 * i] += 8.0f * labels[i];
    }
    xy[0] = NAN;
    char zero[] = "zero", one[] = HOSTILE, two[] = "2";
    char *names[3] = {zero, one, two};
    elbo_error err;
    elbo_figure f = {.folder = folder, .name = "map", .title = "Codes"};
    if (elbo_draw_scatter(f, &(elbo_scatter){"a", "b", xy, labels, N, names, 3}, &err) != ELBO_OK)
        fail_msg("%s", err.message);
    assert_folder_holds("map.csv map.gp map.png ");
    char *csv = text_of("map.csv");
    int rows = 0;
    for (char *p = csv; *p; p++) rows += *p == '\n';
    assert_int_equal(rows, N + 1);
    double x, y;
    int label;
    char *row = strchr(strchr(csv, '\n') + 1, '\n') + 1; // the second point
    assert_int_equal(sscanf(row, "%lf,%lf,%d,", &x, &y, &label), 3);
    assert_true(fabs(x - (double)xy[2]) < 1e-5 && fabs(y - (double)xy[3]) < 1e-5 && label == 1);
    free(csv);
    for (int k = 0; k < 3; k++) assert_true(pixels_of("map.png", elbo_colour(k, 3)) > 50); // the legend's dots at least
    assert_true(pixels_of("map.png", 0xd27ab1) == 0);

    labels[7] = 3;
    assert_int_equal(elbo_draw_scatter(f, &(elbo_scatter){"a", "b", xy, labels, N, names, 3}, &err), ELBO_BAD_INPUT);
    assert_string_equal(err.message, "figure map: point 7 is of class 3; classes are 0 to 2");
    assert_int_equal(elbo_draw_scatter(f, &(elbo_scatter){"a", "b", xy, NULL, N, NULL, 0}, &err), ELBO_OK);
    assert_int_equal(elbo_draw_scatter(f, &(elbo_scatter){"a", "b", xy, NULL, 1, NULL, 0}, &err),
                     ELBO_BAD_INPUT); // its only point is NaN
    free(xy);
    free(labels);
}

static void far_points_do_not_shrink_the_rest(void **state) {
    (void)state;
    enum { N = 1000 };
    float xy[2 * N];
    elbo_random_normal((elbo_stream){.seed = 2, .purpose = ELBO_FOR_PICKING}, xy, 2 * N);
    xy[0] = 1e6f;
    assert_int_equal(elbo_draw_scatter((elbo_figure){.folder = folder, .name = "far", .title = "", .svg = false},
                                       &(elbo_scatter){NULL, NULL, xy, NULL, N, NULL, 0}, NULL),
                     ELBO_OK);
    assert_says("far.gp", "1 of 1000 points lie outside");
    for (int i = 0; i < N; i++) xy[2 * i] = xy[2 * i + 1] = 3; // no extent at all
    assert_int_equal(elbo_draw_scatter((elbo_figure){.folder = folder, .name = "far", .title = "", .svg = false},
                                       &(elbo_scatter){NULL, NULL, xy, NULL, N, NULL, 0}, NULL),
                     ELBO_OK);
}

/* Never blurred: the mosaic is enlarged by a whole factor, and it is in the figure as it is, pixel by pixel. */
static void a_grid_shows_each_pixel_as_it_is(void **state) {
    (void)state;
    static const struct {
        int rows, columns, channels, height, width;
    } cases[] = {{3, 10, 1, 28, 28}, {8, 8, 1, 28, 28}, {2, 5, 3, 32, 32}, {1, 1, 1, 1, 1},
                 {1, 7, 1, 13, 29},  {2, 3, 3, 5, 200}, {20, 20, 1, 8, 8}};
    static const char *const rows[20] = {"original", HOSTILE};
    static const char *const columns[20] = {"0.0", "a label far too wide for a tile, so it leans"};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        elbo_grid g = {.rows = cases[k].rows,
                       .columns = cases[k].columns,
                       .low = -1,
                       .high = 1,
                       .shape = {cases[k].channels, cases[k].height, cases[k].width},
                       .row_labels = k % 2 ? NULL : rows,
                       .column_labels = k < 3 ? columns : NULL};
        size_t size = elbo_image_size(g.shape), n = (size_t)g.rows * (size_t)g.columns * size;
        float *images = malloc(n * sizeof *images);
        elbo_random_uniform((elbo_stream){.seed = k, .purpose = ELBO_FOR_PICKING}, images, n);
        for (size_t i = 0; i < n; i++) images[i] = 2.2f * images[i] - 1.1f; // some beyond the range
        size_t empty = n / size - 1;
        if (empty) images[empty * size] = NAN;
        g.images = images;
        elbo_error err;
        if (elbo_draw_grid((elbo_figure){.folder = folder, .name = "grid", .title = k ? "Grid" : "", .svg = false}, &g,
                           &err) != ELBO_OK)
            fail_msg("%s", err.message);
        assert_folder_holds("grid-pixels.png grid.gp grid.png ");

        int mw, mh, fw, fh;
        uint8_t *mosaic = picture("grid-pixels.png", &mw, &mh), *figure = picture("grid.png", &fw, &fh);

        // the mosaic: each pixel a square of `scale`, tiles apart by a gap, a rim of one pixel
        int scale = 0, h = g.shape.height, w = g.shape.width;
        for (int s = 1; s <= 200;
             s++) // the one whole factor at which the tiles and a gap of 2 to 6 pixels fill the width
            for (int gap = 2; gap <= 6 && !scale; gap++)
                if (g.columns * (s * w + gap) - gap + 2 == mw && g.rows * (s * h + gap) - gap + 2 == mh) scale = s;
        assert_true(scale > 0);
        int pitch_x = g.columns > 1 ? (mw - 2 - scale * w) / (g.columns - 1) : 0;
        int pitch_y = g.rows > 1 ? (mh - 2 - scale * h) / (g.rows - 1) : 0;
        for (size_t i = 0; i < n; i++) {
            size_t tile = i / size;
            int c = (int)(i % size) / (h * w), y = (int)(i % size) / w % h, x = (int)(i % size) % w;
            double value = fmin(fmax(((double)images[i] + 1) / 2, 0), 1);
            int wanted = empty && tile == empty ? 255 : (int)lrint(255 * value);
            int py = 1 + (int)tile / g.columns * pitch_y + y * scale,
                px = 1 + (int)tile % g.columns * pitch_x + x * scale;
            for (int corner = 0; corner < 4; corner++) {
                int qy = py + (corner & 1) * (scale - 1), qx = px + (corner >> 1) * (scale - 1);
                int got = mosaic[3 * (qy * mw + qx) + c];
                if (got != wanted) fail_msg("case %zu, value %zu: %d, not %d", k, i, got, wanted);
            }
        }
        // the figure: the mosaic stands 24 pixels above its lower edge, and somewhere along it
        int found = -1;
        for (int left = 0; left + mw <= fw && found < 0; left++) {
            found = left;
            for (int y = 0; y < mh && found >= 0; y++)
                if (memcmp(mosaic + 3 * y * mw, figure + 3 * ((fh - 24 - mh + y) * fw + left), 3 * (size_t)mw) != 0)
                    found = -1;
        }
        if (found < 0) fail_msg("case %zu: the picture does not hold the mosaic", k);
        free(images);
        free(mosaic);
        free(figure);
    }
}

static void large_images_are_reduced_and_too_many_refused(void **state) {
    (void)state;
    enum { SIDE = 1024 };
    float *images = malloc(4 * SIDE * SIDE * sizeof *images);
    for (int i = 0; i < 4 * SIDE * SIDE; i++) images[i] = i & 1; // stripes of 0 and 1: reduced by an even factor, grey
    elbo_grid g = {.rows = 1, .columns = 4, .shape = {1, SIDE, SIDE}, .images = images, .low = 0, .high = 1};
    elbo_error err;
    assert_int_equal(
        elbo_draw_grid((elbo_figure){.folder = folder, .name = "large", .title = "Large", .svg = false}, &g, &err),
        ELBO_OK);
    int width, height;
    uint8_t *mosaic = picture("large-pixels.png", &width, &height);
    assert_true(width < 2700 && width > 2000);
    assert_int_equal(mosaic[3 * (width * 100 + 100)], 128);
    free(mosaic);
    g.rows = 100;
    assert_int_equal(
        elbo_draw_grid((elbo_figure){.folder = folder, .name = "many", .title = "", .svg = false}, &g, &err),
        ELBO_BAD_INPUT);
    assert_non_null(strstr(err.message, "draw fewer"));
    g.shape.channels = 2;
    assert_int_equal(
        elbo_draw_grid((elbo_figure){.folder = folder, .name = "many", .title = "", .svg = false}, &g, &err),
        ELBO_BAD_INPUT);
    free(images);
}

/* What no font has would be drawn as a box over the whole picture: it is a question mark instead. */
static void characters_without_a_font(void **state) {
    (void)state;
    assert_true(elbo_font_has('A') && elbo_font_has(0xe9) && elbo_font_has(0x3b1));
    if (system("fc-list --version >/dev/null 2>&1") != 0) skip(); // nobody to ask
    assert_false(elbo_font_has(0x10fffd));                        // private use, the last of all
    char text[64] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    elbo_text_to_gnuplot(f, "a\xf4\x8f\xbf\xbd\xc3\xa9", 0);
    fclose(f);
    assert_string_equal(text, "\"a?\xc3\xa9\"");
}

/* A program named gnuplot that does as the test wants, found before the real one. */
static void pretend(const char *script) {
    char *path = elbo_path_join(folder, "gnuplot"), *value = elbo_format("%s:%s", folder, search_path);
    assert_int_equal(elbo_file_write(path, script, strlen(script), NULL), ELBO_OK);
    chmod(path, 0755);
    setenv("PATH", value, 1);
    free(path);
    free(value);
}

static void without_gnuplot_one_line_says_so(void **state) {
    (void)state;
    elbo_error err = {0};
    setenv("PATH", "", 1);
    assert_int_equal(draw_two_curves(folder, true, &err), ELBO_NOT_FOUND);
    setenv("PATH", search_path, 1);
    assert_non_null(strstr(err.message, "gnuplot is not installed"));
    assert_null(strchr(err.message, '\n'));
    assert_folder_holds("loss.csv loss.gp "); // no picture, not even a part; what it would be drawn from stays
}

static void what_gnuplot_says_is_in_the_message(void **state) {
    (void)state;
    elbo_error err = {0};
    pretend("#!/bin/sh\nprintf 'a line\\n\\n\"loss.gp\" line 7: no such thing\\n\\n' >&2\nexit 1\n");
    assert_int_equal(draw_two_curves(folder, false, &err), ELBO_IO);
    char *wanted = elbo_format("%s/loss.gp: gnuplot failed: \"loss.gp\" line 7: no such thing", folder);
    assert_string_equal(err.message, wanted);
    free(wanted);
    pretend("#!/bin/sh\nhead -c 300000 /dev/zero | tr '\\0' x >&2\necho >&2\necho the end >&2\nexit 1\n"); // more than
                                                                                                           // a pipe
    assert_int_equal(draw_two_curves(folder, false, &err), ELBO_IO);
    assert_non_null(strstr(err.message, ": the end"));
    pretend("#!/bin/sh\nkill -KILL $$\n");
    assert_int_equal(draw_two_curves(folder, false, &err), ELBO_IO);
    assert_non_null(strstr(err.message, "ended by signal 9"));
    assert_folder_holds("gnuplot loss.csv loss.gp ");
}

static void half_a_picture_is_none(void **state) {
    (void)state;
    elbo_error err = {0};
    assert_int_equal(draw_two_curves(folder, false, &err), ELBO_OK);
    char *before = elbo_path_join(folder, "loss.png");
    struct stat first, second;
    assert_int_equal(stat(before, &first), 0);
    // gnuplot -d -e 'png="./loss.png.tmp-XXXXXX"; ' loss.gp
    pretend("#!/bin/sh\nname=${3#*\\\"}\nhead -c 4000 loss.png > \"${name%%\\\"*}\"\n");
    assert_int_equal(draw_two_curves(folder, false, &err), ELBO_IO);
    assert_non_null(strstr(err.message, "left no complete image"));
    assert_int_equal(stat(before, &second), 0);
    assert_true(first.st_ino == second.st_ino && first.st_size == second.st_size); // the old one stands
    assert_folder_holds("gnuplot loss.csv loss.gp loss.png ");
    free(before);
}

static void a_wrong_folder_or_name_is_one_line(void **state) {
    (void)state;
    elbo_error err = {0};
    char *file = elbo_path_join(folder, "file"), *below = elbo_path_join(folder, "file/figures");
    assert_int_equal(elbo_file_write(file, "", 0, &err), ELBO_OK);
    assert_int_not_equal(draw_two_curves(below, false, &err), ELBO_OK);
    assert_non_null(strstr(err.message, "file"));
    assert_null(strchr(err.message, '\n'));
    assert_int_not_equal(draw_two_curves("/proc/elbo", false, &err), ELBO_OK); // nothing can be made there, not by root
    const float value = 1;
    const elbo_series series = {"x", &value, 1, 0, false};
    static const char *const bad[] = {"", "a/b", "../x", "|id", "<id", "-e", "a\nb"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(elbo_draw_curves((elbo_figure){.folder = folder, .name = bad[i], .title = "", .svg = false},
                                          NULL, NULL, &series, 1, &err),
                         ELBO_BAD_INPUT);
    assert_int_equal(elbo_draw_curves((elbo_figure){.folder = folder, .name = "it's `id`", .title = "", .svg = true},
                                      NULL, NULL, &series, 1, &err),
                     ELBO_OK);
    assert_folder_holds("file it's `id`.csv it's `id`.gp it's `id`.png it's `id`.svg ");
    free(file);
    free(below);
}

#define IN_A_FOLDER(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

/* Oklab of a colour, by the formulas of its author. */
static void oklab(unsigned rgb, double lab[3]) {
    double v[3];
    for (int i = 0; i < 3; i++) {
        double byte = (rgb >> (16 - 8 * i) & 255) / 255.0;
        v[i] = byte <= 0.04045 ? byte / 12.92 : pow((byte + 0.055) / 1.055, 2.4);
    }
    double l = cbrt(0.4122214708 * v[0] + 0.5363325363 * v[1] + 0.0514459929 * v[2]);
    double m = cbrt(0.2119034982 * v[0] + 0.6806995451 * v[1] + 0.1073969566 * v[2]);
    double s = cbrt(0.0883024619 * v[0] + 0.2817188376 * v[1] + 0.6299787005 * v[2]);
    lab[0] = 0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s;
    lab[1] = 1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s;
    lab[2] = 0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s;
}

static void ten_classes_have_ten_colours_that_differ(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++)
        for (int j = 0; j < i; j++) {
            double a[3], b[3];
            oklab(elbo_colour(i, 10), a);
            oklab(elbo_colour(j, 10), b);
            assert_true(sqrt(pow(a[0] - b[0], 2) + pow(a[1] - b[1], 2) + pow(a[2] - b[2], 2)) > 0.165);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(curves_leave_script_data_and_picture),
        IN_A_FOLDER(any_name_is_drawn_as_it_is),
        IN_A_FOLDER(a_bad_first_epoch_does_not_flatten_the_rest),
        IN_A_FOLDER(no_value_is_no_chart),
        cmocka_unit_test(ten_classes_have_ten_colours_that_differ),
        IN_A_FOLDER(a_scatter_has_a_row_per_point_and_a_colour_per_class),
        IN_A_FOLDER(far_points_do_not_shrink_the_rest),
        IN_A_FOLDER(a_grid_shows_each_pixel_as_it_is),
        IN_A_FOLDER(large_images_are_reduced_and_too_many_refused),
        cmocka_unit_test(characters_without_a_font),
        IN_A_FOLDER(without_gnuplot_one_line_says_so),
        IN_A_FOLDER(what_gnuplot_says_is_in_the_message),
        IN_A_FOLDER(half_a_picture_is_none),
        IN_A_FOLDER(a_wrong_folder_or_name_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
