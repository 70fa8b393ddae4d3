/* Images in rows and columns. The mosaic is put together here, pixel by pixel, and gnuplot lays it down as it is and
 * adds the words: so no image is ever blurred. */
#include "render/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/text.h"

enum {
    AIM_WIDTH = 1160, // pixels of the mosaic, about
    AIM_HALF = 640,   // the same of a figure at half width
    AIM_HEIGHT = 1000,
    MAX_TILE = 160,    // pixels of an enlarged tile's longer side
    MOST_WIDTH = 2600, // a wider mosaic is made of reduced images
    MOST_PIXELS = 1 << 26,
    MOST_SIDE = 30000, // cairo draws no longer sides than 32767
    EDGE = 24,
    TITLE = 84,
    RIM = 1,        // white pixels around the mosaic, whose edge pngcairo mixes with what is below
    MAX_LABEL = 36, // characters
    HEADING = 44,   // pixels above a row with a heading
    LINE = 26,      // pixels of a line of a caption
};

/* Each image becomes tile_width x tile_height pixels: enlarged by a whole factor (each pixel a square), or reduced by
 * one (each pixel the mean of a square). */
typedef struct mosaic {
    int aim_width;
    int enlarge, reduce;
    int tile_width, tile_height, gap;
    int width, height, channels;
    int *top;        // (rows): where each begins
    uint8_t *pixels; // (height, width, channels)
} mosaic;

static int tile_side(int side, int enlarge, int reduce) { return (side * enlarge + reduce - 1) / reduce; }

static int lines_of(const char *label) { return label && *label ? strchr(label, '\n') ? 2 : 1 : 0; }

/* Most lines of the captions of a row. */
static int caption_lines(const elbo_grid *g, int row) {
    int most = 0;
    for (int c = 0; g->captions && c < g->columns; c++) {
        int lines = lines_of(g->captions[(size_t)row * (size_t)g->columns + (size_t)c]);
        if (lines > most) most = lines;
    }
    return most;
}

/* Sets the top of each row; returns where the last one ends. */
static int64_t place_rows(mosaic *m, const elbo_grid *g) {
    int64_t y = RIM;
    for (int r = 0; r < g->rows && y < MOST_SIDE; r++) {
        if (g->headings && g->headings[r]) y += r ? HEADING + LINE / 2 : HEADING;
        m->top[r] = (int)y;
        int lines = caption_lines(g, r);
        y += m->tile_height + (lines ? lines * LINE + 10 : m->gap);
    }
    return y - (caption_lines(g, g->rows - 1) ? 0 : m->gap) + RIM;
}

static elbo_status measure(mosaic *m, const elbo_grid *g, const char *name, elbo_error *err) {
    elbo_image_shape s = g->shape;
    if (g->rows < 1 || g->columns < 1 || s.height < 1 || s.width < 1 || (s.channels != 1 && s.channels != 3))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "figure %s: a grid of %d x %d images of %d x %d x %d (C, H, W); at least one "
                         "image, of 1 or 3 channels, can be drawn",
                         name, g->rows, g->columns, s.channels, s.height, s.width);
    int side = s.width > s.height ? s.width : s.height;
    double room = fmin(fmin((double)m->aim_width / g->columns, (double)AIM_HEIGHT / g->rows), MAX_TILE);
    m->channels = s.channels;
    m->enlarge = (int)fmax(1, lrint(room / side));
    m->reduce = 1;
    while (m->enlarge == 1 && m->reduce < side && (double)s.width / m->reduce * g->columns > MOST_WIDTH) m->reduce++;
    m->tile_width = tile_side(s.width, m->enlarge, m->reduce);
    m->tile_height = tile_side(s.height, m->enlarge, m->reduce);
    int tile = m->tile_width < m->tile_height ? m->tile_width : m->tile_height;
    m->gap = tile / 24 < 2 ? 2 : tile / 24 > 6 ? 6 : tile / 24;
    int64_t width = (int64_t)g->columns * (m->tile_width + m->gap) - m->gap + 2 * RIM;
    m->top = calloc((size_t)g->rows, sizeof *m->top);
    if (!m->top) return elbo_no_memory(err);
    int64_t height = place_rows(m, g);
    if (width > MOST_SIDE || height > MOST_SIDE || width * height > MOST_PIXELS)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "figure %s: %d x %d images of %d x %d pixels do not fit one figure; draw fewer", name, g->rows,
                         g->columns, s.height, s.width);
    m->width = (int)width;
    m->height = (int)height;
    return ELBO_OK;
}

static uint8_t shade(double value, const elbo_grid *g) {
    double span = (double)g->high - g->low, t = span > 0 ? (value - g->low) / span : 0;
    return !(t > 0) ? 0 : t >= 1 ? 255 : (uint8_t)lrint(255 * t); // NaN is black
}

