/* By PKWARE's APPNOTE.TXT: the end of the central directory names its place, the directory each member's. */
#include "formats/unzip.h"

#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define LARGEST ((size_t)1 << 30) // bytes, packed or not

enum {
    END = 0x06054b50,
    END_SIZE = 22,
    ENTRY = 0x02014b50,
    ENTRY_SIZE = 46,
    LOCAL = 0x04034b50,
    LOCAL_SIZE = 30,
    LONGEST_COMMENT = 65535,
    ENCRYPTED = 1,
    DENSEST = 1032, // bytes of one, at most
    STORED = 0,
    DEFLATED = 8
};

typedef struct archive {
    const char *path;
    const uint8_t *bytes;
    size_t size;
} archive;

typedef struct member {
    const uint8_t *data;
    uint32_t packed, unpacked, crc;
    int method;
} member;

static uint32_t u16(const uint8_t *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const uint8_t *p) { return u16(p) | u16(p + 2) << 16; }

static elbo_status damaged(const archive *a, elbo_error *err) {
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not a whole .zip", a->path);
}

/* The end of the central directory, or NULL: the last place that looks like one and whose comment reaches the file's end. */
static const uint8_t *find_end(const archive *a) {
    for (size_t back = END_SIZE; back <= a->size && back <= END_SIZE + LONGEST_COMMENT; back++) {
        const uint8_t *p = a->bytes + a->size - back;
        if (u32(p) == END && u16(p + 20) == back - END_SIZE) return p;
    }
    return NULL;
}

/* What a directory entry says, its data's place checked. */
static elbo_status read_entry(member *m, const archive *a, const uint8_t *entry, elbo_error *err) {
    *m = (member){
        .method = (int)u16(entry + 10), .crc = u32(entry + 16), .packed = u32(entry + 20), .unpacked = u32(entry + 24)};
    size_t local = u32(entry + 42);
    if (u16(entry + 8) & ENCRYPTED) return elbo_fail(err, ELBO_BAD_INPUT, "%s: is encrypted", a->path);
    if (local + LOCAL_SIZE > a->size || u32(a->bytes + local) != LOCAL) return damaged(a, err);
    size_t data = local + LOCAL_SIZE + u16(a->bytes + local + 26) + u16(a->bytes + local + 28);
    if (data > a->size || m->packed > a->size - data || m->unpacked > LARGEST) return damaged(a, err);
    if (m->unpacked / DENSEST > m->packed) return damaged(a, err); // more than deflate can make of so many
    if (m->method == STORED ? m->packed != m->unpacked : m->method != DEFLATED) return damaged(a, err);
    m->data = a->bytes + data;
    return ELBO_OK;
}

static elbo_status write_member(const member *m, const archive *a, const char *name, const char *folder,
                                elbo_error *err) {
    uint8_t *room = m->method == DEFLATED ? malloc((size_t)m->unpacked + 1) : NULL;
    struct libdeflate_decompressor *inflater = m->method == DEFLATED ? libdeflate_alloc_decompressor() : NULL;
    char *to = elbo_path_join(folder, name);
    elbo_status status = to && (m->method == STORED || (room && inflater)) ? ELBO_OK : elbo_no_memory(err);
    const uint8_t *bytes = m->data;
    if (status == ELBO_OK && m->method == DEFLATED) {
        size_t made = 0;
        bool done = libdeflate_deflate_decompress(inflater, m->data, m->packed, room, m->unpacked, &made) ==
                        LIBDEFLATE_SUCCESS &&
                    made == m->unpacked;
        if (!done) status = damaged(a, err);
        bytes = room;
    }
    if (status == ELBO_OK && libdeflate_crc32(0, bytes, m->unpacked) != m->crc) status = damaged(a, err);
    if (status == ELBO_OK) status = elbo_file_write(to, bytes, m->unpacked, err);
    if (inflater) libdeflate_free_decompressor(inflater);
    free(room);
    free(to);
    return status;
}

/* Which of the names an entry's ends with, behind a slash or alone; -1: none. */
static int which_name(const char *const *names, const uint8_t *name, size_t length) {
    for (int i = 0; names[i]; i++) {
        size_t n = strlen(names[i]);
        if (length >= n && !memcmp(name + length - n, names[i], n) && (length == n || name[length - n - 1] == '/'))
            return i;
    }
    return -1;
}

static elbo_status unpack(const archive *a, const char *const *names, const char *folder, elbo_error *err) {
    enum { MOST = 64 };
    bool found[MOST] = {false};
    const uint8_t *end = find_end(a);
    if (!end) return damaged(a, err);
    size_t entries = u16(end + 10), at = u32(end + 16);
    for (size_t i = 0; i < entries; i++) {
        if (at + ENTRY_SIZE > a->size || u32(a->bytes + at) != ENTRY) return damaged(a, err);
        const uint8_t *entry = a->bytes + at;
        size_t length = u16(entry + 28), all = ENTRY_SIZE + length + u16(entry + 30) + u16(entry + 32);
        if (all > a->size - at) return damaged(a, err);
        int which = which_name(names, entry + ENTRY_SIZE, length);
        if (which >= 0 && which < MOST && !found[which]) {
            member m;
            ELBO_TRY(read_entry(&m, a, entry, err));
            ELBO_TRY(write_member(&m, a, names[which], folder, err));
            found[which] = true;
        }
        at += all;
    }
    for (int i = 0; names[i]; i++)
        if (i >= MOST || !found[i]) return elbo_fail(err, ELBO_BAD_INPUT, "%s: lacks %s", a->path, names[i]);
    return ELBO_OK;
}

elbo_status elbo_unzip(const char *path, const char *const *names, const char *folder, elbo_error *err) {
    uint8_t *bytes;
    archive a = {.path = path};
    ELBO_TRY(elbo_file_read(path, LARGEST, &bytes, &a.size, err));
    a.bytes = bytes;
    elbo_status status = unpack(&a, names, folder, err);
    free(bytes);
    return status;
}
