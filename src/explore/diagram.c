#include "explore/diagram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static size_t parameters_of(const elbo_graph *g, const elbo_node *n) {
    size_t count = 0;
    for (int p = n->first_param; p < n->first_param + n->params; p++)
        if (!g->param[p].buffer) count += g->param[p].count;
    return count;
}

/* Only what a recipe names as a layer, and the layer that gives the code. */
static bool side_of(const elbo_node *n, elbo_diagram_side *side) {
    bool code = n->stacked || !strcmp(n->name, "code") || !strcmp(n->name, "mu");
    *side = code ? ELBO_DIAGRAM_CODE : !strncmp(n->name, "decoder", 7) ? ELBO_DIAGRAM_DECODER : ELBO_DIAGRAM_ENCODER;
    return code || !strncmp(n->name, "encoder.", 8) || !strncmp(n->name, "decoder.", 8);
}

elbo_status elbo_diagram_make(elbo_diagram *d, const elbo_graph *g, elbo_error *err) {
    *d = (elbo_diagram){.box = elbo_alloc((size_t)g->count, sizeof *d->box), .skips = g->skips, .vae = g->posterior};
    if (!d->box) return elbo_no_memory(err);
    elbo_shape_text((elbo_shape){3, {g->image.channels, g->image.height, g->image.width}}, d->input);
    for (int i = 0; i < g->count; i++) {
        const elbo_node *n = &g->node[i];
        elbo_diagram_box *last = d->count ? &d->box[d->count - 1] : NULL, *box = &d->box[d->count];
        elbo_diagram_side side;
        if (!side_of(n, &side)) continue;
        char shape[40];
        elbo_shape_text(n->shape, shape);
        size_t used = last ? strlen(last->text) : 0;
        if (last && side != ELBO_DIAGRAM_CODE && last->side == side && !strcmp(last->shape, shape) &&
            (!n->params || strstr(n->text, "norm")) && used + strlen(n->text) + 3 < sizeof last->text) {
            snprintf(last->text + used, sizeof last->text - used, ", %s", n->text);
            last->parameters += parameters_of(g, n);
            continue;
        }
        d->count++;
        box->side = side;
        box->parameters = parameters_of(g, n);
        if (side == ELBO_DIAGRAM_CODE) {
            snprintf(box->text, sizeof box->text,
                     d->vae ? "code: mu and logvar, z = mu + eps exp(logvar / 2)" : "code");
            snprintf(box->shape, sizeof box->shape, "%d", g->latent);
        } else {
            snprintf(box->text, sizeof box->text, "%s", n->text);
            strcpy(box->shape, shape);
        }
    }
    return ELBO_OK;
}

void elbo_diagram_free(elbo_diagram *d) {
    free(d->box);
    *d = (elbo_diagram){0};
}
