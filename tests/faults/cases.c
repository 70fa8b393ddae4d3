#include "cases.h"

#include <ftw.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/data.h"
#include "formats/safetensors.h"

#define QUIET "-t", "1", "-q"

const fault_case fault_cases[] = {
    {.name = "train", {"train", "dense.yaml", "-o", "run", QUIET}, .trains = true},
    {.name = "train, convolutions", {"train", "conv.yaml", "-o", "run", QUIET}, .trains = true},
    {.name = "resume", {"train", "--resume", "-o", "run", "-e", "3", QUIET}, .run = "half", .trains = true},
    {.name = "train, photos", {"train", "photo.yaml", "-o", "run", QUIET}, .trains = true, .photos = true},
    {.name = "train, gzip", {"train", "gzip.yaml", "-o", "run", QUIET}, .trains = true},
    {.name = "train, npy", {"train", "npy.yaml", "-o", "run", QUIET}, .trains = true},
    {.name = "eval", {"eval", "run", "--json", "-t", "1"}, .run = "good", .outputs = {"run/scores.json"}},
    {.name = "encode", {"encode", "run", "test", "-o", "z.npy", "-t", "1"}, .run = "good", .outputs = {"z.npy"}},
    {.name = "encode, convolutions",
     {"encode", "run", "test", "-o", "z.npy", "-t", "1"},
     .run = "conv",
     .outputs = {"z.npy"}},
    {.name = "decode", {"decode", "run", "codes.npy", "-o", "x.npy", "-t", "1"}, .run = "good", .outputs = {"x.npy"}},
    {.name = "tsne", {"tsne", "codes.npy", "--perplexity", "5", "-o", "y.npy", "-t", "1"}, .outputs = {"y.npy"}},
    {.name = "pca", {"pca", "codes.csv", "-o", "y.csv", "-t", "1"}, .outputs = {"y.csv"}},
    {.name = "report", {"report", "run", "-t", "1"}, .run = "good", .outputs = {"run/report.html"}},
};
const int fault_case_count = sizeof fault_cases / sizeof *fault_cases;

enum { TRAIN = 48, TEST = 24, MOST_OUTPUTS = 4, PHOTOS = 12 };

static char folder[100], said[3000];

const char *cases_folder(void) { return folder; }

static const char *say(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(said, sizeof said, format, args);
    va_end(args);
    return said;
}

static void give_up(const char *what) {
    fprintf(stderr, "faults: %s\n", what);
    cases_close();
    exit(2);
}

/* ---- files ---- */

static char *at(const char *name) {
    char *path = elbo_path_join(folder, name);
    if (!path) give_up("no memory");
    return path;
}

/* NULL where it is not there. */
static uint8_t *read_file(const char *name, size_t *n) {
    char *path = at(name);
    uint8_t *bytes = NULL;
    *n = 0;
    if (elbo_file_exists(path)) elbo_file_read(path, (size_t)1 << 28, &bytes, n, NULL);
    free(path);
    return bytes;
}

static void write_file(const char *name, const void *bytes, size_t n) {
    char *path = at(name);
    elbo_error err;
    if (elbo_file_write(path, bytes, n, &err) != ELBO_OK) give_up(err.message);
    free(path);
}

static void write_text(const char *name, const char *text) { write_file(name, text, strlen(text)); }

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *name) {
    char *path = at(name);
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(path);
}

static int temporaries; // while a tree is walked

static int count_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag;
    const char *name = path + ftw->base;
    temporaries += strstr(name, ".tmp-") != NULL || strstr(name, ".decoding-") != NULL;
    return 0;
}

static int count_temporaries(const char *name) {
    char *path = at(name);
    temporaries = 0;
    nftw(path, count_one, 8, FTW_PHYS);
    free(path);
    return temporaries;
}

static int remove_temporary(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag;
    return strstr(path + ftw->base, ".tmp-") ? remove(path) : 0;
}

/* Those that a kill, or a failing unlink, left. */
static void remove_temporaries(void) { nftw(folder, remove_temporary, 8, FTW_PHYS); }

