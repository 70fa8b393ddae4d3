/* What a model makes of corrupted images: test images corrupted as the recipe says, denoised, beside the originals. */
#ifndef ELBO_DENOISE_H
#define ELBO_DENOISE_H

#include <jansson.h>

#include "base/job.h"
#include "explore/result.h"

enum { ELBO_DENOISE_COUNT = 10 };

typedef struct elbo_denoise_options {
    int count;             // how many images are kept to be shown; 0: ELBO_DENOISE_COUNT
    const uint32_t *index; // (count) which; NULL: one of each class in turn, or the first ones
} elbo_denoise_options;

typedef struct elbo_denoise_result {
    elbo_image_format format;
    char *corruption;   // "noise 0.3, mask 0.25"
    uint32_t measured;  // test images, each corrupted as `elbo eval` corrupts it
    double psnr_before; // dB, means over them: of the corrupted image, of the denoised one
    double psnr_after;
    int count;             // images that are shown
    uint32_t *index;       // (count), in the test split
    float *before, *after; // (count) PSNR of each
    float *images;         // (3, count, C, H, W): corrupted, denoised, original
} elbo_denoise_result;

/* Fails where the recipe has no `corrupt`. `d`: with its test split. */
elbo_status elbo_denoise(elbo_denoise_result *r, elbo_model *m, const elbo_dataset *d,
                         const elbo_denoise_options *options, const elbo_job *work, elbo_error *err);
/* {"corrupt", "images", "psnr_before", "psnr_after", "shown": [{"test", "psnr_before", "psnr_after"}]} */
json_t *elbo_denoise_json(const elbo_denoise_result *r);
void elbo_denoise_free(elbo_denoise_result *r);

/* Images that are noisy as they come: encoded to their mean codes and decoded. A conditional model is told their labels
 * or, where they have none, those of elbo_model_set_labels.  out: (images->count, C, H, W) */
elbo_status elbo_denoise_images(elbo_model *m, const elbo_images *images, float *out, elbo_error *err);

#endif
