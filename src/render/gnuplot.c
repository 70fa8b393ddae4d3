#include "render/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

extern char **environ;

enum { KEPT = 4096 }; // bytes at the end of what gnuplot says

/* Reads to the end of the pipe and keeps the last bytes: all is read, so that gnuplot never waits for us. */
static void read_last_bytes(int fd, char text[KEPT + 1]) {
    size_t used = 0;
    for (;;) {
        if (used == KEPT) {
            memmove(text, text + KEPT / 2, KEPT / 2);
            used = KEPT / 2;
        }
        ssize_t got = read(fd, text + used, KEPT - used);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        used += (size_t)got;
    }
    text[used] = 0;
}

/* The last line with something in it: gnuplot ends with `"loss.gp" line 12: what is wrong`. */
static const char *last_line(char *text) {
    size_t n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1])) text[--n] = 0;
    char *line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    return line + strspn(line, " \t");
}

static elbo_status spawn_failed(const char *folder, const char *script, int code, elbo_error *err) {
    if (code == ENOENT)
        return elbo_fail(err, ELBO_NOT_FOUND,
                         "%s/%s: gnuplot is not installed, so the figure cannot be drawn; install it "
                         "(Debian: gnuplot-nox)",
                         folder, script);
    errno = code;
    return elbo_fail_errno(err, "%s/%s: gnuplot cannot be started", folder, script);
}

elbo_status elbo_gnuplot_check(elbo_error *err) {
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : "/bin:/usr/bin"), *rest = copy, *folder;
    if (!copy) return elbo_no_memory(err);
    bool found = false, memory = true;
    while (!found && memory && (folder = strsep(&rest, ":"))) {
        char *program = elbo_path_join(*folder ? folder : ".", "gnuplot");
        memory = program != NULL;
        found = memory && elbo_file_exists(program) && access(program, X_OK) == 0;
        free(program);
    }
    free(copy);
    if (!memory) return elbo_no_memory(err);
    if (found) return ELBO_OK;
    return elbo_fail(err, ELBO_NOT_FOUND,
                     "gnuplot is not installed, so no figure can be drawn; install it (Debian: gnuplot-nox)");
}

elbo_status elbo_gnuplot_run(const char *folder, const char *script, const char *settings, elbo_error *err) {
    if (!elbo_folder_exists(folder)) return elbo_fail(err, ELBO_NOT_FOUND, "%s: the folder is not there", folder);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return elbo_fail_errno(err, "%s/%s: gnuplot cannot be started", folder, script);

    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        close(ends[0]);
        close(ends[1]);
        return elbo_no_memory(err);
    }
    pid_t child;
    char *const argv[] = {(char *)"gnuplot", (char *)"-d", (char *)"-e", (char *)settings, (char *)script, NULL};
    int code = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!code) code = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    if (!code) code = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (!code) code = posix_spawnp(&child, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (code) {
        close(ends[0]);
        return spawn_failed(folder, script, code, err);
    }

    char said[KEPT + 1];
    read_last_bytes(ends[0], said);
    close(ends[0]);
    int result = 0;
    pid_t waited;
    do waited = waitpid(child, &result, 0);
    while (waited < 0 && errno == EINTR);
    if (waited < 0) return ELBO_OK; // a caller that ignores SIGCHLD: the picture itself will tell
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0) return ELBO_OK;
    if (WIFSIGNALED(result))
        return elbo_fail(err, ELBO_IO, "%s/%s: gnuplot was ended by signal %d (%s)", folder, script, WTERMSIG(result),
                         strsignal(WTERMSIG(result)));
    const char *line = last_line(said);
    return elbo_fail(err, ELBO_IO, "%s/%s: gnuplot failed: %s", folder, script, *line ? line : "it gave no reason");
}
