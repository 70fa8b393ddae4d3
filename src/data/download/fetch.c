/* The data sets that elbo can download, and where from. */
#include "data/download/fetch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/data.h"
#include "formats/untar.h"
#include "formats/unzip.h"

enum { STALL_SECONDS = 30 }; // without a byte

static const char *const mnist_mirrors[] = {
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
    NULL,
};
static const elbo_remote_file mnist_files[] = {
    {"train-images-idx3-ubyte.gz", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47040016, NULL},
    {"train-labels-idx1-ubyte.gz", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60008, NULL},
    {"t10k-images-idx3-ubyte.gz", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7840016, NULL},
    {"t10k-labels-idx1-ubyte.gz", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10008, NULL},
    {0},
};

static const char *const fashion_mirrors[] = {
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    NULL,
};
static const elbo_remote_file fashion_files[] = {
    {"train-images-idx3-ubyte.gz", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", 47040016, NULL},
    {"train-labels-idx1-ubyte.gz", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", 60008, NULL},
    {"t10k-images-idx3-ubyte.gz", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", 7840016, NULL},
    {"t10k-labels-idx1-ubyte.gz", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", 10008, NULL},
    {0},
};

static const char *const cifar_mirrors[] = {"https://www.cs.toronto.edu/~kriz/", NULL};
static const elbo_remote_file cifar_files[] = {
    {.name = "cifar-10-binary.tar.gz", .size = 170052171, .md5 = "c32a1d4ab5d03f1284b67883e8d87530"},
    {0},
};
enum { CIFAR_BATCH = 10000 * (1 + 3 * 32 * 32) };
static const elbo_tar_member cifar_members[] = {
    {"data_batch_1.bin", CIFAR_BATCH},
    {"data_batch_2.bin", CIFAR_BATCH},
    {"data_batch_3.bin", CIFAR_BATCH},
    {"data_batch_4.bin", CIFAR_BATCH},
    {"data_batch_5.bin", CIFAR_BATCH},
    {"test_batch.bin", CIFAR_BATCH},
    {0},
};

static const char *const kmnist_mirrors[] = {"http://codh.rois.ac.jp/kmnist/dataset/kmnist/", NULL};
static const elbo_remote_file kmnist_files[] = {
    {"train-images-idx3-ubyte.gz", .size = 18165135, .md5 = "bdb82020997e1d708af4cf47b453dcf7"},
    {"train-labels-idx1-ubyte.gz", .size = 29497, .md5 = "e144d726b3acfaa3e44228e80efcd344"},
    {"t10k-images-idx3-ubyte.gz", .size = 3041136, .md5 = "5c965bf0a639b31b8f53240b1b52f4d7"},
    {"t10k-labels-idx1-ubyte.gz", .size = 5120, .md5 = "7320c461ea6c1c855c0b718fb2a4b134"},
    {0},
};

/* NIST has all of EMNIST in one archive. */
static const char *const emnist_mirrors[] = {"https://biometrics.nist.gov/cs_links/EMNIST/", NULL};
static const elbo_remote_file emnist_files[] = {
    {.name = "gzip.zip", .size = 561753746, .md5 = "58c8d27c78d21e728a6bc7b3cc06412e"},
    {0},
};
static const char *const letters_zipped[] = {
    "emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz",
    "emnist-letters-test-images-idx3-ubyte.gz", "emnist-letters-test-labels-idx1-ubyte.gz", NULL};

static const struct {
    const char *name;
    elbo_remote remote;
    const elbo_tar_member *members; // of its only file, an archive that goes once they are out of it; or NULL
    const char *const *zipped;      // the same where it is a .zip
} sources[] = {
    {"mnist", {mnist_mirrors, mnist_files, STALL_SECONDS}, NULL, NULL},
    {"fashion-mnist", {fashion_mirrors, fashion_files, STALL_SECONDS}, NULL, NULL},
    {"cifar10", {cifar_mirrors, cifar_files, STALL_SECONDS}, cifar_members, NULL},
    {"kmnist", {kmnist_mirrors, kmnist_files, STALL_SECONDS}, NULL, NULL},
    {"letters", {emnist_mirrors, emnist_files, STALL_SECONDS}, NULL, letters_zipped},
};
enum { SOURCES = sizeof sources / sizeof *sources };

static elbo_status fail_unknown(const char *name, elbo_error *err) {
    const char *names[SOURCES + 1] = {0};
    char list[200] = "";
    for (int i = 0; i < SOURCES; i++) {
        names[i] = sources[i].name;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    for (const elbo_dataset_info *i = elbo_known_datasets; i->name; i++)
        if (i->make && strcmp(i->name, name) == 0)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: is built in; there is nothing to download", name);
    const char *near = elbo_nearest_word(name, names);
    return elbo_fail(err, ELBO_NOT_FOUND, "%s: is not a data set that elbo can download (%s)%s%s%s", name, list,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* True where all are there already: files that are written whole or not at all need no second look. */
static bool have_members(const char *folder, const elbo_tar_member *members) {
    for (const elbo_tar_member *m = members; m->name; m++) {
        char *path = elbo_path_join(folder, m->name);
        struct stat st;
        bool there = path && stat(path, &st) == 0 && (uint64_t)st.st_size == m->size;
        free(path);
        if (!there) return false;
    }
    return true;
}

static elbo_status unpack(const char *folder, const char *archive, const elbo_tar_member *members, elbo_error *err) {
    char *path = elbo_path_join(folder, archive);
    elbo_status status = path ? elbo_untar_gz(path, members, folder, err) : elbo_no_memory(err);
    if (status == ELBO_OK) unlink(path);
    free(path);
    return status;
}

const char *elbo_fetch_known_name(const char *name) { return strcmp(name, "emnist-letters") ? name : "letters"; }

static bool have_files(const char *folder, const char *const *names) {
    for (int i = 0; names[i]; i++) {
        char *path = elbo_path_join(folder, names[i]);
        bool there = path && elbo_file_exists(path);
        free(path);
        if (!there) return false;
    }
    return true;
}

static elbo_status unzip(const char *folder, const char *archive, const char *const *names, elbo_error *err) {
    char *path = elbo_path_join(folder, archive);
    elbo_status status = path ? elbo_unzip(path, names, folder, err) : elbo_no_memory(err);
    if (status == ELBO_OK) unlink(path);
    free(path);
    return status;
}

elbo_status elbo_fetch(const char *name, const char *mirror, elbo_fetch_progress progress, void *context,
                       elbo_error *err) {
    int i = 0;
    name = elbo_fetch_known_name(name);
    while (i < SOURCES && strcmp(sources[i].name, name) != 0) i++;
    if (i == SOURCES) return fail_unknown(name, err);
    if (mirror && strncasecmp(mirror, "http://", 7) != 0 && strncasecmp(mirror, "https://", 8) != 0)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: expected the http:// or https:// URL of a folder", mirror);
    const char *const only[] = {mirror, NULL};
    elbo_remote remote = sources[i].remote;
    if (mirror) remote.mirrors = only;
    char *folder = elbo_dataset_cache_folder(name);
    if (!folder) return elbo_no_memory(err);
    const elbo_tar_member *members = sources[i].members;
    const char *const *zipped = sources[i].zipped;
    bool here = (members && have_members(folder, members)) || (zipped && have_files(folder, zipped));
    elbo_status status = here ? ELBO_OK : elbo_fetch_files(&remote, folder, progress, context, err);
    if (status == ELBO_OK && zipped && !here) status = unzip(folder, remote.files[0].name, zipped, err);
    if (status == ELBO_OK && members && !have_members(folder, members))
        status = unpack(folder, remote.files[0].name, members, err);
    free(folder);
    return status;
}
