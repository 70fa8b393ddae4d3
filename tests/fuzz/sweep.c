/* sweep.json: whether a folder holds the sweep that is asked for. */
#include "fuzz.h"

#include "explore/sweep.h"

static char *text(const char *s) { return fuzz_text((const uint8_t *)s, strlen(s)); }

static void run(const uint8_t *data, size_t size) {
    static char *folder;
    if (!folder) {
        const char *path = fuzz_link(0, "sweep/sweep.json");
        folder = fuzz_text((const uint8_t *)path, (size_t)(strrchr(path, '/') - path));
    }
    fuzz_file(0, data, size);
    elbo_sweep s = {.recipe = text("mnist-vae"), .keys = 2, .lock = -1};
    s.key[0].key = text("latent");
    s.key[1].key = text("loss.kl");
    elbo_error err;
    fuzz_succeeded(elbo_sweep_claim(&s, folder, "digits", &err), &err);
    elbo_sweep_free(&s);
}

const fuzz_target fuzz_sweep = {"sweep", 1024, run};
