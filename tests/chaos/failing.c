#include "failing.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_blocks.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

const char *const failing_kind_names[] = {
#define FAILING_NAME(kind, name) [FAIL_##kind] = name,
    FAILING_KINDS(FAILING_NAME)
#undef FAILING_NAME
};

const char *const failing_place_names[] = {"caller", "nursery", "worker"};

/* The code that called the function that this stands in. */
#define CALLER ((uintptr_t)__builtin_return_address(0))

static failing_plan plan;
static failing_counts *shared;               /* NULL: never begun */
static enum failing_place place = IN_CALLER; /* of this process; failing_begin sets it */

/* ---- the functions of the C library ---------------------------------------------------------- */

/* Its allocator under the names that it keeps for programs which replace malloc. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

static struct {
    void *(*mmap)(void *, size_t, int, int, int, off_t);
    int (*munmap)(void *, size_t);
    int (*mprotect)(void *, size_t, int);
    int (*madvise)(void *, size_t, int);
    int (*memfd_create)(const char *, unsigned);
    int (*ftruncate)(int, off_t);
    int (*fallocate)(int, int, off_t, off_t);
    int (*eventfd)(unsigned, int);
    pid_t (*fork)(void);
    int (*__register_atfork)(void (*)(void), void (*)(void), void (*)(void), void *);
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*fcntl)(int, int, ...);
    int (*poll)(struct pollfd *, nfds_t, int);
    int (*ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    int (*waitid)(idtype_t, id_t, siginfo_t *, int);
    pid_t (*waitpid)(pid_t, int *, int);
    long (*syscall)(long, ...);
} libc;

static void look_up(void *function, const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    memcpy(function, &found, sizeof found);
}

/* Before any other constructor of the program, which may call these. */
__attribute__((constructor(101))) static void look_all_up(void) {
#define LOOK_UP(name) look_up((void *)&libc.name, #name)
    LOOK_UP(mmap);
    LOOK_UP(munmap);
    LOOK_UP(mprotect);
    LOOK_UP(madvise);
    LOOK_UP(memfd_create);
    LOOK_UP(ftruncate);
    LOOK_UP(fallocate);
    LOOK_UP(eventfd);
    LOOK_UP(fork);
    LOOK_UP(pthread_create);
    LOOK_UP(__register_atfork);
    LOOK_UP(fcntl);
    LOOK_UP(poll);
    LOOK_UP(ppoll);
    LOOK_UP(waitid);
    LOOK_UP(waitpid);
    LOOK_UP(syscall);
#undef LOOK_UP
}

/* ---- code whose calls do not count ----------------------------------------------------------- */

typedef struct code_range {
    uintptr_t begin, end;
} code_range;

static code_range foreign[8];
static size_t foreign_count;

static int note_if_foreign(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size, (void)context;
    if (strstr(info->dlpi_name, "libgomp") == NULL && strstr(info->dlpi_name, "ld-linux") == NULL) {
        return 0;
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 &&
            foreign_count < sizeof foreign / sizeof *foreign) {
            uintptr_t begin = info->dlpi_addr + part->p_vaddr;
            foreign[foreign_count++] = (code_range){begin, begin + part->p_memsz};
        }
    }
    return 0;
}

static bool is_foreign(uintptr_t code) {
    for (size_t i = 0; i < foreign_count; i++) {
        if (code - foreign[i].begin < foreign[i].end - foreign[i].begin) {
            return true;
        }
    }
    return false;
}

/* ---- what fails ------------------------------------------------------------------------------ */

static bool counts(uintptr_t code) {
    return shared != NULL && atomic_load_explicit(&shared->armed, memory_order_relaxed) &&
           !is_foreign(code);
}

/* Counts the call. True: it fails, and errno is set. */
static bool fails(enum failing_kind kind, uintptr_t code) {
    if (!counts(code)) {
        return false;
    }
    uint32_t number = atomic_fetch_add(&shared->calls[kind][place], 1) + 1;
    if (kind != plan.kind || place != plan.place || plan.first == 0 || number < plan.first ||
        (number > plan.first && !plan.all)) {
        return false;
    }
    atomic_fetch_add(&shared->failed, 1);
    errno = plan.error;
    return true;
}

static bool is_kept(uintptr_t code) {
    return place == IN_CALLER && counts(code);
}

void failing_begin(const failing_plan *new_plan, failing_counts *new_counts) {
    foreign_count = 0;
    dl_iterate_phdr(note_if_foreign, NULL);
    plan = *new_plan;
    shared = new_counts;
    place = IN_CALLER;
    blocks_clear();
    atomic_store(&shared->armed, true);
}

void failing_end(void) {
    atomic_store(&shared->armed, false);
}

