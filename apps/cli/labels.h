/* The classes that a conditional model is told, as options name them. */
#ifndef ELBO_CLI_LABELS_H
#define ELBO_CLI_LABELS_H

#include "cli.h"

typedef struct cli_labels {
    const char *class_word; // --class: one for all
    const char *file;       // --labels: a class, or a weight for each class, of each row
} cli_labels;
#define CLI_LABELS_OPTIONS(labels)                                                                                     \
    {"class", 0, CLI_TEXT, &(labels).class_word, "C", "of a conditional model: the class of all, by name or number",   \
     0,       0},                                                                                                      \
    {                                                                                                                  \
        "labels", 0, CLI_TEXT, &(labels).file, "L.npy",                                                                \
            "a .npy or .csv of a class for each, (N), or weights, (N, classes)", 0, 0                                  \
    }

/* Sets the labels of n images or codes. Fails where the model is not conditional, or where `needed` and none are given. */
elbo_status cli_set_labels(elbo_model *m, const cli_labels *labels, size_t n, bool needed, elbo_error *err);

#endif
