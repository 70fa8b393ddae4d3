/* What a recipe must not be, and the exact line that says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "recipe/recipe.h"

/* Tests run inside a folder of their own, so that messages name `x.yaml`. */
static char folder[] = "/tmp/elbo-test-recipe-XXXXXX";

static int enter_folder(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state) {
    (void)state;
    unlink("x.yaml");
    unlink("plain");
    rmdir("folder.yaml");
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1; // and nothing else was left in it
}

static void write_bytes(const char *path, const void *bytes, size_t n) {
    elbo_error err;
    assert_int_equal(elbo_file_write(path, bytes, n, &err), ELBO_OK);
}

static void assert_refused(const char *name, const char *const *sets, int count, elbo_status status,
                           const char *message) {
    elbo_recipe r;
    elbo_error err = {0};
    elbo_status got = elbo_recipe_open(&r, name, sets, count, &err);
    if (got == ELBO_OK) fail_msg("was taken; expected: %s", message);
    assert_string_equal(err.message, message);
    assert_int_equal(got, status);
    assert_int_equal(err.status, status);
    elbo_recipe empty = {0};
    assert_memory_equal(&r, &empty, sizeof r); // nothing is left to free
}

#define AE "kind: ae\nlatent: 3\nencoder: [flatten]\ndecoder: [linear 784]\n"   // what follows is line 5
#define VAE "kind: vae\nlatent: 3\nencoder: [flatten]\ndecoder: [linear 784]\n" // here too

