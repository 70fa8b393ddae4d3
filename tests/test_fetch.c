/* Downloads, from a small server on this machine: whole, broken off and resumed, wrong, missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "data/download/fetch.h"
#include "scratch.h"

/* ---- the server: the first folder of an address says how it behaves ---- */

enum { SIZE = 50000, MOST_REQUESTS = 32 };

static uint8_t content[SIZE], packed[SIZE + 1000];
static size_t packed_size;

static struct {
    int listener, port;
    pthread_t thread;
    atomic_int requests;
    long ranges[MOST_REQUESTS]; // where each request wanted to begin; -1: it did not say
    char targets[MOST_REQUESTS][64];
} server;

static void send_all(int fd, const void *bytes, size_t n) {
    for (const char *p = bytes; n;) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) return;
        p += sent;
        n -= (size_t)sent;
    }
}

static void send_text(int fd, const char *text) { send_all(fd, text, strlen(text)); }

/* The bytes from `first` on; `cut` of them are announced but not sent. */
static void answer(int fd, const uint8_t *bytes, size_t size, long first, size_t cut) {
    char head[256];
    if (first > 0)
        snprintf(head, sizeof head, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %ld-%zu/%zu\r\n", first,
                 size - 1, size);
    else
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n");
    size_t begin = first > 0 ? (size_t)first : 0, used = strlen(head);
    snprintf(head + used, sizeof head - used, "Content-Length: %zu\r\nConnection: close\r\n\r\n", size - begin);
    send_text(fd, head);
    send_all(fd, bytes + begin, size - begin - cut);
}

static void refuse(int fd, const char *status) {
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry", status);
    send_text(fd, head);
}

static void serve_one(int fd) {
    char request[2048] = "", target[64] = "";
    for (size_t n = 0; n < sizeof request - 1 && !strstr(request, "\r\n\r\n");) {
        ssize_t got = recv(fd, request + n, sizeof request - 1 - n, 0);
        if (got <= 0) return;
        n += (size_t)got;
        request[n] = 0;
    }
    sscanf(request, "GET %63s", target);
    const char *range = strstr(request, "Range: bytes=");
    long first = range ? strtol(range + 13, NULL, 10) : -1;
    int index = server.requests;
    if (index >= MOST_REQUESTS) return;
    server.ranges[index] = first;
    strcpy(server.targets[index], target);
    server.requests++;
    bool file = strstr(target, "/data.gz");
    if (first >= (long)packed_size)
        refuse(fd, "416 Range Not Satisfiable");
    else if (strncmp(target, "/good/", 6) == 0 && file)
        answer(fd, packed, packed_size, first, 0);
    else if (strncmp(target, "/plain/", 7) == 0 && file)
        answer(fd, content, SIZE, first, 0);
    else if (strncmp(target, "/corrupt/", 9) == 0 && file) { // as long as it should be, and one byte differs
        uint8_t copy[SIZE];
        memcpy(copy, content, SIZE);
        copy[SIZE / 2] ^= 1;
        answer(fd, copy, SIZE, first, 0);
    } else if (strncmp(target, "/breaks/", 8) == 0 && file) // breaks off once
        answer(fd, packed, packed_size, first, first > 0 ? 0 : packed_size / 3);
    else if (strncmp(target, "/no-ranges/", 11) == 0 && file) // the same, and knows no ranges
        answer(fd, packed, packed_size, 0, first > 0 ? 0 : packed_size / 3);
    else if (strncmp(target, "/always-breaks/", 15) == 0 && file)
        answer(fd, packed, packed_size, first, (packed_size - (size_t)(first > 0 ? first : 0)) / 2);
    else if (strncmp(target, "/shifted/", 9) == 0 && file && first > 0) // another part than was asked for
        answer(fd, packed, packed_size, first + 1, 0);
    else if (strncmp(target, "/shifted/", 9) == 0 && file)
        answer(fd, packed, packed_size, first, 0);
    else if (strncmp(target, "/wrong/", 7) == 0 && file)
        answer(fd, packed, packed_size / 2, 0, 0);
    else if (strncmp(target, "/endless/", 9) == 0 && file) {
        send_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        for (int i = 0; i < 100; i++) send_all(fd, content, SIZE);
    } else if (strncmp(target, "/stalls/", 8) == 0 && file) {
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n1234");
        char wait;
        (void)!recv(fd, &wait, 1, 0); // until the client gives up
    } else if (strncmp(target, "/moved/", 7) == 0 && file) {
        send_text(fd,
                  "HTTP/1.1 302 Found\r\nLocation: /good/data.gz\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    } else if (strncmp(target, "/moved-away/", 12) == 0 && file) {
        send_all(
            fd,
            "HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            93);
    } else
        refuse(fd, "404 Not Found");
}

static void *serve(void *ignored) {
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0) return ignored; // it was shut down
        serve_one(fd);
        shutdown(fd, SHUT_WR);
        char rest[256];
        while (recv(fd, rest, sizeof rest, 0) > 0) {} // else a reset could overtake the last bytes
        close(fd);
    }
}

