#include "formats/untar.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/gzip.h"

#define LARGEST ((size_t)1 << 30) // bytes, packed or not

enum {
    BLOCK = 512,
    NAME_AT = 0,
    NAME_ROOM = 100,
    SIZE_AT = 124,
    SIZE_ROOM = 12,
    SUM_AT = 148,
    SUM_ROOM = 8,
    TYPE_AT = 156
};

/* A number in octal digits; false where there is none. */
static bool read_octal(const uint8_t *field, int room, uint64_t *value) {
    int i = 0, digits = 0;
    *value = 0;
    while (i < room && field[i] == ' ') i++;
    for (; i < room && field[i] >= '0' && field[i] <= '7'; i++, digits++)
        *value = *value * 8 + (uint64_t)(field[i] - '0');
    return digits > 0 && (i == room || field[i] == 0 || field[i] == ' ');
}

/* The header's sum is that of its bytes, with blanks where the sum itself stands. */
static bool is_header(const uint8_t *block) {
    uint64_t said, sum = 0;
    for (int i = 0; i < BLOCK; i++) sum += i >= SUM_AT && i < SUM_AT + SUM_ROOM ? ' ' : block[i];
    return read_octal(block + SUM_AT, SUM_ROOM, &said) && said == sum;
}

static elbo_status inflate_file(const char *path, uint8_t **bytes, size_t *size, elbo_error *err) {
    uint8_t *packed;
    size_t n;
    ELBO_TRY(elbo_file_read(path, LARGEST, &packed, &n, err));
    bool gzip = n >= 2 && packed[0] == 0x1f && packed[1] == 0x8b;
    elbo_status status = gzip ? elbo_gunzip(packed, n, LARGEST, bytes, size, path, err)
                              : elbo_fail(err, ELBO_BAD_INPUT, "%s: is not a gzip file", path);
    free(packed);
    return status;
}

static elbo_status write_member(const uint8_t *bytes, const elbo_tar_member *m, const char *folder, elbo_error *err) {
    char *path = elbo_path_join(folder, m->name);
    elbo_status status = path ? elbo_file_write(path, bytes, m->size, err) : elbo_no_memory(err);
    free(path);
    return status;
}

static elbo_status unpack(const uint8_t *tar, size_t size, const char *path, const elbo_tar_member *members,
                          const char *folder, elbo_error *err) {
    enum { MOST = 64 };
    int wanted = 0, found = 0;
    bool seen[MOST] = {false}; // a name may come twice: the last one counts, as to tar itself
    while (members[wanted].name && wanted < MOST) wanted++;
    for (size_t at = 0; at + BLOCK <= size && tar[at];) {
        uint64_t bytes;
        if (!is_header(tar + at) || !read_octal(tar + at + SIZE_AT, SIZE_ROOM, &bytes) || bytes > size - at - BLOCK)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not a tar archive, or is damaged", path);
        char name[NAME_ROOM + 1] = "";
        memcpy(name, tar + at + NAME_AT, NAME_ROOM);
        const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
        bool plain = tar[at + TYPE_AT] == '0' || tar[at + TYPE_AT] == 0;
        for (const elbo_tar_member *m = members; plain && m < members + wanted; m++) {
            if (strcmp(m->name, base) != 0) continue;
            if (m->size != bytes)
                return elbo_fail(err, ELBO_BAD_INPUT, "%s: its %s has %llu bytes; expected %llu", path, m->name,
                                 (unsigned long long)bytes, (unsigned long long)m->size);
            ELBO_TRY(write_member(tar + at + BLOCK, m, folder, err));
            found += !seen[m - members];
            seen[m - members] = true;
        }
        at += BLOCK + (size_t)((bytes + BLOCK - 1) / BLOCK * BLOCK);
    }
    if (found >= wanted) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: holds %d of the %d files that were expected", path, found, wanted);
}

elbo_status elbo_untar_gz(const char *path, const elbo_tar_member *members, const char *folder, elbo_error *err) {
    uint8_t *tar;
    size_t size;
    ELBO_TRY(inflate_file(path, &tar, &size, err));
    elbo_status status = unpack(tar, size, path, members, folder, err);
    free(tar);
    return status;
}