/* One image (C, H, W) to its place, whose first pixel is `to`. */
static void place(const mosaic *m, const elbo_grid *g, const float *image, uint8_t *to) {
    int h = g->shape.height, w = g->shape.width;
    for (int y = 0; y < m->tile_height; y++) {
        for (int x = 0; x < m->tile_width; x++) {
            for (int c = 0; c < m->channels; c++) {
                const float *plane = image + (size_t)c * (size_t)h * (size_t)w;
                int y0 = y * m->reduce / m->enlarge, x0 = x * m->reduce / m->enlarge;
                double sum = 0;
                int count = 0;
                for (int j = y0; j < y0 + m->reduce && j < h; j++)
                    for (int i = x0; i < x0 + m->reduce && i < w; i++, count++)
                        sum += plane[(size_t)j * (size_t)w + (size_t)i];
                to[((size_t)y * (size_t)m->width + (size_t)x) * (size_t)m->channels + (size_t)c] =
                    shade(sum / count, g);
            }
        }
    }
}

static elbo_status assemble(mosaic *m, const elbo_grid *g, elbo_error *err) {
    size_t bytes = (size_t)m->width * (size_t)m->height * (size_t)m->channels;
    m->pixels = malloc(bytes);
    if (!m->pixels) return elbo_no_memory(err);
    memset(m->pixels, 255, bytes);
    for (int r = 0; r < g->rows; r++) {
        for (int c = 0; c < g->columns; c++) {
            const float *image = g->images + ((size_t)r * (size_t)g->columns + (size_t)c) * elbo_image_size(g->shape);
            if (isnan(image[0])) continue; // an empty cell
            size_t y = (size_t)m->top[r];
            size_t x = RIM + (size_t)c * (size_t)(m->tile_width + m->gap);
            place(m, g, image, m->pixels + (y * (size_t)m->width + x) * (size_t)m->channels);
        }
    }
    return ELBO_OK;
}

/* The two lines of a label; the second one is empty where there is none. */
static void split_label(const char *label, char lines[2][4 * MAX_LABEL + 1]) {
    const char *end = strchr(label, '\n');
    snprintf(lines[0], 4 * MAX_LABEL + 1, "%.*s", end ? (int)(end - label) : 4 * MAX_LABEL, label);
    snprintf(lines[1], 4 * MAX_LABEL + 1, "%s", end ? end + 1 : "");
}

/* Letters of the longest line. */
static size_t longest_label(const char *const *labels, size_t n) {
    size_t longest = 0;
    for (size_t i = 0; labels && i < n; i++) {
        char lines[2][4 * MAX_LABEL + 1];
        split_label(labels[i] ? labels[i] : "", lines);
        for (int k = 0; k < 2; k++)
            if (elbo_text_length(lines[k]) > longest) longest = elbo_text_length(lines[k]);
    }
    return longest < MAX_LABEL ? longest : MAX_LABEL;
}

/* Letters of a size at which the longest label is no wider than a tile. */
static int fitting_points(size_t longest, const mosaic *m, int most) {
    int points = most;
    while (points > 11 && elbo_text_pixels(longest, points) > m->tile_width + m->gap) points--;
    return points;
}

/* Labels above the columns shrink where they are wider than a tile, and lean where that is not enough. */
typedef struct heading {
    int points, lines, height, overhang; // overhang: what a leaning label needs to the right of the last column
    bool leans;
} heading;

static heading measure_heading(const elbo_grid *g, const mosaic *m) {
    heading head = {.points = ELBO_TICK_POINTS};
    size_t longest = longest_label(g->column_labels, (size_t)g->columns);
    if (!longest) return head;
    for (int c = 0; c < g->columns; c++)
        if (lines_of(g->column_labels[c]) > head.lines) head.lines = lines_of(g->column_labels[c]);
    head.points = fitting_points(longest, m, head.points);
    head.leans = elbo_text_pixels(longest, head.points) > m->tile_width + m->gap;
    if (head.leans && m->tile_width >= 36) head.points = 14; // beside each other there is room for larger letters
    int width = elbo_text_pixels(longest, head.points);
    head.height = head.leans ? 24 + (int)(0.72 * width) : 36 + (head.lines - 1) * LINE;
    head.overhang = head.leans ? (int)(0.72 * width) - m->tile_width / 2 : 0;
    if (head.overhang < 0) head.overhang = 0;
    return head;
}

/* One line of text; x and y in pixels from the left and the bottom of the canvas. */
static void write_line(FILE *out, const char *text, const elbo_layout *l, double x, double y, const char *how,
                       int points) {
    fprintf(out, "set label ");
    elbo_text_to_gnuplot(out, text, MAX_LABEL);
    fprintf(out, " at screen %.6f,%.6f %s front font ',%d' textcolor rgb '#333333'\n", x / l->width, y / l->height, how,
            points);
}

