/* What the contract suite uses of Criterion, for tests that all run in one process: rank 0 of an MPI job
 * joins the job once, so a test cannot have a process of its own. See runner.c. */
#ifndef TESTS_CONTRACT_MPI_CRITERION_H
#define TESTS_CONTRACT_MPI_CRITERION_H

#pragma GCC system_header /* as Criterion's: its macros take no part in the warnings */

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct mpi_test_options {
    double timeout; /* the runner's own is for all tests */
    int signal;     /* by which the test must die: not here */
    int unused;
} mpi_test_options;

typedef struct mpi_test {
    const char *suite, *name;
    void (*run)(void);
    mpi_test_options options;
    struct mpi_test *next;
} mpi_test;

void mpi_test_add(mpi_test *test);

/* Both end the test: the first ends the job. */
__attribute__((format(printf, 4, 5), noreturn)) void mpi_test_fail(const char *file, int line,
                                                                   const char *what,
                                                                   const char *format, ...);
__attribute__((format(printf, 1, 2), noreturn)) void mpi_test_skip(const char *format, ...);

#define TestSuite(name, ...) _Static_assert(1, #name)

#define Test(...) MPI_TEST(__VA_ARGS__, .unused = 0)
#define MPI_TEST(of, called, ...)                                                                  \
    static void of##_##called(void);                                                               \
    static mpi_test of##_##called##_test = {                                                       \
        .suite = #of, .name = #called, .run = of##_##called, .options = {__VA_ARGS__}};            \
    __attribute__((constructor)) static void of##_##called##_add(void) {                           \
        mpi_test_add(&of##_##called##_test);                                                       \
    }                                                                                              \
    static void of##_##called(void)

#define cr_assert(condition, ...)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            mpi_test_fail(__FILE__, __LINE__, #condition, "" __VA_ARGS__);                         \
        }                                                                                          \
    } while (0)
#define cr_assert_not(condition, ...) cr_assert(!(condition), __VA_ARGS__)
#define cr_assert_eq(a, b, ...)       cr_assert((a) == (b), __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)   cr_assert(strcmp((a), (b)) == 0, __VA_ARGS__)
#define cr_assert_fail(...)           mpi_test_fail(__FILE__, __LINE__, "failed", "" __VA_ARGS__)
#define cr_skip_test(...)             mpi_test_skip(__VA_ARGS__)

#endif