static void copy_run(const char *from) {
    static const char *const files[] = {"recipe.yaml", "model.safetensors", "checkpoint.safetensors", "log.jsonl"};
    char *run = at("run"), name[200], to[100];
    mkdir(run, 0777);
    free(run);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t n;
        snprintf(name, sizeof name, "%s/%s", from, files[i]);
        snprintf(to, sizeof to, "run/%s", files[i]);
        uint8_t *bytes = read_file(name, &n);
        if (!bytes) give_up(name);
        write_file(to, bytes, n);
        free(bytes);
    }
}

/* ---- small data ---- */

static void put_big_endian(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void write_split(const char *prefix, bool test, uint32_t count) {
    static uint8_t file[16 + 784 * TRAIN], labels[8 + TRAIN];
    elbo_images images;
    if (elbo_digits_make(&images, test, count, 2, NULL) != ELBO_OK) give_up("no digits");
    put_big_endian(file, 0x803);
    put_big_endian(file + 4, count);
    put_big_endian(file + 8, 28);
    put_big_endian(file + 12, 28);
    memcpy(file + 16, images.bytes, (size_t)count * 784);
    put_big_endian(labels, 0x801);
    put_big_endian(labels + 4, count);
    memcpy(labels + 8, images.labels, count);
    elbo_images_free(&images);
    char name[100];
    snprintf(name, sizeof name, "mnist/%s-images-idx3-ubyte", prefix);
    write_file(name, file, 16 + (size_t)count * 784);
    snprintf(name, sizeof name, "mnist/%s-labels-idx1-ubyte", prefix);
    write_file(name, labels, 8 + count);
}

/* A .bmp of 12 x 10 in one colour, with a stroke. */
static void write_photo(int number) {
    uint8_t bmp[54 + 12 * 10 * 3] = {'B', 'M'}, *pixel = bmp + 54;
    const uint32_t fields[] = {sizeof bmp, 0, 54, 40, 12, 10, 24 << 16 | 1, 0, 360};
    memcpy(bmp + 2, fields, sizeof fields);
    for (int i = 0; i < 120; i++)
        for (int k = 0; k < 3; k++) *pixel++ = (uint8_t)(i % 12 == number ? 255 : 20 * number + 60 * k);
    char name[100];
    snprintf(name, sizeof name, "photos/%s/%d.bmp", number % 2 ? "cat" : "dog", number);
    write_file(name, bmp, sizeof bmp);
}

static void write_recipes(int epochs) {
    static const char dense[] =
        "encoder: [flatten, linear 16, relu]\ndecoder: [linear 16, relu, linear 784, sigmoid]\n",
                      conv[] = "encoder: [conv2d 16 kernel=3 stride=2 padding=1, batch_norm2d, relu, conv2d 16 "
                               "kernel=3 padding=1, flatten]\n"
                               "decoder: [linear 784, unflatten 16 7 7, conv_transpose2d 16 kernel=3 stride=2 "
                               "padding=1 output_padding=1, relu, conv2d 1 kernel=3 padding=1, upsample 2, sigmoid]\n",
                      photo[] = "encoder: [flatten, linear 8, relu]\n"
                                "decoder: [linear 192, sigmoid, unflatten 3 8 8]\nimage: {size: 8}\n";
    static const struct {
        const char *file, *data, *layers;
    } recipes[] = {{"dense.yaml", "mnist", dense},
                   {"conv.yaml", "mnist", conv},
                   {"photo.yaml", "photos", photo},
                   {"gzip.yaml", "gzip", dense},
                   {"npy.yaml", "images.npy", dense}};
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        char text[1000];
        snprintf(text, sizeof text,
                 "kind: vae\ndata: %s\nlatent: 3\n%sloss: {reconstruction: mse}\n"
                 "train: {epochs: %d, batch: 16}\n",
                 recipes[i].data, recipes[i].layers, epochs);
        write_text(recipes[i].file, text);
    }
}

static void run_well(const char *const *words) {
    static outcome o;
    attempt_run(&o, &(attempt){.folder = folder, .words = words, .at = -1});
    if (o.code != 0) give_up(say("%s %s: exit %d: %s", words[0], words[1], o.code, o.err));
}
#define RUN_WELL(...) run_well((const char *const[]){__VA_ARGS__, NULL})

static void run_shell(const char *command) {
    char text[400];
    snprintf(text, sizeof text, "cd %s && %s", folder, command);
    if (system(text) != 0) give_up(text);
}

