/* Writing protocol buffers: fields one behind the other in memory. https://protobuf.dev/programming-guides/encoding */
#ifndef ELBO_EXPORT_PROTOBUF_H
#define ELBO_EXPORT_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message under way; all zero: an empty one. Memory that could not be had is told at the end, by `failed`. */
typedef struct elbo_protobuf {
    uint8_t *bytes; // (size), freed by whoever has it last
    size_t size, capacity;
    bool failed;
} elbo_protobuf;

void elbo_protobuf_number(elbo_protobuf *m, int field, uint64_t v);
void elbo_protobuf_float(elbo_protobuf *m, int field, float v);
void elbo_protobuf_bytes(elbo_protobuf *m, int field, const void *bytes, size_t n);
void elbo_protobuf_text(elbo_protobuf *m, int field, const char *text);
/* Puts a message inside, and frees it. */
void elbo_protobuf_message(elbo_protobuf *m, int field, elbo_protobuf *inner);

#endif