static const struct {
    const char *text, *message;
} bad_recipes[] = {
    {"", "x.yaml: is empty; a recipe needs kind, latent, encoder and decoder"},
    {"# nothing but a comment\n", "x.yaml: is empty; a recipe needs kind, latent, encoder and decoder"},
    {"~", "x.yaml: is empty; a recipe needs kind, latent, encoder and decoder"},
    {"hello", "x.yaml:1: hello; expected a mapping of keys, such as kind: vae"},
    {"- a\n- b\n", "x.yaml:1: a list; expected a mapping of keys, such as kind: vae"},
    {"kind: ae\nkind: vae\n", "x.yaml:2: kind: is given twice; the first is in line 1"},
    {"kind: ae\nencoder: [flatten, linear 3\ndecoder: [relu]\n",
     "x.yaml:3: is not YAML: did not find expected ',' or ']' while parsing a flow sequence that begins in line 2"},
    {"kind: ae\n\tlatent: 3\n", "x.yaml:2: is not YAML: the line begins with a tab; indent with spaces"},
    {"kind: 'ae\n",
     "x.yaml:2: is not YAML: found unexpected end of stream while scanning a quoted scalar that begins in line 1"},
    {"kind: ae: b\n", "x.yaml:1: is not YAML: mapping values are not allowed in this context"},
    {"a: \001\n", "x.yaml:1: is not YAML: control characters are not allowed"},
    {"kind: ae\nlatent: *x\n",
     "x.yaml:2: an alias (*name); recipes have none: write the value out, in quotes if it is a string"},
    {"kind: &x ae\n", "x.yaml:1: an anchor (&name); recipes have none: write the value where it is needed"},
    {"kind: !!str ae\n", "x.yaml:1: a tag (!name); recipes have none"},
    {"kind: ae\n--- \nkind: ae\n", "x.yaml:2: a second document; a file holds one recipe"},
    {"[a]: 3\n", "x.yaml:1: a key that is not a string"},
    {"? \n: 3\n", "x.yaml:1: a key without a name"},
    {"about: [[[[[[[[[[1]]]]]]]]]]\n", "x.yaml:1: lists and mappings are nested too deep for a recipe"},
    {"kind: \"a\\0e\"\n", "x.yaml:1: a string with a zero byte"},
    {"{\"\": 1}", "x.yaml:1: a key without a name"},
    {"<<: {kind: ae}",
     "x.yaml:1: <<: unknown key; a recipe has about, kind, data, classes, exclude, label_file, standardise, latent, image, augment, corrupt, "
     "encoder, decoder, prior, labels, loss, train and adversary"},
    {VAE "prior: mixture\n", "x.yaml:5: prior: expected normal, or mixture K with K from 1 to 1000, got `mixture`"},
    {VAE "prior: mixture 0\n", "x.yaml:5: prior: expected normal, or mixture K with K from 1 to 1000, got `mixture 0`"},
    {VAE "prior: mixture 3 4\n",
     "x.yaml:5: prior: expected normal, or mixture K with K from 1 to 1000, got `mixture 3 4`"},
    {AE "prior: mixture 3\n", "x.yaml:5: prior: has no effect here; it needs kind: vae"},
    {VAE "prior: mixture 3\nloss: {kl: {free: 0.5}}\n",
     "x.yaml:5: prior: mixture 3 cannot be combined with loss.kl.free, which is for the standard normal prior; use prior: "
     "normal"},
    {VAE "prior: mixture 3\nloss: {mmd: 5}\n",
     "x.yaml:5: prior: mixture 3 cannot be combined with loss.mmd.weight, which is for the standard normal prior; use "
     "prior: normal"},
    {VAE "prior: mixture 3\nloss: {samples: 3, bound: iwae}\n",
     "x.yaml:5: prior: mixture 3 cannot be combined with loss.bound: iwae, which is for the standard normal prior; use "
     "prior: normal"},
    {VAE "prior: mixture 3\nadversary: {on: image, layers: [flatten, linear 1]}\n",
     "x.yaml:5: prior: mixture 3 cannot be combined with an adversary that draws from the prior, which is for the standard "
     "normal prior; use prior: normal"},
    {VAE "adversary: {on: image, layers: [flatten, linear 1]}\nloss: {kl: {tc: 5}}\n",
     "x.yaml:5: adversary.on: image: cannot be combined with loss.kl.tc in a vae"},
    {AE "adversary: {on: code}\n",
     "x.yaml:5: adversary.layers is missing; expected a list of layers, such as [flatten, linear 128, relu]"},
    {AE "adversary: {on: everything}\n", "x.yaml:5: adversary.on: expected none, code or image, got `everything`"},
    {AE "adversary: {weight: 3}\n",
     "x.yaml:5: adversary.weight: has no effect here; it needs adversary.on: code or image"},
    {AE "adversary: {on: image, against: prior, layers: [linear 1]}\n",
     "x.yaml:5: adversary.against: has no effect here; it needs adversary.on: code"},
    {VAE "adversary: {on: code, layers: [linear 1]}\nloss: {samples: 3, bound: iwae}\n",
     "x.yaml:5: adversary: loss.bound: iwae weights samples by p(x, z) / q(z|x), of which an adversary's term is not a "
     "part; use loss.bound: elbo"},
    {VAE "adversary: {on: code, layers: [linear 1]}\nloss: {samples: 3}\n",
     "x.yaml:5: adversary: cannot be combined with loss.samples: 3; use loss.samples: 1"},
    {AE "adversary: {on: code, layers: [linear 1]}\ntrain: {keep: best, validation: 0.1}\n",
     "x.yaml:6: train.keep: cannot be combined with an adversary, against whom the lowest objective is not the best; "
     "leave it out"},
    {AE "train: {optimizer: sgd}\nadversary: {on: code, layers: [linear 1], betas: [0.5, 0.9]}\n",
     "x.yaml:6: adversary.betas: has no effect here; it needs adversary.on: code or image and train.optimizer: adam or "
     "adamw"},
    {"about: x\n", "x.yaml: kind is missing; expected ae or vae"},
    {"kind: vea\n", "x.yaml:1: kind: expected ae or vae, got `vea`"},
    {"kind: [ae]\n", "x.yaml:1: kind: expected ae or vae, got a list"},
    {"kind:\n", "x.yaml:1: kind: expected ae or vae, got nothing"},
    {"kind: ae\n", "x.yaml: latent is missing; expected an integer from 1 to 65536, or none"},
    {"kind: ae\nlatent: 3\n",
     "x.yaml: encoder is missing; expected a list of layers, such as [flatten, linear 128, relu]"},
    {"kind: ae\nlatent: 3\nencoder: [a]\n",
     "x.yaml: decoder is missing; expected a list of layers, such as [flatten, linear 128, relu]"},
    {"kind: ae\nlatent: 0\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: expected an integer from 1 to 65536, or none, got `0`"},
    {"kind: ae\nlatent: 65537\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: expected an integer from 1 to 65536, or none, got `65537`"},
    {"kind: ae\nlatent: 2.5\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: expected an integer from 1 to 65536, or none, got `2.5`"},
    {"kind: ae\nlatent: '3'\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: expected an integer from 1 to 65536, or none, got \"3\""},
    {"kind: ae\nlatent: None\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: expected an integer from 1 to 65536, or none, got `None`"},
    {"kind: ae\nlatent: {channels: 3}\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: has no head; write a size, or {channels: 256, head: conv2d kernel=4 stride=2 padding=1}"},
    {"kind: ae\nlatent: 99999999999999999999\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: expected an integer from 1 to 65536, or none, got `99999999999999999999`"},
    {"kind: vae\nlatent: none\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:2: latent: none; expected a size from 1 to 65536 for the mu and logvar of a vae"},
    {"kind: ae\nlatent: 3\nencoder: flatten\ndecoder: [linear 784]\n",
     "x.yaml:3: encoder: expected a list of layers, such as [flatten, linear 128, relu], got `flatten`"},
    {"kind: ae\nlatent: 3\nencoder: []\ndecoder: [linear 784]\n",
     "x.yaml:3: encoder: expected a list of layers, such as [flatten, linear 128, relu], got an empty list"},
    {"kind: ae\nlatent: 3\nencoder: {a: b}\ndecoder: [linear 784]\n",
     "x.yaml:3: encoder: expected a list of layers, such as [flatten, linear 128, relu], got a mapping"},
    {"kind: ae\nlatent: 3\nencoder: \ndecoder: [linear 784]\n",
     "x.yaml:3: encoder: expected a list of layers, such as [flatten, linear 128, relu], got nothing"},
    {"kind: ae\nlatent: 3\nencoder: [flatten, linear: 3]\ndecoder: [linear 784]\n",
     "x.yaml:3: encoder: layer 2 is a mapping; expected a layer, such as conv2d 16 kernel=3"},
    {"kind: ae\nlatent: 3\nencoder: [flatten, [linear, 3]]\ndecoder: [linear 784]\n",
     "x.yaml:3: encoder: layer 2 is a list; expected a layer, such as conv2d 16 kernel=3"},
    {"kind: ae\nlatent: 3\nencoder: [flatten, '']\ndecoder: [linear 784]\n",
     "x.yaml:3: encoder: layer 2 is blank; expected a layer, such as conv2d 16 kernel=3"},
    {"kind: ae\nlatent: 3\nencoder: [flatten, ]\ndecoder: [~]\n",
     "x.yaml:4: decoder: layer 1 is nothing; expected a layer, such as conv2d 16 kernel=3"},
    {"kind: ae\nlatent: 3\nencoder: \n  - flatten\n  - conv2d kernel=\n\ndecoder: [linear 784]\n",
     "x.yaml:5: conv2d kernel=: misplaced '='; expected a number or name=value, without blanks"},
    {"kind: ae\nlatent: 3\nencoder: [conv2d kernel = 3]\ndecoder: [linear 784]\n",
     "x.yaml:3: conv2d kernel = 3: misplaced '='; expected a number or name=value, without blanks"},
    {"kind: ae\nlatent: 3\nencoder: [conv2d a=b=c]\ndecoder: [linear 784]\n",
     "x.yaml:3: conv2d a=b=c: misplaced '='; expected a number or name=value, without blanks"},
    {"kind: ae\nlatent: 3\nencoder: [conv2d =3]\ndecoder: [linear 784]\n",
     "x.yaml:3: conv2d =3: misplaced '='; expected a number or name=value, without blanks"},
    {"kind: ae\nlatent: 3\nencoder: [kernel=3 conv2d]\ndecoder: [linear 784]\n",
     "x.yaml:3: kernel=3 conv2d: begins with an argument; expected a layer's name"},
    {"kind: ae\nlatent: 3\nencoder: [conv2d kernel=3 kernel=5]\ndecoder: [linear 784]\n",
     "x.yaml:3: conv2d kernel=3 kernel=5: kernel= is given twice"},
    {"kind: ae\nlatent: 3\nencoder: [x 1 2 3 4 5 6 7 8 9 10 11 12 13]\ndecoder: [linear 784]\n",
     "x.yaml:3: x 1 2 3 4 5 6 7 8 9 10 11 12 13: more than 12 arguments; no layer has so many"},
    {"knid: ae\nkind: ae\nlatent: 3\nencoder: [flatten]\ndecoder: [linear 784]\n",
     "x.yaml:1: knid: unknown key; did you mean kind?"},
    {AE "lr: 0.1\n", "x.yaml:5: lr: unknown key; did you mean train.lr?"},
    {VAE "kl: 3\n", "x.yaml:5: kl: unknown key; did you mean loss.kl?"},
    {AE "train: {kl: 3}\n", "x.yaml:5: train.kl: unknown key; did you mean loss.kl?"},
    {AE "wibble: 0.1\n",
     "x.yaml:5: wibble: unknown key; a recipe has about, kind, data, classes, exclude, label_file, standardise, latent, image, augment, corrupt, "
     "encoder, decoder, prior, labels, loss, train and adversary"},
    {AE "train: {epocs: 3}\n", "x.yaml:5: train.epocs: unknown key; did you mean train.epochs?"},
    {AE "train:\n  epochs: 3\n  optimiser: adam\n",
     "x.yaml:7: train.optimiser: unknown key; did you mean train.optimizer?"},
    {AE "train: {zzzzz: 3}\n",
     "x.yaml:5: train.zzzzz: unknown key; train has epochs, batch, optimizer, lr, momentum, weight_decay, "
     "betas, eps, schedule, eta_min, step_size, gamma, clip, ema, validation, keep, patience, history and seed"},
    {AE "train: 3\n",
     "x.yaml:5: train: expected a mapping of epochs, batch, optimizer, lr, momentum, weight_decay, betas, eps, schedule, eta_min, step_size, gamma, clip, ema, validation, keep, patience, history and seed, got `3`"},
    {AE "train:\n",
     "x.yaml:5: train: expected a mapping of epochs, batch, optimizer, lr, momentum, weight_decay, betas, eps, schedule, eta_min, step_size, gamma, clip, ema, validation, keep, patience, history and seed, got nothing"},
    {AE "loss: {sigma: 0.1}\n",
     "x.yaml:5: loss.sigma: has no effect here; it needs gaussian or logistic in loss.reconstruction"},
    {AE "loss: {reconstruction: gaussian, sigma: 0}\n",
     "x.yaml:5: loss.sigma: expected a number > 0, or learned, got `0`"},
    {AE "loss: {reconstruction: [mse, gaussian]}\n",
     "x.yaml:5: loss.reconstruction: gaussian is a normalised density, which another term would change; use it "
     "alone, or mse and l1"},
    {AE "loss: {reconstruction: [cb, l1]}\n",
     "x.yaml:5: loss.reconstruction: cb is computed from logits, the others after the sigmoid; use it alone, or mse and l1"},
    {AE "image: {range: [-1, 1]}\nloss: {reconstruction: cb}\n",
     "x.yaml:5: image.range: [-1, 1] does not go with loss.reconstruction: cb, which needs pixels from 0 to 1; use mse or l1"},
    {AE "loss: [bce]\n",
     "x.yaml:5: loss: expected a mapping of reconstruction, sigma, vgg16, scale, samples, bound, kl, mmd and penalty, got a list"},
    {AE "loss: {zzzzzz: 3}\n",
     "x.yaml:5: loss.zzzzzz: unknown key; loss has reconstruction, sigma, vgg16, scale, samples, bound, kl, mmd and penalty"},
    {VAE "loss: {kl_weight: 3}\n", "x.yaml:5: loss.kl_weight: unknown key; did you mean loss.kl?"},
    {AE "train: {batch_size: 3}\n", "x.yaml:5: train.batch_size: unknown key; did you mean train.batch?"},
    {VAE "loss: {kl: {wieght: 3}}\n", "x.yaml:5: loss.kl.wieght: unknown key; did you mean loss.kl.weight?"},
    {VAE "loss: {kl: [1, 2]}\n",
     "x.yaml:5: loss.kl: expected a mapping of weight, warmup, schedule, period, min, free, capacity, over, mi and tc, got a list"},
    {VAE "loss: {kl: }\n", "x.yaml:5: loss.kl: expected a number >= 0, got nothing"},
    {AE "loss: {reconstruction: [mse, mse]}\n",
     "x.yaml:5: loss.reconstruction: mse is given twice; expected one weight"},
    {AE "loss: {reconstruction: [0 mse]}\n",
     "x.yaml:5: loss.reconstruction: 0 mse; expected a weight > 0 and a name, such as 0.7 l1"},
    {AE "loss: {reconstruction: [mse 0.7]}\n",
     "x.yaml:5: loss.reconstruction: mse 0.7; expected a weight > 0 and a name, such as 0.7 l1"},
    {AE "loss: {reconstruction: [bce, l1]}\n",
     "x.yaml:5: loss.reconstruction: bce is computed from logits, the others after the sigmoid; use it alone, or mse and l1"},
    {AE "loss: {reconstruction: perceptual}\n",
     "x.yaml:5: loss.reconstruction: perceptual alone does not compare pixels; add mse or l1, such as [mse, 0.3 perceptual]"},
    {AE "loss: {reconstruction: []}\n",
     "x.yaml:5: loss.reconstruction: expected bce, mse, l1, cb, gaussian, logistic or perceptual, or a list such as [mse, 0.7 l1], got an empty list"},
    {AE "loss: {reconstruction: [[mse]]}\n",
     "x.yaml:5: loss.reconstruction: expected bce, mse, l1, cb, gaussian, logistic or perceptual, or a list such as [mse, 0.7 l1], got a list"},
    {AE "loss: {reconstruction: 0.5 0.5 l1}\n",
     "x.yaml:5: loss.reconstruction: expected bce, mse, l1, cb, gaussian, logistic or perceptual, or a list such as [mse, 0.7 l1], got `0.5 0.5 l1`"},
    {AE "loss: {reconstruction: mse, vgg16: x.safetensors}\n",
     "x.yaml:5: loss.vgg16: has no effect here; it needs perceptual in loss.reconstruction"},
    {VAE "loss: {kl: {period: 3}}\n", "x.yaml:5: loss.kl.period: has no effect here; it needs loss.kl.schedule: sine"},
    {VAE "loss: {kl: {schedule: sine, period: 0}}\n", "x.yaml:5: loss.kl.period: expected a number > 0, got `0`"},
    {VAE "loss: {scale: average}\n", "x.yaml:5: loss.scale: expected sum or mean, got `average`"},
    {VAE "loss: {kl: -1}\n", "x.yaml:5: loss.kl: expected a number >= 0, got `-1`"},
    {VAE "loss: {kl: {weight: -1}}\n", "x.yaml:5: loss.kl.weight: expected a number >= 0, got `-1`"},
    {VAE "loss: {kl: {weight: 1, warmup: many}}\n", "x.yaml:5: loss.kl.warmup: expected a number >= 0, got `many`"},
    {VAE "loss: {mmd: -1}\n", "x.yaml:5: loss.mmd: expected a number >= 0, got `-1`"},
    {VAE "loss: {mmd: {weight: 1, kernel: gauss}}\n", "x.yaml:5: loss.mmd.kernel: expected imq or rbf, got `gauss`"},
    {VAE "image: {normalize: yes}\n", "x.yaml:5: image.normalize: expected none or gcn, got `yes`"},
    {VAE "image: {normalize: gcn}\n",
     "x.yaml:5: image.normalize: gcn does not go with loss.reconstruction: bce: normalised values are no pixels from "
     "black to white; use mse, l1 or gaussian"},
    {VAE "image: {normalize: gcn, binary: fixed}\nloss: {reconstruction: mse}\n",
     "x.yaml:5: image.normalize: gcn cannot be combined with image.binary"},
    {VAE "image: {gcn: [0, 1]}\n", "x.yaml:5: image.gcn: has no effect here; it needs image.normalize: gcn"},
    {VAE "image: {normalize: gcn, gcn: [2, 1]}\nloss: {reconstruction: mse}\n",
     "x.yaml:5: image.gcn: expected [least, greatest], the least below the greatest"},
    {VAE "loss: {mmd: {kernel: rbf}}\n", "x.yaml:5: loss.mmd.kernel: has no effect here; it needs loss.mmd"},
    {VAE "loss: {bound: iwaw}\n", "x.yaml:5: loss.bound: expected elbo or iwae, got `iwaw`"},
    {VAE "loss: {samples: 0}\n", "x.yaml:5: loss.samples: expected an integer from 1 to 1000, got `0`"},
    {VAE "loss:\n  samples: 600\n",
     "x.yaml:6: loss.samples: 600 of train.batch 128 images are 76800 codes in a step; expected at most 65536"},
    {VAE "loss:\n  bound: iwae\n  penalty: 0.1\n",
     "x.yaml:6: loss.bound: iwae weights samples by p(x, z) / q(z|x), of which loss.penalty.weight is not a part; use loss.bound: elbo"},
    {VAE "loss: {samples: 2, kl: {tc: 6}}\n",
     "x.yaml:5: loss.samples: 2 cannot be combined with loss.kl.tc, which compares codes of different images; use loss.samples: 1"},
    {VAE "loss: {reconstruction: [mse, perceptual], bound: iwae}\n",
     "x.yaml:5: loss.bound: iwae needs a density p(x|z), which perceptual is not; use loss.bound: elbo"},
    {VAE "loss: {kl: {over: 3}}\n", "x.yaml:5: loss.kl.over: has no effect here; it needs loss.kl.capacity"},
    {AE "loss: {kl: {tc: 6}}\n", "x.yaml:5: loss.kl.tc: has no effect here; it needs kind: vae"},
    {VAE "loss: {tc: 6}\n", "x.yaml:5: loss.tc: unknown key; did you mean loss.kl.tc?"},
    {AE "loss: {kl: 1}\n", "x.yaml:5: loss.kl: has no effect here; it needs kind: vae"},
    {AE "loss:\n  kl: {weight: 1}\n", "x.yaml:6: loss.kl.weight: has no effect here; it needs kind: vae"},
    {AE "image: {range: 1}\n", "x.yaml:5: image.range: expected a list of two numbers, got `1`"},
    {AE "image: {range: [0]}\n", "x.yaml:5: image.range: expected a list of two numbers, got a list of 1"},
    {AE "image: {range: [0, 1, 2]}\n", "x.yaml:5: image.range: expected a list of two numbers, got a list of 3"},
    {AE "image: {range: [0, one]}\n", "x.yaml:5: image.range: expected a list of two numbers, got `one`"},
    {AE "image: {range: [1, 0]}\n", "x.yaml:5: image.range: [1, 0]; expected [black, white], black < white"},
    {AE "image: {range: [-1, 1]}\n", "x.yaml:5: image.range: [-1, 1] does not go with loss.reconstruction: bce, which "
                                     "needs pixels from 0 to 1; use mse or l1"},
    {AE "image: {range: [0, .inf]}\n",
     "x.yaml:5: image.range: expected a list of two numbers, got `.inf`, which is not finite"},
    {AE "data: \n", "x.yaml:5: data: expected a string, got nothing"},
    {AE "data: ''\n", "x.yaml:5: data: expected a string, got \"\""},
    {AE "data: [a]\n", "x.yaml:5: data: expected a string, got a list"},
    {AE "train: {epochs: 0}\n", "x.yaml:5: train.epochs: expected an integer from 1 to 1000000, got `0`"},
    {AE "train: {epochs: 1000001}\n", "x.yaml:5: train.epochs: expected an integer from 1 to 1000000, got `1000001`"},
    {AE "train: {epochs: -3}\n", "x.yaml:5: train.epochs: expected an integer from 1 to 1000000, got `-3`"},
    {AE "train: {epochs: 1e3}\n", "x.yaml:5: train.epochs: expected an integer from 1 to 1000000, got `1e3`"},
    {AE "train: {epochs: ten}\n", "x.yaml:5: train.epochs: expected an integer from 1 to 1000000, got `ten`"},
    {AE "train: {epochs: [3]}\n", "x.yaml:5: train.epochs: expected an integer from 1 to 1000000, got a list"},
    {AE "train: {batch: 0}\n", "x.yaml:5: train.batch: expected an integer from 1 to 65536, got `0`"},
    {AE "train: {batch: 65537}\n", "x.yaml:5: train.batch: expected an integer from 1 to 65536, got `65537`"},
    {AE "train: {optimizer: adagrad}\n", "x.yaml:5: train.optimizer: expected sgd, adam or adamw, got `adagrad`"},
    {AE "train: {lr: 0}\n", "x.yaml:5: train.lr: expected a number > 0, got `0`"},
    {AE "train: {lr: -0.1}\n", "x.yaml:5: train.lr: expected a number > 0, got `-0.1`"},
    {AE "train: {lr: .nan}\n", "x.yaml:5: train.lr: expected a number > 0, got `.nan`, which is not finite"},
    {AE "train: {lr: nan}\n", "x.yaml:5: train.lr: expected a number > 0, got `nan`, which is not finite"},
    {AE "train: {lr: .inf}\n", "x.yaml:5: train.lr: expected a number > 0, got `.inf`, which is not finite"},
    {AE "train: {lr: 1e39}\n", "x.yaml:5: train.lr: expected a number > 0, got `1e39`, which is not finite"},
    {AE "train: {lr: 1e-60}\n", "x.yaml:5: train.lr: expected a number > 0, got `1e-60`"},
    {AE "train: {lr: 0x10}\n", "x.yaml:5: train.lr: expected a number > 0, got `0x10`"},
    {AE "train: {lr: 0,1}\n",
     "x.yaml:5: train.1: unknown key; train has epochs, batch, optimizer, lr, "
     "momentum, weight_decay, betas, eps, schedule, eta_min, step_size, gamma, clip, ema, validation, keep, patience, history and seed"},
    {AE "train: {lr: 1 2}\n", "x.yaml:5: train.lr: expected a number > 0, got `1 2`"},
    {AE "train: {lr: '0.1'}\n", "x.yaml:5: train.lr: expected a number > 0, got \"0.1\""},
    {AE "train: {lr: e5}\n", "x.yaml:5: train.lr: expected a number > 0, got `e5`"},
    {AE "train: {betas: 0.9}\n",
     "x.yaml:5: train.betas: expected a list of two, each a number >= 0 and < 1, got `0.9`"},
    {AE "train: {betas: [0.9, 1]}\n",
     "x.yaml:5: train.betas: expected a list of two, each a number >= 0 and < 1, got `1`"},
    {AE "train: {betas: [-0.1, 0.9]}\n",
     "x.yaml:5: train.betas: expected a list of two, each a number >= 0 and < 1, got `-0.1`"},
    {AE "train: {eps: 0}\n", "x.yaml:5: train.eps: expected a number > 0, got `0`"},
    {AE "train: {weight_decay: -1}\n", "x.yaml:5: train.weight_decay: expected a number >= 0, got `-1`"},
    {AE "train: {momentum: 0.9}\n", "x.yaml:5: train.momentum: has no effect here; it needs train.optimizer: sgd"},
    {AE "train: {optimizer: sgd, betas: [0.9, 0.99]}\n",
     "x.yaml:5: train.betas: has no effect here; it needs train.optimizer: adam or adamw"},
    {AE "train: {optimizer: sgd, eps: 1e-8}\n",
     "x.yaml:5: train.eps: has no effect here; it needs train.optimizer: adam or adamw"},
    {AE "train: {optimizer: sgd, momentum: 1}\n", "x.yaml:5: train.momentum: expected a number >= 0 and < 1, got `1`"},
    {AE "train: {optimizer: adamw, momentum: 0.9}\n",
     "x.yaml:5: train.momentum: has no effect here; it needs train.optimizer: sgd"},
    {AE "train: {optimizer: adamw, weight_decay: -1}\n",
     "x.yaml:5: train.weight_decay: expected a number >= 0, got `-1`"},
    {AE "train: {schedule: linear}\n", "x.yaml:5: train.schedule: expected constant, cosine or step, got `linear`"},
    {AE "train: {step_size: 3}\n", "x.yaml:5: train.step_size: has no effect here; it needs train.schedule: step"},
    {AE "train: {eta_min: 0.1}\n", "x.yaml:5: train.eta_min: has no effect here; it needs train.schedule: cosine"},
    {AE "train: {schedule: step, eta_min: 0.1}\n",
     "x.yaml:5: train.eta_min: has no effect here; it needs train.schedule: cosine"},
    {AE "train: {schedule: cosine, gamma: 0.1}\n",
     "x.yaml:5: train.gamma: has no effect here; it needs train.schedule: step"},
    {AE "train: {schedule: step, gamma: 2}\n", "x.yaml:5: train.gamma: expected a number > 0 and <= 1, got `2`"},
    {AE "train: {schedule: step, gamma: 0}\n", "x.yaml:5: train.gamma: expected a number > 0 and <= 1, got `0`"},
    {AE "train: {schedule: step, step_size: 0}\n",
     "x.yaml:5: train.step_size: expected an integer from 1 to 1000000, got `0`"},
    {AE "train: {schedule: cosine, eta_min: 0.1}\n",
     "x.yaml:5: train.eta_min: 0.1; the learning rate would rise from train.lr, 0.001"},
    {AE "train: {clip: -1}\n", "x.yaml:5: train.clip: expected a number >= 0, got `-1`"},
    {AE "train: {seed: -1}\n", "x.yaml:5: train.seed: expected an integer from 0 to 18446744073709551615, got `-1`"},
    {AE "train: {seed: 18446744073709551616}\n",
     "x.yaml:5: train.seed: expected an integer from 0 to 18446744073709551615, got `18446744073709551616`"},
    {AE "train: {seed: 1.5}\n", "x.yaml:5: train.seed: expected an integer from 0 to 18446744073709551615, got `1.5`"},
};

