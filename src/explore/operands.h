/* What the words of an expression stand for: codes of a model, or pixels. */
#ifndef ELBO_OPERANDS_H
#define ELBO_OPERANDS_H

#include "explore/expression.h"
#include "explore/result.h"

typedef struct elbo_operands {
    elbo_model *model;          // whose codes they are
    elbo_model *chooser;        // whose codes choose a class's typical image
    const elbo_dataset *data;   // with the splits that elbo_operands_splits names
    elbo_read_image read_image; // how files are read; NULL: expressions name none
    const char *class_word;     // of a conditional model: the class of all codes; NULL: that of the images
} elbo_operands;

/* The splits that an expression speaks of; 0: none. */
int elbo_operands_splits(const elbo_expression *e);

/* Where an expression is a bare number and the data have a class of that name, it becomes that class: on digits `3` is a 3,
 * not the third test image. `*taken` says whether it did. */
elbo_status elbo_operands_take_class(elbo_expression *e, const elbo_dataset *d, bool *taken, elbo_error *err);

/* Two elbo_find_code whose context is an elbo_operands: the code, (latent); the image itself, (C, H, W), of which a
 * class's mean is the mean image, and which a saved code has none of. */
elbo_status elbo_operand_code(void *operands, const elbo_operand *o, float *code, elbo_error *err);
elbo_status elbo_operand_pixels(void *operands, const elbo_operand *o, float *image, elbo_error *err);
/* Where the decoder reads what the encoder saved: that of the first image that the expression names goes with the codes
 * decoded from now on (elbo_model_set_skips). Fails where it names none. */
elbo_status elbo_operands_set_skips(const elbo_operands *operands, const elbo_expression *e, elbo_error *err);

/* Of a conditional model: the label that an expression's code is decoded with. It is class_word, or else the same
 * expression of the labels of its images (one at the class), of which a saved code has none: `test:18 + mean(class:8) -
 * mean(class:3)` of a 3 has label 8, halfway from a 3 to an 8 it is half of each.  label: (graph.classes) */
elbo_status elbo_operands_label(const elbo_operands *operands, const elbo_expression *e, float *label, elbo_error *err);
/* The same as an elbo_find_code. */
elbo_status elbo_operand_label(void *operands, const elbo_operand *o, float *label, elbo_error *err);
/* Decodes with the label of one expression. */
elbo_status elbo_operands_set_label(const elbo_operands *operands, const elbo_expression *e, elbo_error *err);

#endif
