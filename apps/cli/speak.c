/* Messages, JSON lines, numbers for people, and Ctrl-C. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "cli.h"

int cli_fail(const elbo_error *err) {
    fprintf(stderr, "elbo: %s\n", err->message);
    return err->status == ELBO_STOPPED ? CLI_INTERRUPTED : CLI_FAILED;
}

int cli_fail_text(const char *format, ...) {
    va_list args;
    char *text = NULL;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    char line[8192];
    if (n >= 0) elbo_text_escape(text, line, sizeof line);
    fprintf(stderr, "elbo: %s\n", n >= 0 ? line : "out of memory");
    if (n >= 0) free(text);
    return CLI_FAILED;
}

static bool json_failed, json_lacked; // lacked: memory

/* jansson leaves out of an object what it has no memory for: what is printed would look whole. */
static void *take_for_json(size_t n) {
    void *p = malloc(n);
    if (!p) json_lacked = true;
    return p;
}

void cli_watch_json(void) { json_set_alloc_funcs(take_for_json, free); }

/* jansson leaves DEL and Latin-1's control characters as they are. */
static void print_json_text(const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];
        bool latin = c == 0xC2 && next >= 0x80 && next < 0xA0;
        if (latin || c == 127)
            printf("\\u%04x", latin ? next : c);
        else
            putchar(c);
        text += latin;
    }
    putchar('\n');
}

void cli_print_json(json_t *o) {
    char *text = elbo_json_text(o, JSON_REAL_PRECISION(9));
    if (text && !json_lacked)
        print_json_text(text);
    else
        json_failed = true;
    free(text);
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
    if (json_failed && json_lacked) return cli_fail_text("out of memory");
    if (json_failed)
        return cli_fail_text(
            "the result cannot be written as JSON: a number in it is not finite, or a name in it is not UTF-8");
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

static const int asking[] = {SIGINT, SIGTERM, SIGHUP}; // Ctrl-C, kill and shutdown, a terminal that is closed
enum { ASKING = sizeof asking / sizeof *asking };

/* What was ignored when elbo began stays so: SIGINT of a script's background job, SIGHUP under nohup. */
void cli_catch_interrupts(void) {
    for (int i = 0; i < ASKING; i++) {
        struct sigaction now;
        if (sigaction(asking[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) signal(asking[i], on_signal);
    }
}

bool cli_interrupted(void) { return interrupted; }

void cli_release_interrupts(void) {
    if (interrupted) return;
    for (int i = 0; i < ASKING; i++) {
        struct sigaction now;
        if (sigaction(asking[i], NULL, &now) == 0 && now.sa_handler == on_signal) signal(asking[i], SIG_DFL);
    }
}

char *cli_command_text(const cli_command *c, int argc, char **argv) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "elbo %s", c->name);
    for (int i = 0; i < argc; i++) {
        const char *quote = *argv[i] && !strpbrk(argv[i], " '\"()&;$*?<>|\\`\n\t#~!") ? "" : "'";
        fprintf(out, " %s", quote);
        for (const char *p = argv[i]; *p; p++) fputs(*p == '\'' ? "'\\''" : (char[2]){*p, 0}, out);
        fputs(quote, out);
    }
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}
