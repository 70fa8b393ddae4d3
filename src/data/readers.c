#include "data/readers.h"

extern const elbo_reader elbo_reader_cifar, elbo_reader_csv, elbo_reader_idx, elbo_reader_npy, elbo_reader_photos;

const elbo_reader *const elbo_readers[] = {
    &elbo_reader_idx, &elbo_reader_cifar, &elbo_reader_npy, &elbo_reader_csv, &elbo_reader_photos, NULL,
};
