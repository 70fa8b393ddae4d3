/* Points in the plane, coloured by class. */
#include "render/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "render/colour.h"
#include "render/text.h"

enum {
    FRAME_LONG = 1000, // pixels of the longer side of the plot
    FRAME_HALF = 600,  // the same of a figure at half width
    FRAME_SHORT = 420, // and the least of the other
    LEFT = 140,
    TOP = 100,
    BOTTOM = 115,
    LEGEND_GAP = 44,
    LEGEND_ROWS = 24,
    LEGEND_COLUMNS = 3,
    LEGEND_STEP = 38,
    MAX_LABEL = 30, // characters
};

enum { CELLS = 24, REACH = 3, MOST_NAMED = 20 };

typedef struct cloud {
    const float *xy;       // (n, 2)
    const uint8_t *labels; // (n) or NULL
    size_t n;
    char *const *names; // (classes) or NULL
    int classes;
    double low[2], high[2]; // the frame
    size_t outside;         // points beyond it
} cloud;

/* One axis: all points, unless a few far ones would leave the rest a small spot: where the inner 99 percent fill less
 * than a third, the frame is drawn around those, with room. */
static elbo_status choose_axis(cloud *c, int axis, const char *name, elbo_error *err) {
    float *sorted = malloc((c->n ? c->n : 1) * sizeof *sorted);
    if (!sorted) return elbo_no_memory(err);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (isfinite(c->xy[2 * i]) && isfinite(c->xy[2 * i + 1])) sorted[n++] = c->xy[2 * i + axis];
    if (n) {
        qsort(sorted, n, sizeof *sorted, elbo_ascending_floats);
        size_t tail = n / 200;
        double low = sorted[0], high = sorted[n - 1], inner_low = sorted[tail], inner_high = sorted[n - 1 - tail];
        double inner = inner_high - inner_low;
        if (inner > 0 && high - low > 3 * inner) {
            if (low < inner_low - 0.3 * inner) low = inner_low - 0.3 * inner;
            if (high > inner_high + 0.3 * inner) high = inner_high + 0.3 * inner;
        }
        double room = 0.03 * (high - low);
        c->low[axis] = low - room;
        c->high[axis] = high + room;
    }
    free(sorted);
    return n ? ELBO_OK : elbo_fail(err, ELBO_BAD_INPUT, "figure %s: no points to draw", name);
}

/* Both axes have one scale, so a flat cloud would make a frame like a ribbon: the shorter side is widened to a share of
 * the longer. */
static void widen(cloud *c) {
    if (!(c->high[0] > c->low[0]) && !(c->high[1] > c->low[1])) { // all points are one
        double room = fmax(fmax(fabs(c->low[0]), fabs(c->low[1])) / 10, 1e-6);
        for (int k = 0; k < 2; k++) {
            c->low[k] -= room;
            c->high[k] += room;
        }
    }
    double side[2] = {c->high[0] - c->low[0], c->high[1] - c->low[1]};
    int narrow = side[1] < side[0];
    double least = side[!narrow] * FRAME_SHORT / FRAME_LONG;
    if (side[narrow] >= least) return;
    double middle = (c->low[narrow] + c->high[narrow]) / 2;
    c->low[narrow] = middle - least / 2;
    c->high[narrow] = middle + least / 2;
}

static void count_outside(cloud *c) {
    for (size_t i = 0; i < c->n; i++) {
        double x = c->xy[2 * i], y = c->xy[2 * i + 1];
        if (!(x >= c->low[0] && x <= c->high[0] && y >= c->low[1] && y <= c->high[1])) c->outside++;
    }
}

static const char *class_name(const cloud *c, int k, char number[16]) {
    if (c->names && c->names[k]) return c->names[k];
    snprintf(number, 16, "%d", k);
    return number;
}

