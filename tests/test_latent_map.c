/* Points, maps, and what is asked of them at once: against plain loops and the slow ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "explore/density.h"
#include "explore/image_index.h"
#include "explore/latent_map.h"
#include "explore/map_file.h"
#include "explore/procrustes.h"
#include "scratch.h"
#include "stats/near_index.h"
#include "stats/tsne.h"

enum { N = 3000, Z = 6, K = 12 };

static scratch here;
static float codes[N * Z];
static double mean[Z], deviation[Z];
static elbo_points points = {.n = N, .train = N - 100, .latent = Z, .mu = codes, .mean = mean, .deviation = deviation};
static elbo_error failure;
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        if ((call) != ELBO_OK) fail_msg("%s", failure.message);                                                        \
    } while (0)

/* Five clusters in a few dimensions. */
static int set_up(void **state) {
    (void)state;
    scratch_make(&here);
    elbo_random_normal((elbo_stream){.seed = 5}, codes, N * Z);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < Z; k++) codes[i * Z + k] = 0.6f * codes[i * Z + k] + (i % 5 == k ? 6.f : 0.f);
    for (size_t k = 0; k < Z; k++) {
        for (size_t i = 0; i < N; i++) mean[k] += (double)codes[i * Z + k] / N;
        for (size_t i = 0; i < N; i++) deviation[k] += pow((double)codes[i * Z + k] - mean[k], 2) / N;
        deviation[k] = sqrt(deviation[k]);
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(&here);
    return 0;
}

static double squared(const float *a, const float *b) {
    double sum = 0;
    for (size_t k = 0; k < Z; k++) sum += pow((double)a[k] - b[k], 2);
    return sum;
}

static void the_index_finds_the_nearest(void **state) {
    (void)state;
    elbo_near_index x;
    assert_ok(elbo_near_index_make(&x, codes, N, Z, &failure));
    for (size_t q = 0; q < 20; q++) {
        const float *point = codes + 137 * q * Z;
        uint32_t index[K];
        float distance2[K];
        elbo_near_index_find(&x, point, K, index, distance2);
        assert_true(index[0] == 137 * q && distance2[0] == 0);
        size_t nearer = 0;
        for (size_t i = 0; i < N; i++)
            nearer += squared(point, codes + i * Z) < squared(point, codes + index[K - 1] * Z);
        assert_int_equal(nearer, K - 1);
        for (int j = 1; j < K; j++) assert_true(distance2[j] >= distance2[j - 1]);
    }
    elbo_near_index_free(&x);
}

