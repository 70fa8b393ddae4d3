#include "data/readers.h"

extern const elbo_reader elbo_reader_idx, elbo_reader_npy;

const elbo_reader *const elbo_readers[] = {
    &elbo_reader_idx,
    &elbo_reader_npy,
    NULL,
};
