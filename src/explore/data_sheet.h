/* A data sheet: what a data set holds, for a page or a table. */
#ifndef ELBO_DATA_SHEET_H
#define ELBO_DATA_SHEET_H

#include "data/data.h"

/* Plain data: it outlives the data set. */
typedef struct elbo_data_sheet {
    char *name, *source;
    elbo_image_shape shape;
    size_t train, test; // images
    bool bytes;         // a value is stored as a byte, else as a float
    int classes;        // 0: no labels
    char **class_name;  // (classes)
    size_t *count[2];   // (classes) each: training and test images of a class
} elbo_data_sheet;

elbo_status elbo_data_sheet_fill(elbo_data_sheet *s, const elbo_dataset *d, elbo_error *err);
void elbo_data_sheet_free(elbo_data_sheet *s);

#endif
