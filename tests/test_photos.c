/* A folder of photographs: classes, splits, copies, what cannot be read, the cache, and a helper program that hangs or
 * dies. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libdeflate.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/photos/image_program.h"
#include "scratch.h"
#include "render/render.h"

static scratch s;

/* A picture of one colour, of `width` x 8. */
static void picture(const char *name, int width, uint8_t red, uint8_t green, uint8_t blue) {
    uint8_t *pixels = malloc((size_t)width * 8 * 3), colour[3] = {red, green, blue};
    assert_non_null(pixels);
    for (int i = 0; i < width * 8 * 3; i++) pixels[i] = colour[i % 3];
    char *folder = strdup(scratch_path(&s, name));
    *strrchr(folder, '/') = 0;
    assert_int_equal(elbo_make_folder(folder, NULL), ELBO_OK);
    assert_int_equal(elbo_png_write(scratch_path(&s, name), pixels, width, 8, 3, NULL), ELBO_OK);
    free(folder);
    free(pixels);
}

static elbo_status open_photos(elbo_dataset *d, const char *folder, elbo_error *err) {
    elbo_data_options o = {.splits = ELBO_BOTH_SPLITS, .threads = 2, .channels = 3, .height = 4, .width = 4};
    return elbo_dataset_open_with(d, scratch_path(&s, folder), NULL, &o, err);
}

static void open_good(elbo_dataset *d, const char *folder) {
    elbo_error err;
    if (open_photos(d, folder, &err) != ELBO_OK) fail_msg("%s", err.message);
}

static bool has_note(const elbo_dataset *d, const char *words) {
    for (int i = 0; i < d->notes; i++)
        if (strstr(d->note[i], words)) return true;
    return false;
}

/* How many images of that colour, in all its pixels, a split has. */
static int count_colour(const elbo_images *images, uint8_t red, uint8_t green, uint8_t blue) {
    int found = 0;
    const uint8_t colour[3] = {red, green, blue};
    for (uint32_t i = 0; i < images->count; i++) {
        bool same = true;
        for (int k = 0; k < 48; k++) same = same && images->bytes[i * 48 + (uint32_t)k] == colour[k / 16];
        found += same;
    }
    return found;
}

static void test_classes_and_splits(void **state) {
    (void)state;
    for (int i = 0; i < 30; i++) {
        char name[64];
        snprintf(name, sizeof name, i % 2 ? "pets/n02085936-Maltese_dog/%02d.png" : "pets/Ünï cats/%02d x.PNG", i);
        picture(name, 8 + i, (uint8_t)(8 * i), 100, 7);
    }
    picture("pets/Ünï cats/copy.png", 8 + 4, 8 * 4, 100, 7);
    scratch_write(&s, "pets/n02085936-Maltese_dog/text.jpg", "no picture", 10);
    assert_int_equal(symlink("/nowhere", scratch_path(&s, "pets/n02085936-Maltese_dog/link.gif")), 0);
    assert_int_equal(mkdir(scratch_path(&s, "pets/empty"), 0700), 0);
    elbo_dataset d;
    open_good(&d, "pets");
    assert_true(d.prepared_now);
    assert_string_equal(d.name, "pets");
    assert_int_equal(d.classes, 2);
    assert_string_equal(d.class_names[0], "Maltese dog");
    assert_string_equal(d.class_names[1], "Ünï cats");
    assert_int_equal(d.train.count + d.test.count, 31);
    assert_true(d.test.count >= 1 && d.test.count <= 10);
    assert_int_equal(d.skipped, 2);
    assert_int_equal(d.duplicates, 1);
    assert_true(has_note(&d, "text.jpg: skipped: no JPEG") && has_note(&d, "a broken symbolic link") &&
                has_note(&d, "empty: "));
    for (int i = 0; i < 30; i++) { // each is there with its own pixels and label, the copies on one side
        int train = count_colour(&d.train, (uint8_t)(8 * i), 100, 7),
            test = count_colour(&d.test, (uint8_t)(8 * i), 100, 7);
        assert_true(!train != !test);
        assert_int_equal(train + test, i == 4 ? 2 : 1);
    }
    for (uint32_t i = 0; i < d.train.count; i++)
        assert_int_equal(d.train.labels[i], d.train.bytes[i * 48] / 8 % 2 == 0);
    assert_int_equal(d.smallest[1], 8);
    assert_int_equal(d.largest[1], 37);
    elbo_dataset again;
    open_good(&again, "pets");
    assert_false(again.prepared_now);
    assert_int_equal(again.train.count, d.train.count);
    assert_memory_equal(again.train.bytes, d.train.bytes, d.train.count * 48);
    assert_memory_equal(again.train.labels, d.train.labels, d.train.count);
    elbo_dataset_close(&d);
    elbo_dataset_close(&again);
}

