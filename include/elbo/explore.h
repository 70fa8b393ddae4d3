/* libelbo: the analyses that `elbo reconstruct`, `interpolate`, `arithmetic`, `traverse`, `manifold`, `sample`, `project`,
 * `eval`, `doctor` and `compare` show, as functions from trained models and their data to arrays and JSON.
 *
 *     #include <elbo/explore.h>
 *     #include <stdio.h>
 *
 *     int main(void) {                                   // a 3 that becomes an 8, in ten images
 *         elbo_error err;
 *         elbo_explorer *e;
 *         elbo_result *r = NULL;
 *         const char *run = "runs/mnist-vae";
 *         elbo_interpolate_query q = {.size = sizeof q, .from = "class:3", .to = "class:8"};
 *         if (elbo_explorer_open(&e, &run, 1, NULL, &err) != ELBO_OK ||
 *             elbo_explore_interpolation(e, &q, &r, &err) != ELBO_OK)
 *             fprintf(stderr, "%s\n", err.message);
 *         elbo_array images = elbo_result_array(r, "images"); // (runs, steps, C, H, W)
 *         if (images.data) printf("%zu images\n", images.shape[1]);
 *         elbo_result_free(r);
 *         elbo_explorer_close(e);
 *     }
 *
 * Every query may be NULL, for all defaults; its `size` is sizeof of the struct, what is left out is 0. A result is plain
 * data: it outlives the explorer. Images are float32 in the range of the first run, (C, H, W) each. An explorer may be
 * used by one thread at a time. */
#ifndef ELBO_EXPLORE_H
#define ELBO_EXPLORE_H

#include "elbo/elbo.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- runs and their data ---- */

typedef struct elbo_explorer elbo_explorer;

typedef struct elbo_explorer_options {
    size_t size;
    /* The images: what --data reads (a folder, a .npy, or a name as "digits"); or arrays; or neither, for the data that
     * the first run was trained on. */
    const char *data;
    const float *train_images, *test_images; /* (count, C, H, W), in the run's range; copied; either may be NULL */
    size_t train_count, test_count;
    const unsigned char *train_labels, *test_labels; /* (count), each below `classes`; or NULL */
    int classes;                                     /* 0: no labels */
    int threads;                                     /* 0: all cores. Results do not depend on it */
    const char *device;                              /* NULL: the first */
    /* Called on the calling thread while long work goes on, with what is being done and how far it is, 0 to 1. What is
     * not 0 stops: the function fails with ELBO_STOPPED, t-SNE gives what it has. May be NULL. */
    int (*progress)(void *context, const char *what, double done);
    void *context;
} elbo_explorer_options;

/* Opens run folders whose images have one shape; data are read when the first analysis needs them. On failure *e is NULL
 * and err holds one line. `options` NULL: all defaults. The caller closes it. */
ELBO_API elbo_status elbo_explorer_open(elbo_explorer **e, const char *const *runs, int count,
                                        const elbo_explorer_options *options, elbo_error *err);
ELBO_API void elbo_explorer_close(elbo_explorer *e); /* NULL is fine */
/* Run `i`, from 0, the explorer's; NULL where there is none. */
ELBO_API elbo_model *elbo_explorer_model(elbo_explorer *e, int i);

/* ---- results ---- */

typedef struct elbo_result elbo_result;

typedef struct elbo_array {
    const float *data; /* row-major, the result's; NULL: there is none of that name */
    int rank;
    size_t shape[6];
} elbo_array;

/* An array by its name, which each analysis below says. */
ELBO_API elbo_array elbo_result_array(const elbo_result *r, const char *name);
/* What the command prints with --json, without the names of files: an object, or an array of objects for several runs.
 * The result's. */
ELBO_API const char *elbo_result_json(const elbo_result *r);
ELBO_API void elbo_result_free(elbo_result *r); /* NULL is fine */

/* ---- analyses ---- */

