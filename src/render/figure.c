#include "render/figure.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/gnuplot.h"
#include "render/text.h"

int elbo_text_pixels(size_t characters, int points) {
    if (characters > 200) characters = 200;
    return (int)((double)characters * points * 0.82) + 4; // DejaVu Sans: a point is 4/3 pixels, a letter 0.6 of it wide
}

const char *elbo_figure_title(const elbo_figure *f, char text[ELBO_TITLE_TEXT]) {
    bool titled = f->title && f->title[0];
    text[0] = 0;
    if (titled && f->model && !strstr(f->title, f->model))
        snprintf(text, ELBO_TITLE_TEXT, "%.250s, %.120s", f->title, f->model);
    else if (titled)
        snprintf(text, ELBO_TITLE_TEXT, "%.390s", f->title);
    return text;
}

/* The name goes into file names and, in quotes, into the script. It cannot begin with what gnuplot takes for a pipe (|,
 * <) or an option (-). */
static elbo_status check_name(elbo_figure f, elbo_error *err) {
    bool good = f.folder && f.name && f.name[0] && !strchr("|<-.~@ '\"", f.name[0]) && strlen(f.name) < 200;
    for (const char *p = f.name; good && *p; p++) good = *p != '/' && (unsigned char)*p >= ' ' && *p != 0x7f;
    if (good) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "figure \"%s\": cannot be a file's name; expected letters, digits, - and _",
                     f.name ? f.name : "");
}

elbo_status elbo_figure_path(elbo_figure f, const char *suffix, char **path, elbo_error *err) {
    *path = NULL;
    ELBO_TRY(check_name(f, err));
    char *folder = elbo_path_join(f.folder, f.name);
    *path = folder ? elbo_format("%s%s", folder, suffix) : NULL;
    free(folder);
    return *path ? ELBO_OK : elbo_no_memory(err);
}

/* "./NAME": what begins so is neither an option nor a pipe to gnuplot. */
static void write_file_name(FILE *out, const char *name, const char *suffix) {
    fputs("\"./", out);
    for (const char *p = name; *p; p++) elbo_text_byte_to_gnuplot(out, *p);
    fprintf(out, "%s\"", suffix);
}

void elbo_plot_file(elbo_plot *plot, const char *suffix) {
    write_file_name(plot->script.stream, plot->figure.name, suffix);
}

elbo_status elbo_plot_begin(elbo_plot *plot, elbo_figure f, elbo_layout l, elbo_error *err) {
    *plot = (elbo_plot){.figure = f, .layout = l};
    char *path;
    ELBO_TRY(elbo_make_folder(f.folder, err));
    ELBO_TRY(elbo_figure_path(f, ".gp", &path, err));
    elbo_status status = elbo_writer_open(&plot->script, path, err);
    free(path);
    if (status != ELBO_OK) return status;

    FILE *out = plot->script.stream;
    fprintf(out, "# To draw this figure again: gnuplot %s.gp\n", f.name);
    fprintf(out, "if (!exists('png')) png = ");
    elbo_plot_file(plot, ".png");
    fprintf(out,
            "\nset encoding utf8\n"
            "set terminal pngcairo noenhanced size %d,%d font 'DejaVu Sans,%d' linewidth 2 pointscale 2 "
            "background '#ffffff'\nset output png\n\n",
            l.width, l.height, ELBO_TICK_POINTS);
    fprintf(out,
            "set lmargin at screen %.6f\nset rmargin at screen %.6f\nset bmargin at screen %.6f\n"
            "set tmargin at screen %.6f\n",
            (double)l.left / l.width, 1 - (double)l.right / l.width, (double)l.bottom / l.height,
            1 - (double)l.top / l.height);
    fprintf(out, "unset key\n");
    char title[ELBO_TITLE_TEXT];
    if (*elbo_figure_title(&f, title)) {
        fprintf(out, "set label 1 ");
        elbo_text_to_gnuplot(out, title, (size_t)((l.width - 48) / (0.82 * ELBO_TITLE_POINTS)));
        fprintf(out, " at screen %.6f,%.6f left font 'DejaVu Sans:Bold,%d' textcolor rgb '#222222'\n", 24.0 / l.width,
                1 - 44.0 / l.height, ELBO_TITLE_POINTS);
    }
    return ELBO_OK;
}

