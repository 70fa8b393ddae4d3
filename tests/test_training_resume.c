/* Runs that go on: the same bits after a stop and after kill -9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "training_runs.h"

/* ---- a clock that the tests move ----
 *
 * The trainer looks at the clock once a step: to report every tenth of a second, to save every minute. Here each look
 * moves it on by as much as a test likes. */

static double seconds_per_look; // 0: the machine's clock
static double clock_now = 1000;

int clock_gettime(clockid_t id, struct timespec *t) {
    if (seconds_per_look == 0) return (int)syscall(SYS_clock_gettime, id, t);
    clock_now += seconds_per_look;
    t->tv_sec = (time_t)clock_now;
    t->tv_nsec = (long)(1e9 * (clock_now - (double)t->tv_sec));
    return 0;
}

/* ---- stopping and resuming ---- */

typedef struct stopper {
    uint32_t images; // of an epoch
    int reports_left;
    int told_in; // the epoch in which it said stop; 0: not yet
} stopper;

static bool stop_after(void *context, const elbo_progress *p) {
    stopper *s = context;
    assert_true(p->epoch >= 1 && p->epoch <= p->epochs && p->images == s->images && p->images_done <= p->images);
    if (p->images_per_second == 0) return false; // before the first step
    if (!(isfinite(p->loss) && isfinite(p->objective) && p->images_per_second > 0 && p->seconds_left >= 0))
        fail_msg("epoch %d of %d, %u images: loss %g, %g images/s, %g s left", p->epoch, p->epochs, p->images_done,
                 p->loss, p->images_per_second, p->seconds_left);
    bool stop = s->reports_left-- == 0;
    if (stop) s->told_in = p->epoch;
    return stop;
}

static void a_stopped_run_goes_on_to_the_same_bits(void **state) {
    (void)state;
    seconds_per_look = 0.11; // a report every step
    for (int i = 0; i < EXPERIMENTS; i++) {
        if (!strcmp(experiments[i].recipe, "fashion-vae")) continue; // large, and nothing new
        elbo_error err;
        char whole[32], parts[32];
        snprintf(whole, sizeof whole, "whole-%d", i);
        snprintf(parts, sizeof parts, "parts-%d", i);
        assert_ok(train(&experiments[i], (elbo_train_options){.run = run_path(whole), .threads = 2}, &failure));
        elbo_recipe r = open_recipe(&experiments[i]);
        int stops = 0, in_the_middle = 0, epochs = r.train.epochs;
        uint32_t images = trained_on(&r);
        elbo_recipe_close(&r);
        elbo_status status = ELBO_STOPPED;
        for (; status == ELBO_STOPPED; stops++) {
            stopper s = {.images = images, .reports_left = stops % 3};
            elbo_train_options o = {.run = run_path(parts),
                                    .threads = 1 + stops % 2,
                                    .resume = stops > 0,
                                    .progress = stop_after,
                                    .context = &s};
            status = train(&experiments[i], o, &err);
            if (status != ELBO_STOPPED) {
                assert_true(s.told_in == 0 || s.told_in == epochs); // a stop in the last step of an epoch is one, too
                break;
            }
            elbo_position at = position_of(&experiments[i], run_path(parts));
            in_the_middle += at.images_done > 0 && at.images_done < images;
        }
        if (status != ELBO_OK) fail_msg("%s", err.message);
        assert_true(stops >= 3 && in_the_middle >= 2);
        assert_same_run(run_path(whole), run_path(parts));
    }
    seconds_per_look = 0;
}

/* ---- kill -9 ---- */

static const experiment to_be_killed[] = {
    {"mnist-vae-2d", {"train.batch=50", "train.epochs=12", "train.clip=20"}},
    {"mnist-vae-2d",
     {"train.batch=50", "train.epochs=12", "train.ema=0.95", "train.validation=0.1", "train.keep=best",
      "train.lr=0.02"}},
};
enum { KILLED = sizeof to_be_killed / sizeof *to_be_killed };

/* What the killed process does: train, and save every second step. */
static int train_to_be_killed(const experiment *killed, const char *run) {
    seconds_per_look = 31;
    elbo_error err;
    if (train(killed, (elbo_train_options){.run = run, .threads = 2, .resume = true}, &err) == ELBO_OK) return 0;
    fprintf(stderr, "%s\n", err.message);
    return 1;
}

static long version_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (long)st.st_ino ^ st.st_mtim.tv_nsec : 0;
}

static pid_t start_child(int which, const char *run) {
    char number[8];
    snprintf(number, sizeof number, "%d", which);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test-training_resume", "--train", number, run, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

static void kill_and_go_on(int which) {
    char names[2][32];
    snprintf(names[0], sizeof names[0], "never-killed-%d", which);
    snprintf(names[1], sizeof names[1], "killed-%d", which);
    const char *whole = run_path(names[0]), *run = run_path(names[1]);
    const experiment *killed = &to_be_killed[which];
    assert_ok(train(killed, (elbo_train_options){.run = whole, .threads = 2}, &failure));
    char checkpoint[300];
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.safetensors", run);
    srand((unsigned)getpid());
    int kills = 0, in_the_middle = 0, status = 0;
    for (;;) {
        pid_t child = start_child(which, run);
        long version = version_of(checkpoint);
        bool over = false; // it has ended by itself
        while (kills < 8 && !over && version_of(checkpoint) == version) {
            over = waitpid(child, &status, WNOHANG) == child;
            usleep(200);
        }
        if (kills < 8 && !over) { // it has saved once more: now at any moment
            usleep((useconds_t)(rand() % 15000));
            kill(child, SIGKILL);
        }
        if (!over) waitpid(child, &status, 0);
        if (!WIFSIGNALED(status)) break;
        kills++;
        elbo_position at = position_of(killed, run); // whole, whenever it was killed
        in_the_middle += at.images_done > 0;
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    print_message("killed %d times, %d times with an epoch half done\n", kills, in_the_middle);
    assert_true(kills >= 3 && in_the_middle >= 1);
    assert_same_run(whole, run);
}

static void a_killed_run_goes_on_to_the_same_bits(void **state) {
    (void)state;
    for (int i = 0; i < KILLED; i++) kill_and_go_on(i);
}

/* ---- damage ---- */

/* A checkpoint with an infinite weight, which elbo never writes, is refused by name. */
static void a_damaged_checkpoint_is_refused(void **state) {
    (void)state;
    static const experiment x = {"mnist-ae-2d", {"train.batch=100", "train.epochs=1", NULL}};
    static const experiment more = {"mnist-ae-2d", {"train.batch=100", "train.epochs=2", NULL}};
    const char *run = run_path("damaged");
    assert_ok(train(&x, (elbo_train_options){.run = run}, &failure));
    file f = read_run_file(run, "checkpoint.safetensors");
    const float infinite = INFINITY;
    memcpy(f.bytes + f.size - sizeof infinite, &infinite, sizeof infinite); // the last value of all
    char path[300];
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", run);
    assert_ok(elbo_file_write(path, f.bytes, f.size, &failure));
    elbo_error err = {0};
    assert_int_equal(train(&more, (elbo_train_options){.run = run, .resume = true}, &err), ELBO_BAD_INPUT);
    assert_message(err, "checkpoint.safetensors", "optimizer.v.");
    free(f.bytes);
}

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "--train"))
        return set_up(NULL) == 0 ? train_to_be_killed(&to_be_killed[atoi(argv[2])], argv[3]) : 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_run_goes_on_to_the_same_bits),
        cmocka_unit_test(a_killed_run_goes_on_to_the_same_bits),
        cmocka_unit_test(a_damaged_checkpoint_is_refused),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
