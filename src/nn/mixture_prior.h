/* For distributions.c: the row of a mixture of Gaussians. */
#ifndef ELBO_MIXTURE_PRIOR_H
#define ELBO_MIXTURE_PRIOR_H

#include "nn/distributions.h"
#include "nn/graph.h"

extern const elbo_prior elbo_prior_mixture;

/* The node of the KL where it has the mixture's parameters, or NULL. */
const elbo_node *elbo_prior_node(const elbo_graph *g);
/* With these parameters (g->param_floats), not yet prepared. */
elbo_gaussians elbo_gaussians_of(const elbo_graph *g, const elbo_node *n, const float *params);

#endif
