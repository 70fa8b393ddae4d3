/* The class as an input of a model: labels that go with codes and images. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "run/model.h"

/* Room for n labels, all 0. */
static elbo_status hold(elbo_model *m, size_t n, elbo_error *err) {
    free(m->labels);
    m->labels_held = 0;
    m->labels = n ? elbo_alloc(n * (size_t)m->network.graph.classes, sizeof *m->labels) : NULL;
    if (n && !m->labels) return elbo_no_memory(err);
    m->labels_held = n;
    return ELBO_OK;
}

elbo_status elbo_model_set_labels(elbo_model *m, const float *weights, size_t n, elbo_error *err) {
    if (!elbo_model_is_conditional(m)) return ELBO_OK;
    ELBO_TRY(hold(m, n, err));
    if (n) memcpy(m->labels, weights, n * (size_t)m->network.graph.classes * sizeof *weights);
    return ELBO_OK;
}

elbo_status elbo_model_set_labels_of(elbo_model *m, const elbo_images *images, const uint32_t *index, size_t n,
                                     elbo_error *err) {
    if (!elbo_model_is_conditional(m)) return ELBO_OK;
    if (!images->labels)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is conditional, and the images have no labels", m->run);
    size_t classes = (size_t)m->network.graph.classes;
    ELBO_TRY(hold(m, n, err));
    for (size_t i = 0; i < n; i++) {
        uint8_t label = images->labels[index ? index[i] : i];
        if (label < classes) m->labels[i * classes + label] = 1;
    }
    return ELBO_OK;
}

elbo_status elbo_model_set_class(elbo_model *m, int class_number, elbo_error *err) {
    if (!elbo_model_is_conditional(m)) return ELBO_OK;
    ELBO_TRY(hold(m, 1, err));
    m->labels[class_number] = 1;
    return ELBO_OK;
}

const char *elbo_model_class_text(const elbo_model *m, int class_number, char text[12]) {
    if (class_number < m->facts.classes) return m->facts.class_names[class_number];
    snprintf(text, 12, "%d", class_number);
    return text;
}

elbo_status elbo_model_find_class(int *class_number, const elbo_model *m, const char *word, elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    if (!elbo_model_is_conditional(m))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "class %s: %s is not conditional: its recipe has no layer `concat class` (`elbo recipes "
                         "mnist-cvae` shows one)",
                         word, m->run);
    const char *names[ELBO_MAX_CLASSES + 1] = {0};
    for (int i = 0; i < m->facts.classes && i < g->classes; i++) {
        names[i] = m->facts.class_names[i];
        if (!strcmp(names[i], word)) {
            *class_number = i;
            return ELBO_OK;
        }
    }
    char *end;
    long number = strtol(word, &end, 10);
    if (*word && !*end && number >= 0 && number < g->classes) {
        *class_number = (int)number;
        return ELBO_OK;
    }
    const char *near = *word && !*end ? NULL : elbo_nearest_word(word, names); // (12 is no misspelt 1)
    return elbo_fail(err, ELBO_BAD_INPUT, "class %s: %s has classes 0 to %d%s%s%s%s%s", word, m->run, g->classes - 1,
                     names[0] && strcmp(names[0], "0") ? ", the first is " : "",
                     names[0] && strcmp(names[0], "0") ? names[0] : "", near ? "; did you mean " : "", near ? near : "",
                     near ? "?" : "");
}

elbo_status elbo_model_set_class_word(elbo_model *m, const char *word, elbo_error *err) {
    int class_number = 0;
    if (word) ELBO_TRY(elbo_model_find_class(&class_number, m, word, err));
    return elbo_model_set_class(m, class_number, err);
}

