/* What a sweep found: a measure over the values of a key. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/charts.h"
#include "render/colour.h"
#include "render/figure.h"
#include "render/text.h"

enum {
    FRAME_WIDTH = 900,
    FRAME_HEIGHT = 560,
    LEFT = 170,
    TOP = 110,
    BOTTOM = 120,
    RIGHT = 60,
    MAX_CURVES = 40,
    MAX_TICKS = 14,
    MAX_LABEL = 34, // characters
};

/* The first key's values along x; of the other keys each combination is a curve. */
typedef struct chart {
    const elbo_sweep *s;
    elbo_sweep_measure m;
    int curves, points; // settings = points x curves
    int *order;         // (points) the values, ascending where they are numbers
    double *x;          // (points) in that order
    bool log;
} chart;

static const elbo_sweep_setting *setting_at(const chart *c, int point, int curve) {
    return &c->s->setting[c->order[point] * c->curves + curve]; // (the last key's value changes first)
}

/* "loss.kl=4" of a curve: all keys but the first. */
static void curve_name(const chart *c, int curve, char out[200]) {
    const elbo_sweep *s = c->s;
    size_t used = 0;
    out[0] = 0;
    for (int k = 1; k < s->keys && used < 150; k++)
        used += (size_t)snprintf(out + used, 200 - used, "%s%.60s=%.60s", k > 1 ? ", " : "", s->key[k].key,
                                 s->key[k].value[s->setting[curve].value[k]]);
}

static elbo_status arrange(chart *c, elbo_error *err) {
    const elbo_sweep_key *key = &c->s->key[0];
    c->points = key->values;
    c->curves = c->s->settings / c->points;
    c->order = elbo_alloc((size_t)c->points, sizeof *c->order);
    c->x = elbo_alloc((size_t)c->points, sizeof *c->x);
    if (!c->order || !c->x) return elbo_no_memory(err);
    for (int i = 0; i < c->points; i++) {
        int at = i; // (few values: by insertion)
        for (; key->number && at > 0 && key->number[c->order[at - 1]] > key->number[i]; at--)
            c->order[at] = c->order[at - 1];
        c->order[at] = i;
    }
    for (int i = 0; i < c->points; i++) c->x[i] = key->number ? key->number[c->order[i]] : i + 1;
    c->log = key->number && c->x[0] > 0 && c->x[c->points - 1] >= 10 * c->x[0];
    return ELBO_OK;
}

static elbo_status write_data(const char *path, const chart *c, elbo_error *err) {
    const elbo_sweep *s = c->s;
    elbo_writer w;
    ELBO_TRY(elbo_writer_open(&w, path, err));
    elbo_text_to_csv(w.stream, s->key[0].key);
    fputs(",x", w.stream);
    for (int k = 0; k < c->curves; k++) {
        char name[200];
        curve_name(c, k, name);
        for (int j = -2; j < s->seeds; j++) {
            char column[260];
            if (j < 0)
                snprintf(column, sizeof column, "%s%s%s", j == -2 ? "mean" : "deviation", *name ? " " : "", name);
            else
                snprintf(column, sizeof column, "run %d%s%s", j + 1, *name ? " " : "", name);
            fputc(',', w.stream);
            elbo_text_to_csv(w.stream, column);
        }
    }
    fputc('\n', w.stream);
    for (int i = 0; i < c->points; i++) {
        elbo_text_to_csv(w.stream, s->key[0].value[c->order[i]]);
        fprintf(w.stream, ",%.9g", c->x[i]);
        for (int k = 0; k < c->curves; k++) {
            const elbo_sweep_setting *setting = setting_at(c, i, k);
            const elbo_spread *v = &setting->spread[c->m];
            for (int j = -2; j < s->seeds; j++) {
                double value = j == -2 ? v->mean : j == -1 ? v->deviation : s->run[setting->first + j].value[c->m];
                fputc(',', w.stream);
                if (isfinite(value)) fprintf(w.stream, "%.9g", value);
            }
        }
        fputc('\n', w.stream);
    }
    return elbo_writer_commit(&w, err);
}

