/* .zip archives: what comes out was in there, and is no larger than deflate can make it. */
#include "fuzz.h"

#include <sys/stat.h>
#include <unistd.h>

#include "formats/unzip.h"

static const char *const names[] = {"a.txt", "b.bin", NULL};

static void run(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(0, data, size), *out = fuzz_path("zip/a.txt");
    char folder[200];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(out, '/') - out), out);
    for (int i = 0; names[i]; i++) {
        char name[220];
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        unlink(name);
    }
    elbo_error err;
    bool done = fuzz_succeeded(elbo_unzip(path, names, folder, &err), &err);
    for (int i = 0; names[i]; i++) {
        char name[220];
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        bool there = stat(name, &st) == 0;
        FUZZ_ASSERT(there || !done, "%s is not there", names[i]);
        if (!there) continue;
        FUZZ_ASSERT(memmem(data, size, names[i], strlen(names[i])), "the archive has no %s", names[i]);
        FUZZ_ASSERT((size_t)st.st_size <= 1033 * size, "%lld bytes of %zu", (long long)st.st_size, size);
    }
}

const fuzz_target fuzz_zip = {"zip", 4096, run};
