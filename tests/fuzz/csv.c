/* Matrices as text, and the numbers in them. */
#include "fuzz.h"

#include "formats/matrix.h"
#include "formats/matrix_csv.h"

/* The same number as the C library reads, bit for bit. */
static void read_number(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size), *own_end;
    const char *end;
    double value = elbo_parse_number(text, &end);
    FUZZ_ASSERT(end >= text && end <= text + strlen(text), "ends outside of the text");
    if (end > text) {
        text[end - text] = 0;
        double own = strtod(text, &own_end);
        FUZZ_ASSERT(!*own_end && !memcmp(&own, &value, sizeof own), "`%s` is %a, read as %a", text, own, value);
    }
    free(text);
}

static void run(const uint8_t *data, size_t size) {
    read_number(data, size);
    fuzz_file(0, data, size);
    elbo_error err;
    elbo_matrix m, again;
    if (!fuzz_succeeded(elbo_matrix_read(&m, fuzz_link(0, "csv/x.csv"), &err), &err)) return;
    size_t bytes = m.rows * (size_t)m.columns * sizeof *m.value;
    FUZZ_ASSERT(m.rows > 0 && m.columns > 0, "%zu rows of %d", m.rows, m.columns);
    fuzz_touch(m.value, bytes);
    if (bytes <= 1024) {
        const char *out = fuzz_path("csv/out.csv");
        FUZZ_OK(elbo_matrix_write(out, m.value, m.rows, m.columns, &fuzz_err_));
        FUZZ_OK(elbo_matrix_read(&again, out, &fuzz_err_));
        bool same = again.rows == m.rows && again.columns == m.columns && !memcmp(again.value, m.value, bytes);
        FUZZ_ASSERT(same, "another matrix than was written");
        elbo_matrix_free(&again);
    }
    elbo_matrix_free(&m);
}

const fuzz_target fuzz_csv = {"csv", 1024, run};
