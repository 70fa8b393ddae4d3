#include "labels.h"

#include <stdlib.h>

#include "base/memory.h"
#include "formats/matrix.h"

/* The row's class as its one weight.  to: (classes), zero */
static elbo_status read_class(float *to, int classes, double value, const char *file, size_t row, elbo_error *err) {
    int number = value >= 0 && value < classes ? (int)value : -1;
    if (number < 0 || number != value)
        return elbo_fail(err, ELBO_BAD_INPUT, "--labels %s: row %zu is %g; a class is a whole number from 0 to %d",
                         file, row, value, classes - 1);
    to[number] = 1;
    return ELBO_OK;
}

static elbo_status set_rows(elbo_model *m, const elbo_matrix *x, const char *file, elbo_error *err) {
    int classes = m->network.graph.classes;
    if (x->columns == classes && classes > 1) return elbo_model_set_labels(m, x->value, x->rows, err);
    float *weights = elbo_alloc(x->rows * (size_t)classes, sizeof *weights);
    elbo_status status = weights ? ELBO_OK : elbo_no_memory(err);
    for (size_t i = 0; i < x->rows && status == ELBO_OK; i++)
        status = read_class(weights + i * (size_t)classes, classes, (double)x->value[i], file, i, err);
    if (status == ELBO_OK) status = elbo_model_set_labels(m, weights, x->rows, err);
    free(weights);
    return status;
}

static elbo_status set_file(elbo_model *m, const char *file, size_t n, elbo_error *err) {
    elbo_matrix x;
    int classes = m->network.graph.classes;
    ELBO_TRY(elbo_matrix_read(&x, file, err));
    elbo_status status = ELBO_OK;
    if (x.rows != n)
        status =
            elbo_fail(err, ELBO_BAD_INPUT, "--labels %s: has %zu rows; there are %zu to go with them", file, x.rows, n);
    else if (x.columns != 1 && x.columns != classes)
        status = elbo_fail(err, ELBO_BAD_INPUT, "--labels %s: rows of %d numbers; expected a class, or %d weights",
                           file, x.columns, classes);
    if (status == ELBO_OK) status = set_rows(m, &x, file, err);
    elbo_matrix_free(&x);
    return status;
}

elbo_status cli_set_labels(elbo_model *m, const cli_labels *labels, size_t n, bool needed, elbo_error *err) {
    int class_number;
    if (labels->class_word && labels->file)
        return elbo_fail(err, ELBO_BAD_INPUT, "--class and --labels: expected one of them");
    if (labels->class_word) {
        ELBO_TRY(elbo_model_find_class(&class_number, m, labels->class_word, err));
        return elbo_model_set_class(m, class_number, err);
    }
    if (labels->file && !elbo_model_is_conditional(m))
        return elbo_fail(err, ELBO_BAD_INPUT, "--labels: %s is not conditional: its recipe has no layer `concat class`",
                         m->run);
    if (labels->file) return set_file(m, labels->file, n, err);
    if (!needed) return ELBO_OK;
    return elbo_fail(err, ELBO_BAD_INPUT, "%s: needs the class of each image: --class C or --labels L.npy", m->run);
}
