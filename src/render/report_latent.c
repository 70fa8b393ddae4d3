/* The figures of the report that look into the latent space. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shown.h"
#include "render/charts.h"
#include "render/image_figures.h"
#include "render/report_draw.h"

/* ---- maps ---- */

static const char *split_of(const elbo_projection *x) { return x->splits == ELBO_TEST_SPLIT ? "test" : "training"; }

static elbo_status add_pca(elbo_report_draft *d, int i, const char *title, elbo_error *err) {
    const elbo_projection *x = &d->r->run[i].pca;
    const char *name = ELBO_SAY(d, "map-%d-%s", i + 1, elbo_draft_is_vae(d, i) ? "vae" : "ae");
    elbo_figure f = elbo_draft_figure(d, name, x->raw ? title : ELBO_SAY(d, "%s by PCA", title));
    f.half = true;
    ELBO_TRY(elbo_figure_projection(f, x, err));
    const char *what = ELBO_SAY(d, "Each point is a %s image%s", split_of(x),
                                d->r->data.classes ? ", coloured by class, which the model was not given" : "");
    if (x->raw)
        elbo_draft_show(d, f, title, ELBO_SAY(d, "%s; the code has two dimensions, so this is all of it.", what))
            ->beside = d->r->run[i].plane.steps > 0;
    else
        elbo_draft_show(
            d, f, f.title,
            ELBO_SAY(d,
                     "%s; the two axes explain %.0f%% of the variance, so clusters that overlap here may be "
                     "separate in other dimensions.",
                     what, 100 * (x->explained[0] + x->explained[1])))
            ->beside = d->r->run[i].tsne.n > 0;
    return ELBO_OK;
}

static elbo_status add_tsne(elbo_report_draft *d, int i, const char *title, elbo_error *err) {
    const elbo_projection *x = &d->r->run[i].tsne;
    const char *name = ELBO_SAY(d, "tsne-%d-%s", i + 1, elbo_draft_is_vae(d, i) ? "vae" : "ae");
    elbo_figure f = elbo_draft_figure(d, name, ELBO_SAY(d, "%s by t-SNE", title));
    char points[32];
    f.half = true;
    ELBO_TRY(elbo_figure_projection(f, x, err));
    elbo_draft_show(
        d, f, f.title,
        ELBO_SAY(d,
                 "The codes of %s %s images, embedded so that neighbours stay neighbours (KL divergence %.2f); "
                 "distances between clusters and their sizes carry little meaning.",
                 elbo_thousands((double)x->n, points), split_of(x), x->tsne.kl));
    return ELBO_OK;
}

/* The whole space of two dimensions, decoded. */
static elbo_status add_plane(elbo_report_draft *d, int i, elbo_error *err) {
    const elbo_manifold_result *p = &d->r->run[i].plane;
    elbo_figure f =
        elbo_draft_figure(d, ELBO_SAY(d, "plane-%d", i + 1), ELBO_SAY(d, "%s, decoded", d->c->run[i].label));
    f.half = true;
    ELBO_TRY(elbo_figure_manifold(f, p, err));
    elbo_draft_show(d, f, ELBO_SAY(d, "The plane of %s", d->c->run[i].label),
                    p->prior ? "Codes on a grid, at quantiles of the prior, decoded."
                             : "Codes on a grid, at quantiles of the codes, decoded.")
        ->pixels = true;
    return ELBO_OK;
}

/* ---- what dimensions do ---- */

static elbo_status add_dimensions(elbo_report_draft *d, elbo_error *err) {
    bool drawn = false;
    elbo_figure f = elbo_draft_figure(d, "kl", "KL of each latent dimension");
    ELBO_TRY(elbo_figure_kl(f, d->c, &drawn, err));
    if (drawn)
        elbo_draft_show(
            d, f, "KL of each latent dimension",
            "In nats per image, a bound on the information that a dimension carries; one near 0 is collapsed.");
    return ELBO_OK;
}

static elbo_status add_traversal(elbo_report_draft *d, int i, elbo_error *err) {
    const elbo_traverse_result *t = &d->r->run[i].traversal;
    const char *title = ELBO_SAY(d, "One dimension at a time, %s", d->c->run[i].label);
    elbo_figure f = elbo_draft_figure(d, ELBO_SAY(d, "traversal-%d", i + 1), title);
    f.half = true;
    ELBO_TRY(elbo_figure_traverse(f, t, err));
    elbo_report_figure *shown =
        elbo_draft_show(d, f, ELBO_SAY(d, "What the dimensions of %s do", d->c->run[i].label),
                        ELBO_SAY(d, "The %d most informative, from %g to %g%s, the others held at %s.", t->rows,
                                 t->from, t->to, t->vae ? "" : " standard deviations", t->vae ? "0" : "the mean code"));
    shown->pixels = true;
    return ELBO_OK;
}

