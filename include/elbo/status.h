/* How every function of libelbo reports failure: a status, and one line of text in an elbo_error that the caller owns.
 * The library never prints and never exits. */
#ifndef ELBO_STATUS_H
#define ELBO_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum elbo_status {
    ELBO_OK = 0,
    ELBO_BAD_INPUT, /* a file, recipe or argument is wrong: the message says what, where, and what would be right */
    ELBO_NOT_FOUND, /* a file or data set is not there */
    ELBO_IO,        /* the system could not read or write */
    ELBO_NO_MEMORY, /* an allocation failed */
    ELBO_DIVERGED,  /* training met a NaN or an infinity */
    ELBO_STOPPED,   /* a callback asked to stop; what was done so far is kept */
} elbo_status;

/* One line, no newline at its end: "recipes/x.yaml:7: stride=0; a stride is 1 or more". */
typedef struct elbo_error {
    elbo_status status;
    char message[600];
} elbo_error;

#ifdef __cplusplus
}
#endif
#endif
