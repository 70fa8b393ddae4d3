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
    elbo_scatter s = {.x_label = x,
                      .y_label = y,
                      .xy = p->xy,
                      .labels = p->labels,
                      .n = p->n,
                      .class_names = p->class_names,
                      .classes = p->classes};
    return elbo_draw_scatter(f, &s, err);
}

elbo_status elbo_figure_kl(elbo_figure f, const elbo_comparison *c, bool *drawn, elbo_error *err) {
    elbo_bar_series series[12];
    int n = 0;
    for (int i = 0; i < c->count && n < 12; i++) {
        const elbo_quality *q = elbo_compared_quality(&c->run[i]);
        if (!q || !q->latent.kl) continue;
        series[n++] =
            (elbo_bar_series){.label = c->run[i].label, .value = q->latent.kl, .count = q->latent.latent, .group = i};
    }
    *drawn = n > 0;
    if (n == 0) return ELBO_OK;
    return elbo_draw_bars(
        f, n == 1 ? "latent dimension, most informative first" : "latent dimensions, most informative first",
        "KL (nats)", series, n, err);
}
