/* For the formats: what they share. */
#ifndef ELBO_EXPORT_FORMATS_H
#define ELBO_EXPORT_FORMATS_H

#include "export/export.h"
#include "nn/ops/op.h"

elbo_status elbo_export_pytorch(const elbo_model *m, const elbo_export_files *f, elbo_error *err);
elbo_status elbo_export_onnx(const elbo_model *m, const elbo_export_files *f, elbo_error *err);
elbo_status elbo_export_c(const elbo_model *m, const elbo_export_files *f, elbo_error *err);

/* The half of a network that is exported: nodes first+1 .. last, which read `first` and, where skips are, nodes before. */
typedef struct elbo_half {
    const char *name; // "encoder", "decoder"
    int first, last;
    int label; // the node of the class, where the half reads it; else -1
} elbo_half;
elbo_half elbo_half_of(const elbo_graph *g, bool decoder);
/* Whether a node is given, not computed: the image, the class. */
bool elbo_half_is_given(const elbo_graph *g, int node);

/* A format has no row for this layer. */
elbo_status elbo_export_refuse(const elbo_node *n, const char *format, elbo_error *err);
/* The parameter NODE.`suffix` of a node, of a stacked one that of its name `which`, from 0; NULL: there is none. */
const elbo_param *elbo_node_param(const elbo_graph *g, const elbo_node *n, const char *suffix, int which);
/* "mnist-vae" as a name in C and Python: "mnist_vae", at most 63 letters. Returns `out`. */
enum { ELBO_IDENTIFIER = 64 };
const char *elbo_identifier(const char *name, char out[ELBO_IDENTIFIER]);
/* The name of a path without folder and ending, as an identifier. */
const char *elbo_stem(const char *path, char out[ELBO_IDENTIFIER]);

#endif
