#include "recipe/keys.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recipe/latent_terms.h"

static const char *const kinds[] = {[ELBO_AE] = "ae", [ELBO_VAE] = "vae", NULL};
static const char *const reconstructions[] = {
#define PIXEL_LOSS(name, NAME) #name,
#define OTHER_LOSS PIXEL_LOSS
#include "recipe/losses.def"
    NULL};
static const char *const optimizers[] = {
#define OPTIMIZER(name, ...) #name,
#include "recipe/optimizers.def"
    NULL};
static const char *const schedules[] = {
    [ELBO_CONSTANT] = "constant", [ELBO_COSINE] = "cosine", [ELBO_STEP] = "step", NULL};
static const char *const kl_schedules[] = {[ELBO_KL_CONSTANT] = "constant", [ELBO_KL_SINE] = "sine", NULL};
static const char *const mmd_kernels[] = {[ELBO_MMD_IMQ] = "imq", [ELBO_MMD_RBF] = "rbf", NULL};
static const char *const standards[] = {[ELBO_STANDARDISE_NONE] = "none", [ELBO_STANDARDISE_COLUMNS] = "columns", NULL};
static const char *const binaries[] = {
    [ELBO_BINARY_NONE] = "none", [ELBO_BINARY_FIXED] = "fixed", [ELBO_BINARY_DYNAMIC] = "dynamic", NULL};
static const char *const normalizes[] = {[ELBO_NORMALIZE_NONE] = "none", [ELBO_NORMALIZE_GCN] = "gcn", NULL};
static const char *const keeps[] = {[ELBO_KEEP_LAST] = "last", [ELBO_KEEP_BEST] = "best", NULL};
static const char *const bounds[] = {[ELBO_BOUND_ELBO] = "elbo", [ELBO_BOUND_IWAE] = "iwae", NULL};
static const char *const adversaries[] = {
    [ELBO_ADVERSARY_NONE] = "none", [ELBO_ADVERSARY_CODE] = "code", [ELBO_ADVERSARY_IMAGE] = "image", NULL};
static const char *const opponents[] = {[ELBO_AGAINST_PRIOR] = "prior", [ELBO_AGAINST_SHUFFLED] = "shuffled", NULL};
static const char *const scales[] = {[ELBO_SUM] = "sum", [ELBO_MEAN] = "mean", NULL};

const char *elbo_kind_name(elbo_kind kind) { return kinds[kind]; }
const char *elbo_reconstruction_name(elbo_reconstruction r) { return reconstructions[r]; }

float elbo_term_weight(const elbo_terms *terms, elbo_reconstruction kind) {
    for (int i = 0; i < terms->count; i++)
        if (terms->term[i].kind == kind) return terms->term[i].weight;
    return 0;
}

static bool is_vae(const elbo_recipe *r) { return r->kind == ELBO_VAE; }
static bool is_conditional(const elbo_recipe *r) { return elbo_recipe_class_layer(r) != NULL; }
static bool is_perceptual(const elbo_recipe *r) {
    return elbo_term_weight(&r->loss.reconstruction, ELBO_PERCEPTUAL) > 0;
}
static bool is_scaled(const elbo_recipe *r) { return elbo_terms_scaled(&r->loss.reconstruction) != NULL; }
static bool is_sine(const elbo_recipe *r) { return r->kind == ELBO_VAE && r->loss.kl_schedule == ELBO_KL_SINE; }
#define ROW_TERM(name, NAME, ...)                                                                                      \
    __attribute__((unused)) static bool has_##NAME(const elbo_recipe *r) {                                             \
        return elbo_latent_term_is_on(r, ELBO_LATENT_##NAME);                                                          \
    }
#define BATCH_TERM ROW_TERM
#include "recipe/latent_terms.def"
static bool judges_codes(const elbo_recipe *r) { return r->adversary.on == ELBO_ADVERSARY_CODE; }
static bool has_fast_adversary(const elbo_recipe *r) { return elbo_has_adversary(r) && r->train.optimizer != ELBO_SGD; }
static bool is_gcn(const elbo_recipe *r) { return r->image.normalize == ELBO_NORMALIZE_GCN; }
static bool is_sgd(const elbo_recipe *r) { return r->train.optimizer == ELBO_SGD; }
static bool is_adam_or_adamw(const elbo_recipe *r) { return r->train.optimizer != ELBO_SGD; }
static bool is_adamw(const elbo_recipe *r) { return r->train.optimizer == ELBO_ADAMW; }
static bool is_sgd_or_adam(const elbo_recipe *r) { return r->train.optimizer != ELBO_ADAMW; }
static bool is_cosine(const elbo_recipe *r) { return r->train.schedule == ELBO_COSINE; }
static bool is_step(const elbo_recipe *r) { return r->train.schedule == ELBO_STEP; }

