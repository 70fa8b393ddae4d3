/* A trained network for a page that computes by itself in a browser: its layers as JSON and its weights as bytes, 24
 * bits each. */
#ifndef ELBO_EXPORT_PAGE_NETWORK_H
#define ELBO_EXPORT_PAGE_NETWORK_H

#include <jansson.h>

#include "run/model.h"

/* What a browser decodes in a few hundredths of a second, in a file that can be mailed. */
enum { ELBO_PAGE_MOST_WEIGHTS = 8000000, ELBO_PAGE_MOST_PRODUCTS = 64000000 };

/* `layers`: {"decoder": [LAYER...], "encoder": [LAYER...] or null, "arrays": [ARRAY...]}.
 *   LAYER  {"op": "conv2d", "of": [VALUE...], "shape": [32, 14, 14], "weights": [ARRAY or null...], ...}: value 0 is what
 *          the half is given (an image or a code), -1 the class, k the output of layer k - 1; of stacked layers `weights`
 *          has those of each part behind one another, and "parts" says how many
 *   ARRAY  {"at": byte, "rows": r, "columns": c}: of matrices a float32 for each row, then the upper 16 bits
 *          of whole numbers that it is multiplied with, then their lower 8, little-endian; "rows" 0: `columns` float32
 * The encoder is null where it alone is too large. */
typedef struct elbo_page_network {
    json_t *layers;
    uint8_t *bytes; // (size)
    size_t size, capacity;
} elbo_page_network;

/* Fails in one line where the decoder is too large, needs more than a code and a class, or has a layer that the page
 * does not compute. */
elbo_status elbo_page_network_make(elbo_page_network *p, const elbo_model *m, elbo_error *err);
/* Another matrix beside the weights, in 24 bits as they are: `layers` has its number under `name`.  v: (rows, columns) */
elbo_status elbo_page_network_add(elbo_page_network *p, const char *name, const float *v, size_t rows, size_t columns,
                                  elbo_error *err);
void elbo_page_network_free(elbo_page_network *p);

#endif
