/* Messages, JSON lines, numbers for people, and Ctrl-C. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

int cli_fail(const elbo_error *err) {
    fprintf(stderr, "elbo: %s\n", err->message);
    return err->status == ELBO_STOPPED ? CLI_INTERRUPTED : CLI_FAILED;
}

int cli_fail_text(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("elbo: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return CLI_FAILED;
}

static bool json_failed;

void cli_print_json(json_t *o) {
    if (!o || json_dumpf(o, stdout, JSON_REAL_PRECISION(9)) != 0)
        json_failed = true;
    else
        putchar('\n');
    json_decref(o);
}

int cli_end(elbo_status status, const elbo_error *err, bool json, json_t *o, const char *format, ...) {
    if (status != ELBO_OK) {
        json_decref(o);
        return cli_fail(err);
    }
    if (json) {
        cli_print_json(o);
        return CLI_OK;
    }
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    return CLI_OK;
}

int cli_finish(int code) {
    errno = 0;
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    if (!written)
        return cli_fail_text("stdout: cannot be written%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
    if (json_failed)
        return cli_fail_text(
            "the result cannot be told as JSON: a number in it is not finite, or a name in it is not UTF-8");
    return code;
}

void cli_say_losses(const elbo_recipe *r) {
    if (elbo_terms_computed(r).count == r->loss.reconstruction.count) return;
    fprintf(stderr,
            "%s: the perceptual term is off; --set loss.vgg16=FILE.safetensors names torchvision's VGG16 weights\n",
            r->name);
}

const char *cli_duration(double seconds, char text[32]) {
    if (seconds < 10)
        snprintf(text, 32, "%.1f s", seconds);
    else if (seconds < 60)
        snprintf(text, 32, "%.0f s", seconds);
    else if (seconds < 3600)
        snprintf(text, 32, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, 32, "%d h %02d min", (int)fmin(seconds / 3600, 99999), (int)fmod(seconds / 60, 60));
    return text;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number) {
    interrupted = 1;
    signal(number, SIG_DFL); // asked twice: go at once
}

void cli_catch_interrupts(void) {
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
}

bool cli_interrupted(void) { return interrupted; }

void cli_release_interrupts(void) {
    if (interrupted) return;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}
