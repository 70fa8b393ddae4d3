/* What elbo-images answers: a program that lost its mind may say anything. In its place stands a socket with the answer
 * in it, and a child that has ended. */
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "data/photos/image_program.h"

/* One that has ended; it is waited for by whoever finds that it hung up. vfork copies no memory: a thousand of these are
 * made in the time of one program. */
static pid_t make_child(void) {
    pid_t child = vfork();
    if (child == 0) _exit(0);
    FUZZ_ASSERT(child > 0, "no child");
    return child;
}

static void run(const uint8_t *data, size_t size) {
    static elbo_images_program program = {.path = "elbo-images", .seconds = 5};
    static const elbo_image_shape shape = {1, 3, 3};
    int ends[2];
    FUZZ_ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no sockets");
    FUZZ_ASSERT(send(ends[1], data, size, MSG_DONTWAIT) == (ssize_t)size || !size, "the answer does not fit");
    shutdown(ends[1], SHUT_WR);
    if (!program.pid) program.pid = make_child();
    program.fd = ends[0];
    uint8_t *pixels = malloc(elbo_image_size(shape)); // exactly
    elbo_image_read result;
    elbo_error err;
    FUZZ_ASSERT(pixels, "out of memory");
    memset(pixels, 0, elbo_image_size(shape));
    if (fuzz_succeeded(elbo_images_program_read(&program, "a.png", shape, pixels, &result, &err), &err)) {
        size_t said = strnlen(result.reason, sizeof result.reason);
        FUZZ_ASSERT(said < sizeof result.reason, "a reason without an end");
        FUZZ_ASSERT(result.readable || said, "unreadable for no reason");
    }
    free(pixels);
    if (program.pid) close(ends[0]); // else it was closed with the program
    close(ends[1]);
}

const fuzz_target fuzz_images = {"images", 300, run};
