/* Archives: the input is the tar, packed here, so that mutations reach it. */
#include "fuzz.h"

#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/untar.h"

static const elbo_tar_member members[] = {{"a.txt", 5}, {"b.bin", 600}, {0}};

/* A header with that name and size, at the beginning of a block.  data: an archive that was read */
static bool has_member(const uint8_t *data, size_t size, const elbo_tar_member *m) {
    for (size_t at = 0; at + 512 <= size; at += 512) {
        char name[101] = "", octal[13] = "";
        memcpy(name, data + at, 100);
        memcpy(octal, data + at + 124, 12);
        const char *slash = strrchr(name, '/');
        if (!strcmp(slash ? slash + 1 : name, m->name) && strtoull(octal, NULL, 8) == m->size) return true;
    }
    return false;
}

static void run(const uint8_t *data, size_t size) {
    static struct libdeflate_compressor *packer;
    if (!packer) packer = libdeflate_alloc_compressor(1);
    size_t room = libdeflate_gzip_compress_bound(packer, size);
    uint8_t *packed = malloc(room);
    FUZZ_ASSERT(packer && packed, "out of memory");
    size_t n = libdeflate_gzip_compress(packer, data, size, packed, room);
    const char *path = fuzz_file(0, packed, n), *out = fuzz_path("tar/a.txt");
    free(packed);
    char folder[200];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(out, '/') - out), out);
    unlink(out);
    elbo_error err;
    if (!fuzz_succeeded(elbo_untar_gz(path, members, folder, &err), &err)) return;
    for (const elbo_tar_member *m = members; m->name; m++) {
        char name[220];
        struct stat st;
        snprintf(name, sizeof name, "%s/%s", folder, m->name);
        FUZZ_ASSERT(has_member(data, size, m), "the archive has no %s of %llu bytes", m->name,
                    (unsigned long long)m->size);
        FUZZ_ASSERT(stat(name, &st) == 0 && (uint64_t)st.st_size == m->size, "%s is not what was asked for", m->name);
    }
}

const fuzz_target fuzz_tar = {"tar", 8192, run};
