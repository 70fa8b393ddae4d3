/* t-SNE against plain loops: transforms, forces, similarities, the gradient, and whole embeddings. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "stats/simd/tsne_kernels.h"
#include "stats/tsne.h"
#include "stats/tsne_grid.h"

static elbo_error err;
static const elbo_job quietly = {.threads = 2};

static float *normal(size_t n, uint64_t seed) {
    float *x = elbo_alloc(n, sizeof *x);
    elbo_random_normal((elbo_stream){.seed = seed, .purpose = ELBO_FOR_DIGITS}, x, n);
    return x;
}

/* Points in `clusters` clouds. */
static float *clouds(size_t n, size_t dims, size_t clusters, double apart) {
    float *x = normal(n * dims, 1), *centre = normal(clusters * dims, 2);
    for (size_t i = 0; i < n * dims; i++) x[i] += (float)apart * centre[(i / dims) % clusters * dims + i % dims];
    free(centre);
    return x;
}

/* ---- transforms ---- */

static void check_transform(int n) {
    elbo_fft f;
    assert_int_equal(elbo_fft_make(&f, n, &err), ELBO_OK);
    float *data = normal((size_t)n * 32, (uint64_t)n), *scratch = elbo_alloc((size_t)n * 32, sizeof *scratch);
    float *before = malloc((size_t)n * 32 * sizeof *before);
    memcpy(before, data, (size_t)n * 32 * sizeof *before);
    elbo_tsne_kernels_here()->grid->transform(&f, data, scratch);
    for (int k = 0; k < n; k++)
        for (int lane = 0; lane < 16; lane += 5) {
            double re = 0, im = 0;
            for (int j = 0; j < n; j++) {
                double angle = -2 * M_PI * ((double)j * k / n), a = before[32 * j + lane],
                       b = before[32 * j + 16 + lane];
                re += a * cos(angle) - b * sin(angle);
                im += a * sin(angle) + b * cos(angle);
            }
            double bound =
                2e-7 * sqrt(n) * (4 + log2(n)); // rounding grows with the stages; sums of n normals are about sqrt n
            if (!(fabs(data[32 * k + lane] - re) <= bound) || !(fabs(data[32 * k + 16 + lane] - im) <= bound))
                fail_msg("length %d, frequency %d: %g%+gi, it is %g%+gi", n, k, data[32 * k + lane],
                         data[32 * k + 16 + lane], re, im);
        }
    free(data);
    free(before);
    free(scratch);
    elbo_fft_free(&f);
}

static void test_transforms(void **state) {
    (void)state;
    static const int lengths[] = {1,  2,  3,  4,  5,  6,  8,  9,  10,  12,  15,  16,
                                  25, 27, 30, 36, 45, 48, 50, 96, 100, 160, 225, 288};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) check_transform(lengths[i]);
    elbo_fft f;
    assert_int_equal(elbo_fft_make(&f, 14, &err), ELBO_BAD_INPUT);
    elbo_fft_free(&f);
}

/* ---- repulsion ---- */

static double plain_repulsion(const float *y, size_t n, double *force) {
    double z = 0;
    for (size_t i = 0; i < n; i++) {
        force[2 * i] = force[2 * i + 1] = 0;
        for (size_t j = 0; j < n; j++) {
            if (i == j) continue;
            double dx = (double)y[2 * i] - (double)y[2 * j], dy = (double)y[2 * i + 1] - (double)y[2 * j + 1];
            double w = 1 / (1 + dx * dx + dy * dy);
            z += w;
            force[2 * i] += w * w * dx;
            force[2 * i + 1] += w * w * dy;
        }
    }
    return z;
}

/* Cubic splines whose nodes are h apart err by a share of h^4 f''''; h = 1/3 and f'''' of the force, which is at most
 * about 30, make about 1e-3 of a single pair's force, of either sign. What a sum of many leaves of it is measured: 0.3
 * percent of the root mean square. Of the points before `far` each fifth lies far from all others. */
