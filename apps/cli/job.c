#include "job.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli.h"

static double started, last, stage_started, last_done; // one command runs in one process
static bool shown;

/* A stage is over when the share that is done falls back. */
static void show(void *context, const char *what, double done) {
    (void)context;
    double now = elbo_now();
    if (done < last_done || stage_started == 0) stage_started = now;
    last_done = done;
    if (now - started < 0.5 || now - last < 0.1 || !isatty(STDERR_FILENO)) return; // what is done soon needs no line
    last = now;
    shown = true;
    char left[32], line[120];
    int n = snprintf(line, sizeof line, "%.50s %3.0f %%", what, 100 * done);
    if (done > 0.01 && now - stage_started > 1)
        snprintf(line + n, sizeof line - (size_t)n, "  %s left",
                 cli_duration((now - stage_started) * (1 - done) / done, left));
    cli_draw_line(line);
}

static bool stopped(void *context) {
    (void)context;
    return cli_interrupted();
}

elbo_job cli_work(int threads) {
    started = elbo_now();
    cli_catch_interrupts();
    return (elbo_job){.threads = threads, .progress = show, .interrupted = stopped};
}

void cli_work_end(void) {
    if (shown) cli_draw_line("");
    shown = false;
}
