#include "nn/graph_inputs.h"

#include "data/corrupt/corrupt.h"
#include "nn/ops/op.h"

static elbo_status add_label(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    const elbo_layer *layer = elbo_recipe_class_layer(r);
    if (!layer) return ELBO_OK;
    g->classes = elbo_recipe_classes(r);
    if (!g->classes)
        return elbo_fail_at(
            err, layer->place,
            "%s: how many classes there are is not known before the data are read; `labels: 10` says it", layer->text);
    return elbo_graph_add_input(g, "label", (elbo_shape){1, {g->classes}}, &g->at.label, err);
}

elbo_status elbo_graph_add_inputs(elbo_graph *g, const elbo_recipe *r, elbo_image_shape image, elbo_error *err) {
    elbo_shape shape = {3, {image.channels, image.height, image.width}};
    g->at.label = g->at.versus = -1;
    ELBO_TRY(add_label(g, r, err));
    if (r->corrupts) {
        ELBO_TRY(elbo_corrupt_check(r->corrupts, image, err));
        ELBO_TRY(elbo_graph_add_input(g, "target", shape, &g->at.target, err));
    }
    ELBO_TRY(elbo_graph_add_input(g, "input", shape, &g->at.input, err));
    if (!r->corrupts) {
        g->at.target = g->at.input;
        return ELBO_OK;
    }
    elbo_node *n = &g->node[g->at.input];
    n->op = &elbo_op_corrupt;
    n->text = "corrupt";
    n->input[n->inputs++] = g->at.target;
    return ELBO_OK;
}

void elbo_graph_find_label_readers(elbo_graph *g) {
    for (int i = g->inputs; i < g->count && g->at.label >= 0; i++)
        for (int k = 0; k < g->node[i].inputs; k++)
            if (g->node[i].input[k] == g->at.label)
                *(i <= g->at.latent ? &g->encoder_reads_label : &g->decoder_reads_label) = true;
}
