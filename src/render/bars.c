/* Bars: some values each, largest first, of one series or of a few side by side. */
#include "render/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/colour.h"
#include "render/text.h"

enum {
    MAX_SERIES = 12,
    MOST_BARS = 48, // of a series; what follows is told in a line
    FRAME_WIDTH = 1080,
    FRAME_HEIGHT = 420,
    LEFT = 160,
    RIGHT = 40,
    TOP = 110,
    BOTTOM = 120,
    LINE = 34, // between two lines of the legend
    SQUARE = 20,
    MAX_LABEL = 60,
};

typedef struct bar {
    double value;
    int index; // its place in the series
} bar;

typedef struct bars {
    const elbo_bar_series *series;
    int count, shown; // shown: bars of the longest series
    bar *sorted[MAX_SERIES];
    double high;
} bars;

static int largest_first(const void *a, const void *b) {
    const bar *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->index - y->index;
}

static elbo_status sort(bars *b, const char *name, elbo_error *err) {
    for (int s = 0; s < b->count; s++) {
        const elbo_bar_series *from = &b->series[s];
        b->sorted[s] = elbo_alloc((size_t)from->count + 1, sizeof(bar));
        if (!b->sorted[s]) return elbo_no_memory(err);
        for (int i = 0; i < from->count; i++) {
            if (!isfinite(from->value[i]))
                return elbo_fail(err, ELBO_BAD_INPUT, "figure %s: value %d of series %d is not finite", name, i, s);
            b->sorted[s][i] = (bar){from->value[i], i};
            b->high = fmax(b->high, from->value[i]);
        }
        qsort(b->sorted[s], (size_t)from->count, sizeof(bar), largest_first);
        if (from->count > b->shown) b->shown = from->count;
    }
    if (b->shown > MOST_BARS) b->shown = MOST_BARS;
    return ELBO_OK;
}

/* The top of the axis: above the highest bar, and so that those of the right half stay below the legend. */
static double top_of(const bars *b) {
    double right = 0;
    for (int s = 0; s < b->count; s++)
        if (b->shown / 2 < b->series[s].count) right = fmax(right, b->sorted[s][b->shown / 2].value);
    double room = fmin((b->count * LINE + 16.0) / FRAME_HEIGHT, 0.7), top = fmax(1.06 * b->high, right / (1 - room));
    return top > 0 ? top : 1;
}