static int start(void **state) {
    (void)state;
    for (size_t i = 0; i < SIZE; i++) content[i] = (uint8_t)(i * 7 % 251);
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(0); // level 0: stored, so that there is much to send
    packed_size = libdeflate_gzip_compress(c, content, SIZE, packed, sizeof packed);
    libdeflate_free_compressor(c);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    server.listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server.listener, (struct sockaddr *)&address, sizeof address) != 0) return -1;
    if (listen(server.listener, 8) != 0) return -1;
    getsockname(server.listener, (struct sockaddr *)&address, &length);
    server.port = ntohs(address.sin_port);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static int stop(void **state) {
    (void)state;
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    return 0;
}

/* ---- the client ---- */

static scratch s;

static int make(void **state) {
    (void)state;
    scratch_make(&s);
    server.requests = 0;
    return 0;
}

static int clean(void **state) {
    (void)state;
    scratch_remove(&s);
    return 0;
}

/* The sum by Python's hashlib of bytes(i * 7 % 251 for i in range(50000)). */
static const elbo_remote_file files[] = {
    {"data.gz", "e86adb39661e24e5697a957885e796851faa6043777824e9bd1bdc086d86f0b9", SIZE, NULL},
    {0},
};

static elbo_status fetch_with(const char *first, const char *second, elbo_fetch_progress progress, void *context,
                              elbo_error *err) {
    char addresses[2][64];
    const char *mirrors[3] = {addresses[0], second ? addresses[1] : NULL, NULL};
    snprintf(addresses[0], sizeof addresses[0], "http://127.0.0.1:%d/%s/", server.port, first);
    if (second) snprintf(addresses[1], sizeof addresses[1], "http://127.0.0.1:%d/%s", server.port, second);
    *err = (elbo_error){0};
    return elbo_fetch_files(&(elbo_remote){mirrors, files, 1}, s.folder, progress, context, err);
}

static void fetch_good(const char *first, const char *second) {
    elbo_error err;
    if (fetch_with(first, second, NULL, NULL, &err) != ELBO_OK) fail_msg("%s", err.message);
}

static elbo_error fetch_bad(const char *first, const char *second) {
    elbo_error err;
    assert_int_not_equal(fetch_with(first, second, NULL, NULL, &err), ELBO_OK);
    assert_null(strchr(err.message, '\n'));
    return err;
}

static void assert_folder_has(const char *only) {
    DIR *folder = opendir(s.folder);
    bool found = false;
    for (struct dirent *e; (e = readdir(folder));) {
        if (e->d_name[0] == '.') continue;
        if (!only || strcmp(e->d_name, only) != 0) fail_msg("%s was left", e->d_name);
        found = true;
    }
    closedir(folder);
    assert_int_equal(found, only != NULL);
}

static void assert_file_is(const char *name, const void *bytes, size_t n) {
    FILE *f = fopen(scratch_path(&s, name), "rb");
    assert_non_null(f);
    static uint8_t got[2 * SIZE];
    assert_int_equal(fread(got, 1, sizeof got, f), n);
    fclose(f);
    assert_memory_equal(got, bytes, n);
}

static void a_good_file_comes_whole_and_only_once(void **state) {
    (void)state;
    fetch_good("good", NULL);
    assert_file_is("data.gz", packed, packed_size);
    assert_folder_has("data.gz");
    assert_int_equal(server.requests, 1);
    assert_int_equal(server.ranges[0], -1);
    assert_string_equal(server.targets[0], "/good/data.gz");
    fetch_good("good", NULL); // it is there and right
    assert_int_equal(server.requests, 1);
    scratch_write(&s, "data.gz", packed, packed_size - 1);
    fetch_good("good", NULL); // it is there and wrong
    assert_int_equal(server.requests, 2);
    assert_file_is("data.gz", packed, packed_size);
}

static void a_mirror_that_unpacks_is_as_good(void **state) {
    (void)state;
    fetch_good("plain", NULL);
    assert_file_is("data.gz", content, SIZE);
}