void failing_leavings_read(failing_leavings *leavings) {
    blocks_read(leavings);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void *keep(void *block, size_t size, uintptr_t code) {
    if (block != NULL && is_kept(code)) {
        blocks_add(block, size, code);
    }
    return block;
}

static void *allocated(size_t size, uintptr_t code) {
    return fails(FAIL_MALLOC, code) ? NULL : keep(__libc_malloc(size), size, code);
}

void *malloc(size_t size) {
    return allocated(size, CALLER);
}

void *calloc(size_t count, size_t size) {
    return fails(FAIL_MALLOC, CALLER) ? NULL
                                      : keep(__libc_calloc(count, size), count * size, CALLER);
}

/* Blocks that were taken before failing_begin are not known to blocks_remove. */
void *realloc(void *block, size_t size) {
    if (fails(FAIL_MALLOC, CALLER)) {
        return NULL;
    }
    if (place == IN_CALLER) { /* before another thread can get it */
        blocks_remove(block);
    }
    return keep(__libc_realloc(block, size), size, CALLER);
}

char *strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = allocated(size, CALLER);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails(FAIL_MALLOC, CALLER) ? NULL : keep(__libc_memalign(alignment, size), size, CALLER);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (fails(FAIL_MALLOC, CALLER)) {
        return ENOMEM;
    }
    void *made = keep(__libc_memalign(alignment, size), size, CALLER);
    if (made == NULL) {
        return ENOMEM;
    }
    *block = made;
    return 0;
}

void free(void *block) {
    int error = errno; /* stays as it is */
    if (block != NULL && place == IN_CALLER) {
        blocks_remove(block);
    }
    __libc_free(block);
    errno = error;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    if (fails(FAIL_MMAP, CALLER)) {
        return MAP_FAILED;
    }
    void *made = libc.mmap(address, size, protection, flags, file, offset);
    if (made != MAP_FAILED && is_kept(CALLER)) {
        mappings_add((uintptr_t)made, size);
    }
    return made;
}

int munmap(void *address, size_t size) {
    if (place == IN_CALLER) {
        mappings_remove((uintptr_t)address, size);
    }
    return libc.munmap(address, size);
}

int mprotect(void *address, size_t size, int protection) {
    return fails(FAIL_MPROTECT, CALLER) ? -1 : libc.mprotect(address, size, protection);
}

int madvise(void *address, size_t size, int advice) {
    return fails(FAIL_MADVISE, CALLER) ? -1 : libc.madvise(address, size, advice);
}

/* ---- files ----------------------------------------------------------------------------------- */

int memfd_create(const char *name, unsigned flags) {
    return fails(FAIL_MEMFD_CREATE, CALLER) ? -1 : libc.memfd_create(name, flags);
}

int ftruncate(int file, off_t size) {
    return fails(FAIL_FTRUNCATE, CALLER) ? -1 : libc.ftruncate(file, size);
}

int fallocate(int file, int mode, off_t offset, off_t size) {
    return fails(FAIL_FALLOCATE, CALLER) ? -1 : libc.fallocate(file, mode, offset, size);
}

int eventfd(unsigned value, int flags) {
    return fails(FAIL_EVENTFD, CALLER) ? -1 : libc.eventfd(value, flags);
}

int fcntl(int file, int command, ...) {
    va_list rest;
    va_start(rest, command);
    long argument = va_arg(rest, long);
    va_end(rest);
    return fails(FAIL_FCNTL, CALLER) ? -1 : libc.fcntl(file, command, argument);
}

int poll(struct pollfd *files, nfds_t count, int timeout_ms) {
    return fails(FAIL_POLL, CALLER) ? -1 : libc.poll(files, count, timeout_ms);
}

int ppoll(struct pollfd *files, nfds_t count, const struct timespec *timeout,
          const sigset_t *mask) {
    return fails(FAIL_POLL, CALLER) ? -1 : libc.ppoll(files, count, timeout, mask);
}

/* ---- processes and threads ------------------------------------------------------------------- */

pid_t fork(void) {
    if (fails(FAIL_FORK, CALLER)) {
        return -1;
    }
    pid_t pid = libc.fork();
    if (pid == 0) { /* a worker's own child is the nursery of a pool in a task */
        place = place == IN_NURSERY ? IN_WORKER : IN_NURSERY;
    }
    return pid;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *context) {
    return fails(FAIL_PTHREAD_CREATE, CALLER)
               ? plan.error
               : libc.pthread_create(thread, attributes, run, context);
}

/* It fails for want of memory only. */
int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    return fails(FAIL_MALLOC, CALLER) ? ENOMEM
                                      : libc.__register_atfork(prepare, parent, child, NULL);
}

int waitid(idtype_t type, id_t id, siginfo_t *info, int options) {
    return fails(FAIL_WAITID, CALLER) ? -1 : libc.waitid(type, id, info, options);
}

pid_t waitpid(pid_t pid, int *status, int options) {
    return fails(FAIL_WAITID, CALLER) ? -1 : libc.waitpid(pid, status, options);
}

long syscall(long number, ...) {
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        a[i] = va_arg(rest, long);
    }
    va_end(rest);
    if ((number == SYS_membarrier && fails(FAIL_MEMBARRIER, CALLER)) ||
        (number == SYS_pidfd_open && fails(FAIL_PIDFD_OPEN, CALLER))) {
        return -1;
    }
    return libc.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
