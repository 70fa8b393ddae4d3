/* Filling an elbo_error, and the two macros that keep error paths short. */
#ifndef ELBO_BASE_STATUS_H
#define ELBO_BASE_STATUS_H

#include "elbo/status.h"

/* Writes the message and returns `status`, so that a failing line reads: return elbo_fail(err, ELBO_IO, "..."). */
elbo_status elbo_fail(elbo_error *err, elbo_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As elbo_fail, with ": " and the text of `errno` behind the message. */
elbo_status elbo_fail_errno(elbo_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

elbo_status elbo_no_memory(elbo_error *err);
/* The same of something large: "out of memory: WHAT take 3.2 GiB; REMEDY". `remedy` may be NULL. */
elbo_status elbo_no_room(elbo_error *err, double bytes, const char *what, const char *remedy);

/* The word of `words` (ended by NULL) nearest to `typed` by edit distance, or NULL where none is near: the
 * "did you mean" of every message. */
const char *elbo_nearest_word(const char *typed, const char *const *words);

/* Passes a failure on to the caller. */
#define ELBO_TRY(call)                                                                                                 \
    do {                                                                                                               \
        elbo_status elbo_try_status_ = (call);                                                                         \
        if (elbo_try_status_ != ELBO_OK) return elbo_try_status_;                                                      \
    } while (0)

/* As ELBO_TRY in a function that has something to free: jumps to `label` with the failure in `status`. */
#define ELBO_TRY_GOTO(status, call, label)                                                                             \
    do {                                                                                                               \
        (status) = (call);                                                                                             \
        if ((status) != ELBO_OK) goto label;                                                                           \
    } while (0)

#endif