elbo_status elbo_model_check_labels(const elbo_model *m, const elbo_dataset *d, elbo_error *err) {
    const elbo_graph *g = &m->network.graph;
    if (!elbo_model_is_conditional(m)) return ELBO_OK;
    if (!d->classes || (d->train.count && !d->train.labels) || (d->test.count && !d->test.labels))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has no labels, which %s, a conditional model, needs", d->source,
                         m->run);
    if (d->classes > g->classes)
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: has %d classes, %s was trained on %d", d->source, d->classes, m->run,
                         g->classes);
    char number[12];
    for (int i = 0; d->class_names && i < d->classes && i < m->facts.classes; i++)
        if (snprintf(number, sizeof number, "%d", i) && strcmp(d->class_names[i], number) && // (which names nothing)
            strcmp(d->class_names[i], m->facts.class_names[i]))
            return elbo_fail(err, ELBO_BAD_INPUT, "%s: its class %d is `%s`, that of %s is `%s`; they must be the same",
                             d->source, i, d->class_names[i], m->run, m->facts.class_names[i]);
    return ELBO_OK;
}

/* ---- the public functions ---- */

int elbo_model_classes(const elbo_model *m) { return m->network.graph.classes; }

const char *elbo_model_class_name(const elbo_model *m, int class_number) {
    bool known = class_number >= 0 && class_number < m->facts.classes && class_number < m->network.graph.classes;
    return known ? m->facts.class_names[class_number] : NULL;
}

static elbo_status check_label(const elbo_model *m, const elbo_labels *l, size_t i, elbo_error *err) {
    int classes = m->network.graph.classes;
    if (l->classes && (l->classes[i] < 0 || l->classes[i] >= classes))
        return elbo_fail(err, ELBO_BAD_INPUT, "label %zu: class %d; %s has classes 0 to %d", i, l->classes[i], m->run,
                         classes - 1);
    for (int k = 0; l->weights && k < classes; k++)
        if (!isfinite(l->weights[i * (size_t)classes + (size_t)k]))
            return elbo_fail(err, ELBO_BAD_INPUT, "label %zu: the weight of class %d is not finite", i, k);
    return ELBO_OK;
}

/* The caller's labels into the session's. */
static elbo_status take_labels(elbo_model *m, const elbo_labels *given, elbo_error *err) {
    elbo_labels l = {0};
    if (!elbo_model_is_conditional(m))
        return elbo_fail(err, ELBO_BAD_INPUT, "%s: is not conditional (its recipe has no layer `concat class`)",
                         m->run);
    if (!given) return elbo_fail(err, ELBO_BAD_INPUT, "%s: is conditional; labels are NULL", m->run);
    ELBO_TRY(elbo_options_read(&l, sizeof l, given, given->size, "elbo_labels", err));
    if (l.count == 0 || (l.classes != NULL) == (l.weights != NULL))
        return elbo_fail(err, ELBO_BAD_INPUT,
                         "elbo_labels: a count of 1 or more and one of classes and weights are needed");
    for (size_t i = 0; i < l.count; i++) ELBO_TRY(check_label(m, &l, i, err));
    if (l.weights) return elbo_model_set_labels(m, l.weights, l.count, err);
    ELBO_TRY(hold(m, l.count, err));
    for (size_t i = 0; i < l.count; i++) m->labels[i * (size_t)m->network.graph.classes + (size_t)l.classes[i]] = 1;
    return ELBO_OK;
}

elbo_status elbo_encode_labelled(elbo_model *m, size_t n, const float *images, const elbo_labels *labels, float *mu,
                                 float *logvar, elbo_error *err) {
    ELBO_TRY(take_labels(m, labels, err));
    return elbo_model_encode_checked(m, n, images, mu, logvar, err);
}

elbo_status elbo_decode_labelled(elbo_model *m, size_t n, const float *z, const elbo_labels *labels, float *images,
                                 elbo_error *err) {
    ELBO_TRY(take_labels(m, labels, err));
    return elbo_model_decode_checked(m, n, z, images, err);
}

elbo_status elbo_model_sample_labelled(elbo_model *m, size_t n, uint64_t seed, const elbo_labels *labels, float *images,
                                       float *z, elbo_error *err) {
    ELBO_TRY(take_labels(m, labels, err));
    return elbo_model_sample_checked(m, n, seed, images, z, err);
}
