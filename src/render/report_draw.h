/* What the files of the report's figures share. */
#ifndef ELBO_REPORT_DRAW_H
#define ELBO_REPORT_DRAW_H

#include "render/report_figures.h"

elbo_figure elbo_draft_figure(const elbo_report_draft *d, const char *name, const char *title);
/* The drawn figure joins the page; what is returned may be changed. */
elbo_report_figure *elbo_draft_show(elbo_report_draft *d, elbo_figure f, const char *title, const char *sentence);
bool elbo_draft_is_vae(const elbo_report_draft *d, int i);

#endif
