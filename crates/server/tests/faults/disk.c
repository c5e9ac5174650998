/* A disk that fails on request: loaded before the C library, it lets the n-th write or sync, or the n-th read, of some files fail.
 *
 * FAULT_FILES  what the path of a file has to contain
 * FAULT_PLAN   a file of five 32-bit numbers that the test writes to: how many operations are left until one fails (0: none
 *              does), the error, whether all later ones fail, too, how many have failed, and whether it is about reads
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct plan {
    int32_t left, error, stays, failed, reads;
};

static struct plan *plan;
static const char *files;
static unsigned char watched[65536];

static void begin(void) {
    static int begun;
    if (begun) return;
    begun = 1;
    files = getenv("FAULT_FILES");
    const char *path = getenv("FAULT_PLAN");
    if (!files || !path) return;
    int (*open_)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int fd = open_(path, O_RDWR);
    if (fd < 0) abort();
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (plan == MAP_FAILED) abort();
}

static int fails(int fd, int reads) {
    begin();
    if (!plan || plan->reads != reads || fd < 0 || fd >= (int)sizeof watched || !watched[fd]) return 0;
    for (;;) {
        int32_t left = __atomic_load_n(&plan->left, __ATOMIC_SEQ_CST);
        if (left <= 0) return 0;
        if (left == 1 && plan->stays) break;
        if (__atomic_compare_exchange_n(&plan->left, &left, left - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
            if (left > 1) return 0;
            break;
        }
    }
    __atomic_add_fetch(&plan->failed, 1, __ATOMIC_SEQ_CST);
    errno = plan->error;
    return 1;
}

static void opened(int fd, const char *path) {
    begin();
    if (fd >= 0 && fd < (int)sizeof watched) watched[fd] = plan && strstr(path, files) != NULL;
}

#define OPEN(name)                                                        \
    int name(const char *path, int flags, ...) {                          \
        static int (*real)(const char *, int, ...);                       \
        if (!real) real = dlsym(RTLD_NEXT, #name);                        \
        va_list rest;                                                     \
        va_start(rest, flags);                                            \
        int mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, int) : 0; \
        va_end(rest);                                                     \
        int fd = real(path, flags, mode);                                 \
        opened(fd, path);                                                 \
        return fd;                                                        \
    }
OPEN(open)
OPEN(open64)

#define FAILING(reads, type, name, parameters, arguments) \
    type name parameters {                                \
        static type(*real) parameters;                    \
        if (!real) real = dlsym(RTLD_NEXT, #name);        \
        return fails(fd, reads) ? (type)-1 : real arguments;   \
    }
FAILING(0, ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count))
FAILING(0, ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at))
FAILING(0, ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
FAILING(0, int, fsync, (int fd), (fd))
FAILING(0, int, fdatasync, (int fd), (fd))
FAILING(0, int, ftruncate, (int fd, off_t length), (fd, length))
FAILING(0, int, ftruncate64, (int fd, off64_t length), (fd, length))
FAILING(1, ssize_t, read, (int fd, void *bytes, size_t count), (fd, bytes, count))
FAILING(1, ssize_t, pread, (int fd, void *bytes, size_t count, off_t at), (fd, bytes, count, at))
FAILING(1, ssize_t, pread64, (int fd, void *bytes, size_t count, off64_t at), (fd, bytes, count, at))