static void check_grid(const float *y, size_t n, double bound, size_t far) {
    elbo_team *team;
    elbo_tsne_grid *grid;
    assert_int_equal(elbo_team_make(&team, 2, &err), ELBO_OK);
    assert_int_equal(elbo_tsne_grid_make(&grid, n, team, &err), ELBO_OK);
    float *force = elbo_alloc(2 * n, sizeof *force);
    double *exact = elbo_alloc(2 * n, sizeof *exact), z, exact_z = plain_repulsion(y, n, exact), off = 0, all = 0;
    for (int again = 0; again < 2; again++) { // the second time with kernels that are there
        assert_int_equal(elbo_tsne_grid_repel(grid, y, force, &z, &err), ELBO_OK);
        off = all = 0;
        for (size_t i = 0; i < 2 * n; i++) {
            off += (force[i] - exact[i]) * (force[i] - exact[i]);
            all += exact[i] * exact[i];
        }
        if (!(sqrt(off / all) <= bound)) fail_msg("%zu points: forces are off by %g of their size", n, sqrt(off / all));
        if (!(fabs(z / exact_z - 1) <= bound / 5)) fail_msg("%zu points: Z is %g, it is %g", n, z, exact_z);
    }
    for (size_t i = 0; i < far; i += 5) { // their own, small as they are; in single precision 1e-4 of them
        double size = hypot(exact[2 * i], exact[2 * i + 1]);
        if (!(hypot(force[2 * i] - exact[2 * i], force[2 * i + 1] - exact[2 * i + 1]) <= 1e-4 * size))
            fail_msg("far point %zu: %g, it is %g", i, (double)force[2 * i], exact[2 * i]);
    }
    elbo_tsne_grid_free(grid);
    elbo_team_free(team);
    free(force);
    free(exact);
}

static void test_grid(void **state) {
    (void)state;
    enum { N = 3000 };
    float *y = normal(2 * N, 3);
    static const float widths[] = {1e-4f, 0.03f, 1, 4, 12, 40};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        float *scaled = malloc(2 * N * sizeof *scaled);
        for (size_t i = 0; i < 2 * N; i++) scaled[i] = y[i] * widths[w] + (i % 2 ? -7 : 3) * widths[w];
        check_grid(scaled, N, 0.006, 0);
        if (w >= 4) { // a few points far away, one of them absurdly so
            scaled[0] = 3000;
            scaled[11] = -500;
            scaled[20] = 1e6f;
            check_grid(scaled, N, 0.006, 11);
        }
        free(scaled);
    }
    free(y);
}

static void test_places_that_are_one(void **state) {
    (void)state;
    enum { N = 2000 };
    float y[2 * N];
    for (size_t i = 0; i < 2 * N; i++) y[i] = 1.5f;
    elbo_team *team;
    elbo_tsne_grid *grid;
    float force[2 * N];
    double z;
    assert_int_equal(elbo_team_make(&team, 1, &err), ELBO_OK);
    assert_int_equal(elbo_tsne_grid_make(&grid, N, team, &err), ELBO_OK);
    assert_int_equal(elbo_tsne_grid_repel(grid, y, force, &z, &err), ELBO_OK);
    assert_true(fabs(z / (2000.0 * 1999) - 1) < 1e-4);
    for (size_t i = 0; i < 2 * N; i++) assert_true(fabsf(force[i]) < 1e-3f);
    y[17] = NAN;
    assert_int_equal(elbo_tsne_grid_repel(grid, y, force, &z, &err), ELBO_DIVERGED);
    elbo_tsne_grid_free(grid);
    elbo_team_free(team);
}

/* ---- similarities ---- */

