/* Pictures: image grids as PNG, charts drawn by gnuplot, and the HTML report. Every figure keeps its data and the
 * gnuplot script that drew it beside it, so that a user can redraw it for a paper. */
#ifndef ELBO_RENDER_H
#define ELBO_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/data.h"
#include "formats/png.h"

/* ---- figures ----
 * Each draws FOLDER/NAME.png from FOLDER/NAME.gp and FOLDER/NAME.csv (grids: FOLDER/NAME-pixels.png). `svg`: also NAME.svg. */

typedef struct elbo_figure {
    const char *folder, *name; // "runs/x/figures", "loss"
    const char *title;
    bool svg;
    const char *model; // that it is of: said behind the title; NULL: of several, or the title says it
    bool half;         // shown at half a page's width: a smaller frame, so that letters keep their size
} elbo_figure;

/* Loss curves: one line per series over epochs 1..n. */
typedef struct elbo_series {
    const char *label;  // "mnist-vae (test)"
    const float *value; // (count), nats per image; NaN: no point there
    int count;
    int group;   // series of one model share a group: same colour
    bool dashed; // test curves are drawn dashed
} elbo_series;
elbo_status elbo_draw_curves(elbo_figure f, const char *x_label, const char *y_label, const elbo_series *series,
                             int count, elbo_error *err);

/* Bars, those of each series largest first, series side by side by rank. */
typedef struct elbo_bar_series {
    const char *label;
    const double *value; // (count), finite, 0 or more
    int count;
    int group; // its colour: the same as of a curve's group
} elbo_bar_series;
elbo_status elbo_draw_bars(elbo_figure f, const char *x_label, const char *y_label, const elbo_bar_series *series,
                           int count, elbo_error *err);

/* Points in the plane coloured by class, with a legend. */
typedef struct elbo_scatter {
    const char *x_label, *y_label;
    const float *xy;       // (n, 2)
    const uint8_t *labels; // (n), each below `classes`; NULL: one colour
    size_t n;
    char *const *class_names; // (classes); NULL: numbers
    int classes;
} elbo_scatter;
elbo_status elbo_draw_scatter(elbo_figure f, const elbo_scatter *scatter, elbo_error *err);

/* Images in rows with a label at the left of each row (NULL: none) and one above each column (NULL: none). A '\n' in a
 * column's label or in a caption begins a second line. */
typedef struct elbo_grid {
    int rows, columns;
    elbo_image_shape shape;
    const float *images; // (rows, columns, C, H, W), values in [low, high]; NaN as first value: an empty cell
    float low, high;
    const char *const *row_labels;    // (rows) or NULL
    const char *const *column_labels; // (columns) or NULL
    const char *const *headings;      // (rows) or NULL: a line above a row, where a block of rows begins
    const char *const *captions;      // (rows, columns) or NULL: a few letters below an image
} elbo_grid;
elbo_status elbo_draw_grid(elbo_figure f, const elbo_grid *grid, elbo_error *err);

/* ---- the report ---- */

typedef struct elbo_report_figure {
    const char *png;      // path; embedded as base64
    const char *title;    // "Reconstructions"
    const char *sentence; // one plain sentence on what to see
    const char *links;    // where its files lie, as "figures/report/loss": .csv or -pixels.png, and .gp; NULL: not said
    bool pixels;          // it is a grid of images: its data are pixels
    bool beside;          // the next figure stands beside this one, where the page is wide enough
} elbo_report_figure;

typedef struct elbo_report_table {
    const char *title;
    int rows, columns;
    const char *const *cells; // (rows, columns); row 0 is the header
    const bool *strong;       // (rows, columns): cells that stand out, the best of a column; or NULL
} elbo_report_table;

typedef struct elbo_report_listing {
    const char *title, *text; // a recipe
} elbo_report_listing;

/* A row of boxes with arrows between: a network. */
typedef struct elbo_report_box {
    const char *text, *note; // "conv2d 16 stride=2, relu"; "16x14x14, 160 parameters"
    bool strong;             // the code
} elbo_report_box;
typedef struct elbo_report_boxes {
    const char *title;
    const elbo_report_box *box;
    int count;
} elbo_report_boxes;

/* What the page holds, in order; one of them each. */
typedef struct elbo_report_item {
    const char *heading;   // a section begins
    const char *paragraph; // plain text, `code` in backticks
    const elbo_report_figure *figure;
    const elbo_report_table *table;
    const elbo_report_boxes *boxes;
    const elbo_report_listing *listing; // folded away
} elbo_report_item;

typedef struct elbo_report {
    const char *title, *summary; // one paragraph of plain text
    const char *const *sentences;
    int sentence_count; // what was found, at the top
    const elbo_report_item *items;
    int count;
} elbo_report;

/* One self-contained HTML file, written whole or not at all. */
elbo_status elbo_report_write(const char *path, const elbo_report *report, elbo_error *err);

#endif
