/* No allocation in the loop of training. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <link.h>
#include <stdatomic.h>

#include "training_runs.h"

/* ---- allocations, counted ----
 *
 * All but those that oneDNN makes: its sgemm takes room for a packed matrix in each call (0.7 MB for 32 x 784 by 784 x
 * 400), and offers no way to give it that room. */

static atomic_long allocations;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { COUNTS_ALLOCATIONS = 0 }; // the sanitizer has its own
static void find_libraries(void) {}
#else
enum { COUNTS_ALLOCATIONS = 1 };
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t),
    *__libc_memalign(size_t, size_t);

/* Where the code of oneDNN, and of what it allocates through, lies. */
static struct { uintptr_t from, to; } library[8];
static int libraries;

static int find_library(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (!strstr(info->dlpi_name, "libdnnl") && !strstr(info->dlpi_name, "libstdc++")) return 0;
    uintptr_t end = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD)
            end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    library[libraries].from = info->dlpi_addr;
    library[libraries++].to = end;
    return libraries == 8;
}

static void find_libraries(void) { dl_iterate_phdr(find_library, NULL); }

static void count(void *caller) {
    for (int i = 0; i < libraries; i++)
        if ((uintptr_t)caller >= library[i].from && (uintptr_t)caller < library[i].to) return;
    atomic_fetch_add(&allocations, 1);
}
#define COUNT() count(__builtin_return_address(0))

#pragma GCC visibility push(default) // for the libraries, too
void *malloc(size_t n) {
    COUNT();
    return __libc_malloc(n);
}
void *calloc(size_t members, size_t size) {
    COUNT();
    return __libc_calloc(members, size);
}
void *realloc(void *p, size_t n) {
    COUNT();
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t alignment, size_t n) {
    COUNT();
    return __libc_memalign(alignment, n);
}
int posix_memalign(void **p, size_t alignment, size_t n) {
    COUNT();
    *p = __libc_memalign(alignment, n);
    return *p ? 0 : ENOMEM;
}
#pragma GCC visibility pop
#endif

/* ---- no allocation in the loop ---- */

static void a_step_allocates_nothing(void **state) {
    (void)state;
    if (!COUNTS_ALLOCATIONS) skip();
    static const struct {
        const char *recipe, *set, *device;
        int steps;
    } runs[] = {{"mnist-vae-2d", "train.clip=0", "cpu", 60},
                {"mnist-vae-2d", "train.clip=1", "cpu", 60},
                {"mnist-vae-2d", "train.clip=0", "ref", 12}, // slow
                {"mnist-conv-vae", "latent=5", "cpu", 20},
                {"mnist-cvae", "image.binary=dynamic", "cpu", 30},
                {"mnist-ae-2d", "adversary={on: code, layers: [linear 16, relu, linear 1]}", "cpu", 30},
                {"mnist-ae-2d", "corrupt=[noise 0.3, mask 0.25, salt 0.1, occlude 8]", "cpu", 30}};
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        engine e;
        engine_open(&e, runs[r].recipe, &runs[r].set, 1, digits.train.shape, runs[r].device, ELBO_TRAIN, 64);
        uint32_t index[64];
        for (uint32_t i = 0; i < 64; i++) index[i] = i;
        long before = 0, during;
        for (int step = 0; step < runs[r].steps; step++) {
            if (step == 10) before = atomic_load(&allocations);
            elbo_batch_args args =
                engine_args(&e, &digits.train, index, step % 2 ? 64 : 50, 0, (uint64_t)step + 1, 100);
            elbo_batch_args own = elbo_adversary_args(&e.recipe, &args, 0, (uint64_t)step + 1);
            if (e.adversary.program) assert_ok(elbo_plan_run_one(&e.adversary, &own, &failure));
            engine_run(&e, &args);
        }
        during = atomic_load(&allocations) - before;
        engine_close(&e);
        if (during) fail_msg("%s on %s: %ld allocations", runs[r].recipe, runs[r].device, during);
    }
}

/* The whole command's loop: an epoch of 60 steps allocates no more often than one of 10. */
static void more_steps_do_not_allocate_more(void **state) {
    (void)state;
    if (!COUNTS_ALLOCATIONS) skip();
    static const experiment x = {"mnist-vae-2d", {"train.batch=8", "train.epochs=1", NULL}};
    long counted[3];
    for (int i = 0; i < 3; i++) {
        uint32_t all = digits.train.count;
        digits.train.count = i < 2 ? 80 : 480; // the first run may warm something up
        long before = atomic_load(&allocations);
        assert_ok(train(&x, (elbo_train_options){.threads = 2}, &failure));
        counted[i] = atomic_load(&allocations) - before;
        digits.train.count = all;
    }
    if (counted[2] > counted[1]) fail_msg("10 steps: %ld allocations; 60 steps: %ld", counted[1], counted[2]);
    assert_true(counted[1] > 10); // making the plan takes some: the counter counts
}

static int enter_and_count(void **state) {
    find_libraries();
    return enter(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(more_steps_do_not_allocate_more),
    };
    return cmocka_run_group_tests(tests, enter_and_count, leave);
}
