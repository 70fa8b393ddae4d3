/* elbo: train autoencoders and variational autoencoders, and explore what they learned. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#ifndef ELBO_VERSION
#define ELBO_VERSION "unknown"
#endif

static void show_commands(FILE *to) {
    fprintf(to, "elbo trains autoencoders and variational autoencoders and shows what they learned\n\n"
                "usage: elbo COMMAND [arguments]\n\n");
    for (int i = 0; cli_commands[i]; i++) fprintf(to, "  %-12s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fprintf(to, "\n`elbo COMMAND --help` explains one, with an example. To begin: elbo demo\n");
}

static int unknown_command(const char *word) {
    const char *names[64];
    int count = 0;
    for (; cli_commands[count] && count < 63; count++) names[count] = cli_commands[count]->name;
    names[count] = NULL;
    const char *nearest = elbo_nearest_word(word, names);
    if (nearest)
        fprintf(stderr, "elbo: unknown command `%s`; did you mean `%s`?\n", word, nearest);
    else
        fprintf(stderr, "elbo: unknown command `%s`; `elbo help` lists them\n", word);
    return CLI_USAGE;
}

/* A file opened where a closed stdout or stderr was would get what is printed. In their places goes what cannot be
 * written to, so that cli_finish says so. */
static void keep_standard_streams(void) {
    int fd;
    do fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

static int run(int argc, char **argv) {
    if (argc < 2) {
        show_commands(stderr);
        return CLI_USAGE;
    }
    const char *word = argv[1];
    if (!strcmp(word, "--version") || !strcmp(word, "-V") || !strcmp(word, "version")) {
        puts("elbo " ELBO_VERSION);
        return CLI_OK;
    }
    bool help = !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
    if (help && argc == 2) {
        show_commands(stdout);
        return CLI_OK;
    }
    char dashed_help[] = "--help", *just_help[] = {dashed_help};
    if (help) word = argv[2];
    for (int i = 0; cli_commands[i]; i++)
        if (!strcmp(cli_commands[i]->name, word))
            return cli_commands[i]->run(cli_commands[i], help ? 1 : argc - 2, help ? just_help : argv + 2);
    return unknown_command(word);
}

int main(int argc, char **argv) {
    keep_standard_streams();
    cli_expect_refusals();
    cli_watch_json();
    cli_open_streams();
    signal(SIGXFSZ, SIG_IGN); // a file that grows beyond `ulimit -f` is an error to tell, not an end without a word
    return cli_finish(run(argc, argv));
}
