// Walks from one code to another and prints the images on the way, one after the other: libelbo from C++.
//
//     c++ -std=c++17 interpolate.cc -o interpolate $(pkg-config --cflags --libs elbo)
//     ./interpolate runs/mnist-vae 5
//
// The words are a run of a VAE and the number of images. Both ends are drawn from the prior.
#include <elbo/elbo.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

void check(elbo_status status, const elbo_error &err) {
    if (status != ELBO_OK) throw std::runtime_error(err.message);
}

struct close_model {
    void operator()(elbo_model *m) const { elbo_model_close(m); }
};
using model_ptr = std::unique_ptr<elbo_model, close_model>;

// A session that decodes one image at a time.
model_ptr open(const char *run) {
    elbo_model_options options{};
    options.size = sizeof options;
    options.threads = 1;
    options.rows = 1;
    elbo_model *model;
    elbo_error err;
    check(elbo_model_open_with(&model, run, &options, &err), err);
    return model_ptr(model);
}

void print(const std::vector<float> &image, const elbo_model_info &info) { // (C, H, W): the first channel
    for (int y = 0; y < info.height; y++) {
        for (int x = 0; x < info.width; x++) {
            float light = (image[size_t(y) * size_t(info.width) + size_t(x)] - info.low) / (info.high - info.low);
            std::putchar(" .:-=+*#%@"[light < 0 ? 0 : light > 0.99f ? 9 : int(light * 10)]);
        }
        std::putchar('\n');
    }
    std::putchar('\n');
}

void walk(const char *run, int steps) {
    model_ptr model = open(run);
    elbo_model_info info = elbo_model_get_info(model.get());
    size_t pixels = size_t(info.channels) * size_t(info.height) * size_t(info.width), latent = size_t(info.latent);
    std::vector<float> images(2 * pixels), ends(2 * latent); // (2, C, H, W), (2, latent)
    std::vector<float> z(latent), image(pixels);
    elbo_error err;
    check(elbo_model_sample(model.get(), 2, 0, images.data(), ends.data(), &err), err);
    for (int k = 0; k < steps; k++) {
        float t = steps > 1 ? float(k) / float(steps - 1) : 0;
        for (size_t i = 0; i < latent; i++) z[i] = (1 - t) * ends[i] + t * ends[latent + i];
        check(elbo_decode(model.get(), 1, z.data(), image.data(), &err), err);
        print(image, info);
    }
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s RUN IMAGES\n", argv[0]);
        return 2;
    }
    try {
        walk(argv[1], std::atoi(argv[2]));
    } catch (const std::exception &e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
