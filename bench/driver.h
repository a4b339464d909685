/* What the programs share that measure executors: bench_tasks and bench_forkjoin. */
#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    EXIT_WRONG = 1 /* a result is wrong, or a contender failed */
};

/* For what a contender cannot go on without. Does not return. */
void bench_fail(const char *what) __attribute__((noreturn));

/* Zeroed, and of the system: not there before it is touched. */
void *allocated(size_t count, size_t size);

void sleep_ns(int64_t ns);

/* Ends the program if they differ. `contender` is whose result it is. */
void check_result_of(const char *contender, uint64_t result, uint64_t expected);

/* A list in the figures' line, and the end of that line. */
void print_figures(const char *name, const double *figures, size_t count);
void print_end(void);

#ifdef __cplusplus
}
#endif
#endif
