/* The tables of the report. Their cells are in arrays that elbo_report_tables_free gives back. */
#ifndef ELBO_REPORT_TABLES_H
#define ELBO_REPORT_TABLES_H

#include "explore/report_data.h"
#include "render/render.h"
#include "render/report_text.h"

typedef struct elbo_report_tables {
    elbo_report_table log;     // the logs' numbers
    elbo_report_table scores;  // those that the logs have not; rows = 0 here and below: there is nothing to show
    elbo_report_table classes; // which are taken for which
    elbo_report_table bytes, data;
    elbo_report_table findings; // what the checks found that is not ok
    const char *healthy;        // one line on the runs that are well; NULL: none is
} elbo_report_tables;

elbo_status elbo_report_tables_fill(elbo_report_tables *t, const elbo_report_data *r, elbo_report_texts *texts,
                                    elbo_error *err);
void elbo_report_tables_free(elbo_report_tables *t);

#endif
