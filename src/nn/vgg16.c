#include "nn/vgg16.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "formats/safetensors.h"

/* Convolutions (3x3, each with a relu behind it) up to each 2x2 max pool. */
static const int convolutions[] = {2, 2, 3, 3, 3};
enum { POOLS = sizeof convolutions / sizeof *convolutions, LEAST_SIDE = 1 << POOLS };

/* Output channels of layer `number`, checked against the channels that come in. */
static elbo_status width_of(const elbo_safetensors *file, const char *path, int number, int in, int *out,
                            elbo_error *err) {
    char name[40];
    snprintf(name, sizeof name, "features.%d.weight", number);
    const elbo_st_tensor *t = elbo_safetensors_find(file, name);
    if (!t)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "%s: has no tensor `%s`; loss.vgg16 names torchvision's vgg16 as safetensors", path, name);
    bool fits = t->dtype == ELBO_ST_F32 && t->dims == 4 && t->shape[0] >= 1 && t->shape[0] <= 65536 &&
                t->shape[1] == (size_t)in && t->shape[2] == 3 && t->shape[3] == 3;
    if (!fits)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: `%s` is not F32 [out, %d, 3, 3], as VGG16 has it", path, name, in);
    *out = (int)t->shape[0];
    return ELBO_OK;
}

/* The layers as a recipe would write them. */
static elbo_status layers_of(const elbo_safetensors *file, const char *path, char *yaml, size_t room, elbo_error *err) {
    size_t used = 0;
    int number = 0, channels = 3;
    for (int p = 0; p < POOLS; p++) {
        for (int c = 0; c < convolutions[p]; c++, number += 2) {
            ELBO_TRY(width_of(file, path, number, channels, &channels, err));
            used += (size_t)snprintf(yaml + used, room - used, "%sconv2d %d kernel=3 padding=1, relu",
                                     number ? ", " : "[", channels);
        }
        used += (size_t)snprintf(yaml + used, room - used, ", max_pool2d kernel=2");
        number++;
    }
    snprintf(yaml + used, room - used, "]");
    return ELBO_OK;
}

static elbo_status copy_weights(elbo_network *n, const elbo_safetensors *file, const char *path, elbo_error *err) {
    for (int i = 0; i < n->graph.params; i++) {
        const elbo_param *p = &n->graph.param[i];
        const elbo_st_tensor *t = elbo_safetensors_find(file, p->name);
        size_t count = t && t->dtype == ELBO_ST_F32 && t->dims == p->rank ? 1 : 0;
        for (int d = 0; count && d < p->rank; d++) count *= t->shape[d] == (size_t)p->dim[d];
        if (!count)
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no tensor `%s` of %d floats", path, p->name, p->dim[0]);
        memcpy(n->params + p->offset, t->data, p->count * sizeof(float));
    }
    return ELBO_OK;
}

static elbo_status build(elbo_network *n, const elbo_safetensors *file, const char *path, elbo_image_shape image,
                         elbo_error *err) {
    char yaml[1200];
    if (image.channels != 3 || image.height < LEAST_SIDE || image.width < LEAST_SIDE)
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "loss.vgg16: the images are %dx%dx%d; VGG16 needs 3 channels of %d x %d or more: remove "
                         "perceptual from loss.reconstruction",
                         image.channels, image.height, image.width, LEAST_SIDE, LEAST_SIDE);
    ELBO_TRY(layers_of(file, path, yaml, sizeof yaml, err));
    elbo_layers layers = {0};
    elbo_status status = elbo_layers_parse(&layers, yaml, path, err);
    if (status == ELBO_OK) status = elbo_graph_build_features(&n->graph, &layers, image, err);
    if (status == ELBO_OK && !(n->params = elbo_alloc(n->graph.param_floats, sizeof(float))))
        status = elbo_no_memory(err);
    if (status == ELBO_OK) status = copy_weights(n, file, path, err);
    elbo_graph_forget_texts(&n->graph); // they are the layers'
    elbo_layers_free(&layers);
    return status;
}

elbo_status elbo_vgg16_open(elbo_network *n, const char *path, elbo_image_shape image, elbo_error *err) {
    *n = (elbo_network){0};
    elbo_safetensors file;
    ELBO_TRY(elbo_safetensors_open(&file, path, err));
    elbo_status status = build(n, &file, path, image, err);
    elbo_safetensors_close(&file);
    if (status != ELBO_OK) {
        elbo_graph_free(&n->graph);
        free(n->params);
        n->params = NULL;
    }
    return status;
}

elbo_status elbo_features_open(elbo_network **n, const elbo_recipe *r, elbo_image_shape image, elbo_error *err) {
    *n = NULL;
    if (!r->vgg16 || !*r->vgg16) return ELBO_OK;
    elbo_network *made = elbo_alloc(1, sizeof *made);
    if (!made) return elbo_no_memory(err);
    elbo_status status = elbo_vgg16_open(made, r->vgg16, image, err);
    if (status == ELBO_OK)
        *n = made;
    else
        free(made);
    return status;
}

void elbo_features_free(elbo_network *n) {
    if (!n) return;
    elbo_graph_free(&n->graph);
    free(n->params);
    free(n);
}
