/* Loss curves: one line per series, named at its end. */
#include "render/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/colour.h"
#include "render/text.h"

enum {
    MAX_SERIES = 256,
    FRAME_WIDTH = 1080, // pixels of the plot itself
    FRAME_HEIGHT = 700,
    LEFT = 160,
    TOP = 110,
    BOTTOM = 120,
    LABEL_START = 34, // from the frame to a label's line sample
    SAMPLE = 64,      // length of that sample
    MAX_LABEL = 44,   // characters
    FEW_EPOCHS = 20,  // up to here each epoch gets a marker
};

typedef struct curves {
    const elbo_series *series;
    int count, groups, epochs;
    double low, high; // of the y axis
    bool log;
    double cut_maximum; // the largest value above the axis, or NaN where all fit
    int cut_epoch;
} curves;

/* Smallest and largest value of epochs `first` and later (counted from 0); false where there is none. */
static bool extent(const curves *c, int first, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int s = 0; s < c->count; s++) {
        for (int i = first; i < c->series[s].count; i++) {
            double v = c->series[s].value[i];
            if (!isfinite(v)) continue;
            if (v < *low) *low = v;
            if (v > *high) *high = v;
        }
    }
    return *low <= *high;
}

/* The y axis. The first epochs may lie so high that all that follows would be a flat line, a tenth of the axis or
 * less: as many of them are cut off as it takes, a tenth of the run at most, and the figure says so. Where the curve falls
 * less steeply, the fall is the story. What still spans a factor of 20 (two data sets in
 * one chart) gets a logarithmic axis. */
static bool choose_range(curves *c) {
    double low, high;
    if (!extent(c, 0, &low, &high)) return false;
    double all_high = high;
    int most = c->epochs >= 3 ? 1 + c->epochs / 10 : 0;
    for (int first = 1; first <= most; first++) {
        double later_low, later_high;
        if (!extent(c, first, &later_low, &later_high)) break;
        double worth = high < all_high ? 3 : 10 * first; // by how much the rest must gain
        if (high - low > worth * (later_high - low) && later_high > later_low) high = later_high;
    }
    c->log = low > 0 && high / low > 20;
    c->cut_maximum = NAN;
    double span = high - low;
    if (c->log) {
        c->low = low / 1.15;
        c->high = high * 1.15;
        if (all_high <= high * 5) c->high = all_high * 1.15; // little is won by a cut on this axis
    } else if (span > 0) {
        c->low = low - 0.05 * span;
        c->high = high + (high < all_high ? 0.2 : 0.06) * span;
    } else {
        double room = fabs(low) > 0 ? 0.05 * fabs(low) : 1;
        c->low = low - room;
        c->high = high + room;
    }
    for (int s = 0; s < c->count; s++) {
        for (int i = 0; i < c->series[s].count; i++) {
            double v = c->series[s].value[i];
            if (!isfinite(v) || v <= c->high || v <= c->cut_maximum) continue;
            c->cut_maximum = v;
            c->cut_epoch = i + 1;
        }
    }
    return true;
}

/* How high a value lies in the frame: 0 at the bottom, 1 at the top. */
static double height_of(const curves *c, double value) {
    if (c->log) return log(value / c->low) / log(c->high / c->low);
    return (value - c->low) / (c->high - c->low);
}