/* The smallest and the largest value that is drawn; false: there is none. */
static bool extent(const chart *c, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < c->s->settings; i++) {
        const elbo_sweep_setting *setting = &c->s->setting[i];
        const elbo_spread *v = &setting->spread[c->m];
        double reach = isfinite(v->deviation) ? v->deviation : 0;
        if (v->n) *low = fmin(*low, v->mean - reach), *high = fmax(*high, v->mean + reach);
        for (int r = setting->first; v->n && r < setting->first + c->s->seeds; r++)
            if (isfinite(c->s->run[r].value[c->m])) {
                *low = fmin(*low, c->s->run[r].value[c->m]);
                *high = fmax(*high, c->s->run[r].value[c->m]);
            }
    }
    return *low <= *high;
}

static void write_axes(FILE *out, const chart *c, double low, double high) {
    double first = c->x[0], last = c->x[c->points - 1], span = high - low;
    double room = last > first ? 0.06 * (last - first) : 0.5, factor = pow(last / first, 0.06);
    if (!(span > 0)) span = fabs(low) > 0 ? fabs(low) : 1;
    if (c->log)
        fprintf(out, "set logscale x\nset xrange [%.9g:%.9g]\n", first / factor, last * factor);
    else
        fprintf(out, "set xrange [%.9g:%.9g]\n", first - room, last + room);
    fprintf(out, "set yrange [%.9g:%.9g]\n", low - 0.08 * span, high + 0.08 * span);
    fprintf(out, "set xtics (");
    int step = (c->points + MAX_TICKS - 1) / MAX_TICKS;
    for (int i = 0; i < c->points; i += step) {
        if (i) fputs(", ", out);
        elbo_text_to_gnuplot(out, c->s->key[0].value[c->order[i]], c->points > 8 ? 8 : 16);
        fprintf(out, " %.9g", c->x[i]);
    }
    fputs(")\n", out);
}

/* What is within two standard errors of the best, and the smallest value there. */
static void write_choice(FILE *out, const chart *c) {
    const elbo_sweep *s = c->s;
    if (c->m != s->score || s->best < 0 || !isfinite(s->standard_error)) return;
    double best = s->setting[s->best].spread[c->m].mean,
           limit = best - elbo_sweep_measures[c->m].better * 2 * s->standard_error;
    fprintf(out,
            "set object 1 rectangle from graph 0,first %.9g to graph 1,first %.9g fillcolor rgb '#e9f2e6' fillstyle "
            "solid noborder behind\n",
            fmin(best, limit), fmax(best, limit));
    if (s->smallest < 0) return;
    const elbo_sweep_setting *smallest = &s->setting[s->smallest];
    char text[160];
    snprintf(text, sizeof text, "shaded: within two standard errors of the best; smallest %.40s there: %.40s",
             s->key[0].key, s->key[0].value[smallest->value[0]]);
    fputs("set label ", out);
    elbo_text_to_gnuplot(out, text, 100);
    fprintf(out, " at graph 0,screen %.6f left font ',13' textcolor rgb '#5b7a50'\n",
            1 - (TOP - 18.0) / (TOP + FRAME_HEIGHT + BOTTOM));
    fprintf(out,
            "set label '' at %.9g,%.9g point pointtype 6 pointsize 2.2 linecolor rgb '#5b7a50' linewidth 1.2 front\n",
            s->key[0].number[smallest->value[0]], smallest->spread[c->m].mean);
}

