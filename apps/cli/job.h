/* Long work on codes as a command runs it: a line on a terminal that says what is being done, and Ctrl-C. */
#ifndef ELBO_CLI_WORK_H
#define ELBO_CLI_WORK_H

#include "base/job.h"

/* Catches interrupts from here on. `threads` 0: all cores. */
elbo_job cli_work(int threads);
/* Clears the line. */
void cli_work_end(void);

#endif