static elbo_status write_data(const char *path, const curves *c, elbo_error *err) {
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    fputs("epoch", w.stream);
    for (int s = 0; s < c->count; s++) {
        fputc(',', w.stream);
        elbo_text_to_csv(w.stream, c->series[s].label ? c->series[s].label : "");
    }
    fputc('\n', w.stream);
    for (int i = 0; i < c->epochs; i++) {
        fprintf(w.stream, "%d", i + 1);
        for (int s = 0; s < c->count; s++) {
            fputc(',', w.stream);
            if (i < c->series[s].count && isfinite(c->series[s].value[i]))
                fprintf(w.stream, "%.9g", (double)c->series[s].value[i]);
        }
        fputc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

static void write_x_axis(FILE *out, const curves *c) {
    static const int steps[] = {1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000};
    size_t k = 0;
    while (k + 1 < sizeof steps / sizeof *steps && c->epochs / steps[k] > 12) k++;
    int step = c->epochs / steps[k] > 12 ? c->epochs / 10 : steps[k];
    double room = c->epochs > 1 ? 0.02 * (c->epochs - 1) : 0.5;
    fprintf(out, "set xrange [%.4f:%.4f]\nset xtics (", 1 - room, c->epochs + room);
    const char *comma = "";
    if (step >= 5) { // the first epoch is worth a number, where 0 would have been
        fprintf(out, "1");
        comma = ", ";
    }
    for (int e = step; e <= c->epochs; e += step, comma = ", ") fprintf(out, "%s%d", comma, e);
    fprintf(out, ")\n");
}

static void write_y_axis(FILE *out, const curves *c) {
    fprintf(out, "set yrange [%.9g:%.9g]\n", c->low, c->high);
    if (!c->log) return;
    fprintf(out, "set logscale y 10\nset ytics (");
    const char *comma = "";
    for (double decade = pow(10, floor(log10(c->low))); decade < c->high; decade *= 10) {
        for (int k = 0; k < 3; k++) {
            double tick = decade * (k == 0 ? 1 : k == 1 ? 2 : 5);
            if (tick < c->low || tick > c->high) continue;
            fprintf(out, "%s%.6g", comma, tick);
            comma = ", ";
        }
    }
    fprintf(out, ")\n");
}

typedef struct end_label {
    int series, last;  // index of the last value
    double wanted, at; // heights in the frame
} end_label;

static int by_wanted_height(const void *a, const void *b) {
    const end_label *x = a, *y = b;
    if (x->wanted != y->wanted) return x->wanted < y->wanted ? -1 : 1;
    return y->series - x->series; // equal ends: in the order given, from the top
}

/* Moves labels apart to `gap`: the mean of pushing all upwards and pushing all downwards keeps every distance, and a
 * cluster of labels stays around its curves. Then the frame's ends push back. */
static void spread(end_label *labels, int n, double gap) {
    if (gap * (n - 1) > 1) gap = 1.0 / (n - 1);
    double up[MAX_SERIES], down[MAX_SERIES];
    for (int i = 0; i < n; i++) up[i] = i && up[i - 1] + gap > labels[i].wanted ? up[i - 1] + gap : labels[i].wanted;
    for (int i = n - 1; i >= 0; i--)
        down[i] = i + 1 < n && down[i + 1] - gap < labels[i].wanted ? down[i + 1] - gap : labels[i].wanted;
    for (int i = 0; i < n; i++) {
        double at = (up[i] + down[i]) / 2, floor_ = i * gap;
        if (i && at < labels[i - 1].at + gap) at = labels[i - 1].at + gap;
        labels[i].at = at < floor_ ? floor_ : at;
    }
    for (int i = n - 1; i >= 0; i--) {
        double ceiling = 1 - (n - 1 - i) * gap;
        if (labels[i].at > ceiling) labels[i].at = ceiling;
    }
}

/* A label beside the end of each curve, behind a sample of its line. */
static void write_end_labels(FILE *out, const curves *c, int points) {
    end_label labels[MAX_SERIES];
    int n = 0;
    for (int s = 0; s < c->count; s++) {
        int last = c->series[s].count - 1;
        while (last >= 0 && !isfinite(c->series[s].value[last])) last--;
        if (last < 0) continue;
        double h = height_of(c, c->series[s].value[last]);
        labels[n++] = (end_label){.series = s, .last = last, .wanted = h < 0 ? 0 : h > 1 ? 1 : h};
    }
    qsort(labels, (size_t)n, sizeof *labels, by_wanted_height);
    spread(labels, n, 1.9 * points / FRAME_HEIGHT);

    double x0 = 1 + (double)LABEL_START / FRAME_WIDTH, x1 = x0 + (double)SAMPLE / FRAME_WIDTH,
           x2 = x1 + 12.0 / FRAME_WIDTH;
    for (int i = 0; i < n; i++) {
        const elbo_series *s = &c->series[labels[i].series];
        unsigned colour = elbo_colour(s->group, c->groups);
        if (labels[i].last == c->epochs - 1 && fabs(labels[i].at - labels[i].wanted) < 0.5)
            fprintf(
                out,
                "set arrow from %d,graph %.5f to graph %.5f,graph %.5f nohead linecolor rgb '#c4c4c4' linewidth 0.6 "
                "back\n",
                labels[i].last + 1, labels[i].wanted, x0 - 6.0 / FRAME_WIDTH, labels[i].at);
        fprintf(out,
                "set arrow from graph %.5f,graph %.5f to graph %.5f,graph %.5f nohead linecolor rgb '#%06x' "
                "linewidth 1.6 dashtype %s\n",
                x0, labels[i].at, x1, labels[i].at, colour, s->dashed ? "(10,6)" : "1");
        fprintf(out, "set label ");
        elbo_text_to_gnuplot(out, s->label ? s->label : "", MAX_LABEL);
        fprintf(out, " at graph %.5f,graph %.5f left font ',%d' textcolor rgb '#333333'\n", x2, labels[i].at, points);
    }
}

/* Dashed lines first, so that the solid ones lie above them. A value that is not there leaves no gap: its neighbours
 * are joined (a loss may be measured every few epochs only). */
static void write_plot(elbo_plot *plot, const curves *c) {
    FILE *out = plot->script.stream;
    fprintf(out, "\nset datafile separator ','\nplot \\\n");
    bool first = true, few = c->epochs <= FEW_EPOCHS;
    for (int dashed = 1; dashed >= 0; dashed--) {
        for (int s = 0; s < c->count; s++) {
            if (c->series[s].dashed != dashed) continue;
            fprintf(out, "%s  ", first ? "" : ", \\\n");
            if (first)
                elbo_plot_file(plot, ".csv");
            else
                fputs("''", out);
            first = false;
            unsigned colour = elbo_colour(c->series[s].group, c->groups);
            fprintf(out, " skip 1 using 1:%d with %s linecolor rgb '#%06x' linewidth 1.6 dashtype %s", s + 2,
                    few ? "linespoints" : "lines", colour, dashed ? "(10,6)" : "1");
            if (few) fprintf(out, " pointtype 7 pointsize 0.6");
            if (few && dashed) // rings
                fprintf(out,
                        ", \\\n  '' skip 1 using 1:%d with points pointtype 7 pointsize 0.3 linecolor rgb '#ffffff'",
                        s + 2);
        }
    }
    fputc('\n', out);
}

static elbo_status check(const elbo_figure *f, curves *c, elbo_error *err) {
    if (c->count < 1 || c->count > MAX_SERIES)
        return elbo_fail(err, ELBO_BAD_INPUT, "figure %s: %d curves; expected 1 to %d", f->name, c->count, MAX_SERIES);
    for (int s = 0; s < c->count; s++) {
        if (c->series[s].group < 0)
            return elbo_fail(err, ELBO_BAD_INPUT,
                             "figure %s: curve %d is of group %d; groups count "
                             "from 0",
                             f->name, s, c->series[s].group);
        if (c->series[s].group >= c->groups) c->groups = c->series[s].group + 1;
        if (c->series[s].count > c->epochs) c->epochs = c->series[s].count;
    }
    if (!choose_range(c)) return elbo_fail(err, ELBO_BAD_INPUT, "figure %s: no values to draw", f->name);
    return ELBO_OK;
}

elbo_status elbo_draw_curves(elbo_figure f, const char *x_label, const char *y_label, const elbo_series *series,
                             int count, elbo_error *err) {
    curves c = {.series = series, .count = count};
    ELBO_TRY(check(&f, &c, err));
    size_t longest = 4;
    for (int s = 0; s < count; s++) {
        size_t n = series[s].label ? elbo_text_length(series[s].label) : 0;
        if (n > longest) longest = n;
    }
    if (longest > MAX_LABEL) longest = MAX_LABEL;
    int points = 9 * FRAME_HEIGHT / 20 / count; // letters shrink where there are many curves
    if (points > ELBO_TICK_POINTS) points = ELBO_TICK_POINTS;
    if (points < 7) points = 7;
    elbo_layout layout = {.left = LEFT,
                          .top = TOP,
                          .bottom = BOTTOM,
                          .right = LABEL_START + SAMPLE + 12 + elbo_text_pixels(longest, points) + 12};
    layout.width = LEFT + FRAME_WIDTH + layout.right;
    layout.height = TOP + FRAME_HEIGHT + BOTTOM;

    elbo_plot plot;
    ELBO_TRY(elbo_plot_begin(&plot, f, layout, err));
    char *data = NULL;
    elbo_status status;
    ELBO_TRY_GOTO(status, elbo_figure_path(f, ".csv", &data, err), done);
    ELBO_TRY_GOTO(status, write_data(data, &c, err), done);
    FILE *out = plot.script.stream;
    elbo_plot_axes(&plot, x_label, y_label);
    fprintf(out, "set grid ytics back linetype 1 linecolor rgb '#e8e8e8' linewidth 0.5\n");
    write_x_axis(out, &c);
    write_y_axis(out, &c);
    write_end_labels(out, &c, points);
    if (isfinite(c.cut_maximum))
        fprintf(out,
                "set label '\xe2\x86\x91 up to %.4g in epoch %d' at graph 0,screen %.6f left font ',13' "
                "textcolor rgb '#777777'\n",
                c.cut_maximum, c.cut_epoch, 1 - (TOP - 16.0) / layout.height);
    write_plot(&plot, &c);
    status = elbo_plot_draw(&plot, err);
done:
    elbo_plot_abandon(&plot);
    free(data);
    return status;
}