static void a_broken_download_is_resumed(void **state) {
    (void)state;
    fetch_good("breaks", NULL);
    assert_int_equal(server.requests, 2);
    assert_int_equal(server.ranges[0], -1);
    assert_int_equal(server.ranges[1], packed_size - packed_size / 3);
    assert_file_is("data.gz", packed, packed_size);
    assert_folder_has("data.gz");
}

static void what_an_earlier_run_left_is_resumed(void **state) {
    (void)state;
    scratch_write(&s, "data.gz.part", packed, 1234);
    fetch_good("good", NULL);
    assert_int_equal(server.requests, 1);
    assert_int_equal(server.ranges[0], 1234);
    assert_file_is("data.gz", packed, packed_size);
    assert_folder_has("data.gz");
    // the last run was killed between the last byte and the renaming
    unlink(scratch_path(&s, "data.gz"));
    scratch_write(&s, "data.gz.part", packed, packed_size);
    fetch_good("good", NULL);
    assert_int_equal(server.requests, 1);
    assert_folder_has("data.gz");
}

static void a_server_without_ranges_sends_all_again(void **state) {
    (void)state;
    fetch_good("no-ranges", NULL);
    assert_int_equal(server.requests, 2);
    assert_true(server.ranges[1] > 0);
    assert_file_is("data.gz", packed, packed_size);
}

/* A part from elsewhere spoils the sum, is too long, or gets another piece than it lacks: all again, from its start. */
static void a_part_that_does_not_fit_is_thrown_away(void **state) {
    (void)state;
    scratch_write(&s, "data.gz.part", content, 1234);
    fetch_good("good", NULL);
    assert_int_equal(server.requests, 2);
    assert_int_equal(server.ranges[0], 1234);
    assert_int_equal(server.ranges[1], -1);
    assert_file_is("data.gz", packed, packed_size);

    unlink(scratch_path(&s, "data.gz"));
    static uint8_t longer[sizeof packed + 10];
    scratch_write(&s, "data.gz.part", longer, packed_size + 10);
    fetch_good("good", NULL);
    assert_int_equal(server.requests, 4);
    assert_int_equal(server.ranges[3], -1);
    assert_file_is("data.gz", packed, packed_size);

    unlink(scratch_path(&s, "data.gz"));
    scratch_write(&s, "data.gz.part", packed, 1234);
    fetch_good("shifted", NULL);
    assert_int_equal(server.requests, 6);
    assert_file_is("data.gz", packed, packed_size);
}

static void wrong_content_is_thrown_away_and_the_next_mirror_asked(void **state) {
    (void)state;
    elbo_error err = fetch_bad("wrong", NULL);
    assert_message(err, "data.gz: every mirror failed", "/wrong/data.gz", "SHA-256");
    assert_int_equal(server.requests, 1);
    assert_folder_has(NULL);
    err = fetch_bad("corrupt", NULL);
    assert_message(err, "/corrupt/data.gz", "SHA-256");
    assert_folder_has(NULL);
    fetch_good("wrong", "good");
    assert_int_equal(server.requests, 4);
    assert_file_is("data.gz", packed, packed_size);
    assert_folder_has("data.gz");
}

static void a_missing_file_is_asked_of_the_next_mirror(void **state) {
    (void)state;
    elbo_error err = fetch_bad("nothing", "also-nothing");
    assert_message(err, "data.gz", "/also-nothing/data.gz", "404");
    assert_int_equal(server.requests, 2);
    assert_folder_has(NULL);
    fetch_good("nothing", "good");
    assert_file_is("data.gz", packed, packed_size);
    assert_string_equal(server.targets[2], "/nothing/data.gz");
    assert_string_equal(server.targets[3], "/good/data.gz");
}

static void a_download_that_breaks_each_time_stays_a_part(void **state) {
    (void)state;
    fetch_bad("always-breaks", NULL);
    assert_in_range(server.requests, 2, 10);
    assert_folder_has("data.gz.part");
    int asked = server.requests;
    fetch_good("good", NULL);
    assert_int_equal(server.requests, asked + 1);
    assert_true(server.ranges[asked] > (long)packed_size / 2);
    assert_file_is("data.gz", packed, packed_size);
}

static void more_than_the_file_can_have_is_refused(void **state) {
    (void)state;
    elbo_error err = fetch_bad("endless", NULL);
    assert_message(err, "more than");
    assert_folder_has(NULL);
}

static void a_server_that_falls_silent_is_left(void **state) {
    (void)state;
    fetch_good("stalls", "good");
    assert_file_is("data.gz", packed, packed_size);
}

