#include "nn/graph_adversary.h"

#include <string.h>

#include "nn/ops/op.h"

/* A code as the decoder reads it; or an image, whatever the shape that the decoder ends in. */
static elbo_status add_versus(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    elbo_node *n;
    bool image = r->adversary.on == ELBO_ADVERSARY_IMAGE;
    ELBO_TRY(elbo_graph_new_node(g, strdup("versus"), &n, err));
    n->op = &elbo_op_versus;
    n->place = r->adversary.place;
    n->text = image ? "image" : r->adversary.against == ELBO_AGAINST_SHUFFLED ? "shuffled" : "prior";
    n->value[0] = r->adversary.against;
    n->input[n->inputs++] = image ? g->at.output : g->at.latent;
    if (image) n->input[n->inputs++] = g->at.target;
    n->shape = image ? g->node[g->at.target].shape : g->code_shape;
    g->at.versus = g->count - 1;
    g->draws_images = image && g->posterior;
    return ELBO_OK;
}

/* Its rows are of two kinds, and in the model's step of one: statistics of a batch would not be the same. */
static elbo_status check_layer(const elbo_node *n, elbo_error *err) {
    if (n->op == &elbo_op_batch_norm1d || n->op == &elbo_op_batch_norm2d)
        return elbo_node_fail(n, err,
                              "%s: an adversary's batches are of other images in each player's step; use layer_norm or "
                              "group_norm",
                              n->text);
    return ELBO_OK;
}

static elbo_status check_verdict(const elbo_node *last, elbo_error *err) {
    char shape[40];
    if (last->op == &elbo_op_sigmoid)
        return elbo_node_fail(last, err, "%s: an adversary ends in a logit; leave the sigmoid out", last->text);
    if (last->shape.rank == 1 && last->shape.dim[0] == 1) return ELBO_OK;
    return elbo_node_fail(last, err, "%s: the adversary gives %s; it ends in one value: end with %s", last->text,
                          elbo_shape_text(last->shape, shape),
                          last->shape.rank == 1 ? "`linear 1`" : "`flatten, linear 1`");
}

/* An image of a draw from the prior is made of that alone. */
static elbo_status check_skips(const elbo_graph *g, elbo_error *err) {
    if (!g->draws_images || !g->skips) return ELBO_OK;
    return elbo_node_fail(&g->node[g->at.versus], err,
                          "adversary.on: image: judges images of draws from the prior, for which a decoder that reads "
                          "`%s` of the encoder has nothing; leave the skips out",
                          g->node[g->skip[0]].name);
}

elbo_status elbo_graph_add_adversary(elbo_graph *g, const elbo_recipe *r, elbo_error *err) {
    if (!elbo_has_adversary(r)) return ELBO_OK;
    g->player = ELBO_PLAYER_ADVERSARY;
    g->saved_count = 0; // it sees what it judges, and nothing else
    ELBO_TRY(add_versus(g, r, err));
    ELBO_TRY(check_skips(g, err));
    for (int i = 0; i < r->adversary.layers.count; i++) {
        const elbo_layer *layer = &r->adversary.layers.layer[i];
        if (layer->argument_count && !strcmp(layer->name, "concat") && !strcmp(layer->arguments[0].value, "class"))
            return elbo_fail_at(err, layer->place, "%s: an adversary is not told the class; leave the layer out",
                                layer->text);
        ELBO_TRY(elbo_graph_add_layer(g, "adversary", i, layer, err));
        ELBO_TRY(check_layer(&g->node[g->count - 1], err));
    }
    ELBO_TRY(check_verdict(&g->node[g->count - 1], err));
    g->at.verdict = g->count - 1;
    g->player = ELBO_PLAYER_MODEL;
    return ELBO_OK;
}
