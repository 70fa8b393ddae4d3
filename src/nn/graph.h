/* A network as a list of nodes in the order they compute, each an op with its inputs, the shape of its output for one
 * image, and its parameters. It knows nothing of batches, memory or threads: that is the plan's (plan.h). */
#ifndef ELBO_GRAPH_H
#define ELBO_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "data/data.h"
#include "nn/distributions.h"
#include "nn/metrics.h"
#include "recipe/recipe.h"

/* One image's worth of an activation: (features), or (channels, height, width). */
typedef struct elbo_shape {
    int rank; // 1 or 3
    int dim[3];
} elbo_shape;

size_t elbo_shape_size(elbo_shape s);
/* "784" or "64x7x7", into `text`, which is returned. */
char *elbo_shape_text(elbo_shape s, char text[40]);

enum { ELBO_PARAM_MAX_DIMS = 4 };

/* A parameter, named and laid out as in a PyTorch state_dict. */
typedef struct elbo_param {
    char *name; // "encoder.1.weight"
    int rank;
    int dim[ELBO_PARAM_MAX_DIMS];
    size_t offset, count; // floats, in the block that holds all parameters
    float bound;          // initially uniform in [-bound, bound): PyTorch's default is 1 / sqrt(fan_in)
    float start;          // where bound is 0: initially this
    elbo_player player;   // who learns it
    bool buffer;          // kept with the weights but not learned: running statistics
} elbo_param;

struct elbo_op;
enum { ELBO_MAX_INPUTS = 2, ELBO_OP_MAX_VALUES = 8 };

typedef struct elbo_node {
    const struct elbo_op *op;
    char *name;       // "encoder.1": where its parameters live in the state_dict
    const char *text; // as the recipe says it: "linear 400"
    elbo_place place;
    int input[ELBO_MAX_INPUTS], inputs; // node numbers
    elbo_shape shape;                   // of the output, per image
    double value[ELBO_OP_MAX_VALUES];   // the op's arguments, in the order of its table
    double
        across[ELBO_OP_MAX_VALUES]; // the columns' side of those of kind ELBO_ROWS_COLUMNS, kernel=3x5; `value` is the rows'
    const char *word;               // an argument that is a name: of a saved activation, of a mode; or NULL
    int first_param, params;
    elbo_player player;         // whose parameters they are
    const char *const *stacked; // names of layers that stand one above the other in this one: {"mu", "logvar", NULL}
} elbo_node;

/* The named nodes that every model has. */
typedef struct elbo_taps {
    int input; // the image that the encoder reads
    int target; // the image that the reconstruction is compared with: the same, or the clean one where `input` is corrupted
    int label;   // the class, one weight for each; -1: the model is not conditional
    int code;    // AE: the code; VAE: mu above logvar, (2 latent)
    int latent;  // what the decoder reads: z; AE: the code again
    int logits;  // AE or VAE whose last layer is a sigmoid: what goes into it; else the output again
    int output;  // the reconstruction
    int versus;  // what the adversary's layers read; -1: there is none
    int verdict; // the logit that they end in
} elbo_taps;

/* `save NAME`: an activation that `add NAME` or `concat NAME` reads later. */
typedef struct elbo_saved {
    const char *name;
    int node;
} elbo_saved;
enum { ELBO_MAX_SAVED = 64 };

typedef struct elbo_graph {
    elbo_node *node; // (count)
    int count;
    size_t capacity;
    elbo_param *param; // (params)
    int params;
    size_t param_capacity;
    size_t param_floats; // size of the block of all parameters
    size_t weights;      // parameters without padding: what `elbo recipes` counts
    elbo_saved saved[ELBO_MAX_SAVED];
    int saved_count;
    int skip[ELBO_MAX_SAVED], skips; // the encoder's nodes that the decoder reads
    size_t skip_floats;              // of all of them, for one image
    elbo_taps at;
    bool draws_images;  // the adversary judges images of draws from the prior, too, beside reconstructions
    elbo_player player; // whose nodes are being added
    int inputs;         // nodes in front of the encoder's layers: what the caller gives
    bool encoder_reads_label, decoder_reads_label;
    const elbo_posterior *posterior; // NULL: an autoencoder
    const elbo_prior *prior;         // the same
    elbo_metrics metrics;            // what the losses measure
    int loss[ELBO_MAX_METRICS];      // the node of each; -1: measured beside another
    elbo_image_shape image;
    int classes; // numbers in a label; 0: there is none
    elbo_kind kind;
    elbo_shape code_shape; // of the latent as the decoder reads it
    int latent;            // its size
} elbo_graph;

/* Builds the network of a recipe for images of a shape. Errors name the layer's place. The recipe must outlive it. */
elbo_status elbo_graph_build(elbo_graph *g, const elbo_recipe *r, elbo_image_shape image, elbo_error *err);
void elbo_graph_free(elbo_graph *g);

/* How many images a plan may take at once, a power of two up to `most`, so that large networks need no more than about
 * a gigabyte of activations. */
int elbo_graph_batch(const elbo_graph *g, int most);

/* A graph with its weights. */
typedef struct elbo_network {
    elbo_graph graph;
    float *params; // (graph.param_floats)
} elbo_network;
/* The network of a recipe with the weights of its seed. */
elbo_status elbo_network_make(elbo_network *n, const elbo_recipe *r, elbo_image_shape image, elbo_error *err);
void elbo_network_free(elbo_network *n);

/* Layers alone, without a code or a decoder, named features.0, features.1, ...: what a loss looks at images with. Its
 * texts are those of the layers until they are forgotten. */
elbo_status elbo_graph_build_features(elbo_graph *g, const elbo_layers *layers, elbo_image_shape image,
                                      elbo_error *err);
void elbo_graph_forget_texts(elbo_graph *g);

/* For ops: adds the parameter NODE.`suffix` (or, in a stacked node, one for each of its names, the first dimension
 * split evenly; they lie one behind the other, so the node can use them as one). */
elbo_status elbo_graph_add_param(elbo_graph *g, elbo_node *n, const char *suffix, int rank, const int *dim, float bound,
                                 elbo_error *err);
/* The same for one that starts as a constant: a scale, a shift, or (`buffer`) running statistics. */
elbo_status elbo_graph_add_constant(elbo_graph *g, elbo_node *n, const char *suffix, int rank, const int *dim,
                                    float start, bool buffer, elbo_error *err);

/* For ops: an error at the node's place. */
elbo_status elbo_node_fail(const elbo_node *n, elbo_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills the block with initial values, a function of the seed alone. */
void elbo_graph_init_params(const elbo_graph *g, uint64_t seed, float *block); // block: (param_floats)

#endif
