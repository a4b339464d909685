/* Calls of the system and of malloc that fail when a test wants it, and what stayed of those that did not.
 *
 * The program that has failing.c in it defines these functions in place of the C library's, so that the
 * library under test calls them too. They count, do what is asked of them, or fail:
 *
 *     failing_begin(&plan, counts);     // from here on, in this process and those that it forks
 *     ... calls of the library; the test itself must call none of the functions of FAILING_KINDS ...
 *     failing_end();
 *     failing_leaks_check(&learned, ...);
 *
 * Calls are counted apart for the process that began, its children (nurseries) and their children
 * (workers). Calls of libgomp's own, and of the loader, neither count nor fail: libgomp ends the program
 * if memory is refused to it, as its documentation says. */
#ifndef TESTS_CHAOS_FAILING_H
#define TESTS_CHAOS_FAILING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name, as cf_refused_call has it, and the functions that count as it */
#define FAILING_KINDS(X)                                                                           \
    X(MALLOC, "malloc") /* calloc, realloc, strdup and the like; pthread_atfork */                 \
    X(MMAP, "mmap")                                                                                \
    X(MPROTECT, "mprotect")                                                                        \
    X(MADVISE, "madvise")                                                                          \
    X(MEMFD_CREATE, "memfd_create")                                                                \
    X(FTRUNCATE, "ftruncate")                                                                      \
    X(FALLOCATE, "fallocate")                                                                      \
    X(EVENTFD, "eventfd")                                                                          \
    X(FORK, "fork")                                                                                \
    X(PTHREAD_CREATE, "pthread_create")                                                            \
    X(FCNTL, "fcntl")                                                                              \
    X(POLL, "poll")             /* ppoll */                                                        \
    X(MEMBARRIER, "membarrier") /* by syscall */                                                   \
    X(PIDFD_OPEN, "pidfd_open") /* by syscall */                                                   \
    X(WAITID, "waitid")         /* waitpid */

enum failing_kind {
#define FAILING_ENUM(kind, name) FAIL_##kind,
    FAILING_KINDS(FAILING_ENUM)
#undef FAILING_ENUM
    FAIL_KIND_COUNT
};

enum failing_place {
    IN_CALLER,
    IN_NURSERY,
    IN_WORKER,
    FAILING_PLACE_COUNT
};

extern const char *const failing_kind_names[FAIL_KIND_COUNT];
extern const char *const failing_place_names[FAILING_PLACE_COUNT];

/* The calls of one kind in one place that fail: the one with the number `first`, from 1, and with `all`
 * every later one too. first = 0: none. */
typedef struct failing_plan {
    enum failing_kind kind;
    enum failing_place place;
    uint32_t first;
    bool all;
    int error; /* errno, or what pthread_create and posix_memalign return */
} failing_plan;

/* In memory that forked processes share. Zeroed before. */
typedef struct failing_counts {
    _Atomic bool armed;
    _Atomic uint32_t calls[FAIL_KIND_COUNT][FAILING_PLACE_COUNT];
    _Atomic uint32_t failed;
} failing_counts;

void failing_begin(const failing_plan *plan, failing_counts *counts);
void failing_end(void);

/* ---- what stays ------------------------------------------------------------------------------ */

/* Blocks of malloc that were taken since failing_begin by one place in the code, and not given back. */
typedef struct failing_site {
    uintptr_t code; /* the address that the call returned to */
    uint32_t blocks;
    size_t bytes;
} failing_site;

enum {
    FAILING_SITES = 64
};

/* Made by a run without failures: blocks and mappings that live as long as their process. */
typedef struct failing_leavings {
    failing_site sites[FAILING_SITES];
    size_t site_count;
    size_t mapped; /* bytes that the library has mapped and not unmapped */
} failing_leavings;

/* After failing_end. */
void failing_leavings_read(failing_leavings *leavings);

/* False if `now` has more than `usual`; then `text` says what. */
bool failing_leavings_check(const failing_leavings *now, const failing_leavings *usual, char *text,
                            size_t size);

#endif
