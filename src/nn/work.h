/* Work: what a network has to compute for a whole batch, as a list that ops append to and devices lower to programs of
 * their own. A work item names the node, the direction and the tensors; it knows no cut of the batch, no layout, no
 * address and no device. */
#ifndef ELBO_NN_WORK_H
#define ELBO_NN_WORK_H

#include "nn/graph.h"

/* What is computed. A device has one lowering for each. */
typedef enum elbo_work_kind {
    ELBO_WORK_ROWS,       // the batch's images, or codes, that the caller gives
    ELBO_WORK_TARGET,     // SCORE: the images that codes are compared with
    ELBO_WORK_LABEL,      // the images' classes, given by the caller: a class, or a weight for each
    ELBO_WORK_CORRUPT,    // TRAIN, EVAL: what a denoising model's encoder reads, made of the images
    ELBO_WORK_SKIP,       // DECODE, SCORE: what the encoder saved, given by the caller
    ELBO_WORK_READ,       // a tensor that the caller reads after the run
    ELBO_WORK_LINEAR,     // y = x w^T + b
    ELBO_WORK_CONV,       // conv2d and conv_transpose2d
    ELBO_WORK_ACTIVATION, // one value at a time, in place where nobody else reads x
    ELBO_WORK_GATE,       // the same, x g(x), not in place: backward reads x
    ELBO_WORK_DROPOUT,
    ELBO_WORK_BATCH_NORM,
    ELBO_WORK_LAYER_NORM,
    ELBO_WORK_GROUP_NORM,
    ELBO_WORK_SELF_ATTENTION,
    ELBO_WORK_POOL,
    ELBO_WORK_UPSAMPLE,
    ELBO_WORK_RESHAPE, // the same values under another shape
    ELBO_WORK_ADD,
    ELBO_WORK_CONCAT,
    ELBO_WORK_SAMPLE,     // z = mu + eps exp(logvar / 2)
    ELBO_WORK_PIXEL_LOSS, // the reconstruction against the image, value by value
    ELBO_WORK_PERCEPTUAL, // the same in the features of a frozen network
    ELBO_WORK_KL,         // of a diagonal Gaussian from the standard normal
    ELBO_WORK_BOUND,      // of an image's samples together: what weight each has, and with them the gradients
    ELBO_WORK_VERSUS,     // the adversary's step: what the model gives and what that is held against, a row each
    ELBO_WORK_ADVERSARY,  // what either player gains from the adversary's logits
    ELBO_WORK_LATENT,     // another term over the codes: of each image, or of the batch together
    ELBO_WORK_FEATURES,   // FEATURES: here the caller writes the gradient of the last node
    ELBO_WORK_KINDS,
} elbo_work_kind;

/* Directions add up where one pass over memory does both. */
typedef enum elbo_direction { ELBO_FORWARD = 1, ELBO_TO_INPUT = 2, ELBO_TO_WEIGHTS = 4 } elbo_direction;

/* A value of the network for each image of a batch: (B, shape). */
typedef struct elbo_tensor {
    int index;        // among the plan's
    const char *name; // the node's
    elbo_shape shape; // of one image
    bool gradient;
    bool read;   // by the caller, after a run
    int readers; // work items that read it: more than one, and no op may work in place on it
} elbo_tensor;

enum { ELBO_WORK_TENSORS = 4 };

typedef struct elbo_work {
    elbo_work_kind kind;
    int direction;         // elbo_direction, or a sum of them
    const elbo_node *node; // its arguments and parameters
    elbo_tensor *in[ELBO_WORK_TENSORS], *out[ELBO_WORK_TENSORS];
} elbo_work;

/* A node's tensors in a plan. Gradients are NULL where nobody asks for them. A gradient is the sum of what every work
 * item that has it among its outputs contributes; the first of them sets it. */
typedef struct elbo_node_io {
    elbo_tensor *x[ELBO_MAX_INPUTS], *y;
    elbo_tensor *dx[ELBO_MAX_INPUTS], *dy;
    bool learns; // the node, or one before it, has parameters
} elbo_node_io;

typedef struct elbo_plan elbo_plan;

/* For ops: appends an item. */
elbo_status elbo_plan_append(elbo_plan *p, elbo_work w, elbo_error *err);

#endif
