#include "render/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- loss curves ---- */

elbo_status elbo_figure_curves(elbo_figure f, const elbo_run *runs, int count, elbo_error *err) {
    int longest = 0;
    for (int i = 0; i < count; i++)
        if (runs[i].log.count > longest) longest = runs[i].log.count;
    elbo_series *series = calloc((size_t)count * 2, sizeof *series);
    float *values = calloc((size_t)count * 2 * (size_t)(longest + 1), sizeof *values);
    char(*labels)[160] = calloc((size_t)count * 2, sizeof *labels);
    elbo_status status = ELBO_OK;
    int n = 0;
    if (!series || !values || !labels) status = elbo_no_memory(err);
    for (int i = 0; status == ELBO_OK && i < count; i++)
        for (int test = 0; test <= 1; test++) {
            const elbo_log *log = &runs[i].log;
            if (log->count == 0 || (test && log->epoch[0].test.images == 0)) continue;
            float *v = values + (size_t)n * (size_t)(longest + 1);
            for (int e = 0; e < log->count; e++)
                v[e] = (float)(test ? log->epoch[e].test.loss : log->epoch[e].train.loss);
            snprintf(labels[n], sizeof labels[n], "%s, %s", runs[i].label, test ? "test" : "train");
            series[n] = (elbo_series){.label = labels[n], .value = v, .count = log->count, .group = i, .dashed = test};
            n++;
        }
    if (status == ELBO_OK && n == 0)
        status = elbo_fail(err, ELBO_BAD_INPUT, "no epoch is finished yet: there are no curves to draw");
    if (status == ELBO_OK) status = elbo_draw_curves(f, "epoch", "loss (nats per image)", series, n, err);
    free(series);
    free(values);
    free(labels);
    return status;
}
