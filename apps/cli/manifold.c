/* elbo manifold: a plane of the latent space, decoded. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "formats/npy.h"
#include "lists.h"
#include "render/latent_figures.h"
#include "runs.h"

typedef struct manifold_options {
    cli_look look;
    const char *dims, *npy;
    int steps;
} manifold_options;

static elbo_status make_plane(elbo_plane *p, elbo_plane_options o, cli_runs *r, elbo_error *err) {
    elbo_model *m = r->run[0].model;
    const elbo_images *images = &r->data.train;
    int Z = m->network.graph.latent;
    float *codes = elbo_alloc((size_t)images->count * (size_t)Z, sizeof *codes);
    if (!codes) return elbo_no_memory(err);
    elbo_model_encode_images(m, images, NULL, images->count, codes, NULL);
    elbo_status status = elbo_plane_make(p, codes, images->count, Z, o, err);
    free(codes);
    return status;
}

static elbo_status write_images(const char *path, elbo_model *m, const elbo_plane *p, elbo_error *err) {
    elbo_image_shape s = m->network.graph.image;
    size_t n = (size_t)p->rows * (size_t)p->steps;
    float *images = elbo_alloc(n * elbo_image_size(s), sizeof *images);
    if (!images) return elbo_no_memory(err);
    elbo_model_decode_codes(m, n, p->z, images);
    size_t shape[] = {(size_t)p->rows, (size_t)p->steps, (size_t)s.channels, (size_t)s.height, (size_t)s.width};
    elbo_status status = elbo_npy_write_f32(path, images, 5, shape, err);
    free(images);
    return status;
}

/* Which plane, and at which numbers. */
static void write_title(char *title, size_t size, const elbo_plane *p, const elbo_plane_options *o, int latent) {
    const char *numbers = o->prior ? "quantiles of the prior" : "quantiles of the codes";
    if (latent == 1)
        snprintf(title, size, "The latent line at %s", numbers);
    else if (o->dims[0] < 0)
        snprintf(title, size, "Latent space: first two principal axes (%.0f%% and %.0f%% of the variance)",
                 100 * p->explained[0], 100 * p->explained[1]);
    else if (latent == 2)
        snprintf(title, size, "The latent plane, z%d across and z%d up, at %s", o->dims[0], o->dims[1], numbers);
    else
        snprintf(title, size, "Latent dimensions z%d (across) and z%d (up) at %s", o->dims[0], o->dims[1], numbers);
}

static elbo_status make(manifold_options *o, json_t **json) {
    cli_look *look = &o->look;
    elbo_model *m = look->runs.run[0].model;
    int Z = m->network.graph.latent, count = 0;
    ELBO_TRY(elbo_model_decodes_alone(m, &look->err));
    elbo_plane_options plane = {
        .dims = {-1, -1}, .steps = o->steps, .prior = m->recipe.kind == ELBO_VAE, .threads = look->threads};
    if (Z <= 2) plane.dims[0] = 0, plane.dims[1] = 1;
    if (o->dims) ELBO_TRY(cli_read_dims(o->dims, Z, plane.dims, 2, &count, &look->err));
    if (o->dims && count != 2)
        return elbo_fail(&look->err, ELBO_BAD_INPUT, "--dims %s: a plane has two, as 3,7", o->dims);
    elbo_plane p;
    ELBO_TRY(make_plane(&p, plane, &look->runs, &look->err));
    char title[200];
    write_title(title, sizeof title, &p, &plane, Z);
    look->figure.title = title;
    elbo_status status = elbo_figure_plane(look->figure, m, &p, &look->err);
    if (status == ELBO_OK && o->npy) status = write_images(o->npy, m, &p, &look->err);
    if (status == ELBO_OK && look->json) {
        json_t *at[2] = {json_array(), json_array()};
        for (int k = 0; k < 2; k++)
            for (int s = 0; s < (k ? p.rows : p.steps); s++) json_array_append_new(at[k], json_real(p.at[k][s]));
        *json = json_pack("{s:i, s:o, s:o}", "steps", o->steps, "across", at[0], "up", at[1]);
        if (plane.dims[0] >= 0)
            json_object_set_new(*json, "dims", json_pack("[i, i]", plane.dims[0], plane.dims[1]));
        else
            json_object_set_new(*json, "explained_variance_ratio", json_pack("[f, f]", p.explained[0], p.explained[1]));
    }
    elbo_plane_free(&p);
    return status;
}

static int run(const cli_command *self, int argc, char **argv) {
    manifold_options o = {.look = {.name = "manifold"}, .steps = 20};
    cli_option options[] = {
        {"steps", 'n', CLI_INT, &o.steps, "N", "images along a side; default 20", 2, 60},
        {"dims", 0, CLI_TEXT, &o.dims, "A,B",
         "two latent dimensions, across and up; default two principal axes of the codes", 0, 0},
        {"npy", 0, CLI_TEXT, &o.npy, "X.npy", "also the images, (rows, steps, C, H, W) float32", 0, 0},
        CLI_LOOK_OPTIONS(o.look, "default RUN/figures/manifold.png"),
        {0},
    };
    int words = cli_parse(self, options, argc, argv, 1, 1);
    if (CLI_DONE(words)) return CLI_CODE(words);
    int code = cli_look_open(&o.look, argv, 1, ELBO_TRAIN_SPLIT);
    if (code != CLI_OK) return code;
    json_t *json = NULL;
    elbo_status status = make(&o, &json);
    return cli_look_close(&o.look, status, json);
}

const cli_command cli_manifold = {
    .name = "manifold",
    .arguments = "RUN",
    .summary = "a plane of the latent space, decoded as a grid",
    .details =
        "A code of two dimensions: the whole space, at equal steps of the prior's probability (of an "
        "autoencoder, of its\n"
        "training codes). Of more: the plane of the codes' first two principal axes, or of two dimensions, the others at 0\n"
        "(of an autoencoder, at their mean).\n"
        "\n"
        "examples:\n"
        "  elbo manifold runs/mnist-vae-2d\n"
        "  elbo manifold runs/mnist-vae --dims 3,7 -n 12\n",
    .run = run,
};
