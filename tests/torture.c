/* Random architectures, each checked from its recipe's text to its trained weights (torture_checks.h).
 *
 *     torture [SECONDS] [COUNT]   so long, or so many; whichever comes first. 0: no limit
 *
 * Each run takes other architectures and prints the seed of the first: ELBO_SEED=N begins with that one. What fails is
 * printed as a recipe, after layers were taken out as long as it still fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/clock.h"
#include "torture_checks.h"

/* Without the layer it fails as well: it is left out. */
static bool shrink_list(architecture *a, layer_list *l, torture_totals *scratch, finding *f) {
    for (int i = l->count - 1; i >= 0; i--) {
        layer_list whole = *l;
        finding smaller;
        memmove(l->text[i], l->text[i + 1], (size_t)(l->count - i) * LAYER_TEXT);
        l->count--;
        if (build_it(a).fits && !check_architecture(a, scratch, &smaller)) {
            *f = smaller;
            return true;
        }
        *l = whole;
    }
    return false;
}

static void shrink(architecture *a, finding *f) {
    torture_totals scratch = {0};
    while (shrink_list(a, &a->encoder, &scratch, f) || shrink_list(a, &a->decoder, &scratch, f)) {}
}

static void tell(const char *program, architecture *a, finding *f) {
    char text[RECIPE_TEXT];
    printf("FAILED: %s\n", f->text);
    fflush(stdout); // shrinking takes a while
    shrink(a, f);
    write_recipe(a, text);
    printf(
        "seed %llu, images %dx%dx%d (%s), batches of %d, the last of %d, epoch %d\n%s%s\nagain: ELBO_SEED=%llu %s 0 1\n",
        (unsigned long long)a->seed, a->image.channels, a->image.height, a->image.width, a->bytes ? "bytes" : "floats",
        a->batch, a->last, a->epoch, text, f->text, (unsigned long long)a->seed, program);
    fflush(stdout);
}

static uint64_t first_seed(void) {
    const char *given = getenv("ELBO_SEED");
    if (given && *given) return strtoull(given, NULL, 10);
    return (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 5, start = elbo_now();
    long most = argc > 2 ? strtol(argv[2], NULL, 10) : 0, failures = 0;
    uint64_t seed = first_seed();
    char file[] = "/tmp/elbo-torture-XXXXXX";
    int handle = mkstemp(file);
    if (handle < 0) return perror(file), 1;
    close(handle);
    printf("first seed: ELBO_SEED=%llu\n", (unsigned long long)seed);
    torture_totals totals = {0};
    static architecture a;
    for (long i = 0; (most == 0 || i < most) && (seconds <= 0 || elbo_now() - start < seconds); i++) {
        finding f;
        architecture_make(&a, seed + (uint64_t)i, file);
        if (getenv("ELBO_VERBOSE")) {
            char text[RECIPE_TEXT];
            write_recipe(&a, text);
            printf("---- %llu\n%s", (unsigned long long)a.seed, text);
            fflush(stdout);
        }
        if (check_architecture(&a, &totals, &f)) continue;
        failures++;
        tell(argv[0], &a, &f);
    }
    unlink(file);
    printf("%ld architectures, %ld steps replayed, %ld tensors compared, %ld failures, %.0f s\n", totals.architectures,
           totals.steps, totals.tensors, failures, elbo_now() - start);
    printf("largest difference over its bound %.2f; bounds below 1e-4 of a gradient's largest: %ld of %ld; steps with "
           "wider bounds: %ld; diverged: %ld\n",
           totals.worst, totals.informed, totals.informed + totals.rough, totals.widened, totals.diverged);
    return failures > 0;
}