#define AT(member) .offset = offsetof(elbo_recipe, member)
#define PLACE(member) .place = offsetof(elbo_recipe, member)
#define DEFAULT(text) .standard = text
#define FROM_TO(a, b) .low = a, .high = b
#define ANY .low = -INFINITY, .high = INFINITY
#define AT_LEAST(a) .low = a, .high = INFINITY
#define ABOVE(a) .low = a, .above = true, .high = INFINITY
#define NEEDS_ADVERSARY "adversary.on: code or image"
#define ONLY(test, words) .applies = test, .goes_with = words

/* The order is that of the resolved recipe; a key stands behind those that decide whether it applies. */
const elbo_key elbo_keys[] = {
    {"about", ELBO_KEY_TEXT, AT(about), DEFAULT("''"), .help = "one line of description"},
    {"kind", ELBO_KEY_CHOICE, AT(kind), .choices = kinds, .help = "autoencoder or variational autoencoder"},
    {"data", ELBO_KEY_TEXT, AT(data), DEFAULT("mnist"),
     .help = "a data set's name (`elbo data list`), a folder of photographs or of IDX files, or a .npy file"},
    {"classes", ELBO_KEY_WORDS, AT(classes), DEFAULT("all"), .terse = true,
     .help = "classes to train on, by name or number: 3, or [0, 1]; the test split keeps all"},
    {"exclude", ELBO_KEY_WORDS, AT(exclude), DEFAULT("none"), .terse = true,
     .help = "classes not to train on, by name or number: 8, or [Bag, Sandal]; the test split keeps all"},
    {"label_file", ELBO_KEY_TEXT, AT(label_file), DEFAULT("''"), .terse = true,
     .help = "of a .npy or a .csv: a file with a label for each row, .npy or text; `elbo train --labels FILE` sets it"},
    {"standardise", ELBO_KEY_CHOICE, AT(standardise), DEFAULT("none"), .choices = standards, .terse = true,
     .help =
         "columns: values less their mean over the training rows, divided by their standard deviation, each place of an "
         "image by itself; for tables"},
    {"latent", ELBO_KEY_LATENT, AT(latent), PLACE(latent_place), FROM_TO(1, 65536),
     .help = "size of the code; none: the encoder's output is the code; {channels: 256, head: conv2d kernel=4 stride=2 "
             "padding=1}: a code of channels x height x width, made by such a layer"},
    {"image.size", ELBO_KEY_EXTENT, AT(image.height), DEFAULT("none"), FROM_TO(1, 4096),
     .help =
         "height and width that photos are resized to, one number or [height, width]: the shorter side is scaled, the "
         "centre cropped. none: images keep their size, photos are resized to 64"},
    {"image.channels", ELBO_KEY_SIZE, AT(image.channels), DEFAULT("none"), FROM_TO(1, 3),
     .help = "1: greyscale, 3: RGB; none: images keep their channels, photos are RGB"},
    {"image.range", ELBO_KEY_NUMBERS, AT(image.low), DEFAULT("[0, 1]"), ANY,
     .help = "pixel values that black and white are mapped to"},
    {"image.binary", ELBO_KEY_CHOICE, AT(image.binary), DEFAULT("none"), .choices = binaries, .terse = true,
     .help =
         "values are drawn black or white with the probability that they say; fixed: once; dynamic: training images "
         "anew in each epoch"},
    {"image.normalize", ELBO_KEY_CHOICE, AT(image.normalize), DEFAULT("none"), .choices = normalizes, .terse = true,
     .help =
         "gcn: global contrast normalisation of each image, less its mean and over its mean absolute deviation, then the "
         "training images' least and greatest value are brought to image.range (Ruff et al. 2018)"},
    {"image.gcn", ELBO_KEY_NUMBERS, AT(image.contrast), DEFAULT("[0, 0]"), ANY, .terse = true,
     ONLY(is_gcn, "image.normalize: gcn"),
     .help =
         "least and greatest normalised value; [0, 0]: those of the training images, which the run's recipe then says"},
    {"augment", ELBO_KEY_STEPS, AT(augment), DEFAULT("[]"),
     .wanted = "a list of augmentations, such as [flip, rotate 10 p=0.3]",
     .help =
         "random augmentations of training images, applied in order: flip p=0.5, rotate 10 p=0.3, crop padding=4, color_jitter "
         "brightness=0.2 contrast=0.2 saturation=0.2; `elbo data preview --recipe` shows them"},
    {"corrupt", ELBO_KEY_STEPS, AT(corrupt), DEFAULT("[]"), .terse = true,
     .wanted = "a list of corruptions, such as [noise 0.3, mask 0.25]",
     .help = "corruptions of what the encoder reads, applied in order, the loss is of the clean image: noise 0.3, mask "
             "0.25, salt 0.1, occlude 8"},
    {"encoder", ELBO_KEY_LAYERS, AT(encoder), PLACE(encoder_place), .help = "layers from the image to the code"},
    {"decoder", ELBO_KEY_LAYERS, AT(decoder), PLACE(decoder_place), .help = "layers from the code to the image"},
    {"prior", ELBO_KEY_PRIOR, AT(mixture), DEFAULT("normal"), FROM_TO(1, 1000), .terse = true,
     ONLY(is_vae, "kind: vae"),
     .help =
         "p(z): normal, the standard one, or mixture K, of K Gaussians whose weights, means and variances are learned; "
         "its KL is that of the code drawn"},
    {"labels", ELBO_KEY_SIZE, AT(labels), DEFAULT("none"), FROM_TO(1, 256),
     ONLY(is_conditional, "a layer `concat class`"),
     .help = "how many classes `concat class` tells apart; none: as many as the data have"},
    {"loss.reconstruction", ELBO_KEY_TERMS, AT(loss.reconstruction), DEFAULT("bce"), .choices = reconstructions,
     .help =
         "-log p(x|z), less its constant where that is fixed: Bernoulli (bce, binary cross-entropy), squared error, "
         "absolute error, continuous Bernoulli, Gaussian, discretised logistic; squared error of VGG16 features. Or a "
         "weighted sum, [mse, 0.7 l1]"},
    {"loss.sigma", ELBO_KEY_LEARNED, AT(loss.sigma), DEFAULT("learned"), ABOVE(0),
     ONLY(is_scaled, "gaussian or logistic in loss.reconstruction"),
     .help =
         "scale of p(x|z) in units of image.range: the Gaussian's standard deviation, the logistic's scale. learned: one "
         "parameter for all values, loss.log_sigma"},
    {"loss.vgg16", ELBO_KEY_TEXT, AT(vgg16), DEFAULT("''"), ONLY(is_perceptual, "perceptual in loss.reconstruction"),
     .help =
         "safetensors file of torchvision's vgg16; without it the perceptual term is off. Its input is the images in "
         "image.range, without further normalisation"},
    {"loss.scale", ELBO_KEY_CHOICE, AT(loss.scale), DEFAULT("sum"), .choices = scales,
     .help = "reduction of the objective over an image's values: sum (nats) or mean, as reduction='mean' of PyTorch's "
             "mse_loss; logs are in nats either way"},
    {"loss.samples", ELBO_KEY_WHOLE, AT(loss.samples), DEFAULT("1"), FROM_TO(1, 1000), .terse = true,
     ONLY(is_vae, "kind: vae"), .help = "codes drawn for each image"},
    {"loss.bound", ELBO_KEY_CHOICE, AT(loss.bound), DEFAULT("elbo"), .choices = bounds, .terse = true,
     ONLY(is_vae, "kind: vae"),
     .help = "what is trained of an image's samples: elbo, the mean of their ELBO; iwae, the log of the mean of their "
             "importance weights p(x, z) / q(z|x), a tighter bound (IWAE)"},
    {"loss.kl.weight", ELBO_KEY_NUMBER, AT(loss.kl), DEFAULT("1"), AT_LEAST(0), ONLY(is_vae, "kind: vae"),
     .help = "weight of the KL term (beta); `kl: 4` is shorthand"},
    {"loss.kl.warmup", ELBO_KEY_NUMBER, AT(loss.kl_warmup), PLACE(warmup_place), DEFAULT("0"), AT_LEAST(0),
     ONLY(is_vae, "kind: vae"), .help = "epochs of linear warm-up of the weight from 0"},
    {"loss.kl.schedule", ELBO_KEY_CHOICE, AT(loss.kl_schedule), DEFAULT("constant"), ONLY(is_vae, "kind: vae"),
     .choices = kl_schedules,
     .help = "schedule of the weight over the epochs; sine: max(min, weight (1 + sin(2 pi epoch / "
             "period)) / 2)"},
    {"loss.kl.period", ELBO_KEY_NUMBER, AT(loss.kl_period), DEFAULT("20"), ABOVE(0),
     ONLY(is_sine, "loss.kl.schedule: sine"), .help = "period in epochs"},
    {"loss.kl.min", ELBO_KEY_NUMBER, AT(loss.kl_min), DEFAULT("0"), AT_LEAST(0),
     ONLY(is_sine, "loss.kl.schedule: sine"), .help = "minimum weight"},
#define IS_OFF_WEIGHT "0"
#define IS_OFF_PART "1"
#define IS_OFF_BOUND "0"
#define WITH_CODE
#define WITH_DRAWS
#define WITH_POSTERIOR ONLY(is_vae, "kind: vae"),
#define WITH_BOTH WITH_POSTERIOR
#define ROW_TERM(name, NAME, key, use, reads, unit, text)                                                              \
    {key,                                                                                                              \
     ELBO_KEY_NUMBER,                                                                                                  \
     AT(loss.latent[ELBO_LATENT_##NAME].number),                                                                       \
     DEFAULT(IS_OFF_##use),                                                                                            \
     AT_LEAST(0),                                                                                                      \
     .terse = true,                                                                                                    \
     WITH_##reads.help = text},
#define BATCH_TERM ROW_TERM
#define TERM_ARGUMENT(key, type, member, standard, NAME, with, ...)                                                    \
    {key, type, AT(loss.latent[ELBO_LATENT_##NAME].member), DEFAULT(standard), ONLY(has_##NAME, with), __VA_ARGS__},
#include "recipe/latent_terms.def"
    {"train.epochs", ELBO_KEY_WHOLE, AT(train.epochs), PLACE(epochs_place), DEFAULT("10"), FROM_TO(1, 1000000),
     .help = "passes over the training images"},
    {"train.batch", ELBO_KEY_WHOLE, AT(train.batch), DEFAULT("128"), FROM_TO(1, 65536), .help = "images per step"},
    {"train.optimizer", ELBO_KEY_CHOICE, AT(train.optimizer), DEFAULT("adam"), .choices = optimizers,
     .help = "optimizer, as in torch.optim"},
    {"train.lr", ELBO_KEY_NUMBER, AT(train.lr), DEFAULT("0.001"), ABOVE(0), .help = "learning rate"},
    {"train.momentum", ELBO_KEY_NUMBER, AT(train.momentum), DEFAULT("0"), FROM_TO(0, 1), .below = true,
     ONLY(is_sgd, "train.optimizer: sgd"), .help = "momentum factor"},
    {"train.weight_decay", ELBO_KEY_NUMBER, AT(train.weight_decay), DEFAULT("0"), AT_LEAST(0),
     ONLY(is_sgd_or_adam, "train.optimizer: sgd or adam"), .help = "L2 penalty, added to the gradient"},
    {"train.weight_decay", ELBO_KEY_NUMBER, AT(train.weight_decay), DEFAULT("0.01"), AT_LEAST(0),
     ONLY(is_adamw, "train.optimizer: adamw"),
     .help = "decoupled weight decay: each step multiplies weights by 1 - lr * weight_decay"},
    {"train.betas", ELBO_KEY_NUMBERS, AT(train.betas), DEFAULT("[0.9, 0.999]"), FROM_TO(0, 1), .below = true,
     ONLY(is_adam_or_adamw, "train.optimizer: adam or adamw"),
     .help = "decay rates of the first and second moment estimates"},
    {"train.eps", ELBO_KEY_NUMBER, AT(train.eps), DEFAULT("1e-8"), ABOVE(0),
     ONLY(is_adam_or_adamw, "train.optimizer: adam or adamw"),
     .help = "added to the denominator, for numerical stability"},
    {"train.schedule", ELBO_KEY_CHOICE, AT(train.schedule), DEFAULT("constant"), .choices = schedules,
     .help = "learning rate schedule"},
    {"train.eta_min", ELBO_KEY_NUMBER, AT(train.eta_min), DEFAULT("0"), AT_LEAST(0),
     ONLY(is_cosine, "train.schedule: cosine"), .help = "minimum learning rate, reached at the end"},
    {"train.step_size", ELBO_KEY_WHOLE, AT(train.step_size), DEFAULT("1"), FROM_TO(1, 1000000),
     ONLY(is_step, "train.schedule: step"), .help = "epochs between two decays of the learning rate"},
    {"train.gamma", ELBO_KEY_NUMBER, AT(train.gamma), DEFAULT("0.1"), FROM_TO(0, 1), .above = true,
     ONLY(is_step, "train.schedule: step"), .help = "factor of each decay"},
    {"train.clip", ELBO_KEY_NUMBER, AT(train.clip), DEFAULT("0"), AT_LEAST(0),
     .help = "max gradient norm, over all parameters; 0 disables"},
    {"train.ema", ELBO_KEY_NUMBER, AT(train.ema), DEFAULT("0"), FROM_TO(0, 1), .below = true, .terse = true,
     .help = "decay of an exponential moving average of the weights, which is evaluated and saved in their place; 0 "
             "disables. In step t it is at most (1 + t) / (10 + t)"},
    {"train.validation", ELBO_KEY_NUMBER, AT(train.validation), DEFAULT("0"), FROM_TO(0, 1), .below = true,
     .terse = true, .help = "share of the training images held out for validation, chosen by the seed"},
    {"train.keep", ELBO_KEY_CHOICE, AT(train.keep), DEFAULT("last"), .choices = keeps, .terse = true,
     .help = "which weights the run keeps: of the last epoch, or of the best by the validation objective with the full "
             "KL weight, after its warm-up"},
    {"train.patience", ELBO_KEY_WHOLE, AT(train.patience), DEFAULT("0"), FROM_TO(0, 1000000), .terse = true,
     .help = "early stopping: epochs without a lower validation objective; 0 disables"},
    {"train.history", ELBO_KEY_WHOLE, AT(train.history), DEFAULT("0"), FROM_TO(0, 1000), .terse = true,
     .help = "keeps the weights of at most so many epochs, the one before training among them, in RUN/history/; 0: none"},
    {"train.seed", ELBO_KEY_SEED, AT(train.seed), DEFAULT("0"),
     .help = "random seed; the same seed gives the same bits"},
    {"adversary.on", ELBO_KEY_CHOICE, AT(adversary.on), PLACE(adversary.place), DEFAULT("none"), .choices = adversaries,
     .terse = true,
     .help = "a discriminator with an optimizer of its own, in turns with the model: of codes (AAE, FactorVAE), or of "
             "images (VAE-GAN)"},
    {"adversary.against", ELBO_KEY_CHOICE, AT(adversary.against), DEFAULT("prior"), .choices = opponents,
     ONLY(judges_codes, "adversary.on: code"),
     .help =
         "what it tells codes from: draws from the prior (AAE), or codes each dimension of which is another image's, "
         "for the total correlation (FactorVAE)"},
    {"adversary.layers", ELBO_KEY_LAYERS, AT(adversary.layers), ONLY(elbo_has_adversary, NEEDS_ADVERSARY),
     .help = "its layers, from a code or an image to one value, a logit: they end with `linear 1`"},
    {"adversary.weight", ELBO_KEY_NUMBER, AT(adversary.weight), DEFAULT("1"), AT_LEAST(0),
     ONLY(elbo_has_adversary, NEEDS_ADVERSARY),
     .help = "weight, in the model's objective, of -log D of what it gives; shuffled: of the total correlation "
             "(FactorVAE's gamma)"},
    {"adversary.lr", ELBO_KEY_NUMBER, AT(adversary.lr), DEFAULT("0.0002"), ABOVE(0),
     ONLY(elbo_has_adversary, NEEDS_ADVERSARY), .help = "its learning rate, on train.schedule"},
    {"adversary.betas", ELBO_KEY_NUMBERS, AT(adversary.betas), DEFAULT("[0.5, 0.999]"), FROM_TO(0, 1), .below = true,
     ONLY(has_fast_adversary, NEEDS_ADVERSARY " and train.optimizer: adam or adamw"),
     .help = "decay rates of its moment estimates"},
    {0},
};

const char *elbo_join_words(const char *const *words, const char *last, char *out, size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (int i = 0; words[i] && used < size; i++) {
        const char *between = i == 0 ? "" : words[i + 1] ? ", " : last;
        int n = snprintf(out + used, size - used, "%s%s", between, words[i]);
        if (n < 0) break;
        used += (size_t)n;
    }
    return out;
}

static void number_range(const elbo_key *key, char *out, size_t size) {
    if (isinf(key->low))
        snprintf(out, size, "a number");
    else if (isinf(key->high))
        snprintf(out, size, key->above ? "a number > %g" : "a number >= %g", key->low);
    else if (key->above)
        snprintf(out, size, "a number > %g and <= %g", key->low, key->high);
    else
        snprintf(out, size, key->below ? "a number >= %g and < %g" : "a number from %g to %g", key->low, key->high);
}

const char *elbo_key_wanted(const elbo_key *key, char out[ELBO_WANTED]) {
    char range[64];
    switch (key->type) {
    case ELBO_KEY_TEXT: return strcpy(out, "a string");
    case ELBO_KEY_CHOICE: return elbo_join_words(key->choices, " or ", out, ELBO_WANTED);
    case ELBO_KEY_WHOLE:
    case ELBO_KEY_SIZE:
    case ELBO_KEY_LATENT:
        snprintf(out, ELBO_WANTED, "an integer from %.0f to %.0f%s", key->low, key->high,
                 key->type == ELBO_KEY_WHOLE ? "" : ", or none");
        return out;
    case ELBO_KEY_STEPS: return strcpy(out, key->wanted);
    case ELBO_KEY_EXTENT:
        snprintf(out, ELBO_WANTED, "an integer from %.0f to %.0f or [height, width], or none", key->low, key->high);
        return out;
    case ELBO_KEY_SEED: return strcpy(out, "an integer from 0 to 18446744073709551615");
    case ELBO_KEY_NUMBER: number_range(key, out, ELBO_WANTED); return out;
    case ELBO_KEY_LEARNED:
        number_range(key, range, sizeof range);
        snprintf(out, ELBO_WANTED, "%s, or learned", range);
        return out;
    case ELBO_KEY_NUMBERS:
        number_range(key, range, sizeof range);
        snprintf(out, ELBO_WANTED, isinf(key->low) ? "a list of two numbers" : "a list of two, each %s", range);
        return out;
    case ELBO_KEY_PRIOR:
        snprintf(out, ELBO_WANTED, "normal, or mixture K with K from %.0f to %.0f", key->low, key->high);
        return out;
    case ELBO_KEY_LAYERS: return strcpy(out, "a list of layers, such as [flatten, linear 128, relu]");
    case ELBO_KEY_TERMS:
        elbo_join_words(key->choices, " or ", out, ELBO_WANTED);
        return strcat(out, ", or a list such as [mse, 0.7 l1]");
    case ELBO_KEY_WORDS:
        snprintf(out, ELBO_WANTED, "a class, a list of classes such as [0, 1], or %s", key->standard);
        return out;
    }
    return strcpy(out, "something else");
}

void elbo_keys_under(const char *section, elbo_names *names) {
    size_t skip = *section ? strlen(section) + 1 : 0;
    names->count = 0;
    for (const elbo_key *key = elbo_keys; key->path; key++) {
        if (skip && (strncmp(key->path, section, skip - 1) != 0 || key->path[skip - 1] != '.')) continue;
        const char *part = key->path + skip;
        char *copy = names->storage[names->count];
        snprintf(copy, sizeof names->storage[0], "%.*s", (int)(strchrnul(part, '.') - part), part);
        bool seen = false;
        for (int i = 0; i < names->count; i++) seen |= strcmp(names->name[i], copy) == 0;
        if (!seen && names->count + 1 < ELBO_MAX_NAMES) names->name[names->count++] = copy;
    }
    names->name[names->count] = NULL;
}

char *elbo_recipe_keys(void) {
    char *text = NULL, wanted[ELBO_WANTED];
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) return NULL;
    for (const elbo_key *key = elbo_keys; key->path; key++) {
        elbo_key_wanted(key, wanted);
        fprintf(stream, "%s: %s%s%s\n    %s%s%s\n", key->path, wanted, key->standard ? "; default " : "; required",
                key->standard ? key->standard : "", key->help, key->goes_with ? ". Only with " : "",
                key->goes_with ? key->goes_with : "");
    }
    bool whole = !ferror(stream);
    if (fclose(stream) != 0 || !whole) {
        free(text);
        return NULL;
    }
    return text;
}