static void test_folders_that_say_the_split(void **state) {
    (void)state;
    picture("split/train/a/1.png", 9, 1, 2, 3);
    picture("split/train/a/2.png", 9, 4, 5, 6);
    picture("split/train/b/3.png", 9, 7, 8, 9);
    picture("split/val/a/1 again.png", 9, 1, 2, 3);
    picture("split/val/c/4.png", 9, 10, 11, 12);
    elbo_dataset d;
    open_good(&d, "split");
    assert_int_equal(d.train.count, 2); // the copy of a test image is left out
    assert_int_equal(d.test.count, 2);
    assert_int_equal(count_colour(&d.test, 1, 2, 3), 1);
    assert_int_equal(d.classes, 3);
    assert_true(has_note(&d, "left out"));
    elbo_dataset_close(&d);
}

/* The cache's only file of a folder's shape. */
static char *cache_file(const char *folder) {
    char *path = NULL, *real = realpath(scratch_path(&s, folder), NULL);
    char *command = elbo_format("ls -t '%s'/cache/elbo/folders/* | head -1", s.folder);
    FILE *f = popen(command, "r");
    char line[300] = "";
    assert_non_null(fgets(line, sizeof line, f));
    pclose(f);
    line[strcspn(line, "\n")] = 0;
    path = strdup(line);
    free(command);
    free(real);
    return path;
}

static void test_cache_is_checked_and_follows_the_files(void **state) {
    (void)state;
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "flat/%d.png", i);
        picture(name, 8, (uint8_t)(i * 40), 0, 0);
    }
    elbo_dataset d;
    open_good(&d, "flat");
    assert_int_equal(d.classes, 0);
    assert_null(d.train.labels);
    elbo_dataset_close(&d);
    char *path = cache_file("flat");
    uint8_t *bytes;
    size_t size;
    assert_int_equal(elbo_file_read(path, 1 << 24, &bytes, &size, NULL), ELBO_OK);
    for (int k = 0; k < 3; k++) { // one wrong byte in the header, an entry, the pixels: decoded anew
        size_t at = k == 0 ? 20 : k == 1 ? 300 : size - 1;
        bytes[at] ^= 1;
        assert_int_equal(elbo_file_write(path, bytes, size, NULL), ELBO_OK);
        bytes[at] ^= 1;
        open_good(&d, "flat");
        assert_true(d.prepared_now);
        elbo_dataset_close(&d);
    }
    assert_int_equal(elbo_file_write(path, bytes, size / 2, NULL), ELBO_OK); // cut short
    open_good(&d, "flat");
    assert_true(d.prepared_now);
    elbo_dataset_close(&d);
    picture("flat/2.png", 8, 222, 1, 1); // another picture under the same name
    open_good(&d, "flat");
    assert_true(d.prepared_now);
    assert_int_equal(count_colour(&d.train, 222, 1, 1) + count_colour(&d.test, 222, 1, 1), 1);
    assert_int_equal(count_colour(&d.train, 80, 0, 0) + count_colour(&d.test, 80, 0, 0), 0);
    elbo_dataset_close(&d);
    free(bytes);
    free(path);
}

static void test_nothing_readable(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch_path(&s, "bad"), 0700), 0);
    scratch_write(&s, "bad/a.jpg", "\xff\xd8\xff\xe0 broken", 11);
    elbo_dataset d;
    elbo_error err;
    assert_int_equal(open_photos(&d, "bad", &err), ELBO_BAD_INPUT);
    assert_message(err, "bad", "none of its 1 images can be read", "a.jpg: damaged JPEG");
    picture("bad/b.png", 8, 1, 1, 1);
    assert_int_equal(open_photos(&d, "bad", &err), ELBO_BAD_INPUT);
    assert_message(err, "expected two different images or more");
    setenv("ELBO_IMAGES", "/nowhere/elbo-images", 1);
    picture("bad/c.png", 8, 9, 1, 1);
    assert_int_equal(open_photos(&d, "bad", &err), ELBO_NOT_FOUND);
    assert_message(err, "/nowhere/elbo-images", "ELBO_IMAGES");
}

