/* The system calls that may fail, and with what. */
#ifndef ELBO_TESTS_FAULTS_CALLS_H
#define ELBO_TESTS_FAULTS_CALLS_H

#include <errno.h>
#include <sys/syscall.h>

typedef enum fault_disk {
    NOT_DISK,
    ON_DISK,   // takes room
    IF_CREATES // an open that makes a file
} fault_disk;

typedef struct fault_call {
    int number;
    const char *name;
    int error;
    fault_disk disk;
} fault_call;

// clang-format off
#define FAULT_CALL(name, error, disk)                                                                                  \
    { SYS_##name, #name, error, disk }
static const fault_call fault_calls[] = {
    FAULT_CALL(openat, EMFILE, IF_CREATES),
    FAULT_CALL(read, EIO, NOT_DISK),
    FAULT_CALL(pread64, EIO, NOT_DISK),
    FAULT_CALL(readv, EIO, NOT_DISK),
    FAULT_CALL(write, ENOSPC, ON_DISK), // but for stderr, where a failure is told
    FAULT_CALL(pwrite64, ENOSPC, ON_DISK),
    FAULT_CALL(writev, ENOSPC, ON_DISK),
    FAULT_CALL(fsync, EIO, ON_DISK),
    FAULT_CALL(fdatasync, EIO, ON_DISK),
    FAULT_CALL(ftruncate, ENOSPC, ON_DISK),
    FAULT_CALL(fallocate, ENOSPC, ON_DISK),
    FAULT_CALL(renameat, ENOSPC, ON_DISK),
    FAULT_CALL(renameat2, ENOSPC, ON_DISK),
    FAULT_CALL(mkdirat, ENOSPC, ON_DISK),
    FAULT_CALL(unlinkat, EIO, NOT_DISK),
    FAULT_CALL(newfstatat, EIO, NOT_DISK),
    FAULT_CALL(statx, EIO, NOT_DISK),
    FAULT_CALL(readlinkat, EIO, NOT_DISK),
    FAULT_CALL(faccessat, EIO, NOT_DISK),
    FAULT_CALL(getdents64, EIO, NOT_DISK),
    FAULT_CALL(lseek, EIO, NOT_DISK),
    FAULT_CALL(flock, ENOLCK, NOT_DISK),
    FAULT_CALL(fcntl, EMFILE, NOT_DISK),
    FAULT_CALL(dup3, EMFILE, NOT_DISK),
    FAULT_CALL(getrandom, ENOSYS, NOT_DISK),
    FAULT_CALL(pipe2, EMFILE, NOT_DISK),
    FAULT_CALL(socketpair, EMFILE, NOT_DISK),
    FAULT_CALL(sendto, EPIPE, NOT_DISK),
    FAULT_CALL(recvfrom, ECONNRESET, NOT_DISK),
    FAULT_CALL(ppoll, ENOMEM, NOT_DISK),
    FAULT_CALL(mmap, ENOMEM, NOT_DISK),
    FAULT_CALL(mprotect, ENOMEM, NOT_DISK),
    FAULT_CALL(mremap, ENOMEM, NOT_DISK),
    FAULT_CALL(clone, EAGAIN, NOT_DISK),
    FAULT_CALL(clone3, EAGAIN, NOT_DISK),
#ifdef __x86_64__ // which has the old ones besides
    FAULT_CALL(open, EMFILE, IF_CREATES),
    FAULT_CALL(creat, ENOSPC, ON_DISK),
    FAULT_CALL(rename, ENOSPC, ON_DISK),
    FAULT_CALL(mkdir, ENOSPC, ON_DISK),
    FAULT_CALL(unlink, EIO, NOT_DISK),
    FAULT_CALL(stat, EIO, NOT_DISK),
    FAULT_CALL(fstat, EIO, NOT_DISK),
    FAULT_CALL(lstat, EIO, NOT_DISK),
    FAULT_CALL(readlink, EIO, NOT_DISK),
    FAULT_CALL(access, EIO, NOT_DISK),
    FAULT_CALL(poll, ENOMEM, NOT_DISK),
    FAULT_CALL(vfork, EAGAIN, NOT_DISK),
    FAULT_CALL(fork, EAGAIN, NOT_DISK),
#endif
};
// clang-format on

#endif
