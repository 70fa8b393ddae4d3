#include "render/fonts.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

/* Letters of Europe, and the signs that DejaVu Sans has, with which gnuplot comes. */
static bool is_everywhere(unsigned c) { return c < 0x0590 || (c >= 0x1e00 && c < 0x2300); }

bool elbo_font_has(unsigned character) {
    if (is_everywhere(character)) return true;
    char program[] = "fc-list", quietly[] = "-q", set[32];
    snprintf(set, sizeof set, ":charset=%x", character);
    char *argv[] = {program, quietly, set, NULL};
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return true;
    pid_t child;
    int code = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (!code) code = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (!code) code = posix_spawnp(&child, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code) return true;
    int result = 0;
    pid_t waited;
    do waited = waitpid(child, &result, 0);
    while (waited < 0 && errno == EINTR);
    return waited < 0 || !WIFEXITED(result) || WEXITSTATUS(result) != 1;
}
