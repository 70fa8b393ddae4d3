/* The figures of the report, section by section, each with one sentence on it. */
#ifndef ELBO_REPORT_FIGURES_H
#define ELBO_REPORT_FIGURES_H

#include "explore/report_data.h"
#include "render/render.h"
#include "render/report_text.h"

enum { ELBO_REPORT_MOST_FIGURES = 96, ELBO_REPORT_MOST_ITEMS = 256 };

/* The page while it is put together. */
typedef struct elbo_report_draft {
    const elbo_report_data *r;
    const elbo_comparison *c; // of r
    char *figures;            // the folder they are drawn into
    char *links;              // the same as the page says it
    elbo_report_figure figure[ELBO_REPORT_MOST_FIGURES];
    int figure_count;
    elbo_report_item item[ELBO_REPORT_MOST_ITEMS];
    int count;
    elbo_report_texts texts;
} elbo_report_draft;

#define ELBO_SAY(d, ...) elbo_report_say(&(d)->texts, __VA_ARGS__)

void elbo_draft_add(elbo_report_draft *d, elbo_report_item item);

elbo_status elbo_draft_pictures(elbo_report_draft *d, elbo_error *err); // originals, reconstructions, a walk, samples
elbo_status elbo_draft_training(elbo_report_draft *d, elbo_error *err);
elbo_status elbo_draft_latent_space(elbo_report_draft *d, elbo_error *err); // maps, arithmetic, traversals

#endif
