/* The report: one page that tells what runs learned. */
#ifndef ELBO_REPORT_PAGE_H
#define ELBO_REPORT_PAGE_H

#include "explore/report_data.h"
#include "render/render.h"

/* Draws every figure into `folder`/figures/report, and writes the page, which holds them all. `command`: what was typed. */
elbo_status elbo_figure_report(const char *path, const char *folder, const elbo_report_data *r, const char *command,
                               elbo_error *err);

#endif
