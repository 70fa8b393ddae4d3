#include "render/charts.h"

#include <stdio.h>

elbo_status elbo_figure_projection(elbo_figure f, const elbo_projection *p, elbo_error *err) {
    char x[80] = "t-SNE 1", y[80] = "t-SNE 2";
    if (p->raw) {
        snprintf(x, sizeof x, "first latent dimension");
        snprintf(y, sizeof y, "second latent dimension");
    } else if (p->method == ELBO_PROJECT_PCA) {
        snprintf(x, sizeof x, "first principal axis (%.0f%% of the variance)", 100 * p->explained[0]);
        snprintf(y, sizeof y, "second principal axis (%.0f%%)", 100 * p->explained[1]);
    }
    return elbo_draw_scatter(f, x, y, p->xy, p->labels, p->n, p->class_names, p->classes, err);
}
