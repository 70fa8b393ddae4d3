#include "base/options.h"

#include <string.h>

elbo_status elbo_options_read(void *own, size_t own_size, const void *given, size_t given_size, const char *name,
                              elbo_error *err) {
    if (given_size < sizeof(size_t) || given_size > 4096) // 0, or memory that nobody set
        return elbo_fail(err, ELBO_BAD_INPUT, "%s.size is %zu; set it to sizeof(%s)", name, given_size, name);
    const unsigned char *bytes = given;
    for (size_t i = own_size; i < given_size; i++)
        if (bytes[i])
            return elbo_fail(err, ELBO_BAD_INPUT,
                             "%s: has an option that this version of libelbo does not know; it "
                             "needs a newer one",
                             name);
    memcpy(own, given, given_size < own_size ? given_size : own_size);
    return ELBO_OK;
}
