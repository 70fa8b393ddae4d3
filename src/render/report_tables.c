/* The figure of what each latent dimension costs. */
#include "render/figures.h"

elbo_status elbo_figure_kl(elbo_figure f, const elbo_run *runs, int count, bool *drawn, elbo_error *err) {
    elbo_bar_series series[64];
    int n = 0;
    for (int i = 0; i < count && n < 12; i++) {
        const elbo_quality *q = runs[i].quality;
        if (!q || !q->latent.kl) continue;
        series[n++] =
            (elbo_bar_series){.label = runs[i].label, .value = q->latent.kl, .count = q->latent.latent, .group = i};
    }
    *drawn = n > 0;
    if (n == 0) return ELBO_OK;
    return elbo_draw_bars(
        f, n == 1 ? "latent dimension, most informative first" : "latent dimensions, most informative first",
        "KL (nats)", series, n, err);
}
