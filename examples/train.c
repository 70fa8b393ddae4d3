/* Trains a small variational autoencoder on the digits that elbo draws itself, then measures it and draws one new digit.
 *
 *     cc train.c -o train $(pkg-config --cflags --libs elbo)
 *     ./train runs/digits 3
 *
 * The words are the run folder, which must not be there yet, and the number of epochs. */
#include <elbo/elbo.h>
#include <stdio.h>
#include <stdlib.h>

static int show(void *context, const elbo_training_progress *p) {
    (void)context;
    if (p->epoch_is_done)
        printf("epoch %d of %d: %.2f nats per image, test %.2f\n", p->epoch, p->epochs, p->loss, p->test_loss);
    return 0; /* 1 would stop */
}

static void print_image(const float *image, elbo_model_info info) { /* (1, H, W) */
    for (int y = 0; y < info.height; y++) {
        for (int x = 0; x < info.width; x++) {
            float light = (image[y * info.width + x] - info.low) / (info.high - info.low);
            putchar(" .:-=+*#%@"[light < 0 ? 0 : light > 0.99f ? 9 : (int)(light * 10)]);
        }
        putchar('\n');
    }
}

/* A new image from the prior, and what the model scores on it. */
static elbo_status look(elbo_model *model, elbo_error *err) {
    elbo_model_info info = elbo_model_get_info(model);
    elbo_model_scores scores = {.size = sizeof scores};
    float *image = calloc((size_t)info.channels * (size_t)info.height * (size_t)info.width, sizeof *image);
    elbo_status status = elbo_model_sample(model, 1, 7, image, NULL, err);
    if (status == ELBO_OK) status = elbo_model_evaluate(model, 1, image, 0, &scores, err);
    if (status == ELBO_OK) {
        print_image(image, info);
        printf("this image: loss %.2f nats, %.2f of them KL\n", scores.loss, scores.kl);
    }
    free(image);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s RUN EPOCHS\n", argv[0]);
        return 2;
    }
    char epochs[64];
    snprintf(epochs, sizeof epochs, "train.epochs=%d", atoi(argv[2]));
    const char *sets[] = {"data=digits", "latent=8", epochs};
    elbo_training_options options = {
        .size = sizeof options, .recipe = "mnist-vae", .run = argv[1], .sets = sets, .set_count = 3, .progress = show};
    elbo_error err;
    elbo_model *model;
    elbo_status status = elbo_train_model(&options, &err);
    if (status == ELBO_OK) status = elbo_model_open(&model, argv[1], 0, &err);
    if (status == ELBO_OK) {
        status = look(model, &err);
        elbo_model_close(model);
    }
    if (status != ELBO_OK) fprintf(stderr, "%s\n", err.message);
    return status == ELBO_OK ? 0 : 1;
}
