/* Charts of what an analysis found. They draw results alone: nothing here runs a model. */
#ifndef ELBO_RENDER_CHARTS_H
#define ELBO_RENDER_CHARTS_H

#include "explore/projection.h"
#include "render/render.h"

/* A scatter plot, coloured by class. */
elbo_status elbo_figure_projection(elbo_figure f, const elbo_projection *p, elbo_error *err);

#endif