/* Test images encoded to their mean codes and decoded again.
 * "images": (1 + runs, count, C, H, W): the originals, then each run's. */
typedef struct elbo_reconstruct_query {
    size_t size;
    int count;             /* 0: 10, fewer where there are fewer */
    const unsigned *index; /* (count) which; NULL: one of each class in turn, or the first ones */
    int train;             /* 1: of the training images */
    const char *
        class_name; /* of a conditional model: the class that codes are decoded as, by name or number; NULL: each image's own */
} elbo_reconstruct_query;
ELBO_API elbo_status elbo_explore_reconstructions(elbo_explorer *e, const elbo_reconstruct_query *q, elbo_result **r,
                                                  elbo_error *err);

/* From one code to another.  "images": (runs, steps, C, H, W); "pixels": (steps, C, H, W), the same between pixels. */
typedef struct elbo_interpolate_query {
    size_t size;
    const char *from, *to; /* as --from: "test:17", "class:3", "mean(class:3)", an expression; NULL: 3 to 8, or the
                              first two test images */
    int steps;             /* both ends among them; 0: 10 */
    int slerp;             /* 1: spherical; 0: linear */
    const char *
        class_name; /* of a conditional model: the class that codes are decoded as, by name or number; NULL: from one end's to the other's */
} elbo_interpolate_query;
ELBO_API elbo_status elbo_explore_interpolation(elbo_explorer *e, const elbo_interpolate_query *q, elbo_result **r,
                                                elbo_error *err);

/* An expression of codes, `mean(class:8) - mean(class:3) + test:17`, by the first run. "code": (latent). "images":
 * (2, operands + 2, C, H, W): operands, result, nearest training image; as pixels, then decoded. */
ELBO_API elbo_status elbo_explore_arithmetic(elbo_explorer *e, const char *expression, elbo_result **r,
                                             elbo_error *err);

/* One latent dimension at a time, by the first run.  "images": (dimensions, steps, C, H, W), the most informative first. */
typedef struct elbo_traverse_query {
    size_t size;
    const char *at;   /* an expression: the code around which; NULL: the origin, an autoencoder's mean code */
    const int *dims;  /* (dim_count) which; NULL: the most informative ones */
    int dim_count;    /* 0 with NULL: at most 20 */
    int steps;        /* 0: 11 */
    double low, high; /* values, of an autoencoder in standard deviations; both 0: -3 to 3 */
    const char *
        class_name; /* of a conditional model: the class that codes are decoded as, by name or number; NULL: that of `at`, or the first */
} elbo_traverse_query;
ELBO_API elbo_status elbo_explore_traversal(elbo_explorer *e, const elbo_traverse_query *q, elbo_result **r,
                                            elbo_error *err);

/* A plane of the latent space as a grid, by the first run.  "images": (rows, steps, C, H, W), the uppermost row first. */
typedef struct elbo_manifold_query {
    size_t size;
    int dims[2]; /* two different dimensions; equal: the code itself of two dimensions, else the first principal axes */
    int steps;   /* 0: 20 */
    const char *
        class_name; /* of a conditional model: the class that codes are decoded as, by name or number; NULL: the first */
} elbo_manifold_query;
ELBO_API elbo_status elbo_explore_manifold(elbo_explorer *e, const elbo_manifold_query *q, elbo_result **r,
                                           elbo_error *err);

/* New images, by the first run.  "images": (count, C, H, W); with `nearest` "neighbours": the nearest training images. */
typedef struct elbo_sample_query {
    size_t size;
    const char *from;        /* "prior", "gaussian" or "gmm"; NULL: the prior of a VAE, gmm of an autoencoder */
    int count;               /* 0: 64 */
    unsigned long long seed; /* image i depends on the seed and on i alone */
    double temperature;      /* multiplies the noise; 0: 1 */
    int nearest;             /* 1: also each image's nearest training image */
    const char *
        class_name; /* of a conditional model: the class that codes are decoded as, by name or number; NULL: each class in turn, all with the same codes */
} elbo_sample_query;
ELBO_API elbo_status elbo_explore_samples(elbo_explorer *e, const elbo_sample_query *q, elbo_result **r,
                                          elbo_error *err);

