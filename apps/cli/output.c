/* What an output may be called. Its name's ending says what is written; every command asks here, before any work. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli.h"

enum { MOST_ENDINGS = 6 };

typedef struct kinds {
    char ending[MOST_ENDINGS][12]; // ".png"
    int endings;
    bool folder;
} kinds;

/* "FILE.png|.npy|FOLDER" */
static kinds read_kinds(const char *argument) {
    kinds k = {0};
    for (const char *p = argument; *p;) {
        size_t n = strcspn(p, "|");
        const char *dot = memrchr(p, '.', n);
        if (dot && k.endings < MOST_ENDINGS)
            snprintf(k.ending[k.endings++], sizeof k.ending[0], "%.*s", (int)(p + n - dot), dot);
        else
            k.folder = true;
        p += n + (p[n] == '|');
    }
    return k;
}

/* "x.mp4": ".mp4"; NULL where there is none: "run", ".hidden", "beta-0.5". */
static const char *ending_of(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    bool letter = false;
    if (!dot || dot == name || strlen(dot) > 12) return NULL;
    for (const char *c = dot + 1; *c; c++) {
        if (!isalnum((unsigned char)*c)) return NULL;
        letter = letter || isalpha((unsigned char)*c);
    }
    return letter ? dot : NULL;
}

/* A folder that is named like a file is a mistake, unless it is there. */
static bool is_files_ending(const char *ending) {
    static const char *const known[] = {".npy",  ".npz", ".csv", ".txt",  ".json", ".yaml", ".yml",
                                        ".html", ".png", ".svg", ".jpg",  ".jpeg", ".gif",  ".webp",
                                        ".pdf",  ".eps", ".tif", ".tiff", ".bmp",  ".mp4",  ".webm",
                                        ".avi",  ".mov", ".mkv", ".zip",  ".pt",   ".onnx", ".safetensors"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(ending, known[i])) return true;
    return false;
}

static bool fits(const kinds *k, const char *path) {
    const char *ending = ending_of(path);
    size_t n = strlen(path);
    bool is_folder = path[n - 1] == '/' || elbo_folder_exists(path);
    if (!strcmp(path, "-")) return false;
    if (is_folder) return k->folder;
    for (int i = 0; ending && i < k->endings; i++)
        if (!strcmp(ending, k->ending[i])) return true;
    if (!ending) return k->folder || !strcmp(k->ending[0], ".png"); // a figure's name gets its .png
    return k->folder && (k->endings ? strlen(ending) > 6 : !is_files_ending(ending));
}

elbo_status cli_check_output(const char *option, const char *argument, const char *path, elbo_error *err) {
    kinds k = read_kinds(argument);
    if (fits(&k, path)) return ELBO_OK;
    char list[120] = "";
    for (int i = 0; i < k.endings; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s",
                 i == 0               ? ""
                 : i == k.endings - 1 ? " or "
                                      : ", ",
                 k.ending[i]);
    }
    const char *ending = ending_of(path);
    size_t n = strlen(path);
    bool out = !strcmp(path, "-"), is_folder = !out && (path[n - 1] == '/' || elbo_folder_exists(path));
    char stem[256], name[300];
    snprintf(stem, sizeof stem, "%.*s", ending ? (int)(ending - path) : (int)n, out ? "out" : path);
    while (stem[1] && stem[strlen(stem) - 1] == '/') stem[strlen(stem) - 1] = 0;
    snprintf(name, sizeof name, "%s%s%s", stem, is_folder && k.endings ? "/out" : "", k.endings ? k.ending[0] : "");
    return elbo_fail(err, ELBO_BAD_INPUT, "--%s %s: %sexpected %s%s%s%s, such as %s", option, path,
                     out         ? "nothing is written to stdout (--json prints there); "
                     : is_folder ? "is a folder; "
                                 : "",
                     k.endings ? "a name ending in " : "", list, k.endings && k.folder ? ", or " : "",
                     k.folder ? "a folder" : "", name);
}