static void test_perplexity(void **state) {
    (void)state;
    enum { K = 91 };
    for (int scale = -6; scale <= 6; scale += 3) {
        float d2[K], p[K];
        elbo_random_uniform((elbo_stream){.seed = 5, .purpose = ELBO_FOR_DIGITS}, d2, K);
        for (int i = 0; i < K; i++) d2[i] = (d2[i] + 3) * powf(10, (float)scale);
        elbo_tsne_kernels_here()->force->conditional(p, d2, K, logf(30));
        double sum = 0, entropy = 0;
        for (int i = 0; i < K; i++) {
            sum += p[i];
            entropy -= p[i] * log(p[i]);
        }
        assert_true(fabs(sum - 1) < 1e-5);
        assert_true(fabs(exp(entropy) - 30) < 0.01);
        for (int i = 1; i < K; i++) { // of the form exp(-beta d2)
            double beta = log(p[0] / p[1]) / ((double)d2[1] - (double)d2[0]);
            assert_true(fabs(log((double)p[0] / (double)p[i]) - beta * ((double)d2[i] - (double)d2[0])) < 2e-3);
        }
    }
}

/* P from all pairs, by plain loops; the sparse one has the same entries. */
static void test_similarities(void **state) {
    (void)state;
    enum { N = 400, D = 5, K = 30 };
    float *x = clouds(N, D, 4, 3);
    elbo_neighbours nb;
    elbo_team *team;
    assert_int_equal(elbo_neighbours_of_all(&nb, x, N, D, K, &quietly, &err), ELBO_OK);
    double *p = elbo_alloc((size_t)N * N, sizeof *p);
    for (size_t i = 0; i < N; i++) {
        double low = 0, high = 1e6, beta = 1; // bisection in double precision
        for (int t = 0; t < 200; t++) {
            double s = 0, d = 0;
            for (size_t j = 0; j < K; j++) {
                double d2 = nb.distance2[i * K + j] - nb.distance2[i * K], e = exp(-beta * d2);
                s += e;
                d += d2 * e;
            }
            if (log(s) + beta * d / s > log(10))
                low = beta;
            else
                high = beta;
            beta = (low + high) / 2;
        }
        double s = 0;
        for (size_t j = 0; j < K; j++) s += exp(-beta * (nb.distance2[i * K + j] - nb.distance2[i * K]));
        for (size_t j = 0; j < K; j++) {
            double v = exp(-beta * (nb.distance2[i * K + j] - nb.distance2[i * K])) / s;
            p[i * N + nb.index[i * K + j]] += v;
            p[nb.index[i * K + j] * N + i] += v;
        }
    }
    elbo_similarities s;
    assert_int_equal(elbo_team_make(&team, 2, &err), ELBO_OK);
    assert_int_equal(elbo_similarities_make(&s, &nb, 10, team, &err), ELBO_OK);
    double entropy = 0;
    for (size_t i = 0; i < N * N; i++)
        if (p[i] > 0) entropy += p[i] / (2 * N) * log(p[i] / (2 * N));
    assert_true(fabs(s.entropy - entropy) < 1e-3);
    assert_true(fabs(s.sum / (2 * N) - 1) < 1e-4);
    for (size_t r = 0; r < N; r++)
        for (size_t e = s.start[r]; e < s.start[r + 1]; e++) {
            if (s.index[e] == r) continue; // what fills a row up
            assert_true(e == s.start[r] || s.index[e] > s.index[e - 1]);
            double *want = &p[s.place[r] * (size_t)N + s.place[s.index[e]]];
            // rounded twice to 1 part in 8192, from a precision that the entropy fixes to about 1e-5
            double w = elbo_weight_unpack(s.weight[e]);
            if (!(fabs(w - *want) <= 5e-4 * *want + 4e-9))
                fail_msg("weight of %zu, %u: %g, it is %g", r, s.index[e], w, *want);
            *want = 0;
        }
    for (size_t i = 0; i < N * N; i++) assert_true(p[i] == 0); // each was there
    elbo_similarities_free(&s);
    elbo_team_free(team);
    free(p);
    free(x);
}

