/* The first figures of the report, and those of training: those of the latent space are in report_latent.c. */
#include "render/report_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "render/charts.h"
#include "render/image_figures.h"
#include "render/report_draw.h"

void elbo_draft_add(elbo_report_draft *d, elbo_report_item item) {
    if (d->count < ELBO_REPORT_MOST_ITEMS) d->item[d->count++] = item;
}

elbo_figure elbo_draft_figure(const elbo_report_draft *d, const char *name, const char *title) {
    return (elbo_figure){.folder = d->figures, .name = name, .title = title};
}

elbo_report_figure *elbo_draft_show(elbo_report_draft *d, elbo_figure f, const char *title, const char *sentence) {
    static elbo_report_figure none; // a page of hundreds of figures has enough; what is set of it is not looked at
    if (d->figure_count == ELBO_REPORT_MOST_FIGURES) return &none;
    elbo_report_figure *shown = &d->figure[d->figure_count++];
    *shown = (elbo_report_figure){.png = ELBO_SAY(d, "%s/%s.png", d->figures, f.name),
                                  .title = title,
                                  .sentence = sentence,
                                  .links = ELBO_SAY(d, "%s/%s", d->links, f.name)};
    elbo_draft_add(d, (elbo_report_item){.figure = shown});
    return shown;
}

bool elbo_draft_is_vae(const elbo_report_draft *d, int i) { return d->c->run[i].kind == ELBO_VAE; }

/* ---- pictures ---- */

static elbo_status add_reconstructions(elbo_report_draft *d, elbo_error *err) {
    elbo_figure f = elbo_draft_figure(d, "reconstructions", "Test images and their reconstructions");
    ELBO_TRY(elbo_figure_reconstruct(f, &d->r->reconstructions, 0, err));
    bool both = false;
    for (int i = 1; i < d->c->count; i++) both = both || elbo_draft_is_vae(d, i) != elbo_draft_is_vae(d, 0);
    elbo_draft_show(d, f, "Reconstructions",
                    both ? "Test images (top row) above each model's reconstructions; a VAE's are smoother, "
                           "because the noise on its codes in training removes fine detail."
                         : "Test images (top row) above each model's reconstructions.")
        ->pixels = true;
    return ELBO_OK;
}

static elbo_status add_interpolation(elbo_report_draft *d, elbo_error *err) {
    const elbo_report_data *r = d->r;
    elbo_figure f = elbo_draft_figure(d, "interpolation", ELBO_SAY(d, "From %s to %s", r->from, r->to));
    ELBO_TRY(elbo_figure_interpolate(f, &r->interpolation, err));
    elbo_draft_show(
        d, f, ELBO_SAY(d, "From %s to %s", r->from, r->to),
        "Codes on the straight line from one to the other, decoded at ten steps, below the same of the pixels: "
        "where the latent space is densely covered every step looks like a real image, elsewhere like two "
        "laid over each other.")
        ->pixels = true;
    return ELBO_OK;
}

/* One row of the sheet of samples. */
static void take_samples(float *to, const elbo_sample_result *s, size_t columns, elbo_image_format format) {
    size_t size = elbo_image_size(format.shape), n = (size_t)s->count < columns ? (size_t)s->count : columns;
    memcpy(to, s->images, n * size * sizeof *to);
    elbo_images_into_range(to, n * size, s->format, format);
    for (size_t i = n; i < columns; i++) to[i * size] = NAN;
}