static void dimensions_and_pca_are_exact(void **state) {
    (void)state;
    elbo_latent_map dims, pca;
    assert_ok(elbo_latent_map_dims(&dims, &points, 3, 1, &failure));
    assert_int_equal(elbo_latent_map_dims(&(elbo_latent_map){0}, &points, 3, Z, &failure), ELBO_BAD_INPUT);
    assert_ok(elbo_latent_map_pca(&pca, &points, 1, &failure));
    const elbo_latent_map *maps[] = {&dims, &pca};
    for (int m = 0; m < 2; m++) {
        float z[Z], to[2] = {0.5f, -2};
        elbo_landing at;
        assert_ok(elbo_latent_map_locate(maps[m], &points, codes + 7 * Z, to, &at, z, &failure));
        assert_true(at.exact && at.gap < 1e-5);
        assert_ok(elbo_latent_map_locate(maps[m], &points, z, maps[m]->xy + 14, &at, z, &failure));
        for (int k = 0; k < Z; k++) assert_true(fabsf(z[k] - codes[7 * Z + k]) < 1e-5f); // and back
        assert_true(m == 0 ? at.off_plane == 0 : at.off_plane > 0.1);
    }
    /* The plane is the best one: what is off it has the variance that the axes leave. */
    double off = 0, all = 0;
    for (size_t i = 0; i < N; i++) {
        elbo_landing at;
        float z[Z];
        assert_ok(elbo_latent_map_locate(&pca, &points, codes + i * Z, pca.xy + 2 * i, &at, z, &failure));
        off += at.off_plane * at.off_plane / N;
    }
    for (size_t k = 0; k < Z; k++) all += deviation[k] * deviation[k];
    assert_true(fabs(off / all - (1 - pca.explained[0] - pca.explained[1])) < 1e-4);
    elbo_latent_map_free(&dims);
    elbo_latent_map_free(&pca);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void a_tsne_map_goes_both_ways(void **state) {
    (void)state;
    enum { ASKED = 60 };
    static float xy[2 * N];
    elbo_tsne_options o = elbo_tsne_defaults();
    elbo_tsne_result result;
    assert_ok(elbo_tsne(xy, &result, codes, N, Z, &o, &(elbo_job){0}, &failure));
    elbo_latent_map m;
    assert_ok(elbo_latent_map_tsne(&m, &points, xy, &failure));
    double width = 0, gap[ASKED], own[ASKED], other[ASKED];
    for (size_t i = 0; i < 2 * N; i++) width += (double)xy[i] * xy[i] / (2 * N);
    width = sqrt(width);
    static float fresh[ASKED * Z], transformed[2 * ASKED], placed[2 * ASKED];
    for (size_t i = 0; i < ASKED * Z; i++) // between two neighbours' codes: new, and at home
        fresh[i] = 0.5f * (codes[(i / Z * 35) * Z + i % Z] + codes[(i / Z * 35 + 5) * Z + i % Z]);
    elbo_tsne_placement what = {.new_points = fresh, .m = ASKED, .embedding = xy, .x = codes, .n = N, .dims = Z};
    assert_ok(elbo_tsne_transform(transformed, &what, &o, &(elbo_job){0}, &failure));
    assert_ok(elbo_latent_map_place(&m, &points, fresh, ASKED, placed, &failure));
    for (size_t i = 0; i < ASKED; i++) {
        const float *home = xy + 70 * i;
        float z[Z], there[2];
        elbo_landing at;
        gap[i] = hypot((double)placed[2 * i] - transformed[2 * i], (double)placed[2 * i + 1] - transformed[2 * i + 1]);
        assert_ok(elbo_latent_map_place(&m, &points, codes + 35 * i * Z, 1, there, &failure));
        own[i] = hypot((double)there[0] - home[0], (double)there[1] - home[1]);
        assert_ok(
            elbo_latent_map_locate(&m, &points, codes + 35 * i * Z, xy + 70 * ((i + 11) % ASKED), &at, z, &failure));
        other[i] = at.gap;
        assert_false(at.exact);
        assert_ok(elbo_latent_map_locate(&m, &points, codes + 35 * i * Z, there, &at, z, &failure));
        for (int k = 0; k < Z; k++)
            assert_true(fabsf(z[k] - codes[35 * i * Z + (size_t)k]) < 1e-4f); // a drag begins where it is
        elbo_landing far;
        assert_ok(elbo_latent_map_locate(&m, &points, z, (float[]){1e4f, 1e4f}, &far, z, &failure));
        assert_true(isfinite(far.gap) && far.gap > 1000); // nothing is there, and that is said
    }
    qsort(gap, ASKED, sizeof *gap, ascending);
    qsort(own, ASKED, sizeof *own, ascending);
    qsort(other, ASKED, sizeof *other, ascending);
    if (gap[ASKED / 2] > 0.03 * width || own[ASKED / 2] > 0.02 * width || other[ASKED / 2] > 0.05 * width)
        fail_msg("of a map %g wide: %g from elbo_tsne_transform, %g from their own place, %g after a move", width,
                 gap[ASKED / 2], own[ASKED / 2], other[ASKED / 2]);
    double trust;
    assert_ok(elbo_map_trust(&trust, xy, &points, &(elbo_job){0}, &failure));
    assert_true(trust > 0.9 && trust <= 1);
    elbo_latent_map_free(&m);
}

/* Asked for, it is what is there at each report; the embedding is the same with it and without. */
static int reports;
static float seen[2 * N];
static void on_report(void *context, int iteration, double kl) {
    (void)iteration, (void)kl;
    memcpy(seen, context, sizeof seen);
    reports++;
}

static void an_embedding_is_shown_while_it_is_made(void **state) {
    (void)state;
    static float a[2 * N], b[2 * N], so_far[2 * N];
    elbo_tsne_options o = elbo_tsne_defaults();
    o.iterations = 120;
    elbo_tsne_result result;
    assert_ok(elbo_tsne(a, &result, codes, N, Z, &o, &(elbo_job){0}, &failure));
    o.report = on_report;
    o.context = o.so_far = so_far;
    assert_ok(elbo_tsne(b, &result, codes, N, Z, &o, &(elbo_job){0}, &failure));
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(reports, 2);
    o.iterations = 100; // the last report was in front of step 100
    o.so_far = NULL;
    o.report = NULL;
    assert_ok(elbo_tsne(a, &result, codes, N, Z, &o, &(elbo_job){0}, &failure));
    assert_memory_equal(a, seen, sizeof a);
}

static void maps_are_kept(void **state) {
    (void)state;
    float *xy, own[2 * N];
    double trust = 0;
    for (size_t i = 0; i < 2 * N; i++) own[i] = codes[i];
    strcpy(points.model, "0123456789abcdef");
    strcpy(points.data, "0123456789abcdef0123456789abcdef");
    assert_false(elbo_map_load(here.folder, ELBO_MAP_TSNE, &xy, &trust, &points));
    assert_ok(elbo_map_save(here.folder, ELBO_MAP_TSNE, own, 0.98, &points, &failure));
    assert_true(elbo_map_load(here.folder, ELBO_MAP_TSNE, &xy, &trust, &points));
    assert_memory_equal(xy, own, sizeof own);
    assert_true(fabs(trust - 0.98) < 1e-6);
    free(xy);
    points.model[0] = 'x'; // other weights
    assert_false(elbo_map_load(here.folder, ELBO_MAP_TSNE, &xy, &trust, &points));
    points.model[0] = '0';
    scratch_write(&here, "maps/tsne.safetensors", "damaged", 7);
    assert_false(elbo_map_load(here.folder, ELBO_MAP_TSNE, &xy, &trust, &points));
}

static void maps_are_laid_on_each_other(void **state) {
    (void)state;
    for (int mirrored = 0; mirrored < 2; mirrored++) {
        float a[2 * K], b[2 * K];
        double turn[4];
        for (size_t i = 0; i < 2 * K; i++) a[i] = codes[i];
        for (size_t i = 0; i < K; i++) { // turned by 2 rad, mirrored or not, moved
            double x = a[2 * i], y = mirrored ? -(double)a[2 * i + 1] : (double)a[2 * i + 1];
            b[2 * i] = (float)(cos(2) * x - sin(2) * y + 5);
            b[2 * i + 1] = (float)(sin(2) * x + cos(2) * y - 1);
        }
        elbo_procrustes(b, a, K, turn);
        for (size_t i = 1; i < K; i++) // differences, which no move changes
            for (size_t c = 0; c < 2; c++) {
                double dx = (double)b[2 * i] - b[0], dy = (double)b[2 * i + 1] - b[1];
                double turned = turn[2 * c] * dx + turn[2 * c + 1] * dy;
                assert_true(fabs(turned - ((double)a[2 * i + c] - a[c])) < 1e-4);
            }
    }
    elbo_latent_map own, turned; // a map's own axes go with it
    assert_ok(elbo_latent_map_pca(&own, &points, 1, &failure));
    assert_ok(elbo_latent_map_pca(&turned, &points, 1, &failure));
    for (size_t i = 0; i < 2 * N; i += 2) own.xy[i] *= -1;
    elbo_latent_map_lay_on(&turned, &own);
    float placed[2];
    for (size_t i = 0; i < N; i += 100) {
        assert_ok(elbo_latent_map_place(&turned, &points, codes + i * Z, 1, placed, &failure));
        for (size_t c = 0; c < 2; c++) {
            assert_true(fabsf(placed[c] - turned.xy[2 * i + c]) < 1e-4f);
            assert_true(fabsf(placed[c] - own.xy[2 * i + c]) < 1e-3f);
        }
    }
    elbo_latent_map_free(&own);
    elbo_latent_map_free(&turned);
}

/* ---- images ---- */

static void the_image_index_agrees_with_the_search(void **state) {
    (void)state;
    enum { IMAGES = 700, ASKED = 40, SIZE = 784 };
    elbo_images digits;
    assert_int_equal(elbo_digits_make(&digits, false, IMAGES, 0, &failure), ELBO_OK);
    memset(digits.bytes + 5 * SIZE, 0, SIZE); // a black one
    static float pictures[ASKED * SIZE];
    for (size_t i = 0; i < ASKED * SIZE; i++) // a mixture of two, and one that is one of them
        pictures[i] = i < SIZE ? digits.bytes[9 * SIZE + i] / 255.f
                               : (0.7f * digits.bytes[i] + 0.3f * digits.bytes[i + 11 * SIZE]) / 255.f;
    elbo_image_choice all = {.images = &digits, .n = IMAGES, .low = 0, .high = 1};
    uint32_t nearest[ASKED], found[3];
    float distance[ASKED], away[3];
    assert_ok(elbo_nearest_image(nearest, distance, pictures, ASKED, &all, &(elbo_job){0}, &failure));
    elbo_image_index x;
    assert_ok(elbo_image_index_make(&x, &all, &(elbo_job){0}, &failure));
    for (size_t i = 0; i < ASKED; i++) {
        assert_ok(elbo_image_index_find(&x, pictures + i * SIZE, 3, found, away, &failure));
        if (found[0] != nearest[i] || fabsf(away[0] - distance[i]) > 1e-3f)
            fail_msg("picture %zu: %u at %g, not %u at %g", i, found[0], (double)away[0], nearest[i],
                     (double)distance[i]);
        assert_true(away[0] <= away[1] && away[1] <= away[2] && found[0] != found[1]);
    }
    assert_true(nearest[0] == 9 && distance[0] < 1e-3f);
    elbo_image_index_free(&x);
    elbo_images_free(&digits);
}

/* The mean over points is what the mixture says of all. */
static void densities_of_points_add_up(void **state) {
    (void)state;
    static float value[N];
    elbo_density q;
    assert_ok(elbo_density_fit(&q, codes, N, Z, 5, 1, &(elbo_job){0}, &failure));
    assert_ok(elbo_density_each(&q, codes, N, &(elbo_job){0}, value, &failure));
    double sum = 0, all;
    for (size_t i = 0; i < N; i++) sum += (double)value[i] / N;
    assert_ok(elbo_mixture_score(&q.mixture, codes, N, 1, &all, &failure));
    assert_true(fabs(sum - all) < 1e-4 * fabs(all));
    elbo_density_free(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_finds_the_nearest),
        cmocka_unit_test(dimensions_and_pca_are_exact),
        cmocka_unit_test(a_tsne_map_goes_both_ways),
        cmocka_unit_test(an_embedding_is_shown_while_it_is_made),
        cmocka_unit_test(maps_are_kept),
        cmocka_unit_test(maps_are_laid_on_each_other),
        cmocka_unit_test(the_image_index_agrees_with_the_search),
        cmocka_unit_test(densities_of_points_add_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
