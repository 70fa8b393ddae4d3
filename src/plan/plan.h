/* A plan: what a network computes in one mode, for batches of at most B images: a list of work (nn/work.h) and the
 * tensors between. A device lowers it to a program of its own (device/device.h). */
#ifndef ELBO_PLAN_H
#define ELBO_PLAN_H

#include "base/threads.h"
#include "nn/work.h"

typedef enum elbo_mode {
    ELBO_ENCODE,   // image -> code (mu, or mu above logvar)
    ELBO_DECODE,   // z, and what the encoder saved for the decoder, if anything -> reconstruction
    ELBO_EVAL,     // image -> losses
    ELBO_SCORE,    // z, and an image -> the reconstruction's loss: how likely a code makes an image
    ELBO_TRAIN,    // image -> losses, gradients, updated parameters
    ELBO_FEATURES, // of a graph of layers with frozen weights, for a perceptual loss
} elbo_mode;

typedef struct elbo_plan_options {
    elbo_mode mode;
    elbo_player player; // TRAIN, EVAL: whose step; the other's parameters stay as they are
    int batch;
    int samples;                  // TRAIN, EVAL: codes drawn for each image, rows that lie one behind the other; 0: one
    float clip;                   // greatest norm of the gradient; 0: any
    const elbo_network *features; // what the perceptual loss looks with; NULL: that loss is left out
    bool frozen_backward;         // FEATURES: also back, to the gradient of the input
    bool keep_gradients;          // leave the gradient where elbo_plan_read_gradients finds it
    bool keep_skips;              // ENCODE: also what the decoder reads of the encoder
    const bool *watch;            // (graph->count): nodes whose output the caller reads after a run; or NULL
} elbo_plan_options;

struct elbo_plan {
    elbo_plan_options options;
    const elbo_graph *graph;
    int parts; // of a batch, a power of two: gradients are summed in a binary tree of them, whoever computes which
    elbo_work *work; // (works)
    int works;
    size_t work_capacity;
    elbo_tensor **tensor; // (tensors)
    int tensors;
    size_t tensor_capacity;
    elbo_node_io *io; // (graph->count)

    /* What the caller may read; NULL where the mode has none. */
    elbo_tensor *code, *output;            // (B, latent or 2 latent), (B, C, H, W)
    elbo_tensor *skip[ELBO_MAX_SAVED];     // (graph->skips) ENCODE with keep_skips
    elbo_tensor **watched;                 // (graph->count)
    elbo_tensor *metric[ELBO_MAX_METRICS]; // (graph->metrics.count), each (B): unweighted, of each image

    /* Losses of all batches that were run, each (graph->metrics.count) summed over the images in their order; the
     * caller sets them to 0. Whole after elbo_plan_wait. */
    double total[ELBO_MAX_METRICS];

    struct elbo_state *state; // the network on its device
    void *program;            // the device's own, made from the list
};

/* Writes the list down. `p` is freed by elbo_plan_clear, also after a failure. */
elbo_status elbo_plan_write(elbo_plan *p, const elbo_graph *g, const elbo_plan_options *options, elbo_error *err);
void elbo_plan_clear(elbo_plan *p);

/* Rows of each image in the adversary's step: what the model gives of it, and what that is held against. In the model's,
 * where images of draws from the prior are judged: the reconstruction, and such an image. */
enum { ELBO_SIDES = 2 };
static inline bool elbo_plan_draws_images(const elbo_plan *p) {
    bool draws = p->options.mode == ELBO_TRAIN || p->options.mode == ELBO_EVAL;
    return draws && p->graph->draws_images && p->options.player == ELBO_PLAYER_MODEL;
}
static inline int elbo_plan_samples(const elbo_plan *p) {
    bool draws = p->options.mode == ELBO_TRAIN || p->options.mode == ELBO_EVAL;
    if ((draws && p->options.player == ELBO_PLAYER_ADVERSARY) || elbo_plan_draws_images(p)) return ELBO_SIDES;
    return draws && p->options.samples > 1 ? p->options.samples : 1;
}
/* Rows of its tensors. */
static inline int elbo_plan_rows(const elbo_plan *p) { return p->options.batch * elbo_plan_samples(p); }
static inline bool elbo_plan_goes_back(const elbo_plan *p) {
    return p->options.mode == ELBO_TRAIN || p->options.frozen_backward;
}
/* Whether a node's tensors have a row for each image, where a plan may have more rows than images. */
bool elbo_plan_is_of_images(const elbo_plan *p, const elbo_node *n);
/* Whether a node's parameters are learned here, if it has any. */
bool elbo_plan_learns_node(const elbo_plan *p, const elbo_node *n);
/* Whether a node's input has anything to learn before it: then its gradient is asked for. */
bool elbo_plan_learns_before(const elbo_plan *p, const elbo_node *n);
/* The shape of a node's input. */
static inline elbo_shape elbo_input_shape(const elbo_graph *g, const elbo_node *n, int k) {
    return g->node[n->input[k]].shape;
}

#endif
