/* A recipe: one whole experiment, read from YAML and checked.
 *
 * What a layer's arguments mean is the op's business (src/nn/ops); the recipe keeps them as words, with the place they
 * were written at, so that every later error can name file and line. */
#ifndef ELBO_RECIPE_H
#define ELBO_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arguments.h"
#include "base/status.h"
#include "base/words.h"
#include "data/data.h"

typedef enum elbo_kind { ELBO_AE, ELBO_VAE } elbo_kind;
typedef enum elbo_reconstruction {
#define PIXEL_LOSS(name, NAME) ELBO_##NAME,
#define OTHER_LOSS PIXEL_LOSS
#include "recipe/losses.def"
#undef PIXEL_LOSS
#undef OTHER_LOSS
    ELBO_RECONSTRUCTIONS
} elbo_reconstruction;
typedef enum elbo_optimizer {
#define OPTIMIZER(name, NAME, ...) ELBO_##NAME,
#include "recipe/optimizers.def"
#undef OPTIMIZER
    ELBO_OPTIMIZERS
} elbo_optimizer;
typedef enum elbo_schedule { ELBO_CONSTANT, ELBO_COSINE, ELBO_STEP } elbo_schedule;
typedef enum elbo_kl_schedule { ELBO_KL_CONSTANT, ELBO_KL_SINE } elbo_kl_schedule;
typedef enum elbo_binary { ELBO_BINARY_NONE, ELBO_BINARY_FIXED, ELBO_BINARY_DYNAMIC } elbo_binary;
typedef enum elbo_normalize { ELBO_NORMALIZE_NONE, ELBO_NORMALIZE_GCN } elbo_normalize;
typedef enum elbo_keep { ELBO_KEEP_LAST, ELBO_KEEP_BEST } elbo_keep;
typedef enum elbo_bound { ELBO_BOUND_ELBO, ELBO_BOUND_IWAE } elbo_bound;
typedef enum elbo_loss_scale { ELBO_SUM, ELBO_MEAN } elbo_loss_scale;
/* Who learns in a step of training: the model, or an adversary that tells what the model gives from what it should be
 * like. Each has parameters and an optimizer of its own; they take turns (train/trainer.h). */
typedef enum elbo_player { ELBO_PLAYER_MODEL, ELBO_PLAYER_ADVERSARY, ELBO_PLAYERS } elbo_player;
/* What the adversary looks at, and what it tells codes from: draws from the prior (AAE), or codes each of whose dimensions
 * is another image's (FactorVAE). Images it tells from those of the data. */
typedef enum elbo_adversary_on { ELBO_ADVERSARY_NONE, ELBO_ADVERSARY_CODE, ELBO_ADVERSARY_IMAGE } elbo_adversary_on;
typedef enum elbo_adversary_against { ELBO_AGAINST_PRIOR, ELBO_AGAINST_SHUFFLED } elbo_adversary_against;
/* Terms over the code, beside the KL (recipe/latent_terms.h). */
typedef enum elbo_latent_term {
#define ROW_TERM(name, NAME, ...) ELBO_LATENT_##NAME,
#define BATCH_TERM ROW_TERM
#include "recipe/latent_terms.def"
    ELBO_LATENT_TERMS
} elbo_latent_term;
typedef struct elbo_latent_setting {
    float number;   // a weight or a bound: what the row says
    float argument; // of its own, as the next
    unsigned choice;
} elbo_latent_setting;
typedef enum elbo_mmd_kernel { ELBO_MMD_IMQ, ELBO_MMD_RBF } elbo_mmd_kernel;

/* "mse + 0.7 l1": what is added up to the reconstruction loss. Of each term an image has the sum over its values (of
 * perceptual, whose features are other values, the mean over these times the number of the image's), so that one
 * factor, loss.scale, makes all of them means. */
typedef struct elbo_term {
    elbo_reconstruction kind;
    float weight;
} elbo_term;
enum { ELBO_MAX_TERMS = ELBO_RECONSTRUCTIONS };
typedef struct elbo_terms {
    elbo_term term[ELBO_MAX_TERMS]; // (count), each kind once
    int count;
} elbo_terms;

