/* gnuplot as a process. */
#ifndef ELBO_VIEW_GNUPLOT_H
#define ELBO_VIEW_GNUPLOT_H

#include "base/status.h"

/* Runs `gnuplot -d -e SETTINGS SCRIPT` in `folder`, with no shell between. Where gnuplot fails, the message holds its
 * last line. The script's text never sees the user's own ~/.gnuplot, so that figures look alike everywhere. */
elbo_status elbo_gnuplot_run(const char *folder, const char *script, const char *settings, elbo_error *err);

/* Fails where there is no gnuplot to run. */
elbo_status elbo_gnuplot_check(elbo_error *err);

#endif