void cases_open(int epochs) {
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; // fsync costs nothing there
    snprintf(folder, sizeof folder, "%s/elbo-faults-XXXXXX", memory);
    if (!mkdtemp(folder)) give_up("no folder");
    static const char *const folders[] = {"mnist", "gzip", "photos", "photos/cat", "photos/dog"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char *path = at(folders[i]);
        mkdir(path, 0777);
        free(path);
    }
    write_split("train", false, TRAIN);
    write_split("t10k", true, TEST);
    for (int i = 0; i < PHOTOS; i++) write_photo(i);
    write_recipes(epochs);
    run_shell("for f in mnist/*; do gzip -n < $f > gzip/$(basename $f).gz; done");
    RUN_WELL("train", "dense.yaml", "-o", "good", QUIET);
    RUN_WELL("train", "conv.yaml", "-o", "conv", QUIET);
    RUN_WELL("train", "dense.yaml", "-o", "half", "-e", "1", QUIET);
    RUN_WELL("encode", "good", "train", "-o", "codes.npy", "-t", "1");
    RUN_WELL("decode", "good", "codes.npy", "-o", "images.npy", "-t", "1");
    RUN_WELL("pca", "codes.npy", "-k", "3", "-o", "codes.csv", "-t", "1");
}

void cases_close(void) {
    if (*folder) nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    *folder = 0;
}

/* ---- what a run without faults gives ---- */

static struct {
    uint8_t *bytes[MOST_OUTPUTS], *model;
    size_t size[MOST_OUTPUTS], model_size;
    char *out;
} reference;

static void reset(const fault_case *c) {
    static const char *const files[] = {"z.npy", "x.npy", "y.npy", "y.csv"};
    remove_tree("run");
    remove_tree("cache");
    remove_temporaries();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) remove_tree(files[i]);
    if (c->run) copy_run(c->run);
}

bool case_prepare(const fault_case *c, outcome *o) {
    if (c->photos && !getenv("ELBO_IMAGES")) return false;
    reset(c);
    attempt_run(o, &(attempt){.folder = folder, .words = c->words, .at = -1});
    if (o->code != 0) give_up(say("%s: exit %d: %s", c->name, o->code, o->err));
    free(reference.out);
    reference.out = strdup(o->out);
    for (int i = 0; i < MOST_OUTPUTS && c->outputs[i]; i++) {
        free(reference.bytes[i]);
        reference.bytes[i] = read_file(c->outputs[i], &reference.size[i]);
        if (!reference.bytes[i]) give_up(say("%s: makes no %s", c->name, c->outputs[i]));
    }
    free(reference.model);
    reference.model = c->trains ? read_file("run/model.safetensors", &reference.model_size) : NULL;
    if (c->trains && !reference.model) give_up("no model");
    return true;
}

long case_count(const fault_case *c, fault_kind kind) {
    static outcome o;
    reset(c);
    attempt_run(&o, &(attempt){.folder = folder, .words = c->words, .kind = kind, .at = -1});
    if (o.code != 0) give_up(say("%s, counted: exit %d: %s", c->name, o.code, o.err));
    return o.count;
}

/* ---- what must be true ---- */

/* Of elbo's own. A note may stand before the failure: scores that could not be kept, then what could not be printed. */
static bool is_one_line(const char *text) {
    static const char *const notes[] = {"elbo: the scores were not saved with the run: ", "elbo: photos: "};
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        while (!strncmp(text, notes[i], strlen(notes[i])) && strchr(text, '\n') && strchr(text, '\n')[1])
            text = strchr(text, '\n') + 1;
    size_t n = strlen(text);
    return !strncmp(text, "elbo: ", 6) && n > 12 && strchr(text, '\n') == text + n - 1;
}

/* But for numbers: seconds differ. */
static bool same_words(const char *a, const char *b) {
    static const char digits[] = "0123456789.";
    while (*a || *b) {
        a += strspn(a, digits);
        b += strspn(b, digits);
        if (*a != *b) return false;
        if (*a) a++, b++;
    }
    return true;
}

/* What elbo cannot mend: libgomp ends the process where it gets no memory for a thread's settings. */
static bool is_libgomp(const outcome *o) { return o->code == 1 && strstr(o->err, "libgomp: Out of memory allocating"); }