static void bad_recipes_are_refused_in_these_words(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_recipes / sizeof *bad_recipes; i++) {
        write_bytes("x.yaml", bad_recipes[i].text, strlen(bad_recipes[i].text));
        assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, bad_recipes[i].message);
    }
}

static const struct {
    const char *set, *message;
} bad_sets[] = {
    {"train.lr", "--set train.lr: has no '='; expected key=value, such as train.lr=0.001"},
    {"=3", "--set =3: the key has an empty part; expected one such as train.lr"},
    {"train.lr=", "--set train.lr=: has no value after the '='"},
    {"train.lr=-1", "--set train.lr=-1: train.lr: expected a number > 0, got `-1`"},
    {"train.epocs=3", "--set train.epocs=3: train.epocs: unknown key; did you mean train.epochs?"},
    {"wibble=3",
     "--set wibble=3: wibble: unknown key; a recipe has about, kind, data, classes, exclude, label_file, standardise, latent, image, augment, "
     "corrupt, encoder, decoder, prior, labels, loss, train and adversary"},
    {".=3", "--set .=3: the key has an empty part; expected one such as train.lr"},
    {"train..lr=3", "--set train..lr=3: the key has an empty part; expected one such as train.lr"},
    {"train.=3", "--set train.=3: the key has an empty part; expected one such as train.lr"},
    {"a.b.c.d.e.f.g.h.i.j=3", "--set a.b.c.d.e.f.g.h.i.j=3: the key has too many parts; expected one such as train.lr"},
    {"encoder.0=relu", "--set encoder.0=relu: encoder is a list and is replaced as a whole: encoder=[...]"},
    {"encoder=relu",
     "--set encoder=relu: encoder: expected a list of layers, such as [flatten, linear 128, relu], got `relu`"},
    {"encoder=[]",
     "--set encoder=[]: encoder: expected a list of layers, such as [flatten, linear 128, relu], got an empty list"},
    {"encoder=[relu, 'conv2d kernel=']",
     "--set encoder=[relu, 'conv2d kernel=']: conv2d kernel=: misplaced '='; expected a number or name=value, without blanks"},
    {"train=3",
     "--set train=3: train: expected a mapping of epochs, batch, optimizer, lr, momentum, weight_decay, betas, eps, schedule, eta_min, step_size, gamma, clip, ema, validation, keep, patience, history and seed, got `3`"},
    {"train={lr: 1, lr: 2}", "--set train={lr: 1, lr: 2}: lr: is given twice"},
    {"train={lr: 1", "--set train={lr: 1: is not YAML: did not find expected ',' or '}' while parsing a flow mapping"},
    {"latent.channels=3", "--set latent.channels=3: latent: has no head; write a size, or {channels: 256, head: conv2d "
                          "kernel=4 stride=2 padding=1}"},
    {"train.lr.x=1", "--set train.lr.x=1: train.lr: expected a number > 0, got a mapping"},
    {"kind=ae", "recipes/mnist-vae.yaml:19: loss.kl: has no effect here; it needs kind: vae"},
    {"loss.kl=x", "--set loss.kl=x: loss.kl: expected a number >= 0, got `x`"},
    {"loss.kl.weight=-1", "--set loss.kl.weight=-1: loss.kl.weight: expected a number >= 0, got `-1`"},
    {"image.range=[-1, 1]", "--set image.range=[-1, 1]: image.range: [-1, 1] does not go with loss.reconstruction: "
                            "bce, which needs pixels from 0 to 1; use mse or l1"},
    {"latent=none", "--set latent=none: latent: none; expected a size from 1 to 65536 for the mu and logvar of a vae"},
    {"train.lr=1\ntrain.seed=3",
     "--set train.lr=1\\ntrain.seed=3: train.lr: expected a number > 0, got `1 train.seed=3`"},
    {"train.momentum=0.9",
     "--set train.momentum=0.9: train.momentum: has no effect here; it needs train.optimizer: sgd"},
    {"data=a: b", "--set data=a: b: data: expected a string, got a mapping"},
    {"about=*x",
     "--set about=*x: an alias (*name); recipes have none: write the value out, in quotes if it is a string"},
    {"about=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: y",
     "--set about=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: about: expected a string, got a mapping"},
};