/* Codes of images as points in the plane, by the first run. "points": (n, 2); "codes": (n, latent); "labels": (n), where
 * there are labels. */
typedef struct elbo_project_query {
    size_t size;
    const char *method; /* "pca" or "tsne"; NULL: pca */
    const char *split;  /* "test", "train" or "all", training images first; NULL: test */
    size_t most;        /* at most so many images; 0: all */
    int score;          /* 1: also trustworthiness, continuity and others, in the JSON; takes about as long as t-SNE */
} elbo_project_query;
ELBO_API elbo_status elbo_explore_projection(elbo_explorer *e, const elbo_project_query *q, elbo_result **r,
                                             elbo_error *err);

/* ---- maps, for programs that drag a point ---- */

/* All images of the first run's data in the plane, training images first, and the way between plane and codes. A map
 * outlives the explorer and is never written: several threads may ask it. */
typedef struct elbo_map elbo_map;

typedef struct elbo_map_query {
    size_t size;
    const char *method; /* "pca", "tsne", or "dims": two dimensions of the code; NULL: pca */
    int dims[2];        /* of "dims" */
} elbo_map_query;
ELBO_API elbo_status elbo_explore_map(elbo_explorer *e, const elbo_map_query *q, elbo_map **map, elbo_error *err);
ELBO_API void elbo_map_free(elbo_map *map); /* NULL is fine */
/* (n, 2) and (n, latent), the map's. */
ELBO_API elbo_array elbo_map_places(const elbo_map *map);
ELBO_API elbo_array elbo_map_codes(const elbo_map *map);

/* Where codes lie in it: of t-SNE, where their neighbours' places pull them.  z: (n, latent), places: (n, 2) */
ELBO_API elbo_status elbo_map_place(const elbo_map *map, size_t n, const float *z, float *places, elbo_error *err);

/* Where a code lands that was moved towards a place. Set `size`. */
typedef struct elbo_map_landing {
    size_t size;
    float place[2];   /* of the code */
    double gap;       /* from it to the place that was asked for */
    double off_plane; /* of PCA: how far the code is from the plane of the map, which the move keeps */
    double doubt;     /* of t-SNE: how far the neighbours' codes are apart, in units of all codes' spread: 1 and more is
                         a place where neighbours have nothing in common */
    int exact;        /* the code lies where it was asked to; 0 of t-SNE, which is inverted near the place */
} elbo_map_landing;
/* Moves the code `from` so that it lies at `to`.  from, z: (latent); landing may be NULL */
ELBO_API elbo_status elbo_map_locate(const elbo_map *map, const float *from, const float to[2], float *z,
                                     elbo_map_landing *landing, elbo_error *err);

/* ---- scores, checks, comparison ---- */

/* Every score of the first run on a split, as `elbo eval` prints them. No arrays. */
typedef struct elbo_evaluate_query {
    size_t size;
    const char *split;       /* "test" or "train"; NULL: test */
    unsigned long long seed; /* of the sampled codes */
    int importance_samples;  /* for log p(x) of a VAE; 0: not measured */
} elbo_evaluate_query;
ELBO_API elbo_status elbo_explore_scores(elbo_explorer *e, const elbo_evaluate_query *q, elbo_result **r,
                                         elbo_error *err);

/* The checks of `elbo doctor`, of the first run. No arrays. */
ELBO_API elbo_status elbo_explore_diagnosis(elbo_explorer *e, elbo_result **r, elbo_error *err);

/* All runs beside each other, with the scores that their folders hold. No arrays. */
ELBO_API elbo_status elbo_explore_comparison(elbo_explorer *e, elbo_result **r, elbo_error *err);

#ifdef __cplusplus
}
#endif
#endif
