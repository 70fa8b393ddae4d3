/* The figures of the report, one sentence on each, and the page around them. */
#include "render/report_page.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/shown.h"
#include "render/charts.h"
#include "render/image_figures.h"
#include "render/report_tables.h"

enum { MOST_FIGURES = 64 };

typedef struct page {
    const elbo_report_data *r;
    const elbo_comparison *c; // of r
    char *figures;            // the folder they are drawn into
    elbo_report_figure figure[MOST_FIGURES];
    int drawn;
    elbo_report_texts texts;
} page;

#define SAY(p, ...) elbo_report_say(&(p)->texts, __VA_ARGS__)

static elbo_figure figure_of(const page *p, const char *name, const char *title) {
    return (elbo_figure){.folder = p->figures, .name = name, .title = title};
}

static void show(page *p, const char *name, const char *title, const char *sentence) {
    if (p->drawn == MOST_FIGURES) return;
    p->figure[p->drawn++] =
        (elbo_report_figure){.png = SAY(p, "%s/%s.png", p->figures, name), .title = title, .sentence = sentence};
}

static bool is_vae(const page *p, int i) { return p->c->run[i].kind == ELBO_VAE; }

/* ---- each figure and its sentence ---- */

static elbo_status add_curves(page *p, elbo_error *err) {
    bool objective = p->c->draws_objective, mixed = false, below = true;
    const char *title = objective ? "Objective over the epochs" : "Loss over the epochs";
    ELBO_TRY(elbo_figure_curves(figure_of(p, "loss", title), p->c, NULL, 0, err));
    for (int i = 0; i < p->c->drawn; i++) {
        const elbo_epoch_log *first = p->c->run[i].epochs ? &p->c->run[i].epoch[0] : NULL;
        below = below && first && first->test.images && first->test.loss < first->train.loss;
        mixed = mixed || is_vae(p, i) != is_vae(p, 0);
    }
    show(p, "loss", objective ? "Objective" : "Loss curves",
         objective ? SAY(p,
                         "The training objective: %s. The loss in nats per image is in the table. A test curve "
                         "that turns up while the training curve still falls would mean overfitting.",
                         p->c->drawn_formula)
         : mixed && below
             ? "Losses in nats per image on one axis: the VAE's includes its KL "
               "term as well as the reconstruction. A train value is the mean during the epoch, a test value is "
               "taken after it, so test starts below."
         : mixed ? "Losses in nats per image on one axis: the VAE's includes its KL "
                   "term as well as the reconstruction."
                 : "Loss in nats per image; a test curve that turns up while the training curve still falls would mean "
                   "overfitting.");
    bool drawn;
    ELBO_TRY(elbo_figure_terms(figure_of(p, "terms", "Reconstruction and KL over the epochs"), p->c, &drawn, err));
    if (drawn)
        show(p, "terms", "Terms of the loss",
             "Terms of the loss on the test images: reconstruction (solid) and KL (dashed), "
             "in nats per image, unweighted.");
    ELBO_TRY(
        elbo_figure_players(figure_of(p, "players", "Model and discriminator over the epochs"), p->c, &drawn, err));
    if (drawn)
        show(
            p, "players", "The adversary",
            "In training: the model's term, unweighted (adversary), the discriminator's loss (0.693 where it can only "
            "guess) and the share that it tells right (d_accuracy). Near 1 it has won, and the model learns nothing from "
            "it.");
    return ELBO_OK;
}

static elbo_status add_reconstructions(page *p, elbo_error *err) {
    ELBO_TRY(elbo_figure_reconstruct(figure_of(p, "reconstructions", "Reconstructions of test images"),
                                     &p->r->reconstructions, err));
    show(p, "reconstructions", "Reconstructions",
         is_vae(p, p->c->drawn - 1) && !is_vae(p, 0)
             ? "Test images (top row) above each model's reconstructions; a VAE's are smoother, "
               "because the noise on its codes in training removes fine detail."
             : "Test images (top row) above each model's reconstructions.");
    return ELBO_OK;
}

static elbo_status add_dimensions(page *p, elbo_error *err) {
    bool drawn = false;
    ELBO_TRY(elbo_figure_kl(figure_of(p, "kl", "KL of each latent dimension"), p->c, &drawn, err));
    if (drawn)
        show(
            p, "kl", "KL of each latent dimension",
            "KL of each latent dimension in nats per image, a bound on the information it carries; a dimension near 0 is collapsed.");
    return ELBO_OK;
}

static const char *split_of(const elbo_projection *x) { return x->splits == ELBO_TEST_SPLIT ? "test" : "training"; }

static elbo_status add_pca(page *p, int i, const char *title, elbo_error *err) {
    const elbo_projection *x = &p->r->run[i].pca;
    const char *name = SAY(p, "map-%d-%s", i + 1, is_vae(p, i) ? "vae" : "ae");
    ELBO_TRY(elbo_figure_projection(figure_of(p, name, title), x, err));
    const char *what = SAY(p, "Each point is a %s image%s", split_of(x),
                           p->r->classes ? ", coloured by class, which the model was not given" : "");
    if (x->raw)
        show(p, name, title, SAY(p, "%s; the code has two dimensions, so this is the whole latent space.", what));
    else
        show(p, name, SAY(p, "%s by PCA", title),
             SAY(p,
                 "%s; the two axes explain %.0f%% of the variance, so clusters that overlap here may be separate in "
                 "other dimensions.",
                 what, 100 * (x->explained[0] + x->explained[1])));
    return ELBO_OK;
}