static void bad_overrides_are_refused_in_these_words(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad_sets / sizeof *bad_sets; i++)
        assert_refused("mnist-vae", &bad_sets[i].set, 1, ELBO_BAD_INPUT, bad_sets[i].message);
}

static void an_error_in_the_second_override_names_it(void **state) {
    (void)state;
    assert_refused("mnist-vae", (const char *[]){"train.lr=1", "train.batch=0"}, 2, ELBO_BAD_INPUT,
                   "--set train.batch=0: train.batch: expected an integer from 1 to 65536, got `0`");
}

/* ------------------------------------------------------------------------------------------------ files and names */

static void names_that_lead_nowhere(void **state) {
    (void)state;
    write_bytes("plain", "kind: ae", 8);
    assert_int_equal(mkdir("folder.yaml", 0777), 0);
    assert_refused("mnist-vaee", NULL, 0, ELBO_NOT_FOUND,
                   "mnist-vaee: no such recipe; did you mean mnist-vae? `elbo recipes` lists them");
    assert_refused("cifar10", NULL, 0, ELBO_NOT_FOUND,
                   "cifar10: is a data set, not a recipe; `elbo recipes` lists recipes, and `elbo train RECIPE --data "
                   "cifar10` trains one on it");
    assert_refused("resnet-50", NULL, 0, ELBO_NOT_FOUND,
                   "resnet-50: no such recipe; `elbo recipes` lists them, and a file's name ends in .yaml");
    assert_refused("", NULL, 0, ELBO_NOT_FOUND,
                   ": no such recipe; `elbo recipes` lists them, and a file's name ends in .yaml");
    assert_refused("plain", NULL, 0, ELBO_NOT_FOUND,
                   "plain: no built-in recipe; for the file of that name write ./plain");
    assert_refused("./plain", NULL, 0, ELBO_BAD_INPUT,
                   "./plain: latent is missing; expected an integer from 1 to 65536, or none");
    assert_refused("nowhere.yaml", NULL, 0, ELBO_NOT_FOUND,
                   "nowhere.yaml: cannot be opened: No such file or directory");
    assert_refused("mnist-vae.yaml", NULL, 0, ELBO_NOT_FOUND,
                   "mnist-vae.yaml: cannot be opened: No such file or directory");
    assert_refused("folder.yaml", NULL, 0, ELBO_BAD_INPUT, "folder.yaml: is a folder, not a file");
}

