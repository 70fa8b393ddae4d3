/* Matrices as text: the part of matrix.c that knows commas. */
#ifndef ELBO_MATRIX_CSV_H
#define ELBO_MATRIX_CSV_H

#include "formats/matrix.h"

/* Numbers parted by commas, semicolons, tabs or spaces (whichever the first line has), a row per line, in any locale.
 * Lines that begin with # and, where it is not numbers, the first line are left out. What is wrong is told with its
 * line and column. */
elbo_status elbo_csv_read(elbo_matrix *m, const char *path, elbo_error *err);
/* Nine digits, which bring back every float32. */
elbo_status elbo_csv_write(const char *path, const float *value, size_t rows, int columns, elbo_error *err);

/* The number at `text`, correctly rounded, and where it ends; `end` is `text` where there is none. */
double elbo_parse_number(const char *text, const char **end);

#endif