/* ---- arithmetic ---- */

/* Rows: the same with pixels, then each model; columns: operands, result, nearest training image. */
static elbo_status draw_arithmetic(elbo_report_draft *d, elbo_figure f, elbo_error *err) {
    const elbo_report_data *r = d->r;
    const elbo_arithmetic_result *first = NULL;
    int rows = 1;
    for (int i = 0; i < d->c->count; i++) {
        if (!first && r->run[i].arithmetic.operands) first = &r->run[i].arithmetic;
        rows += r->run[i].arithmetic.operands > 0;
    }
    int columns = first->operands + 2, at = 1;
    size_t size = elbo_image_size(first->format.shape), row = (size_t)columns * size;
    float *images = elbo_alloc((size_t)rows * row, sizeof *images);
    const char **label = elbo_alloc((size_t)(rows + columns), sizeof *label), **column = label + rows;
    if (!images || !label) {
        free(images);
        free(label);
        return elbo_no_memory(err);
    }
    memcpy(images, first->images, row * sizeof *images);
    images[(size_t)(columns - 1) * size] = NAN; // each model has another nearest one
    label[0] = "pixels";
    for (int i = 0; i < d->c->count; i++) {
        const elbo_arithmetic_result *a = &r->run[i].arithmetic;
        if (!a->operands) continue;
        float *to = images + (size_t)at * row;
        memcpy(to, a->images + row, row * sizeof *to);
        elbo_images_into_range(to, row, a->format, first->format);
        label[at++] = d->c->run[i].label;
    }
    for (int i = 0; i < first->operands; i++) column[i] = first->label[i];
    column[columns - 2] = "result";
    column[columns - 1] = "nearest\ncode";
    elbo_grid grid = elbo_image_grid(first->format, rows, columns, images);
    grid.row_labels = label;
    grid.column_labels = column;
    elbo_status status = elbo_draw_grid(f, &grid, err);
    free(images);
    free(label);
    return status;
}

static elbo_status add_arithmetic(elbo_report_draft *d, elbo_error *err) {
    const elbo_class_shift *s = &d->r->shift;
    bool any = false;
    for (int i = 0; i < d->c->count; i++) any = any || d->r->run[i].arithmetic.operands;
    if (s->from < 0 || !any) return ELBO_OK;
    const char *a = d->r->data.class_name[s->from], *b = d->r->data.class_name[s->to];
    elbo_figure f =
        elbo_draft_figure(d, "arithmetic", ELBO_SAY(d, "%s plus the way from the mean %s to the mean %s", a, a, b));
    ELBO_TRY(draw_arithmetic(d, f, err));
    int k = 0;
    while (k + 1 < d->c->count && d->c->run[k].kind != ELBO_VAE) k++;
    if (d->c->run[k].kind != ELBO_VAE) k = 0;
    elbo_draft_show(
        d, f, "Arithmetic with codes",
        ELBO_SAY(d,
                 "A typical image of %s, moved by the difference of two classes' mean codes: %s. Of %d pairs of "
                 "classes this one works best for %s: %.0f%% of such images, decoded and encoded again, lie "
                 "nearest to the mean code of %s; over all pairs %.0f%%.",
                 a, d->r->run[k].arithmetic.expression ? d->r->run[k].arithmetic.expression : "", s->pairs,
                 d->c->run[k].label, 100 * s->share, b, 100 * s->all))
        ->pixels = true;
    return ELBO_OK;
}

elbo_status elbo_draft_latent_space(elbo_report_draft *d, elbo_error *err) {
    elbo_draft_add(d, (elbo_report_item){.heading = "Latent space"});
    for (int i = 0; i < d->c->count; i++) {
        const char *title = ELBO_SAY(d, "Codes of %s", d->c->run[i].label);
        ELBO_TRY(add_pca(d, i, title, err));
        if (d->r->run[i].tsne.n) ELBO_TRY(add_tsne(d, i, title, err));
        if (!d->r->run[i].tsne.n && d->r->run[i].plane.steps) ELBO_TRY(add_plane(d, i, err));
    }
    ELBO_TRY(add_arithmetic(d, err));
    ELBO_TRY(add_dimensions(d, err));
    int last = -1;
    for (int i = 0; i < d->c->count; i++) { // in pairs; those of a plane say nothing that it does not
        if (!d->r->run[i].traversal.rows || d->r->run[i].plane.steps) continue;
        ELBO_TRY(add_traversal(d, i, err));
        if (last >= 0 && last < d->figure_count - 1 && !d->figure[last].beside) {
            d->figure[last].beside = true;
            last = -1;
        } else {
            last = d->figure_count - 1;
        }
    }
    return ELBO_OK;
}
