/* What eval and train say when a decoder does not look at the code. */
#include <stdio.h>

#include "cli.h"

void cli_say_code_use(const char *run, const elbo_code_use *u, bool skips) {
    if (!elbo_code_is_ignored(u)) return;
    printf(
        "%s: the decoder hardly uses the code: reconstruction is %.2f nats with another image's code, %.2f with its own%s\n",
        run, u->other, u->own,
        skips ? ", because skip connections bring it the encoder's activations; photo-vae has none" : "");
}