/* ---- the gradient ---- */

static double plain_kl(const elbo_similarities *s, const double *y, size_t n) {
    double z = 0, kl = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (i != j) z += 1 / (1 + pow(y[2 * i] - y[2 * j], 2) + pow(y[2 * i + 1] - y[2 * j + 1], 2));
    for (size_t i = 0; i < n; i++)
        for (size_t e = s->start[i]; e < s->start[i + 1]; e++) {
            size_t j = s->index[e];
            if (i == j) continue;
            double p = elbo_weight_unpack(s->weight[e]) / s->sum;
            double w = 1 / (1 + pow(y[2 * i] - y[2 * j], 2) + pow(y[2 * i + 1] - y[2 * j + 1], 2));
            kl += p * log(p / (w / z));
        }
    return kl;
}

/* One step from rest with momentum 0 and gain 1 is -rate times a quarter of the gradient. */
static void test_gradient(void **state) {
    (void)state;
    enum { N = 60, D = 4 };
    float *x = clouds(N, D, 3, 2), *y = normal(2 * N, 9), *moved = elbo_alloc(2 * N, sizeof *moved);
    elbo_neighbours nb;
    elbo_team *team;
    elbo_similarities s;
    assert_int_equal(elbo_neighbours_of_all(&nb, x, N, D, 15, &quietly, &err), ELBO_OK);
    assert_int_equal(elbo_team_make(&team, 2, &err), ELBO_OK);
    assert_int_equal(elbo_similarities_make(&s, &nb, 5, team, &err), ELBO_OK);
    float apart[2][64], force[2 * N], weight[N], velocity[2 * N] = {0}, gain[2 * N];
    double at[2 * N], z = 0;
    for (size_t i = 0; i < 64; i++)
        for (size_t c = 0; c < 2; c++) apart[c][i] = i < N ? y[2 * i + c] : 1e18f;
    for (size_t i = 0; i < 2 * N; i++) {
        gain[i] = 1;
        at[i] = (double)y[i];
    }
    const elbo_tsne_force_kernels *k = elbo_tsne_kernels_here()->force;
    k->repel(force, weight, y, 0, N, apart[0], apart[1], N);
    for (size_t i = 0; i < N; i++) z += (double)weight[i] - 1;
    assert_true(fabs(2 * k->normaliser(apart[0], apart[1], N, 0, N) / z - 1) < 1e-6);
    elbo_tsne_step how = {.attraction = (float)(1 / s.sum), .repulsion = (float)(1 / z), .rate = 1, .longest = 100};
    elbo_tsne_motion m = {.y = y, .next = moved, .repulsion = force, .velocity = velocity, .gain = gain};
    k->step(&s, 0, N, &m, how);
    double kl = s.entropy + k->cost(&s, 0, N, y) / s.sum + log(z);
    assert_true(fabs(kl - plain_kl(&s, at, N)) < 1e-5);
    for (size_t i = 0; i < 2 * N; i++) {
        double h = 1e-4, here = at[i];
        at[i] = here + h;
        double up = plain_kl(&s, at, N);
        at[i] = here - h;
        double down = plain_kl(&s, at, N);
        at[i] = here;
        double gradient = (up - down) / (2 * h) / 4 * (velocity[i] == 0 ? 0 : gain[i]);
        if (!(fabs(-(double)velocity[i] - gradient) <= 1e-6 + 1e-3 * fabs(gradient)))
            fail_msg("coordinate %zu: step %g, gradient %g", i, (double)velocity[i], gradient);
    }
    elbo_similarities_free(&s);
    elbo_team_free(team);
    free(x);
    free(y);
    free(moved);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transforms),          cmocka_unit_test(test_grid),
        cmocka_unit_test(test_places_that_are_one), cmocka_unit_test(test_perplexity),
        cmocka_unit_test(test_similarities),        cmocka_unit_test(test_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
