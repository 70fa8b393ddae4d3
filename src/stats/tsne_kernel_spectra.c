#include "stats/tsne_kernel_spectra.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/work_queue.h"

/* Transforms of twice these lengths are fast, and no two neighbours are far apart. */
static const int sizes[] = {48,  64,  80,  96,  128, 144, 160, 192, 240, 256,  288,  320,  384,  400,  432,
                            480, 512, 576, 640, 720, 768, 800, 864, 960, 1024, 1152, 1200, 1280, 1440, 1536};
enum { SIZES = sizeof sizes / sizeof *sizes };

size_t elbo_kernel_spectra_scratch(const elbo_kernel_spectra *k) { return (size_t)k->fft.n * 3 * 2 * ELBO_FFT_LANES; }

void elbo_kernel_spectra_free(elbo_kernel_spectra *k) {
    elbo_fft_free(&k->fft);
    for (int i = 0; i < 3; i++) free(k->kernel[i]);
    *k = (elbo_kernel_spectra){0};
}

typedef struct build {
    elbo_kernel_spectra *k;
    const elbo_tsne_grid_kernels *kernels;
    float *image, *spectrum, *scratch; // (m, m), (m / 32, m, {re, im}, 16), (threads, ...)
    double *symbol;                    // (m)
    int which;
} build;

/* The kernel at distances of -nodes .. nodes - 1 nodes, those below 0 wrapped around to the end. */
static void draw_row(void *context, int row, int thread) {
    (void)thread;
    build *b = context;
    int m = b->k->fft.n, half = m / 2;
    float h = b->k->spacing, *out = b->image + (size_t)row * (size_t)m;
    float y = (float)(row < half ? row : row - m) * h;
    for (int c = 0; c < m; c++) {
        float x = (float)(c < half ? c : c - m) * h, w = 1 / (1 + x * x + y * y);
        out[c] = b->which == 0 ? w : (b->which == 1 ? x : y) * w * w;
    }
    if (b->which == 1) out[half] = 0; // as far to the left as to the right
    if (b->which == 2 && row == half)
        for (int c = 0; c < m; c++) out[c] = 0;
}

static float *scratch_of(const build *b, int thread) {
    return b->scratch + (size_t)thread * elbo_kernel_spectra_scratch(b->k);
}

static void down(void *context, int block, int thread) {
    build *b = context;
    b->kernels->down(&b->k->fft, b->spectrum, b->image, b->k->fft.n, b->k->fft.n, block, scratch_of(b, thread));
}

/* The transform, times what undoes the smoothing of B-splines at both ends, times the transforms' factors: 1 / m^2, and
 * twice 1/2 that `down` leaves to us, here and on the charges (which the energy has squared). */
static void across(void *context, int block, int thread) {
    build *b = context;
    int m = b->k->fft.n, which = b->which;
    b->kernels->kernel(&b->k->fft, b->k->kernel[which], b->spectrum, which > 0, m, block, scratch_of(b, thread));
    float *out = b->k->kernel[which] + (size_t)block * (size_t)m * ELBO_FFT_LANES;
    double factor = (which ? 0.25 : 0.125) / ((double)m * m);
    for (int c = 0; c < m; c++)
        for (int lane = 0; lane < ELBO_FFT_LANES; lane++)
            out[c * ELBO_FFT_LANES + lane] *= (float)(factor * b->symbol[c] * b->symbol[block * ELBO_FFT_LANES + lane]);
}

/* The factor that makes the kernel seen through two cubic B-splines the nearest, in least squares, to the true one:
 * with W = sinc^4 their spectrum, W^2 / (the sum of W^2 over all frequencies that the nodes cannot tell apart)^2
 * (Hockney and Eastwood 1981, section 8-3-3). That sum is the spectrum of the septic B-spline at the nodes. */
static double unsmooth(int k, int m) {
    if (k > m / 2) k = m - k;
    double angle = 2 * M_PI * k / m, sinc = k ? sin(angle / 2) / (angle / 2) : 1;
    double all = (2416 + 2 * 1191 * cos(angle) + 2 * 120 * cos(2 * angle) + 2 * cos(3 * angle)) / 5040;
    return pow(sinc, 8) / (all * all);
}

static elbo_status make(elbo_kernel_spectra *k, elbo_team *team, elbo_error *err) {
    int m = 2 * k->nodes;
    size_t size = (size_t)m * (size_t)m;
    build b = {.k = k, .kernels = elbo_tsne_kernels_here()->grid};
    ELBO_TRY(elbo_fft_make(&k->fft, m, err));
    for (int i = 0; i < 3; i++) k->kernel[i] = elbo_alloc(size / 2, sizeof(float));
    b.image = elbo_alloc(size, sizeof *b.image);
    b.spectrum = elbo_alloc(size, sizeof *b.spectrum);
    b.scratch = elbo_alloc((size_t)elbo_team_threads(team) * elbo_kernel_spectra_scratch(k), sizeof *b.scratch);
    b.symbol = elbo_alloc((size_t)m, sizeof *b.symbol);
    bool there = k->kernel[0] && k->kernel[1] && k->kernel[2] && b.image && b.spectrum && b.scratch && b.symbol;
    for (int i = 0; there && i < m; i++) b.symbol[i] = unsmooth(i, m);
    for (b.which = 0; there && b.which < 3; b.which++) {
        elbo_work_queue_run(team, m, draw_row, &b);
        elbo_work_queue_run(team, m / 32, down, &b);
        elbo_work_queue_run(team, m / 32, across, &b);
    }
    free(b.image);
    free(b.spectrum);
    free(b.scratch);
    free(b.symbol);
    return there ? ELBO_OK : elbo_no_memory(err);
}

elbo_status elbo_kernel_spectra_fit(elbo_kernel_spectra *k, float extent, int margin, elbo_team *team,
                                    elbo_error *err) {
    float spacing = ELBO_GRID_SPACING;
    while (extent / spacing + (float)margin > ELBO_GRID_MOST_NODES) spacing *= 2;
    while (spacing > 1e-9f && extent / (spacing / 2) + (float)margin <= ELBO_GRID_LEAST_NODES) spacing /= 2;
    int size = 0;
    while (size < SIZES - 1 && extent / spacing + (float)margin > (float)sizes[size]) size++;
    // the grid that is there will do if it is little larger: an embedding whose extent comes and goes keeps its kernels
    bool fits = k->nodes >= sizes[size] && k->nodes <= sizes[size] * 5 / 4 && k->spacing == spacing;
    if (fits) return ELBO_OK;
    elbo_kernel_spectra_free(k);
    k->nodes = sizes[size];
    k->spacing = spacing;
    elbo_status status = make(k, team, err);
    if (status != ELBO_OK) elbo_kernel_spectra_free(k);
    return status;
}
