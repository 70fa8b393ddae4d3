#include "explore/result.h"

#include <stdlib.h>

#include "run/model.h"

elbo_image_format elbo_model_image_format(const elbo_model *m) {
    return (elbo_image_format){m->network.graph.image, m->recipe.image.low, m->recipe.image.high};
}

void elbo_images_into_range(float *v, size_t n, elbo_image_format from, elbo_image_format to) {
    if (from.low == to.low && from.high == to.high) return;
    float scale = (to.high - to.low) / (from.high - from.low);
    for (size_t i = 0; i < n; i++) v[i] = to.low + (v[i] - from.low) * scale;
}

void elbo_texts_free(char **texts, int count) {
    for (int i = 0; texts && i < count; i++) free(texts[i]);
    free(texts);
}