/* All values, not only those shown: rank, and of each series the place and the value. */
static elbo_status write_data(const char *path, const bars *b, elbo_error *err) {
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    int longest = 0;
    fputs("rank", w.stream);
    for (int s = 0; s < b->count; s++) {
        fputs(",dimension,", w.stream);
        elbo_text_to_csv(w.stream, b->series[s].label ? b->series[s].label : "");
        if (b->series[s].count > longest) longest = b->series[s].count;
    }
    fputc('\n', w.stream);
    for (int i = 0; i < longest; i++) {
        fprintf(w.stream, "%d", i + 1);
        for (int s = 0; s < b->count; s++) {
            if (i < b->series[s].count)
                fprintf(w.stream, ",%d,%.9g", b->sorted[s][i].index, b->sorted[s][i].value);
            else
                fputs(",,", w.stream);
        }
        fputc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

/* Of one series each bar has its own number, of several only the rank means something. */
static void write_ticks(FILE *out, const bars *b) {
    fprintf(out, "set xrange [0.4:%.4f]\nset xtics scale 0 (", b->shown + 0.6);
    bool one = b->count == 1;
    int step = one || b->shown <= 24 ? 1 : 5;
    const char *comma = "";
    for (int i = 0; i < b->shown; i++) {
        if (!one && step > 1 && i > 0 && (i + 1) % step) continue;
        fprintf(out, "%s'%d' %d", comma, one ? b->sorted[0][i].index : i + 1, i + 1);
        comma = ", ";
    }
    bool many = one && b->shown > 32,
         wide = many && b->series->count > 100; // three digits do not fit beside each other
    fprintf(out, ") font ',%d'%s\n", many ? 11 : ELBO_TICK_POINTS, wide ? " rotate by 90 right" : "");
}

/* At the top right, where sorted bars leave room: a line for each series, with what is not shown of it. */
static void write_legend(FILE *out, const bars *b) {
    for (int s = 0; s < b->count; s++) {
        const elbo_bar_series *of = &b->series[s];
        double y = 1 - (10.0 + s * LINE) / FRAME_HEIGHT, rest = 0;
        char text[200], more[100] = "";
        int hidden = of->count - b->shown;
        for (int i = b->shown; i < of->count; i++) rest += b->sorted[s][i].value;
        if (hidden > 0) snprintf(more, sizeof more, "; %d more, %.1f together", hidden, rest);
        snprintf(text, sizeof text, "%.80s%s", of->label ? of->label : "", more);
        fprintf(out,
                "set object rectangle from graph %.5f,graph %.5f to graph 1,graph %.5f fillstyle solid noborder "
                "fillcolor rgb "
                "'#%06x' front\n",
                1 - (double)SQUARE / FRAME_WIDTH, y - (double)SQUARE / 2 / FRAME_HEIGHT,
                y + (double)SQUARE / 2 / FRAME_HEIGHT, elbo_colour(of->group, 1));
        fprintf(out, "set label ");
        elbo_text_to_gnuplot(out, text, MAX_LABEL + 30);
        fprintf(out, " at graph %.5f,graph %.5f right font ',%d' textcolor rgb '#333333' front\n",
                1 - (SQUARE + 12.0) / FRAME_WIDTH, y, ELBO_TICK_POINTS);
    }
}

static void write_plot(elbo_plot *plot, const bars *b) {
    FILE *out = plot->script.stream;
    double width = 0.84 / b->count;
    fprintf(out, "\nset datafile separator ','\nset boxwidth %.4f\nset style fill solid 1 noborder\nplot \\\n",
            width * 0.96);
    for (int s = 0; s < b->count; s++) {
        fputs(s ? ", \\\n  " : "  ", out);
        if (s)
            fputs("''", out);
        else
            elbo_plot_file(plot, ".csv");
        fprintf(out, " skip 1 every ::::%d using ($1%+.4f):%d with boxes linecolor rgb '#%06x'", b->shown - 1,
                -0.42 + width * (s + 0.5), 2 * s + 3, elbo_colour(b->series[s].group, 1));
    }
    fputc('\n', out);
}

elbo_status elbo_draw_bars(elbo_figure f, const char *x_label, const char *y_label, const elbo_bar_series *series,
                           int count, elbo_error *err) {
    if (count < 1 || count > MAX_SERIES)
        return elbo_fail(err, ELBO_BAD_INPUT, "figure %s: %d series of bars; expected 1 to %d", f.name, count,
                         MAX_SERIES);
    bars b = {.series = series, .count = count};
    elbo_plot plot = {0};
    char *data = NULL;
    elbo_status status;
    elbo_layout layout = {.width = LEFT + FRAME_WIDTH + RIGHT,
                          .height = TOP + FRAME_HEIGHT + BOTTOM,
                          .left = LEFT,
                          .right = RIGHT,
                          .top = TOP,
                          .bottom = BOTTOM};
    ELBO_TRY_GOTO(status, sort(&b, f.name, err), done);
    if (b.shown == 0) {
        status = elbo_fail(err, ELBO_BAD_INPUT, "figure %s: no values to draw", f.name);
        goto done;
    }
    ELBO_TRY_GOTO(status, elbo_plot_begin(&plot, f, layout, err), done);
    ELBO_TRY_GOTO(status, elbo_figure_path(f, ".csv", &data, err), done);
    ELBO_TRY_GOTO(status, write_data(data, &b, err), done);
    FILE *out = plot.script.stream;
    elbo_plot_axes(&plot, x_label, y_label);
    fprintf(out, "set grid ytics back linetype 1 linecolor rgb '#e8e8e8' linewidth 0.5\nset yrange [0:%.9g]\n",
            top_of(&b));
    write_ticks(out, &b);
    write_legend(out, &b);
    write_plot(&plot, &b);
    status = elbo_plot_draw(&plot, err);
done:
    elbo_plot_abandon(&plot);
    for (int s = 0; s < count; s++) free(b.sorted[s]);
    free(data);
    return status;
}