static void redirections_are_followed_but_not_out_of_http(void **state) {
    (void)state;
    fetch_good("moved", NULL);
    assert_file_is("data.gz", packed, packed_size);
    unlink(scratch_path(&s, "data.gz"));
    elbo_error err = fetch_bad("moved-away", NULL);
    assert_message(err, "moved-away");
    assert_folder_has(NULL);
}

static bool count_and_stop(void *context, const elbo_fetch_state *state) {
    int *left = context;
    assert_string_equal(state->file, "data.gz");
    assert_int_equal(state->count, 1);
    assert_true(state->total == 0 || state->done <= state->total);
    return --*left > 0;
}

static void progress_is_told_and_may_stop(void **state) {
    (void)state;
    elbo_error err;
    int left = 1;
    assert_int_equal(fetch_with("good", NULL, count_and_stop, &left, &err), ELBO_STOPPED);
    assert_message(err, "stopped");
    left = 1000000;
    assert_int_equal(fetch_with("good", NULL, count_and_stop, &left, &err), ELBO_OK);
    assert_true(left < 1000000);
    assert_file_is("data.gz", packed, packed_size);
}

static void names_and_mirrors_are_checked_first(void **state) {
    (void)state;
    elbo_error err = {0};
    setenv("XDG_CACHE_HOME", s.folder, 1);
    assert_int_equal(elbo_fetch("mnits", NULL, NULL, NULL, &err), ELBO_NOT_FOUND);
    assert_message(err, "mnits:", "mnist, fashion-mnist", "did you mean mnist?");
    assert_int_equal(elbo_fetch("digits", NULL, NULL, NULL, &err), ELBO_BAD_INPUT);
    assert_message(err, "is built in");
    assert_int_equal(elbo_fetch("mnist", "file:///tmp/", NULL, NULL, &err), ELBO_BAD_INPUT);
    assert_message(err, "file:///tmp/", "http://");
    assert_folder_has(NULL);
    char mirror[64];
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/mine", server.port);
    assert_int_equal(elbo_fetch("mnist", mirror, NULL, NULL, &err), ELBO_IO);
    assert_message(err, "/mine/train-images-idx3-ubyte.gz", "404");
    assert_int_equal(server.requests, 1); // the mirror alone was asked
    assert_string_equal(server.targets[0], "/mine/train-images-idx3-ubyte.gz");
}

/* EMNIST's archive is not asked for where its files are there; it goes by two names. */
static void letters_that_are_there_are_left(void **state) {
    (void)state;
    static const char *const names[] = {"train-images-idx3", "train-labels-idx1", "test-images-idx3",
                                        "test-labels-idx1"};
    elbo_error err = {0};
    char path[200], mirror[64];
    setenv("XDG_CACHE_HOME", s.folder, 1);
    snprintf(mirror, sizeof mirror, "http://127.0.0.1:%d/mine", server.port);
    assert_string_equal(elbo_fetch_known_name("emnist-letters"), "letters");
    assert_int_equal(elbo_fetch("emnist-letters", mirror, NULL, NULL, &err), ELBO_IO);
    assert_message(err, "/mine/gzip.zip", "404");
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "elbo/letters/emnist-letters-%s-ubyte.gz", names[i]);
        scratch_write(&s, path, "x", 1);
    }
    int before = server.requests;
    assert_int_equal(elbo_fetch("emnist-letters", mirror, NULL, NULL, &err), ELBO_OK);
    assert_int_equal(elbo_fetch("letters", mirror, NULL, NULL, &err), ELBO_OK);
    assert_int_equal(server.requests, before);
    assert_int_equal(elbo_fetch("kmnist", mirror, NULL, NULL, &err), ELBO_IO);
    assert_message(err, "/mine/train-images-idx3-ubyte.gz");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, clean)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_good_file_comes_whole_and_only_once),
        TEST(a_mirror_that_unpacks_is_as_good),
        TEST(a_broken_download_is_resumed),
        TEST(what_an_earlier_run_left_is_resumed),
        TEST(a_server_without_ranges_sends_all_again),
        TEST(a_part_that_does_not_fit_is_thrown_away),
        TEST(wrong_content_is_thrown_away_and_the_next_mirror_asked),
        TEST(a_missing_file_is_asked_of_the_next_mirror),
        TEST(a_download_that_breaks_each_time_stays_a_part),
        TEST(more_than_the_file_can_have_is_refused),
        TEST(a_server_that_falls_silent_is_left),
        TEST(redirections_are_followed_but_not_out_of_http),
        TEST(progress_is_told_and_may_stop),
        TEST(names_and_mirrors_are_checked_first),
        TEST(letters_that_are_there_are_left),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
