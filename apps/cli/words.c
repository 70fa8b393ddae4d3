#include "words.h"

#include "image_files.h"

elbo_status cli_read_image(const elbo_model *m, const char *path, float *image, elbo_error *err) {
    elbo_model_info info = elbo_model_get_info(m);
    elbo_images images;
    ELBO_TRY(cli_images_read(&images, &info, path, err));
    elbo_status status = ELBO_OK;
    if (images.count != 1)
        status = elbo_fail(err, ELBO_BAD_INPUT, "%s: holds %u images; one is wanted here", path, images.count);
    else
        elbo_images_to_floats(&images, NULL, 1, info.low, info.high, image);
    elbo_images_free(&images);
    return status;
}

elbo_operands cli_operands(cli_runs *r) {
    return (elbo_operands){.model = r->run[0].model,
                           .chooser = elbo_runs_chooser(r->run, r->count)->model,
                           .data = &r->data,
                           .read_image = cli_read_image};
}