/* Layers from their text, "[conv2d 64 kernel=3, relu]". `file` names them in errors and must outlive them. What was
 * read before a failure is freed with the rest. */
elbo_status elbo_layers_parse(elbo_layers *layers, const char *text, const char *file, elbo_error *err);
void elbo_layers_free(elbo_layers *layers);

typedef enum elbo_standardise { ELBO_STANDARDISE_NONE, ELBO_STANDARDISE_COLUMNS } elbo_standardise;

typedef struct elbo_recipe {
    char *name;  // "mnist-vae": the built-in's name, or the file's without folder and ending
    char *file;  // as errors name it
    char *about; // may be ""
    elbo_kind kind;
    char *data;
    elbo_words classes, exclude; // of the training images: these alone, all but these; empty: all of them
    char *label_file;            // of a .npy or a table: a label for each row; "": none
    elbo_standardise standardise;
    int latent; // 0: `latent: none`, the encoder's output is the code, or there is a head
    struct {
        int channels;      // 0: the head is linear, or there is none
        elbo_layers layer; // one: `head: conv2d kernel=4 stride=2 padding=1`
    } head;                // `latent: {channels: 256, head: ...}`: a code of channels x height x width
    elbo_layers encoder, decoder;
    int mixture; // components of the prior, a mixture of Gaussians; 0: it is the standard normal
    int labels;  // classes that `concat class` tells apart; 0: as many as the data have (elbo_recipe_classes)
    elbo_place latent_place, encoder_place, decoder_place, loss_place, warmup_place,
        epochs_place; // of the keys, for errors about the whole

    struct {
        int height, width, channels; // what photos are brought to; 0: images are taken as they are, photos 64x64
        float low, high;             // pixel range the network sees: `image: {range: [-1, 1]}`; default 0, 1
        elbo_normalize normalize;
        elbo_contrast contrast; // gcn: of the training images; equal before they were looked at
        elbo_binary binary;     // values are drawn black or white: once, or in training anew in each epoch
    } image;

    elbo_layers augment;           // `augment: [flip, rotate 10 p=0.3]`
    struct elbo_augment *augments; // the same checked and ready to run (augment/augment.h); NULL: none

    elbo_layers corrupt;           // `corrupt: [noise 0.3, mask 0.25]`: of what the encoder reads
    struct elbo_corrupt *corrupts; // the same checked (corrupt/corrupt.h); NULL: none

    char *vgg16; // loss.vgg16: the perceptual term's weights, a file; "": the term is off; NULL: there is none

    struct {
        elbo_terms reconstruction;
        float sigma;           // of gaussian and logistic, in image.range; 0: learned
        elbo_loss_scale scale; // of what is trained on: sums over an image's values, or means
        int samples;           // codes drawn for each image
        elbo_bound bound;      // what is trained of them: the mean ELBO, or that of Burda et al. 2015
        float kl;              // weight of the KL term (beta)
        float kl_warmup;       // epochs over which the weight grows linearly from 0; `kl: {weight: 1, warmup: 5}`
        elbo_kl_schedule kl_schedule;
        float kl_period, kl_min; // sine: period in epochs, and the least weight
        elbo_latent_setting latent[ELBO_LATENT_TERMS];
    } loss;

    struct {
        elbo_adversary_on on;
        elbo_adversary_against against; // of codes
        elbo_layers layers;             // to one value, the logit that what it looks at is real
        float weight;                   // of the term that the model gains from it
        float lr, betas[2];             // of its optimizer; the rest is the model's
        elbo_place place;
    } adversary;

    struct {
        int epochs, batch;
        elbo_optimizer optimizer;
        float lr, momentum, weight_decay, betas[2], eps;
        elbo_schedule schedule;
        float eta_min;    // cosine: the lr at the end
        int step_size;    // step: epochs between two cuts
        float gamma;      // step: lr *= gamma at each cut
        float clip;       // global gradient norm; 0: off
        float ema;        // decay of the weights' moving average, which is evaluated and saved; 0: off
        float validation; // share of the training images that are held out
        elbo_keep keep;   // whose weights are saved: the last epoch's, or those with the lowest validation objective
        int patience;     // epochs without a lower one before training stops; 0: off
        int history;      // epochs whose weights are kept (run/history.h); 0: none
        uint64_t seed;
    } train;

    char **sets; // (set_count): "--set train.lr=1", what places of overrides point at
    int set_count;
} elbo_recipe;