static const char *check_words(const fault_case *c, const attempt *a, const outcome *o) {
    bool no_stdout = !strncmp(o->where, "write /", 7) && strstr(o->where, "/stdout");
    if (a->kill_after > 0 && o->code == 128 + 9) return NULL;
    if (o->late) return "it hung";
    if (o->code != 0 && o->code != 1) return say("exit status %d", o->code);
    if (is_libgomp(o)) return NULL;
    if (o->code == 1 && !is_one_line(o->err)) return "not one line on stderr";
    if (o->code == 1 && (a->kind == FAULT_MEMORY || a->kind == FAULT_ONEDNN) && !strstr(o->err, "memory") &&
        !strstr(o->err, "threads"))
        return "the line does not speak of memory";
    if (o->code == 1 && *o->out && !no_stdout) return "words on stdout, though it failed";
    if (o->code == 0 && !c->trains && !same_words(o->out, reference.out)) return "other words on stdout";
    return NULL;
}

static const char *check_outputs(const fault_case *c, bool all) {
    for (int i = 0; i < MOST_OUTPUTS && c->outputs[i]; i++) {
        size_t n;
        uint8_t *bytes = read_file(c->outputs[i], &n);
        bool whole = bytes ? n == reference.size[i] && !memcmp(bytes, reference.bytes[i], n) : !all;
        free(bytes);
        if (!whole) return say("%s is %s", c->outputs[i], bytes ? "half or wrong" : "not there");
    }
    return NULL;
}

/* Those files of a run that are there can be read to their ends. */
static const char *check_run(void) {
    static const char *const files[] = {"run/model.safetensors", "run/checkpoint.safetensors"};
    for (int i = 0; i < 2; i++) {
        char *path = at(files[i]);
        elbo_safetensors s;
        elbo_error err;
        bool there = elbo_file_exists(path), whole = there && elbo_safetensors_open(&s, path, &err) == ELBO_OK;
        free(path);
        if (whole) elbo_safetensors_close(&s);
        if (there && !whole) return say("%s", err.message);
    }
    size_t n;
    uint8_t *log = read_file("run/log.jsonl", &n);
    bool whole = !log || n == 0 || log[n - 1] == '\n';
    free(log);
    return whole ? NULL : "run/log.jsonl is half";
}

static bool same_model(void) {
    size_t n;
    uint8_t *bytes = read_file("run/model.safetensors", &n);
    bool same = bytes && n == reference.model_size && !memcmp(bytes, reference.model, n);
    free(bytes);
    return same;
}

/* The same once more, with nothing in its way. */
static const char *check_repeat(const fault_case *c) {
    static const char *const resume[] = {"train", "--resume", "-o", "run", QUIET, NULL};
    static outcome o;
    char *recipe = at("run/recipe.yaml"), *model = at("run/model.safetensors");
    bool begun = elbo_file_exists(recipe) && elbo_file_exists(model);
    free(recipe);
    free(model);
    bool own = c->words[1] && !strcmp(c->words[1], "--resume"); // with its own number of epochs
    attempt again = {.folder = folder, .words = c->trains && begun && !own ? resume : c->words, .at = -1};
    attempt_run(&o, &again);
    if (o.code != 0) return say("afterwards: exit %d: %s", o.code, o.err);
    if (c->trains && !same_model()) return "afterwards: other weights";
    if (c->trains && count_temporaries("run")) return "afterwards: temporary files in the run";
    return check_outputs(c, true);
}

const char *case_attempt(const fault_case *c, const attempt *a, outcome *o) {
    reset(c);
    attempt_run(o, a);
    const char *wrong = check_words(c, a, o);
    if (!wrong) wrong = check_outputs(c, false);
    if (!wrong && c->trains) wrong = check_run();
    bool skipped = c->photos && strstr(o->err, ": skipped: "); // it was said: the run has another data set
    if (!wrong && skipped) remove_tree("run");
    if (!wrong && c->trains && o->code == 0 && !skipped && !same_model()) wrong = "other weights";
    bool may_leave = a->kill_after > 0 || !strncmp(o->where, "unlink", 6);
    if (!wrong && !may_leave && count_temporaries(".")) wrong = "temporary files are left";
    return wrong ? wrong : check_repeat(c);
}
