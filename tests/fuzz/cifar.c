/* CIFAR-10's binary files, all with the same contents, as a data set. */
#include "fuzz.h"

#include "data/data.h"

static void run(const uint8_t *data, size_t size) {
    static const char *const names[] = {"cifar/data_batch_1.bin", "cifar/data_batch_2.bin", "cifar/data_batch_3.bin",
                                        "cifar/data_batch_4.bin", "cifar/data_batch_5.bin", "cifar/test_batch.bin"};
    fuzz_file(0, data, size);
    const char *path = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) path = fuzz_link(0, names[i]);
    char folder[200];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
    elbo_error err;
    elbo_dataset d;
    if (!fuzz_succeeded(elbo_dataset_open(&d, folder, NULL, ELBO_BOTH_SPLITS, 1, &err), &err)) return;
    FUZZ_ASSERT(d.train.count == 5 * d.test.count, "%u and %u images", d.train.count, d.test.count);
    fuzz_touch(d.train.bytes, d.train.count * elbo_image_size(d.train.shape));
    fuzz_touch(d.test.bytes, d.test.count * elbo_image_size(d.test.shape));
    for (uint32_t i = 0; i < d.train.count; i++)
        FUZZ_ASSERT(d.train.labels[i] < d.classes, "a label beyond the classes");
    for (int i = 0; i < d.classes; i++) fuzz_touch(d.class_names[i], strlen(d.class_names[i]));
    elbo_dataset_close(&d);
}

const fuzz_target fuzz_cifar = {"cifar", 3 * 3073, run};