/* `name` is a built-in's name or a path to a YAML file; `sets` are `key=value` texts ("train.lr=3e-4"), applied in
 * order. Errors name the place, what is wrong and what would be right. Unknown keys are errors. */
elbo_status elbo_recipe_open(elbo_recipe *r, const char *name, const char *const *sets, int set_count, elbo_error *err);
void elbo_recipe_close(elbo_recipe *r);

/* Before a training begins: schedules that its epochs would cut off. An epoch number that was set beside the recipe is
 * a wish for a short trial, and stands. Runs that were trained so can be opened. */
elbo_status elbo_recipe_check_schedules(const elbo_recipe *r, elbo_error *err);

static inline bool elbo_has_adversary(const elbo_recipe *r) { return r->adversary.on != ELBO_ADVERSARY_NONE; }
static inline int elbo_recipe_players(const elbo_recipe *r) { return elbo_has_adversary(r) ? ELBO_PLAYERS : 1; }

/* Where a layer `concat class` stands first, or NULL: the model is not conditional. */
const elbo_layer *elbo_recipe_class_layer(const elbo_recipe *r);
/* How many classes: those that the recipe says, else those of a data set that is known by the recipe's name; 0: not known
 * before the data are read. */
int elbo_recipe_classes(const elbo_recipe *r);
/* Takes the number of classes from the data that a conditional recipe is trained on. Fails where they have no labels, or
 * other classes than the recipe says. */
elbo_status elbo_recipe_take_classes(elbo_recipe *r, const elbo_dataset *d, elbo_error *err);
/* Measures the training images where image.normalize is gcn and the recipe does not say what they are. */
elbo_status elbo_recipe_take_contrast(elbo_recipe *r, const elbo_dataset *d, elbo_error *err);

/* The resolved recipe as YAML: every key spelled out, but those that came later and have their default. Reading it back
 * gives the same recipe. A new string. */
char *elbo_recipe_text(const elbo_recipe *r);

/* Every key with what it may hold, its default and what it means, a line each: for `elbo recipes --keys` and the
 * manual. A new string. */
char *elbo_recipe_keys(void);

/* The recipes built into the program (recipes/NAME.yaml), in the order of `elbo recipes`. */
typedef struct elbo_builtin_recipe {
    const char *name, *yaml;
} elbo_builtin_recipe;
extern const elbo_builtin_recipe elbo_builtin_recipes[]; // ended by a row whose name is NULL

const char *elbo_kind_name(elbo_kind kind);
const char *elbo_reconstruction_name(elbo_reconstruction r);
/* "mse + 0.7 l1 + 0.3 perceptual". Returns `out`. */
enum { ELBO_TERMS_TEXT = 120 };
const char *elbo_terms_text(const elbo_terms *terms, char out[ELBO_TERMS_TEXT]);
/* The terms that are computed: perceptual only where there are weights to look with. */
elbo_terms elbo_terms_computed(const elbo_recipe *r);
/* The weight of a kind of term, 0 where it is none of them. */
float elbo_term_weight(const elbo_terms *terms, elbo_reconstruction kind);
/* The term that is computed before the decoder's sigmoid (bce, cb), or that has a scale (gaussian, logistic); NULL: none
 * is. Either stands alone. */
const elbo_term *elbo_terms_of_logits(const elbo_terms *terms);
const elbo_term *elbo_terms_scaled(const elbo_terms *terms);

#endif
