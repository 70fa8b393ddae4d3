/* Whether the model makes new images, or gives back those it was trained on; and whether they look like the data. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/order.h"
#include "explore/diagnostics/checks.h"
#include "explore/nearest_image.h"

enum { ASKED = 256 };

/* Samples are blurred where hardly any is in the manifold of the data and their edges are this much softer. Healthy runs
 * have a sharpness of 0.38 (a code of 4) to 0.68 (of 20) on MNIST; its images blurred by sigma 1.5 pixels 0.24, by 2
 * pixels 0.16. */
#define ELBO_FEW_SAMPLES 0.1
#define ELBO_BLURRED 0.3
#define ELBO_NO_SAMPLES 0.005
/* All samples are alike where their features vary this much less than the data's, or where they look like images but
 * hardly any image looks like them. */
#define ELBO_ALIKE 0.2
#define ELBO_FEW_IMAGES 0.1
#define ELBO_LIKE_IMAGES 0.3

/* The median distance of m pictures to the nearest training image. */
static elbo_status median_distance(double *median, const elbo_eval_context *e, const float *pictures, size_t m,
                                   elbo_error *err) {
    float distance[ASKED];
    elbo_image_choice train = {.images = &e->data->train,
                               .which = e->train_index,
                               .n = e->train,
                               .low = e->model->recipe.image.low,
                               .high = e->model->recipe.image.high};
    ELBO_TRY(elbo_nearest_image(NULL, distance, pictures, m, &train, e->work, err));
    qsort(distance, m, sizeof *distance, elbo_ascending_floats);
    *median = (double)distance[m / 2];
    return ELBO_OK;
}

elbo_status elbo_check_memorised(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    if (e->train == 0 || e->trained_on) return ELBO_OK;
    elbo_model *model = e->model;
    size_t m = e->n < ASKED ? e->n : ASKED, size = elbo_image_size(e->images->shape);
    float *z = elbo_alloc(m * e->Z, sizeof *z), *pictures = elbo_alloc(m * size, sizeof *pictures);
    double test = 0, decoded = 0, drawn = 0;
    elbo_status status = z && pictures ? ELBO_OK : elbo_no_memory(err);
    if (status == ELBO_OK) {
        elbo_images_to_floats(e->images, NULL, m, model->recipe.image.low, model->recipe.image.high, pictures);
        status = median_distance(&test, e, pictures, m, err);
    }
    if (status == ELBO_OK) status = elbo_model_set_skips(model, e->images, NULL, m, err);
    if (status == ELBO_OK) status = elbo_model_set_labels_of(model, e->images, NULL, m, err);
    if (status == ELBO_OK) status = elbo_model_decode_codes(model, m, e->mu, pictures, err);
    if (status == ELBO_OK) status = median_distance(&decoded, e, pictures, m, err);
    bool samples = model->prior.is && !model->network.graph.skips; // with skips there is no image from a code alone
    if (status == ELBO_OK && samples) {
        for (size_t i = 0; i < m; i++)
            model->prior.is->sample(&model->prior, z + i * e->Z, 1,
                                    (elbo_stream){.purpose = ELBO_FOR_PRIOR, .sample = (uint32_t)i});
        status = elbo_model_decode_codes(model, m, z, pictures, err);
        if (status == ELBO_OK) status = median_distance(&drawn, e, pictures, m, err);
    }
    free(z);
    free(pictures);
    if (status != ELBO_OK) return status;
    elbo_number(v, "test_image_to_train", test);
    elbo_number(v, "reconstruction_to_train", decoded);
    if (samples) elbo_number(v, "sample_to_train", drawn);
    double nearest = samples && drawn < decoded ? drawn : decoded;
    bool memorised = nearest < 0.6 * test; // 0.83 to 1.25 in healthy runs on MNIST, photos and elbo's digits
    elbo_found(
        v, memorised ? ELBO_CHECK_PROBLEM : ELBO_CHECK_OK,
        "distance to the nearest training image: %.2f from test images (0: identical, 1.41: uncorrelated), %.2f from "
        "their reconstructions",
        test, decoded);
    size_t n = strlen(v->evidence);
    if (samples)
        snprintf(v->evidence + n, sizeof v->evidence - n, ", %.2f from prior samples (medians of %zu)", drawn, m);
    if (memorised)
        elbo_advise(v, "%s: the model reproduces training images. More images, fewer epochs, a smaller code or network",
                    nearest == decoded ? "reconstructions of new images" : "samples");
    return ELBO_OK;
}

elbo_status elbo_check_samples(elbo_check *v, const elbo_eval_context *e, elbo_error *err) {
    elbo_sample_scores s;
    ELBO_TRY(elbo_sample_score(&s, e, NULL, err));
    if (!s.images) return ELBO_OK; // an autoencoder, or too few images
    double share = s.test_precision > 0 ? s.precision / s.test_precision : 1;
    bool blurred = share < ELBO_FEW_SAMPLES && s.sharpness < ELBO_BLURRED, unlike = share < ELBO_NO_SAMPLES;
    double covered = s.test_recall > 0 ? s.recall / s.test_recall : 1;
    bool alike = !blurred && (s.variety < ELBO_ALIKE || (covered < ELBO_FEW_IMAGES && share > ELBO_LIKE_IMAGES));
    elbo_number(v, "sharpness", s.sharpness);
    elbo_number(v, "precision", s.precision);
    elbo_number(v, "recall", s.recall);
    elbo_number(v, "test_precision", s.test_precision);
    elbo_number(v, "test_recall", s.test_recall);
    elbo_number(v, "variety", s.variety);
    elbo_found(
        v,
        blurred || alike ? ELBO_CHECK_PROBLEM
        : unlike         ? ELBO_CHECK_NOTE
                         : ELBO_CHECK_OK,
        "%ssharpness %.2f of the data's, variance of features %.2f; precision %.1f %% (samples from the prior that look like training images; of "
        "test images %.1f %%), recall %.1f %% (training images that look like samples; %.1f %%): %d-NN balls in "
        "features of a random convolutional network, %zu images of each kind",
        alike ? "mode collapse: samples are alike; " : "", s.sharpness, s.variety, 100 * s.precision,
        100 * s.test_precision, 100 * s.recall, 100 * s.test_recall, s.k, s.images);
    if (blurred)
        elbo_advise(
            v,
            "look at `elbo sample`: samples are blurred. Longer training, a larger code or network, or a smaller "
            "loss.kl (it was %g) makes them sharper",
            (double)e->model->recipe.loss.kl);
    else if (alike && elbo_has_adversary(&e->model->recipe))
        elbo_advise(v,
                    "look at `elbo sample`: the model gives the discriminator the same few images. A smaller "
                    "adversary.weight (it was %g) or adversary.lr (%g), or a larger loss.kl",
                    (double)e->model->recipe.adversary.weight, (double)e->model->recipe.adversary.lr);
    else if (alike)
        elbo_advise(v,
                    "look at `elbo sample`: the decoder makes the same few images of all codes. A smaller loss.kl, or "
                    "another seed");
    else if (unlike)
        elbo_advise(v, "look at `elbo sample` and `elbo reconstruct`: no sample is like the data, blurred or not");
    return ELBO_OK;
}
