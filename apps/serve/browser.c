#include "browser.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "guard.h"

extern char **environ;

static bool write_page(const char *path, const char *url) {
    char *page = elbo_format("<!doctype html><meta http-equiv=\"refresh\" content=\"0;url=%s\"><title>elbo</title>\n"
                             "<p><a href=\"%s\">elbo serve</a></p>\n",
                             url, url);
    unlink(path); // a new file, whatever lay there
    int file = page ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    size_t n = page ? strlen(page) : 0;
    bool whole = file >= 0 && write(file, page, n) == (ssize_t)n;
    if (file >= 0) close(file);
    free(page);
    return whole;
}

/* By a shell that is soon gone, so that nobody waits for the browser. */
static bool start(const char *path) {
    char shell[] = "sh", option[] = "-c",
         command[] = "command -v xdg-open >/dev/null || exit 1; "
                     "xdg-open \"$1\" </dev/null >/dev/null 2>&1 &";
    char *argv[] = {shell, option, command, shell, (char *)(uintptr_t)path, NULL};
    pid_t child;
    int status;
    if (posix_spawnp(&child, shell, NULL, NULL, argv, environ) != 0) return false;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool serve_open_browser(const char *url) {
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    if (!(x && *x) && !(wayland && *wayland)) return false;
    char *folder = serve_state_folder(), *path = folder ? elbo_path_join(folder, "serve.html") : NULL;
    bool opened = path && write_page(path, url) && start(path);
    free(path);
    free(folder);
    return opened;
}
