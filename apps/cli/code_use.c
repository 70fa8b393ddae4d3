/* What eval and train say when a decoder does not look at the code. */
#include <stdio.h>

#include "cli.h"

void cli_say_code_use(const char *run, const elbo_code_use *u, bool skips) {
    if (!elbo_code_is_ignored(u)) return;
    printf(
        "%s: its decoder hardly uses the code: with another image's code the reconstruction costs %.2f nats instead of %.2f%s\n",
        run, u->other, u->own,
        skips ? ", because it reads the encoder's activations; photo-vae has no such skips" : "");
}