/* A label of one or two lines, of which the first one stands at y. */
static void write_lines(FILE *out, const char *label, const elbo_layout *l, double x, double y, int points) {
    char lines[2][4 * MAX_LABEL + 1];
    split_label(label, lines);
    for (int k = 0; k < 2; k++)
        if (*lines[k]) write_line(out, lines[k], l, x, y - k * LINE, "center", points);
}

static void write_labels(FILE *out, const elbo_grid *g, const mosaic *m, const elbo_layout *l, heading head) {
    double first = l->height - l->top; // the mosaic's upper edge
    for (int r = 0; g->row_labels && r < g->rows; r++)
        if (g->row_labels[r])
            write_line(out, g->row_labels[r], l, l->left - 16.0, first - m->top[r] - m->tile_height / 2.0, "right",
                       m->tile_height < 26 ? 10 : ELBO_TICK_POINTS);
    for (int c = 0; g->column_labels && c < g->columns; c++) {
        if (!g->column_labels[c]) continue;
        double x = l->left + RIM + c * (m->tile_width + m->gap) + m->tile_width / 2.0;
        if (head.leans)
            write_line(out, g->column_labels[c], l, x, first + 20.0, "left rotate by 45", head.points);
        else
            write_lines(out, g->column_labels[c], l, x, first + 20.0 + (lines_of(g->column_labels[c]) - 1) * LINE,
                        head.points);
    }
    for (int r = 0; g->headings && r < g->rows; r++)
        if (g->headings[r]) {
            fprintf(out, "set label ");
            elbo_text_to_gnuplot(out, g->headings[r], (size_t)(m->width / (0.75 * ELBO_LABEL_POINTS)));
            fprintf(out, " at screen %.6f,%.6f left front font ',%d' textcolor rgb '#222222'\n",
                    (double)l->left / l->width, (first - m->top[r] + 20.0) / l->height, ELBO_LABEL_POINTS);
        }
    size_t cells = (size_t)g->rows * (size_t)g->columns;
    int points = fitting_points(longest_label(g->captions, cells), m, 14);
    for (size_t i = 0; g->captions && i < cells; i++) {
        if (!g->captions[i]) continue;
        size_t r = i / (size_t)g->columns, c = i % (size_t)g->columns;
        write_lines(out, g->captions[i], l, l->left + RIM + (double)c * (m->tile_width + m->gap) + m->tile_width / 2.0,
                    first - m->top[r] - m->tile_height - 16.0, points);
    }
}

elbo_status elbo_draw_grid(elbo_figure f, const elbo_grid *grid, elbo_error *err) {
    mosaic m = {.aim_width = f.half ? AIM_HALF : AIM_WIDTH};
    elbo_status measured = measure(&m, grid, f.name, err);
    if (measured != ELBO_OK) {
        free(m.top);
        return measured;
    }
    heading head = measure_heading(grid, &m);
    size_t row_label = longest_label(grid->row_labels, (size_t)grid->rows);
    char title[ELBO_TITLE_TEXT];
    bool titled = *elbo_figure_title(&f, title);
    elbo_layout layout = {.left = row_label ? EDGE + elbo_text_pixels(row_label, ELBO_TICK_POINTS) + 16 : EDGE,
                          .right = EDGE + head.overhang,
                          .top = (titled ? TITLE : EDGE) + head.height,
                          .bottom = EDGE};
    layout.width = layout.left + m.width + layout.right;
    layout.height = layout.top + m.height + layout.bottom;
    int title_width = titled ? 2 * EDGE + elbo_text_pixels(elbo_text_length(title), ELBO_TITLE_POINTS) : 0;
    if (title_width > 1400) title_width = 1400;
    if (layout.width < title_width) { // a narrow grid under a long title
        layout.right += title_width - layout.width;
        layout.width = title_width;
    }

    char *picture = NULL;
    elbo_plot plot = {0};
    elbo_status status;
    ELBO_TRY_GOTO(status, assemble(&m, grid, err), done);
    ELBO_TRY_GOTO(status, elbo_plot_begin(&plot, f, layout, err), done);
    ELBO_TRY_GOTO(status, elbo_figure_path(f, "-pixels.png", &picture, err), done);
    ELBO_TRY_GOTO(status, elbo_png_write(picture, m.pixels, m.width, m.height, m.channels, err), done);
    FILE *out = plot.script.stream;
    write_labels(out, grid, &m, &layout, head);
    fprintf(out, "unset border\nunset tics\nset xrange [-0.5:%d.5]\nset yrange [-0.5:%d.5]\n\nplot ", m.width - 1,
            m.height - 1);
    elbo_plot_file(&plot, "-pixels.png");
    fprintf(out, " binary filetype=png with rgbimage\n");
    status = elbo_plot_draw(&plot, err);
done:
    elbo_plot_abandon(&plot);
    free(m.top);
    free(m.pixels);
    free(picture);
    return status;
}
