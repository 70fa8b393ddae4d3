/* What a kernel is given. Read by kernels (compiled for a GPU, or for the CPU by shim/) and by the C code that launches
 * them, so only types that mean the same on both sides. */
#ifndef ELBO_CUDA_ARGS_H
#define ELBO_CUDA_ARGS_H

enum { ELBO_GPU_OPERANDS = 10, ELBO_GPU_NUMBERS = 20, ELBO_GPU_METRICS = 16 };

/* One piece of work. A launch has one or several that do not depend on each other: its blocks are shared out by
 * `first_block`. What the operands and numbers are stands above each kernel. */
typedef struct elbo_gpu_item {
    float *t[ELBO_GPU_OPERANDS]; // tensors, parameters, or NULL
    int n[ELBO_GPU_NUMBERS];
    float f[2];
    int first_block;
    int accumulate; // the output has another item's share already
} elbo_gpu_item;

/* elbo_update of nn/optimizer.h */
typedef struct elbo_gpu_update {
    float lr, momentum, weight_decay, beta1, beta2, eps, correction1, correction2;
    int first, off; // off: gradients only
} elbo_gpu_update;

/* A step's numbers. In memory the batch's rows follow, at offsets that items know. */
typedef struct elbo_gpu_step {
    int images, rows, samples; // rows = images x samples; image of row r: r / samples
    int bytes;                 // images follow as bytes, else as floats
    int no_noise, given_noise;
    float low, high; // the range that bytes are read into
    float loss_scale;
    float loss_weight[ELBO_GPU_METRICS], loss_bound[ELBO_GPU_METRICS];
    unsigned seed[2], purpose, epoch; // of the noise; the sample is the image's number
    elbo_gpu_update update;
} elbo_gpu_step;

/* What a run leaves: sums of losses, and whether it went on to the end. */
typedef struct elbo_gpu_verdict {
    double total[ELBO_GPU_METRICS]; // in the images' order
    float gradient_scale;           // below 1 where it was
    int diverged, too_long, steps;
} elbo_gpu_verdict;

typedef struct elbo_gpu_launch {
    const elbo_gpu_item *item;
    const elbo_gpu_step *step;
    elbo_gpu_verdict *verdict;
    int items;
} elbo_gpu_launch;

/* Numbers of optimizers, activations and losses as kernels know them; lower.c maps the recipe's to these. */
enum { GPU_SGD, GPU_ADAM, GPU_ADAMW };
enum { GPU_LINEAR, GPU_RELU, GPU_LEAKY_RELU, GPU_TANH, GPU_SIGMOID };
enum { GPU_BCE, GPU_MSE, GPU_L1, GPU_CB, GPU_GAUSSIAN, GPU_LOGISTIC };
enum { GPU_SILU, GPU_GELU, GPU_GELU_TANH };

/* ---- numbers of items, by kernel ---- */

/* product, and the three of a convolution. M x N values, each a sum over K; -1 in place of M, N or K: the rows (times
 * the pixels, where there are some). BLOCKS: tiles of the whole, from block BLOCKS on are those of the next part of K. */
enum {
    PRODUCT_M,
    PRODUCT_N,
    PRODUCT_K,
    PRODUCT_BLOCKS_N,
    PRODUCT_BLOCKS,
    PRODUCT_ACTIVATION,
    PRODUCT_MASK,
    PRODUCT_RULE,
    PRODUCT_A_M,
    PRODUCT_A_K,
    PRODUCT_B_K,
    PRODUCT_B_N,
    PRODUCT_C_M
};
enum {
    CONV_C = PRODUCT_RULE + 1,
    CONV_H,
    CONV_W,
    CONV_O,
    CONV_OH,
    CONV_OW,
    CONV_KERNEL,
    CONV_STRIDE,
    CONV_PADDING,
    CONV_DILATION,
    CONV_SPLIT
};

enum {
    GPU_PRODUCT_TILE = 32,
    GPU_PRODUCT_DEPTH = 16,
    GPU_PRODUCT_THREADS = 64,
    GPU_THREADS = 128,
    GPU_SQUARES_FLOATS = 16384
};

#endif