/* Beside the one by PCA, which was shown just before. */
static elbo_status add_tsne(page *p, int i, const char *title, elbo_error *err) {
    const elbo_projection *x = &p->r->run[i].tsne;
    const char *name = SAY(p, "tsne-%d-%s", i + 1, is_vae(p, i) ? "vae" : "ae");
    ELBO_TRY(elbo_figure_projection(figure_of(p, name, title), x, err));
    char points[32];
    if (p->drawn) p->figure[p->drawn - 1].beside = true;
    show(
        p, name, SAY(p, "%s by t-SNE", title),
        SAY(p,
            "The codes of %s %s images, embedded so that neighbours stay neighbours (KL divergence %.2f); distances between "
            "clusters and their sizes carry little meaning.",
            elbo_thousands((double)x->n, points), split_of(x), x->tsne.kl));
    return ELBO_OK;
}

static elbo_status add_projections(page *p, elbo_error *err) {
    for (int i = 0; i < p->c->count; i++) {
        const char *title = SAY(p, "Latent space of %s", p->c->run[i].label);
        ELBO_TRY(add_pca(p, i, title, err));
        if (p->r->run[i].tsne.n) ELBO_TRY(add_tsne(p, i, title, err));
    }
    return ELBO_OK;
}

static elbo_status add_interpolation(page *p, elbo_error *err) {
    const elbo_report_data *r = p->r;
    ELBO_TRY(elbo_figure_interpolate(figure_of(p, "interpolation", SAY(p, "From %s to %s", r->from, r->to)),
                                     &r->interpolation, err));
    show(p, "interpolation", "Interpolation",
         SAY(p,
             "Linear interpolation in latent space from %s to %s, decoded at ten steps, below pixel-wise "
             "interpolation: where the latent space is densely covered, every step looks like a real image; elsewhere "
             "the steps resemble a superposition of the two images, as with pixels.",
             r->from, r->to));
    return ELBO_OK;
}

static elbo_status add_samples(page *p, elbo_error *err) {
    for (int i = 0; i < p->c->count; i++) {
        const elbo_sample_result *samples = &p->r->run[i].samples;
        if (!samples->count) continue;
        const char *name = SAY(p, "samples-%d", i + 1), *title = SAY(p, "Samples from %s", p->c->run[i].label);
        ELBO_TRY(elbo_figure_sample(figure_of(p, name, title), samples, err));
        show(p, name, title, "Decoded samples from the prior, a standard normal.");
    }
    return ELBO_OK;
}

static elbo_status draw_all(page *p, elbo_error *err) {
    ELBO_TRY(add_curves(p, err));
    if (!p->r->analysed) return ELBO_OK;
    ELBO_TRY(add_reconstructions(p, err));
    ELBO_TRY(add_dimensions(p, err));
    ELBO_TRY(add_projections(p, err));
    ELBO_TRY(add_interpolation(p, err));
    return add_samples(p, err);
}

/* ---- the page ---- */

/* "What a, b and c learned from ..." */
static const char *summary(page *p) {
    char train[32], test[32];
    const char *names = "";
    for (int i = 0; i < p->c->drawn; i++)
        names = SAY(p, "%s%s%s", names, i == 0 ? "" : i == p->c->drawn - 1 ? " and " : ", ", p->c->run[i].label);
    return SAY(p,
               "%s, trained on %s images of %s, evaluated on %s test images. All losses are in nats "
               "per image; lower is better.",
               names, elbo_thousands((double)p->r->train, train), p->r->data, elbo_thousands((double)p->r->test, test));
}

static elbo_status write_page(page *p, const char *path, elbo_error *err) {
    int count = p->c->count;
    elbo_report_tables tables = {0};
    elbo_report_listing *listings = calloc((size_t)count, sizeof *listings);
    elbo_status status = listings ? elbo_report_tables_fill(&tables, p->r, &p->texts, err) : elbo_no_memory(err);
    if (status == ELBO_OK) {
        for (int i = 0; i < count; i++)
            listings[i] = (elbo_report_listing){SAY(p, "Recipe of %s", p->c->run[i].label), p->r->run[i].recipe};
        elbo_report report = {
            .title = count == 1 ? p->c->run[0].label : "Autoencoders compared",
            .summary = summary(p),
            .tables = tables.table,
            .table_count = tables.count,
            .findings = p->r->analysed ? &tables.findings : NULL,
            .figures = p->figure,
            .figure_count = p->drawn,
            .listings = listings,
            .listing_count = count,
        };
        status = p->texts.failed ? elbo_no_memory(err) : elbo_report_write(path, &report, err);
    }
    elbo_report_tables_free(&tables);
    free(listings);
    return status;
}

elbo_status elbo_figure_report(const char *path, const char *folder, const elbo_report_data *r, elbo_error *err) {
    page *p = calloc(1, sizeof *p);
    if (!p) return elbo_no_memory(err);
    p->r = r;
    p->c = &r->comparison;
    p->figures = elbo_path_join(folder, "figures/report"); // its own folder: a figure drawn by hand is not overwritten
    elbo_status status = p->figures ? draw_all(p, err) : elbo_no_memory(err);
    if (status == ELBO_OK) status = write_page(p, path, err);
    elbo_report_texts_free(&p->texts);
    free(p->figures);
    free(p);
    return status;
}
