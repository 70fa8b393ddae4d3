/* elbo serve: runs, explored from a page of the browser. */
#include <signal.h>
#include <stdio.h>

#include "cli.h"
#include "apps/serve/browser.h"
#include "apps/serve/server.h"

enum { PORT = 8642, PORTS_TRIED = 20 };

static serve *serving; // the one that signals end

static void on_signal(int number) {
    (void)number;
    serve_stop(serving);
}

static void catch_signals(void) {
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND}; // a second one does not wait
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The default port where it is free, so that a page finds its server again after a restart; else one of the next. */
static elbo_status open_server(serve **s, serve_options *o, bool any, elbo_error *err) {
    elbo_status status = serve_open(s, o, err);
    for (int k = 1; any && status == ELBO_IO && k < PORTS_TRIED; k++) {
        o->port = PORT + k;
        status = serve_open(s, o, err);
    }
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    serve_options o = {.port = PORT};
    bool no_open = false;
    cli_option options[] = {
        {"port", 'p', CLI_INT, &o.port, "P", "0: any that is free; default 8642, or the next that is free", 0, 65535},
        {"no-open", 0, CLI_FLAG, &no_open, NULL, "prints the address and opens no browser", 0, 0},
        {"read-only", 0, CLI_FLAG, &o.read_only, NULL, "nothing is saved with the runs", 0, 0},
        {"data", 'd', CLI_TEXT, &o.data, "PATH", "the data set, where it is not what the runs were trained on", 0, 0},
        {"threads", 't', CLI_INT, &o.threads, "T", "default: all cores; results do not depend on it", 1, 1024},
        {0},
    };
    o.port = -1;
    int words = cli_parse(self, options, argc, argv, 1, 64);
    if (CLI_DONE(words)) return CLI_CODE(words);
    bool any = o.port < 0;
    if (any) o.port = PORT;
    o.words = argv;
    o.count = words;
    elbo_error err;
    if (open_server(&serving, &o, any, &err) != ELBO_OK) return cli_fail(&err);
    catch_signals();
    printf("%s\n", serve_url(serving));
    fflush(stdout);
    if (!no_open) serve_open_browser(serve_url(serving));
    elbo_status status = serve_run_loop(serving, &err);
    serve_close(serving);
    return status == ELBO_OK ? CLI_OK : cli_fail(&err);
}

const cli_command cli_serve = {
    .name = "serve",
    .arguments = "RUN [RUN...] | FOLDER",
    .summary = "explores runs in the browser: drag a point, see its image",
    .details =
        "The page is sent to this machine's browsers alone, and to who has the address that is printed. Runs that still\n"
        "train are followed. FOLDER is one in which runs lie, such as runs/demo: all of them, also those that come later.\n"
        "Ctrl-C ends it.\n"
        "\n"
        "examples:\n"
        "  elbo serve runs/mnist-vae\n"
        "  elbo serve runs/demo --port 9000 --no-open\n",
    .run = run,
};