static void test_a_helper_that_hangs_or_dies_costs_one_file(void **state) {
    char *program = *state;
    picture("one/a.png", 8, 50, 60, 70);
    char *path = strdup(scratch_path(&s, "one/a.png"));
    elbo_images_program p = {.path = program, .seconds = 20};
    elbo_image_shape shape = {3, 4, 4};
    uint8_t pixels[48];
    elbo_image_read r;
    elbo_error err;
    assert_int_equal(elbo_images_program_read(&p, path, shape, pixels, &r, &err), ELBO_OK);
    assert_true(r.readable && pixels[0] == 50 && pixels[47] == 70 && r.width == 8);
    p.seconds = 0.3;
    kill(p.pid, SIGSTOP);
    assert_int_equal(elbo_images_program_read(&p, path, shape, pixels, &r, &err), ELBO_OK);
    assert_false(r.readable);
    assert_non_null(strstr(r.reason, "not decoded after 0.3 s"));
    p.seconds = 20;
    assert_int_equal(elbo_images_program_read(&p, path, shape, pixels, &r, &err), ELBO_OK);
    assert_true(r.readable);
    kill(p.pid, SIGSTOP);
    kill(p.pid, SIGXCPU); // (which no sanitizer turns into an exit)
    kill(p.pid, SIGCONT);
    assert_int_equal(elbo_images_program_read(&p, path, shape, pixels, &r, &err), ELBO_OK);
    assert_false(r.readable);
    assert_non_null(strstr(r.reason, "crashed"));
    assert_int_equal(elbo_images_program_read(&p, path, shape, pixels, &r, &err), ELBO_OK);
    assert_true(r.readable);
    elbo_images_program_stop(&p);
    free(path);
}

/* One that says hello, reads a request, closes its end, and lives on: it is ended, in seconds. */
static void test_a_helper_that_hangs_up_is_ended(void **state) {
    (void)state;
    char script[300], path[320];
    const elbo_images_greeting hello = {ELBO_IMAGES_GREETING, ELBO_IMAGES_VERSION};
    scratch_write(&s, "hello", &hello, sizeof hello);
    snprintf(script, sizeof script,
             "#!/bin/sh\ncat %s/hello >&0\nhead -c 16 >/dev/null\nexec sleep 1000 0<&- >/dev/null 2>&1\n", s.folder);
    strcpy(path, scratch_write(&s, "helper", script, strlen(script)));
    chmod(path, 0700);
    elbo_images_program p = {.path = path, .seconds = 20};
    uint8_t pixels[48];
    elbo_image_read r;
    elbo_error err;
    double start = elbo_now();
    if (elbo_images_program_read(&p, "any.png", (elbo_image_shape){3, 4, 4}, pixels, &r, &err) != ELBO_OK)
        fail_msg("%s", err.message);
    assert_false(r.readable);
    assert_non_null(strstr(r.reason, "closed the connection"));
    assert_int_equal(p.pid, 0);
    assert_true(elbo_now() - start < 15);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // no child is left
}

/* ---- a clock that was set back by an hour ---- */

static atomic_bool clock_is_back;

int clock_gettime(clockid_t id, struct timespec *t) {
    int failed = (int)syscall(SYS_clock_gettime, id, t);
    if (atomic_load(&clock_is_back) && id == CLOCK_REALTIME) t->tv_sec += 3600; // what was read before that
    return failed;
}

static int looks;

static bool look(void *context, uint64_t done, uint64_t all) {
    (void)context, (void)done, (void)all;
    return ++looks < 3; // then somebody has pressed Ctrl-C
}

static void test_a_clock_set_back(void **state) {
    const char *program = *state;
    char script[300], path[320];
    const elbo_images_greeting hello = {ELBO_IMAGES_GREETING, ELBO_IMAGES_VERSION};
    picture("clock/a.png", 8, 50, 60, 70);
    scratch_write(&s, "hello", &hello, sizeof hello);
    snprintf(script, sizeof script, "#!/bin/sh\ncat %s/hello >&0\nexec sleep 20 >/dev/null 2>&1\n", s.folder);
    strcpy(path, scratch_write(&s, "helper", script, strlen(script)));
    chmod(path, 0700);
    setenv("ELBO_IMAGES", path, 1);
    elbo_data_options o = {.splits = ELBO_BOTH_SPLITS, .threads = 1, .channels = 3, .height = 4, .width = 4};
    o.progress = look;
    elbo_dataset d;
    elbo_error err;
    double start = elbo_now();
    atomic_store(&clock_is_back, true);
    assert_int_equal(elbo_dataset_open_with(&d, scratch_path(&s, "clock"), NULL, &o, &err), ELBO_STOPPED);
    atomic_store(&clock_is_back, false);
    assert_true(elbo_now() - start < 15); // stopped, not waited for
    setenv("ELBO_IMAGES", program, 1);
}

