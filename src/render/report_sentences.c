#include "render/report_sentences.h"

#include <math.h>
#include <string.h>

typedef const elbo_compared_run *run_ref;

/* The autoencoder and the VAE that a reader compares: of codes of two dimensions, or of more. */
typedef struct couple {
    run_ref ae, vae;
} couple;

static couple find_couple(const elbo_comparison *c, bool plane) {
    couple p = {0};
    for (int i = 0; i < c->count; i++) {
        run_ref r = &c->run[i];
        if ((r->latent == 2) != plane) continue;
        if (r->kind == ELBO_VAE && !p.vae) p.vae = r;
        if (r->kind != ELBO_VAE && !p.ae) p.ae = r;
    }
    if (!p.ae || !p.vae) p = (couple){0};
    return p;
}

static double psnr(run_ref r) { return r->scored ? r->quality.pictures.psnr : NAN; }
static double knn(run_ref r) { return r->scored ? 100 * r->quality.knn : NAN; }
static double precision(run_ref r) {
    return r->scored && r->quality.samples.images ? 100 * r->quality.samples.precision : NAN;
}
static double nats(run_ref r) {
    const elbo_scores *s = elbo_compared_scores(r);
    return s ? s->reconstruction : NAN;
}

/* Of those that have the score, the one with the highest, or with the lowest; NULL: none. */
static run_ref extreme(const elbo_comparison *c, double (*value)(run_ref), int sign) {
    run_ref best = NULL;
    for (int i = 0; i < c->count; i++)
        if (isfinite(value(&c->run[i])) && (!best || sign * (value(&c->run[i]) - value(best)) > 0)) best = &c->run[i];
    return best;
}

/* ---- the first: reconstruction ---- */

static const char *of_reconstruction(const elbo_comparison *c, couple p, elbo_report_texts *t) {
    run_ref best = p.ae, other = p.vae;
    if (p.ae && psnr(p.vae) > psnr(p.ae)) best = p.vae, other = p.ae;
    if (!best) best = extreme(c, psnr, 1), other = extreme(c, psnr, -1);
    if (!best) return NULL;
    if (best == other)
        return elbo_report_say(t, "%s reconstructs test images with a PSNR of %.1f\u00a0dB and an SSIM of %.2f.",
                               best->label, psnr(best), best->quality.pictures.ssim);
    const char *in_nats = "";
    const elbo_metrics *a = &best->metrics, *b = &other->metrics;
    bool same = a->count && b->count && !strcmp(a->metric[0].name, b->metric[0].name); // one loss: nats can be compared
    if (same) in_nats = elbo_report_say(t, "%.1f against %.1f nats per image, ", nats(best), nats(other));
    if (psnr(best) - psnr(other) < 0.1)
        return elbo_report_say(t, "%s and %s reconstruct equally well: %sPSNR %.1f and %.1f\u00a0dB.", best->label,
                               other->label, in_nats, psnr(best), psnr(other));
    return elbo_report_say(t, "%s reconstructs %s%s: %sPSNR %.1f against %.1f\u00a0dB%s.", best->label,
                           c->count > 2 && !p.ae ? "best, " : "better than ",
                           c->count > 2 && !p.ae ? elbo_report_say(t, "%s worst", other->label) : other->label, in_nats,
                           psnr(best), psnr(other),
                           p.ae && best == p.ae ? "; the noise on a VAE's codes costs it fine detail" : "");
}

/* ---- the second: what the codes know ---- */

static const char *separation(run_ref a, run_ref b, elbo_report_texts *t) {
    double gap = knn(b) - knn(a);
    return elbo_report_say(t, "%s separates the classes %s (5-NN %.1f\u00a0%% against %.1f\u00a0%% of %s)", b->label,
                           fabs(gap) < 1 ? "about as well"
                           : gap < 0     ? "worse"
                                         : "better",
                           knn(b), knn(a), a->label);
}

static const char *of_codes(const elbo_comparison *c, couple wide, couple plane, elbo_report_texts *t) {
    if (wide.ae && isfinite(knn(wide.ae)) && plane.ae && isfinite(knn(plane.ae)))
        return elbo_report_say(t, "Of the codes, %s; in two dimensions %s.", separation(wide.ae, wide.vae, t),
                               separation(plane.ae, plane.vae, t));
    couple p = wide.ae ? wide : plane;
    if (p.ae && isfinite(knn(p.ae))) return elbo_report_say(t, "Of the codes, %s.", separation(p.ae, p.vae, t));
    run_ref best = extreme(c, knn, 1), least = extreme(c, knn, -1);
    if (best && best != least)
        return elbo_report_say(
            t, "The codes of %s separate the classes best, those of %s worst: 5-NN %.1f\u00a0%% and %.1f\u00a0%%.",
            best->label, least->label, knn(best), knn(least));
    const elbo_compared_run *r = &c->run[0];
    if (!r->scored) return NULL;
    const char *classes =
        best ? elbo_report_say(t, "; the 5 nearest codes tell the class of %.1f\u00a0%% of the test images", knn(best))
             : "";
    return elbo_report_say(t, "%s uses %d of its %d latent dimensions%s.", r->label, r->quality.latent.active,
                           r->latent, classes);
}

/* ---- the third: new images ---- */

static const char *of_samples(const elbo_report_data *r, elbo_report_texts *t) {
    const elbo_comparison *c = &r->comparison;
    run_ref best = extreme(c, precision, 1);
    bool ae = false;
    for (int i = 0; i < c->count; i++) ae = ae || r->run[i].samples.no_prior;
    const char *without = ae ? "an autoencoder has no prior: codes drawn from N(0, I) do not lie where its own do" : "";
    if (!best) return ae ? elbo_report_say(t, "As for new images, %s.", without) : NULL;
    const elbo_sample_scores *s = &best->quality.samples;
    return elbo_report_say(
        t,
        "Of the samples of %s %.0f\u00a0%% lie where the data do and they cover %.0f\u00a0%% of the data (of test "
        "images: %.0f\u00a0%% and %.0f\u00a0%%)%s%s.",
        best->label, 100 * s->precision, 100 * s->recall, 100 * s->test_precision, 100 * s->test_recall, ae ? "; " : "",
        without);
}

int elbo_report_sentences(const char *sentence[ELBO_REPORT_SENTENCES], const elbo_report_data *r,
                          elbo_report_texts *t) {
    const elbo_comparison *c = &r->comparison;
    couple wide = find_couple(c, false), plane = find_couple(c, true);
    const char *all[] = {of_reconstruction(c, wide.ae ? wide : plane, t), of_codes(c, wide, plane, t),
                         of_samples(r, t)};
    int n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]) sentence[n++] = all[i];
    return n;
}
