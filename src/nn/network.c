#include <stdlib.h>

#include "base/memory.h"
#include "nn/graph.h"

elbo_status elbo_network_make(elbo_network *n, const elbo_recipe *r, elbo_image_shape image, elbo_error *err) {
    *n = (elbo_network){0};
    ELBO_TRY(elbo_graph_build(&n->graph, r, image, err));
    n->params = elbo_alloc(n->graph.param_floats, sizeof(float));
    if (!n->params) {
        double bytes = (double)n->graph.param_floats * sizeof(float);
        elbo_network_free(n);
        return elbo_no_room(err, bytes, "the network's parameters", "fewer channels or features need less");
    }
    elbo_graph_init_params(&n->graph, r->train.seed, n->params);
    return ELBO_OK;
}

void elbo_network_free(elbo_network *n) {
    elbo_graph_free(&n->graph);
    free(n->params);
    n->params = NULL;
}
