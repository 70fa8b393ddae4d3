/* Archives: the input is the tar, packed here, so that mutations reach it. */
#include "fuzz.h"

#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/untar.h"

static const elbo_tar_member members[] = {{"a.txt", 5}, {"b.bin", 600}, {0}};

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
        FUZZ_ASSERT(stat(name, &st) == 0 && (uint64_t)st.st_size == m->size, "%s is not what was asked for", m->name);
    }
}

const fuzz_target fuzz_tar = {"tar", 8192, run};