static void write_plot(elbo_plot *plot, const chart *c) {
    FILE *out = plot->script.stream;
    int width = 2 + c->s->seeds;
    fputs("\nset datafile separator ','\nset datafile missing ''\nplot \\\n", out);
    bool first = true;
    for (int k = 0; k < c->curves; k++) {
        unsigned colour = elbo_colour(k, c->curves);
        int mean = 3 + k * width;
        for (int j = 0; j < c->s->seeds; j++) {
            fputs(first ? "  " : ", \\\n  ''", out);
            if (first) elbo_plot_file(plot, ".csv");
            first = false;
            fprintf(
                out,
                " skip 1 using 2:%d with points pointtype 6 pointsize 0.9 linewidth 0.8 linecolor rgb '#%06x' notitle",
                mean + 2 + j, colour);
        }
        fprintf(
            out,
            ", \\\n  '' skip 1 using 2:%d:%d with yerrorbars pointtype 7 pointsize 0.01 linewidth 0.9 linecolor rgb "
            "'#%06x' notitle",
            mean, mean + 1, colour);
        fprintf(out,
                ", \\\n  '' skip 1 using 2:%d with linespoints pointtype 7 pointsize 0.5 linewidth 1.5 linecolor rgb "
                "'#%06x' ",
                mean, colour);
        char name[200];
        curve_name(c, k, name);
        fputs(*name ? "title " : "notitle", out);
        if (*name) elbo_text_to_gnuplot(out, name, MAX_LABEL);
    }
    fputc('\n', out);
}

static elbo_status draw(elbo_figure f, const chart *c, double low, double high, elbo_error *err) {
    size_t longest = 0;
    for (int k = 0; k < c->curves; k++) {
        char name[200];
        curve_name(c, k, name);
        if (elbo_text_length(name) > longest) longest = elbo_text_length(name);
    }
    if (longest > MAX_LABEL) longest = MAX_LABEL;
    elbo_layout layout = {.left = LEFT,
                          .top = TOP,
                          .bottom = BOTTOM,
                          .right = RIGHT + (longest ? 90 + elbo_text_pixels(longest, 14) : 0)};
    layout.width = LEFT + FRAME_WIDTH + layout.right;
    layout.height = TOP + FRAME_HEIGHT + BOTTOM;
    elbo_plot plot;
    ELBO_TRY(elbo_plot_begin(&plot, f, layout, err));
    char *data = NULL, axis[120];
    elbo_status status;
    ELBO_TRY_GOTO(status, elbo_figure_path(f, ".csv", &data, err), done);
    ELBO_TRY_GOTO(status, write_data(data, c, err), done);
    const elbo_sweep_measure_info *info = &elbo_sweep_measures[c->m];
    snprintf(axis, sizeof axis, *info->unit ? "%s (%s)" : "%s", info->label, info->unit);
    elbo_plot_axes(&plot, c->s->key[0].key, axis);
    FILE *out = plot.script.stream;
    fprintf(out, "set grid ytics back linetype 1 linecolor rgb '#e8e8e8' linewidth 0.5\n");
    if (longest)
        fprintf(out,
                "set key at graph 1.02,graph 1 left top Left reverse samplen 2 spacing 1.2 font ',14' textcolor rgb "
                "'#333333'\n");
    write_axes(out, c, low, high);
    write_choice(out, c);
    write_plot(&plot, c);
    status = elbo_plot_draw(&plot, err);
done:
    elbo_plot_abandon(&plot);
    free(data);
    return status;
}

elbo_status elbo_figure_sweep(elbo_figure f, const elbo_sweep *s, elbo_sweep_measure m, bool *drawn, elbo_error *err) {
    chart c = {.s = s, .m = m};
    double low, high;
    *drawn = extent(&c, &low, &high);
    if (!*drawn) return ELBO_OK;
    elbo_status status = arrange(&c, err);
    if (status == ELBO_OK && c.curves > MAX_CURVES)
        status = elbo_fail(err, ELBO_BAD_INPUT, "figure %s: %d curves; expected 1 to %d", f.name, c.curves, MAX_CURVES);
    if (status == ELBO_OK) status = draw(f, &c, low, high, err);
    free(c.order);
    free(c.x);
    return status;
}