/* Samples of each model: a row from the prior and, of an autoencoder, one from a mixture of its codes. */
static elbo_status add_samples(elbo_report_draft *d, elbo_error *err) {
    enum { COLUMNS = 10 };
    elbo_image_format format = d->r->reconstructions.format;
    size_t row = COLUMNS * elbo_image_size(format.shape), most = 2 * (size_t)d->c->count;
    float *images = elbo_alloc(most * row, sizeof *images);
    const char **label = elbo_alloc(most, sizeof *label);
    elbo_status status = images && label ? ELBO_OK : elbo_no_memory(err);
    int rows = 0;
    bool ae = false;
    for (int i = 0; i < d->c->count && status == ELBO_OK; i++) {
        const elbo_sample_result *prior = &d->r->run[i].samples, *own = &d->r->run[i].mixture;
        if (prior->count) {
            take_samples(images + (size_t)rows * row, prior, COLUMNS, format);
            label[rows++] = prior->no_prior ? ELBO_SAY(d, "%.20s, N(0, I)", d->c->run[i].label) : d->c->run[i].label;
            ae = ae || prior->no_prior;
        }
        if (own->count) {
            take_samples(images + (size_t)rows * row, own, COLUMNS, format);
            label[rows++] = ELBO_SAY(d, "%.20s, mixture", d->c->run[i].label);
        }
    }
    elbo_figure f = elbo_draft_figure(d, "samples", "New images of each model");
    if (status == ELBO_OK && rows) {
        elbo_grid grid = elbo_image_grid(format, rows, COLUMNS, images);
        grid.row_labels = label;
        status = elbo_draw_grid(f, &grid, err);
    }
    if (status == ELBO_OK && rows)
        elbo_draft_show(
            d, f, "Samples",
            ae ? "Codes drawn from the prior, decoded. An autoencoder has no prior: its codes do not lie as N(0, "
                 "I) does, so what is drawn from there shows why it cannot generate; a mixture of Gaussians "
                 "fitted to its codes can."
               : "Codes drawn from the prior, a standard normal, decoded.")
            ->pixels = true;
    free(images);
    free(label);
    return status;
}

elbo_status elbo_draft_pictures(elbo_report_draft *d, elbo_error *err) {
    if (!d->r->reconstructions.count) return ELBO_OK; // of a table there are none
    elbo_draft_add(d, (elbo_report_item){.heading = "Pictures"});
    ELBO_TRY(add_reconstructions(d, err));
    ELBO_TRY(add_interpolation(d, err));
    return add_samples(d, err);
}

/* ---- training ---- */

static const char *loss_sentence(elbo_report_draft *d) {
    bool mixed = false, below = true;
    for (int i = 0; i < d->c->count; i++) {
        const elbo_epoch_log *first = d->c->run[i].epochs ? &d->c->run[i].epoch[0] : NULL;
        below = below && first && first->test.images && first->test.loss < first->train.loss;
        mixed = mixed || elbo_draft_is_vae(d, i) != elbo_draft_is_vae(d, 0);
    }
    if (d->c->draws_objective)
        return ELBO_SAY(d,
                        "The training objective: %s. The loss in nats per image is in the table. A test curve "
                        "that turns up while the training curve still falls would mean overfitting.",
                        d->c->drawn_formula);
    if (!mixed)
        return "Loss in nats per image; a test curve that turns up while the training curve still falls would mean "
               "overfitting.";
    return below
               ? "Losses in nats per image on one axis: the VAE's includes its KL term as well as the reconstruction. A "
                 "train value is the mean during the epoch, a test value is taken after it, so test starts below."
               : "Losses in nats per image on one axis: the VAE's includes its KL term as well as the reconstruction.";
}

elbo_status elbo_draft_training(elbo_report_draft *d, elbo_error *err) {
    bool objective = d->c->draws_objective, drawn;
    elbo_draft_add(d, (elbo_report_item){.heading = "Training"});
    elbo_figure terms = elbo_draft_figure(d, "terms", "Reconstruction and KL over the epochs");
    ELBO_TRY(elbo_figure_terms(terms, d->c, &drawn, err));
    if (drawn)
        elbo_draft_show(d, terms, "Terms of the loss",
                        "On the test images: reconstruction (solid) and KL (dashed), in nats per image, unweighted.");
    elbo_figure f =
        elbo_draft_figure(d, "loss", objective ? "Objective over the epochs" : "Loss over the epochs, train and test");
    ELBO_TRY(elbo_figure_curves(f, d->c, NULL, 0, err));
    elbo_draft_show(d, f, objective ? "Objective" : "Loss curves", loss_sentence(d));
    elbo_figure players = elbo_draft_figure(d, "players", "Model and discriminator over the epochs");
    ELBO_TRY(elbo_figure_players(players, d->c, &drawn, err));
    if (drawn)
        elbo_draft_show(
            d, players, "The adversary",
            "In training: the model's term, unweighted (adversary), the discriminator's loss (0.693 where it can "
            "only guess) and the share that it tells right (d_accuracy). Near 1 it has won, and the model learns "
            "nothing from it.");
    return ELBO_OK;
}
