/* Files of tensors. What can be read can be written, and then read again as the same. */
#include "fuzz.h"

#include "formats/safetensors.h"

static size_t touch(const elbo_safetensors *s) {
    size_t all = 0, bytes;
    for (int i = 0; i < s->count; i++) {
        const elbo_st_tensor *t = &s->tensors[i];
        FUZZ_ASSERT(elbo_st_bytes(t, &bytes), "a shape that overflows");
        FUZZ_ASSERT((uintptr_t)t->data % elbo_st_size(t->dtype) == 0, "tensor %s is not aligned", t->name);
        FUZZ_ASSERT(elbo_safetensors_find(s, t->name) == t, "two tensors are called %s", t->name);
        fuzz_touch(t->data, bytes);
        all += bytes;
    }
    for (int i = 0; i < s->pairs; i++) {
        fuzz_touch(s->metadata[i].value, strlen(s->metadata[i].value));
        FUZZ_ASSERT(elbo_safetensors_metadata(s, s->metadata[i].key), "no %s", s->metadata[i].key);
    }
    return all;
}

static void run(const uint8_t *data, size_t size) {
    elbo_error err;
    elbo_safetensors s, again;
    const char *out = fuzz_path("safetensors/out.safetensors");
    if (!fuzz_succeeded(elbo_safetensors_open(&s, fuzz_safetensors_file(0, data, size), &err), &err)) return;
    size_t all = touch(&s);
    FUZZ_OK(elbo_safetensors_write(out, s.tensors, s.count, s.metadata, s.pairs, &fuzz_err_));
    FUZZ_OK(elbo_safetensors_open(&again, out, &fuzz_err_));
    FUZZ_ASSERT(touch(&again) == all && again.count == s.count && again.pairs == s.pairs, "not what was written");
    for (int i = 0; i < s.count; i++) {
        const elbo_st_tensor *t = elbo_safetensors_find(&again, s.tensors[i].name);
        size_t bytes;
        elbo_st_bytes(&s.tensors[i], &bytes);
        FUZZ_ASSERT(t && t->dtype == s.tensors[i].dtype && t->dims == s.tensors[i].dims &&
                        (!bytes || !memcmp(t->data, s.tensors[i].data, bytes)),
                    "tensor %s is not what was written", s.tensors[i].name);
    }
    elbo_safetensors_close(&again);
    elbo_safetensors_close(&s);
}

const fuzz_target fuzz_safetensors = {"safetensors", 2048, run};