static void files_that_are_no_text(void **state) {
    (void)state;
    static const char png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", zeros[64];
    write_bytes("x.yaml", png, sizeof png);
    assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, "x.yaml:1: is not YAML: invalid leading UTF-8 octet");
    write_bytes("x.yaml", zeros, sizeof zeros);
    assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, "x.yaml:1: is not YAML: control characters are not allowed");
    write_bytes("x.yaml", "kind: ae\nabout: caf\xe9 au lait\n", 29);
    assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, "x.yaml:2: is not YAML: invalid trailing UTF-8 octet");
}

static void files_that_are_too_big(void **state) {
    (void)state;
    size_t n = 10 << 20;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, '#', n);
    write_bytes("x.yaml", text, n);
    assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, "x.yaml: 10485760 bytes; at most 1048576 are read");
    n = 1 << 20;
    memset(text, '[', n); // as deep as it goes
    write_bytes("x.yaml", text, n);
    assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, "x.yaml:1: lists and mappings are nested too deep for a recipe");
    for (size_t i = 0; i < n; i += 2) memcpy(text + i, "-\n", 2);
    write_bytes("x.yaml", text, n);
    assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, "x.yaml:1001: more than 1000 entries; no recipe needs that many");
    size_t used = (size_t)sprintf(text, "kind: ae\nlatent: 1\nencoder:\n");
    for (int i = 0; i < 257; i++) used += (size_t)sprintf(text + used, "  - relu\n");
    write_bytes("x.yaml", text, used);
    assert_refused("x.yaml", NULL, 0, ELBO_BAD_INPUT, "x.yaml:3: encoder: 257 layers; at most 256 are allowed");
    free(text);
}

/* Every prefix of a good recipe is taken or refused in one line, never more than that. */
static void a_recipe_cut_short_is_refused_politely(void **state) {
    (void)state;
    const char *text = elbo_builtin_recipes[2].yaml;
    for (size_t n = 0; n < strlen(text); n++) {
        write_bytes("x.yaml", text, n);
        elbo_recipe r;
        elbo_error err = {0};
        if (elbo_recipe_open(&r, "x.yaml", NULL, 0, &err) == ELBO_OK) {
            elbo_recipe_close(&r);
            continue;
        }
        assert_int_equal(err.status, ELBO_BAD_INPUT);
        assert_true(strncmp(err.message, "x.yaml", 6) == 0 && !strchr(err.message, '\n'));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_recipes_are_refused_in_these_words),
        cmocka_unit_test(bad_overrides_are_refused_in_these_words),
        cmocka_unit_test(an_error_in_the_second_override_names_it),
        cmocka_unit_test(names_that_lead_nowhere),
        cmocka_unit_test(files_that_are_no_text),
        cmocka_unit_test(files_that_are_too_big),
        cmocka_unit_test(a_recipe_cut_short_is_refused_politely),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