/* ---- pictures that claim to be huge ---- */

static void put_big(unsigned char *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* A few bytes each: a PNG of 100,000 x 100,000 and one of 2^31 - 1, a JPEG of 65,500 x 65,500, a BMP of 10^5 x 10^5. */
static void test_image_bombs(void **state) {
    (void)state;
    unsigned char png[33] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    unsigned char jpeg[] = {0xff, 0xd8, 0xff, 0xc0, 0, 17, 8, 0xff, 0xdc, 0xff, 0xdc, 3, 1,    0x11, 0,  2, 0x11, 1, 3,
                            0x11, 1,    0xff, 0xda, 0, 12, 3, 1,    0,    2,    0x11, 3, 0x11, 0,    63, 0, 0};
    uint32_t bmp_fields[] = {54, 0, 54, 40, 100000, 100000, 24 << 16 | 1, 0, 0, 0, 0, 0, 0};
    unsigned char bmp[2 + sizeof bmp_fields] = {'B', 'M'};
    memcpy(bmp + 2, bmp_fields, sizeof bmp_fields);
    picture("bombs/a.png", 8, 50, 60, 70);
    picture("bombs/b.png", 8, 10, 20, 30);
    for (int i = 0; i < 2; i++) {
        put_big(png + 16, i ? INT32_MAX : 100000);
        put_big(png + 20, i ? INT32_MAX : 100000);
        memcpy(png + 24, "\10\6\0\0\0", 5);
        put_big(png + 29, libdeflate_crc32(0, png + 12, 17));
        scratch_write(&s, i ? "bombs/bomb2.png" : "bombs/bomb1.png", png, sizeof png);
    }
    scratch_write(&s, "bombs/bomb.jpg", jpeg, sizeof jpeg);
    scratch_write(&s, "bombs/bomb.bmp", bmp, sizeof bmp);
    elbo_dataset d;
    double start = elbo_now();
    open_good(&d, "bombs");
    assert_int_equal(d.skipped, 4);
    assert_int_equal(d.train.count + d.test.count, 2);
    assert_true(elbo_now() - start < 30);
    struct rusage helpers;
    getrusage(RUSAGE_CHILDREN, &helpers);
    assert_true(helpers.ru_maxrss < 1 << 20); // KiB
    elbo_dataset_close(&d);
}

/* A helper that ended without a word may have had no memory: what it cost is tried again at the next start, though
 * nothing in the folder has changed. */
static void test_what_may_pass_is_tried_again(void **state) {
    const char *program = *state;
    char script[600], path[320];
    const elbo_images_greeting hello = {ELBO_IMAGES_GREETING, ELBO_IMAGES_VERSION};
    picture("again/a.png", 8, 50, 60, 70);
    picture("again/b.png", 8, 10, 20, 30);
    picture("again/c.png", 8, 90, 90, 90);
    scratch_write(&s, "hello", &hello, sizeof hello);
    snprintf(script, sizeof script,
             "#!/bin/sh\nmkdir %s/once 2>/dev/null || exec %s\ncat %s/hello >&0\nhead -c 16 >/dev/null\n", s.folder,
             program, s.folder);
    strcpy(path, scratch_write(&s, "helper", script, strlen(script)));
    chmod(path, 0700);
    setenv("ELBO_IMAGES", path, 1);
    elbo_dataset d;
    open_good(&d, "again");
    assert_int_equal(d.skipped, 1);
    elbo_dataset_close(&d);
    open_good(&d, "again");
    assert_int_equal(d.skipped, 0);
    elbo_dataset_close(&d);
    setenv("ELBO_IMAGES", program, 1);
}

int main(void) {
    char *program = getenv("ELBO_IMAGES");
    if (!program || !*program) return 77; // built without libvips: skipped
    program = strdup(program);
    scratch_make(&s);
    char *cache = elbo_path_join(s.folder, "cache");
    setenv("XDG_CACHE_HOME", cache, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_and_splits),
        cmocka_unit_test(test_folders_that_say_the_split),
        cmocka_unit_test(test_cache_is_checked_and_follows_the_files),
        cmocka_unit_test_prestate(test_a_helper_that_hangs_or_dies_costs_one_file, program),
        cmocka_unit_test(test_a_helper_that_hangs_up_is_ended),
        cmocka_unit_test_prestate(test_what_may_pass_is_tried_again, program),
        cmocka_unit_test_prestate(test_a_clock_set_back, program),
        cmocka_unit_test(test_image_bombs),
        cmocka_unit_test(test_nothing_readable),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&s);
    free(cache);
    free(program);
    return failed;
}