static elbo_status write_data(const char *path, const cloud *c, elbo_error *err) {
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    fputs(c->labels ? "x,y,class,class_name\n" : "x,y\n", w.stream);
    for (size_t i = 0; i < c->n; i++) {
        for (int k = 0; k < 2; k++) {
            if (k) fputc(',', w.stream);
            if (isfinite(c->xy[2 * i + (size_t)k])) fprintf(w.stream, "%.7g", (double)c->xy[2 * i + (size_t)k]);
        }
        if (c->labels) {
            char number[16];
            fprintf(w.stream, ",%d,", c->labels[i]);
            elbo_text_to_csv(w.stream, class_name(c, c->labels[i], number));
        }
        fputc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

/* The legend is drawn by hand, in pixels: gnuplot's own would show dots as small as those of the points. */
static void write_legend(FILE *out, const cloud *c, const elbo_layout *l, int columns, int column_width) {
    int shown = c->classes, most = columns * LEGEND_ROWS;
    if (shown > most) shown = most - 1;
    int rows = shown < LEGEND_ROWS ? shown : LEGEND_ROWS;
    int step = (l->height - l->top - l->bottom) / (rows > 1 ? rows : 1);
    if (step > LEGEND_STEP) step = LEGEND_STEP;
    for (int k = 0; k <= shown && k < c->classes; k++) {
        double x = l->width - l->right + LEGEND_GAP + (k / LEGEND_ROWS) * column_width;
        double y = l->height - l->top - step * (k % LEGEND_ROWS + 0.5);
        if (k < shown)
            fprintf(out, "set label '' at screen %.6f,%.6f point pointtype 7 pointsize 1 linecolor rgb '#%06x'\n",
                    x / l->width, y / l->height, elbo_colour(k, c->classes));
        fprintf(out, "set label ");
        char number[16];
        if (k == shown)
            fprintf(out, "'and %d more'", c->classes - shown);
        else
            elbo_text_to_gnuplot(out, class_name(c, k, number), MAX_LABEL);
        fprintf(out, " at screen %.6f,%.6f left font ',%d' textcolor rgb '#333333'\n", (x + 24) / l->width,
                y / l->height, step < 28 ? 12 : ELBO_TICK_POINTS);
    }
}

/* ---- class names on clusters ---- */

typedef struct cluster {
    double x, y; // in shares of the frame
    bool named;
} cluster;

/* Where a class lies densest, if most points there are of it. */
static cluster find_cluster(const uint32_t *cells, int classes, int k) {
    int best = -1;
    uint32_t most = 0;
    for (int i = 0; i < CELLS * CELLS; i++)
        if (cells[(size_t)i * (size_t)classes + (size_t)k] > most) {
            most = cells[(size_t)i * (size_t)classes + (size_t)k];
            best = i;
        }
    if (best < 0) return (cluster){0};
    double own = 0, all = 0, around = 0, x = 0, y = 0;
    for (int dy = -REACH; dy <= REACH; dy++)
        for (int dx = -REACH; dx <= REACH; dx++) {
            int cx = best % CELLS + dx, cy = best / CELLS + dy;
            if (cx < 0 || cy < 0 || cx >= CELLS || cy >= CELLS) continue;
            const uint32_t *cell = cells + (size_t)(cy * CELLS + cx) * (size_t)classes;
            if (abs(dx) <= 1 && abs(dy) <= 1) {
                for (int c = 0; c < classes; c++) all += cell[c];
                own += cell[k];
            }
            around += cell[k];
            x += cell[k] * (cx + 0.5) / CELLS;
            y += cell[k] * (cy + 0.5) / CELLS;
        }
    return (cluster){.x = x / around, .y = y / around, .named = own >= 0.5 * all && own >= 3};
}

/* In white around, so that it can be read on every colour. */
static void write_name(FILE *out, const cloud *c, int k, cluster at, double frame) {
    static const int around[9][2] = {{-3, -3}, {-4, 0}, {-3, 3}, {0, -4}, {0, 4}, {3, -3}, {4, 0}, {3, 3}, {0, 0}};
    for (int i = 0; i < 9; i++) {
        char number[16];
        fprintf(out, "set label ");
        elbo_text_to_gnuplot(out, class_name(c, k, number), 16);
        fprintf(out, " at graph %.4f,graph %.4f center front font 'DejaVu Sans:Bold,%d' textcolor rgb '%s'\n",
                at.x + around[i][0] / frame, at.y + around[i][1] / frame, ELBO_TICK_POINTS,
                i < 8 ? "#ffffff" : "#111111");
    }
}

/* Its name stands on each cluster, unless another stands there already: a legend alone is far from what it explains. */
static elbo_status write_names(FILE *out, const cloud *c, double frame, elbo_error *err) {
    if (!c->labels || c->classes < 2 || c->classes > MOST_NAMED) return ELBO_OK;
    uint32_t *cells = elbo_alloc((size_t)(CELLS * CELLS * c->classes), sizeof *cells); // (CELLS, CELLS, classes)
    if (!cells) return elbo_no_memory(err);
    for (size_t i = 0; i < c->n; i++) {
        double x = (c->xy[2 * i] - c->low[0]) / (c->high[0] - c->low[0]);
        double y = (c->xy[2 * i + 1] - c->low[1]) / (c->high[1] - c->low[1]);
        if (!(x >= 0 && x < 1 && y >= 0 && y < 1)) continue;
        cells[(size_t)((int)(y * CELLS) * CELLS + (int)(x * CELLS)) * (size_t)c->classes + c->labels[i]]++;
    }
    cluster found[MOST_NAMED];
    for (int k = 0; k < c->classes; k++) {
        found[k] = find_cluster(cells, c->classes, k);
        for (int j = 0; j < k && found[k].named; j++)
            if (found[j].named && fabs(found[j].x - found[k].x) < 60 / frame &&
                fabs(found[j].y - found[k].y) < 34 / frame)
                found[k].named = false;
        if (!found[k].named) continue;
        write_name(out, c, k, found[k], frame);
    }
    free(cells);
    return ELBO_OK;
}

/* The more points, the smaller and the more transparent: dense places stay readable, single points visible. */
static double point_size(size_t n) {
    double size = 0.62 * pow(2000.0 / (double)(n < 500 ? 500 : n), 0.3);
    return size > 0.19 ? size : 0.19;
}
static int point_transparency(size_t n) { // 0 (opaque) to 255
    double share = 0.2 + 0.16 * log10((double)(n < 500 ? 500 : n) / 500);
    return (int)(255 * (share < 0.6 ? share : 0.6));
}

static void write_plot(elbo_plot *plot, const cloud *c) {
    FILE *out = plot->script.stream;
    int transparency = point_transparency(c->n);
    if (c->labels) {
        fprintf(out, "\n# 0xAARRGGBB, A: transparency\narray colour[%d] = [", c->classes);
        for (int k = 0; k < c->classes; k++)
            fprintf(out, "%s0x%02x%06x", k ? ", " : "", (unsigned)transparency, elbo_colour(k, c->classes));
        fprintf(out, "]\n");
    }
    fprintf(out, "\nset datafile separator ','\nplot ");
    elbo_plot_file(plot, ".csv");
    fprintf(out, " skip 1 using 1:2%s with points pointtype 7 pointsize %.3f linewidth 0 linecolor rgb ",
            c->labels ? ":(colour[int($3) + 1])" : "", point_size(c->n));
    if (c->labels)
        fprintf(out, "variable\n");
    else
        fprintf(out, "'#%02x%06x'\n", (unsigned)transparency, elbo_colour(0, 1));
}

static elbo_status check(const elbo_figure *f, cloud *c, elbo_error *err) {
    if (!c->labels) c->classes = 0;
    for (size_t i = 0; c->labels && i < c->n; i++) {
        if (c->labels[i] >= c->classes)
            return elbo_fail(err, ELBO_BAD_INPUT, "figure %s: point %zu is of class %d; classes are 0 to %d", f->name,
                             i, c->labels[i], c->classes - 1);
    }
    for (int axis = 0; axis < 2; axis++) ELBO_TRY(choose_axis(c, axis, f->name, err));
    widen(c);
    count_outside(c);
    return ELBO_OK;
}

elbo_status elbo_draw_scatter(elbo_figure f, const elbo_scatter *s, elbo_error *err) {
    cloud c = {.xy = s->xy, .labels = s->labels, .n = s->n, .names = s->class_names, .classes = s->classes};
    ELBO_TRY(check(&f, &c, err));

    double width = c.high[0] - c.low[0], height = c.high[1] - c.low[1],
           scale = (f.half ? FRAME_HALF : FRAME_LONG) / fmax(width, height);
    int columns = (c.classes + LEGEND_ROWS - 1) / LEGEND_ROWS;
    if (columns > LEGEND_COLUMNS) columns = LEGEND_COLUMNS;
    size_t longest = c.classes > LEGEND_ROWS * LEGEND_COLUMNS ? strlen("and 999 more") : 1;
    for (int k = 0; k < c.classes; k++) {
        char number[16];
        size_t length = elbo_text_length(class_name(&c, k, number));
        if (length > longest) longest = length;
    }
    if (longest > MAX_LABEL) longest = MAX_LABEL;
    int column_width = 44 + elbo_text_pixels(longest, ELBO_TICK_POINTS);
    elbo_layout layout = {
        .left = LEFT, .top = TOP, .bottom = BOTTOM, .right = columns ? LEGEND_GAP + columns * column_width : 40};
    layout.width = LEFT + (int)lrint(width * scale) + layout.right;
    layout.height = TOP + (int)lrint(height * scale) + BOTTOM;

    elbo_plot plot;
    ELBO_TRY(elbo_plot_begin(&plot, f, layout, err));
    char *data = NULL;
    elbo_status status;
    ELBO_TRY_GOTO(status, elbo_figure_path(f, ".csv", &data, err), done);
    ELBO_TRY_GOTO(status, write_data(data, &c, err), done);
    FILE *out = plot.script.stream;
    elbo_plot_axes(&plot, s->x_label, s->y_label);
    fprintf(out,
            "set grid back linetype 1 linecolor rgb '#ececec' linewidth 0.5\nset size ratio -1\n"
            "set xrange [%.9g:%.9g]\nset yrange [%.9g:%.9g]\n",
            c.low[0], c.high[0], c.low[1], c.high[1]);
    if (c.outside)
        fprintf(out,
                "set label '%zu of %zu points lie outside' at graph 1,screen %.6f right font ',13' "
                "textcolor rgb '#777777'\n",
                c.outside, c.n, 1 - (TOP - 18.0) / layout.height);
    if (columns) write_legend(out, &c, &layout, columns, column_width);
    ELBO_TRY_GOTO(status, write_names(out, &c, fmax(width, height) * scale, err), done);
    write_plot(&plot, &c);
    status = elbo_plot_draw(&plot, err);
done:
    elbo_plot_abandon(&plot);
    free(data);
    return status;
}
