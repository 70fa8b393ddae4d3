/* Decodes one code with libelbo and prints the image as letters: what an engineer needs to embed a decoder.
 *
 *     cc digit.c -o digit $(pkg-config --cflags --libs elbo)
 *     ./digit runs/mnist-vae 0.5 -1.2
 *
 * Numbers behind the run folder are the first of the code; the rest are 0. */
#include <elbo/elbo.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s RUN [NUMBER...]\n", argv[0]);
        return 2;
    }
    elbo_error err;
    elbo_model *model;
    if (elbo_model_open(&model, argv[1], 1, &err) != ELBO_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    elbo_model_info info = elbo_model_get_info(model);
    size_t pixels = (size_t)info.channels * (size_t)info.height * (size_t)info.width;
    float *z = calloc((size_t)info.latent, sizeof *z); /* (1, latent) */
    float *image = calloc(pixels, sizeof *image);      /* (1, C, H, W) */
    for (int i = 0; i < info.latent && i + 2 < argc; i++) z[i] = strtof(argv[i + 2], NULL);
    elbo_status status = elbo_decode(model, 1, z, image, &err);
    if (status != ELBO_OK) fprintf(stderr, "%s\n", err.message);
    for (int y = 0; status == ELBO_OK && y < info.height; y++) {
        for (int x = 0; x < info.width; x++) {
            float light = (image[y * info.width + x] - info.low) / (info.high - info.low);
            putchar(" .:-=+*#%@"[light < 0 ? 0 : light > 0.99f ? 9 : (int)(light * 10)]);
        }
        putchar('\n');
    }
    free(z);
    free(image);
    elbo_model_close(model);
    return status == ELBO_OK ? 0 : 1;
}
