/* What the suites of this folder have in common: what they count, and how they tell it.
 *
 * Each suite is a program, called as
 *
 *     SUITE [SECONDS]            (CF_TEST_SEED, CF_TEST_MULT)
 *
 * Without SECONDS it does a fixed amount of work, of some ten seconds. With SECONDS it goes on for that
 * long. It prints what went wrong as it finds it, with what is needed to see it again, and as its last
 * line of stdout
 *
 *     chaos SUITE: kills=8 tasks=200 steps=0 points=0 calls=0 lost=0 duplicated=0 hung=0 leaked=0 seed=7
 *
 * and returns 0, or 1 if one of the last four is not 0, or 2 for a wrong command line. run.py adds these
 * lines up. */
#ifndef TESTS_CHAOS_TALLY_H
#define TESTS_CHAOS_TALLY_H

#include "../support.h"

/* In memory that forked processes share: they count too. */
typedef struct tally {
    _Atomic uint64_t kills;      /* signals that ended or stopped a process of a pool */
    _Atomic uint64_t tasks;      /* tasks and items whose end was checked */
    _Atomic uint64_t steps;      /* machine instructions after which a process was killed */
    _Atomic uint64_t points;     /* fault points at which a process was killed */
    _Atomic uint64_t calls;      /* calls that were made to fail */
    _Atomic uint64_t lost;       /* tasks without an end, or with a wrong one */
    _Atomic uint64_t duplicated; /* tasks that ran, or were handed out, once too often */
    _Atomic uint64_t hung;       /* waits that did not end in time */
    _Atomic uint64_t leaked;     /* processes, threads, descriptors, memory that stayed */
} tally;

extern tally *chaos; /* made by tally_begin */

/* Reads the command line and the seed. Returns the seconds; 0 = none were given. */
int64_t tally_begin(const char *suite, int argc, char **argv);
extern uint64_t chaos_seed;
extern const char *chaos_suite;

static inline void tally_add(_Atomic uint64_t *count, uint64_t by) {
    atomic_fetch_add_explicit(count, by, memory_order_relaxed);
}

/* Adds 1 to one of the last four and says what happened, on stderr (the first 20). */
void tally_fault(_Atomic uint64_t *count, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* True if nothing went wrong so far. */
bool tally_is_clean(void);

/* Prints the last line. Returns what main returns. */
int tally_end(void);

/* ---- leaks ----------------------------------------------------------------------------------- */

/* What a process has at a moment when it has no pool. */
typedef struct belongings {
    size_t descriptors;
    size_t threads;
    size_t children; /* zombies too */
    size_t mappings; /* in /proc/self/maps, of memfds and of shared memory */
} belongings;

belongings belongings_now(void);

/* Counts a leak for each thing of which there is more than `before` (what ends late is waited for). */
void belongings_check(const belongings *before, const char *after_what);

#endif
