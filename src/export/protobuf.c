#include "export/protobuf.h"

#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, LENGTH = 2, FIXED32 = 5 };

static void put(elbo_protobuf *m, const void *bytes, size_t n) {
    if (m->failed) return;
    if (m->capacity - m->size < n) {
        size_t capacity = 2 * m->capacity + n + 64;
        uint8_t *more = realloc(m->bytes, capacity);
        if (!more) {
            m->failed = true;
            return;
        }
        m->bytes = more;
        m->capacity = capacity;
    }
    if (n) memcpy(m->bytes + m->size, bytes, n);
    m->size += n;
}

static void put_varint(elbo_protobuf *m, uint64_t v) {
    uint8_t bytes[10];
    size_t n = 0;
    for (; v > 0x7f; v >>= 7) bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    put(m, bytes, n);
}

static void put_key(elbo_protobuf *m, int field, int type) { put_varint(m, (uint64_t)field << 3 | (uint64_t)type); }

void elbo_protobuf_number(elbo_protobuf *m, int field, uint64_t v) {
    put_key(m, field, VARINT);
    put_varint(m, v);
}

void elbo_protobuf_float(elbo_protobuf *m, int field, float v) {
    put_key(m, field, FIXED32);
    put(m, &v, sizeof v); // little-endian, as every machine that we run on
}

void elbo_protobuf_bytes(elbo_protobuf *m, int field, const void *bytes, size_t n) {
    put_key(m, field, LENGTH);
    put_varint(m, n);
    put(m, bytes, n);
}

void elbo_protobuf_text(elbo_protobuf *m, int field, const char *text) {
    elbo_protobuf_bytes(m, field, text, strlen(text));
}

void elbo_protobuf_message(elbo_protobuf *m, int field, elbo_protobuf *inner) {
    if (inner->failed) m->failed = true;
    elbo_protobuf_bytes(m, field, inner->bytes, inner->size);
    free(inner->bytes);
    *inner = (elbo_protobuf){0};
}
