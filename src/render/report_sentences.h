/* What was found, in three sentences with the numbers behind them. */
#ifndef ELBO_REPORT_SENTENCES_H
#define ELBO_REPORT_SENTENCES_H

#include "explore/report_data.h"
#include "render/report_text.h"

enum { ELBO_REPORT_SENTENCES = 3 };

/* Returns how many; fewer where there are no test images. */
int elbo_report_sentences(const char *sentence[ELBO_REPORT_SENTENCES], const elbo_report_data *r, elbo_report_texts *t);

#endif
