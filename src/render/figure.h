/* What the kinds of figures share: a script, a style, and the run of gnuplot that makes the picture of them. */
#ifndef ELBO_VIEW_FIGURE_H
#define ELBO_VIEW_FIGURE_H

#include "base/file.h"
#include "render/render.h"

/* Sizes of letters, in points of gnuplot's terminals; pictures are drawn at twice the size they are shown at. */
enum { ELBO_TITLE_POINTS = 22, ELBO_LABEL_POINTS = 18, ELBO_TICK_POINTS = 16 };

/* Where the frame of the plot lies on the canvas, in pixels from its edges. */
typedef struct elbo_layout {
    int width, height; // of the canvas
    int left, right, top, bottom;
} elbo_layout;

typedef struct elbo_plot {
    elbo_figure figure;
    elbo_layout layout;
    elbo_writer script;
} elbo_plot;

/* The pixels that `characters` of text take: wide enough for most text, for space beside a plot. */
int elbo_text_pixels(size_t characters, int points);

enum { ELBO_TITLE_TEXT = 400 };
/* The title with the model behind it; "" where there is none. */
const char *elbo_figure_title(const elbo_figure *f, char text[ELBO_TITLE_TEXT]);

/* FOLDER/NAME + suffix, a new string; the name is checked. */
elbo_status elbo_figure_path(elbo_figure f, const char *suffix, char **path, elbo_error *err);

/* Makes the folder and opens FOLDER/NAME.gp with the common style and the title in it; then the caller writes settings
 * and ONE plot command to plot->script.stream. */
elbo_status elbo_plot_begin(elbo_plot *plot, elbo_figure f, elbo_layout layout, elbo_error *err);
/* Axes at the left and below with thin ticks, and their labels. */
void elbo_plot_axes(elbo_plot *plot, const char *x_label, const char *y_label);
/* './NAME' + suffix as a gnuplot string. */
void elbo_plot_file(elbo_plot *plot, const char *suffix);
/* Commits the script and lets gnuplot draw; NAME.png appears only when it is whole. */
elbo_status elbo_plot_draw(elbo_plot *plot, elbo_error *err);
/* Throws the script away; safe after elbo_plot_draw. */
void elbo_plot_abandon(elbo_plot *plot);

#endif