void elbo_plot_axes(elbo_plot *plot, const char *x_label, const char *y_label) {
    FILE *out = plot->script.stream;
    fprintf(out, "set border 3 linecolor rgb '#666666' linewidth 0.75\n"
                 "set tics nomirror out scale 0.6 textcolor rgb '#444444'\nset format '%%h'\nset minussign\n"
                 "set clip two\n");
    if (x_label) {
        fprintf(out, "set label ");
        elbo_text_to_gnuplot(out, x_label, 60);
        fprintf(out, " at graph 0.5,screen %.6f center font ',%d' textcolor rgb '#222222'\n",
                34.0 / plot->layout.height, ELBO_LABEL_POINTS);
    }
    if (y_label) {
        fprintf(out, "set label ");
        elbo_text_to_gnuplot(out, y_label, 60);
        fprintf(out, " at screen %.6f,graph 0.5 center rotate by 90 font ',%d' textcolor rgb '#222222'\n",
                40.0 / plot->layout.width, ELBO_LABEL_POINTS);
    }
}

/* cairo does not say when a disk is full: a picture is whole when its end is there. */
static elbo_status check_picture(const elbo_writer *w, const char *end, size_t end_size, elbo_error *err) {
    enum { TAIL = 64 };
    char tail[TAIL];
    size_t got = 0;
    FILE *file = fopen(w->temporary, "rb");
    if (file) {
        if (fseek(file, -TAIL, SEEK_END) == 0) got = fread(tail, 1, TAIL, file);
        fclose(file);
    }
    if (got && memmem(tail, got, end, end_size)) return ELBO_OK;
    return elbo_fail(err, ELBO_IO, "%s: gnuplot left no complete image; is the disk full?", w->path);
}

/* Opens FOLDER/NAME + suffix to be written, and adds `variable="./its temporary name"; ` to the settings: gnuplot
 * writes there, the commit renames. */
static elbo_status open_picture(elbo_writer *w, elbo_figure f, const char *suffix, const char *variable, FILE *settings,
                                elbo_error *err) {
    char *path;
    ELBO_TRY(elbo_figure_path(f, suffix, &path, err));
    elbo_status status = elbo_writer_open(w, path, err);
    free(path);
    if (status != ELBO_OK) return status;
    const char *slash = strrchr(w->temporary, '/');
    fprintf(settings, "%s=", variable);
    write_file_name(settings, slash ? slash + 1 : w->temporary, "");
    fputs("; ", settings);
    return ELBO_OK;
}

elbo_status elbo_plot_draw(elbo_plot *plot, elbo_error *err) {
    elbo_figure f = plot->figure;
    FILE *out = plot->script.stream;
    if (f.svg) {
        fprintf(out, "\nif (!exists('svg')) svg = ");
        elbo_plot_file(plot, ".svg");
        fprintf(out,
                "\nset output\nset terminal svg noenhanced size %d,%d font 'DejaVu Sans,Verdana,sans-serif,%d' "
                "fontscale 1.3333 linewidth 2 background '#ffffff'\n",
                plot->layout.width, plot->layout.height, ELBO_TICK_POINTS);
        // this terminal takes ":Bold" for a part of the family's name
        if (f.title && f.title[0]) fprintf(out, "set label 1 font ',%d'\n", ELBO_TITLE_POINTS);
        fprintf(out, "set output svg\nreplot\n");
    }
    fprintf(out, "set output\n");
    ELBO_TRY(elbo_writer_commit(&plot->script, err));

    elbo_writer png = {0}, svg = {0};
    char *settings = NULL, *script = elbo_format("%s.gp", f.name);
    size_t size;
    FILE *lines = open_memstream(&settings, &size);
    elbo_status status = script && lines ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) status = open_picture(&png, f, ".png", "png", lines, err);
    if (status == ELBO_OK && f.svg) status = open_picture(&svg, f, ".svg", "svg", lines, err);
    if (lines && fclose(lines) != 0 && status == ELBO_OK) status = elbo_no_memory(err);
    if (status == ELBO_OK) status = elbo_gnuplot_run(f.folder, script, settings, err);
    if (status == ELBO_OK) status = check_picture(&png, "IEND", 4, err);
    if (status == ELBO_OK && f.svg) status = check_picture(&svg, "</svg>", 6, err);
    if (status == ELBO_OK) status = elbo_writer_commit(&png, err);
    if (status == ELBO_OK && f.svg) status = elbo_writer_commit(&svg, err);
    elbo_writer_abandon(&png);
    elbo_writer_abandon(&svg);
    free(settings);
    free(script);
    return status;
}

void elbo_plot_abandon(elbo_plot *plot) { elbo_writer_abandon(&plot->script); }
