/* Tables of numbers: rows in the place of images, labels from a file of their own, columns brought to one scale. */
#ifndef ELBO_TABLE_H
#define ELBO_TABLE_H

#include "data/data.h"

/* A row of a table is an image of one line. */
static inline bool elbo_shape_is_row(elbo_image_shape s) { return s.channels == 1 && s.height == 1; }

/* What a file of images takes for one, a byte for each value; a table has floats. */
static inline size_t elbo_image_bytes(elbo_image_shape s) {
    return elbo_image_size(s) * (elbo_shape_is_row(s) ? sizeof(float) : 1);
}

/* How many of n rows without splits of their own are held out: the last tenth, at least one. */
static inline size_t elbo_rows_held_out(size_t n) { return n / 10 > 0 ? n / 10 : 1; }

/* Gives every open image of a data set without splits of its own its label: .npy of integers, or text with a number or a
 * word on each line, of which the first may be a heading. Classes are the numbers, or the words in their order. */
elbo_status elbo_labels_read(elbo_dataset *d, const char *path, elbo_error *err);

/* Columns of both splits less their mean in `by`, divided by its standard deviation (1 where that is 0). Bytes become
 * floats. */
elbo_status elbo_table_standardise(elbo_dataset *d, const elbo_images *by, elbo_error *err);

#endif
