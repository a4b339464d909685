/* The contract suite in an MPI job: runs the tests that the command line names, one after the other, in
 * rank 0. It writes a line before each test, and one after it. A test that fails ends the job; run.py
 * starts another one for the tests after it.
 *
 *     contract_mpi --list | SUITE/NAME... */
#include "contract/mpi/ranks.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdarg.h>
#include <unistd.h>

static mpi_test *tests; /* the last one first */
static jmp_buf skipped;
static pthread_t main_thread;
static pid_t main_process;

void mpi_test_add(mpi_test *test) {
    test->next = tests;
    tests = test;
}

void mpi_test_fail(const char *file, int line, const char *what, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    flockfile(stderr);
    fprintf(stderr, "%s:%d: not true: %s: ", file, line, what);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    fflush(NULL);
    _exit(EXIT_FAILURE);
}

void mpi_test_skip(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (getpid() != main_process || !pthread_equal(pthread_self(), main_thread)) {
        mpi_test_fail(__FILE__, __LINE__, "skipped by the test's main thread", "%s", format);
    }
    printf("SKIP ");
    vprintf(format, arguments);
    printf("\n");
    fflush(stdout);
    va_end(arguments);
    longjmp(skipped, 1);
}

static void run(const mpi_test *test) {
    ranks_reset();
    printf("RUN %s/%s\n", test->suite, test->name);
    fflush(stdout);
    if (test->options.signal != 0) {
        printf("SKIP mpi: the test's process must die\n");
    } else if (setjmp(skipped) == 0) {
        test->run();
        printf("PASS\n");
    }
    fflush(stdout);
}

static const mpi_test *find(const char *wanted) {
    char name[256];
    const mpi_test *test = tests;
    while (test != NULL) {
        snprintf(name, sizeof name, "%s/%s", test->suite, test->name);
        if (strcmp(name, wanted) == 0) {
            return test;
        }
        test = test->next;
    }
    fprintf(stderr, "there is no test %s\n", wanted);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const mpi_test *test = tests; test != NULL; test = test->next) {
            printf("%s/%s\n", test->suite, test->name);
        }
        return EXIT_SUCCESS;
    }
    main_thread = pthread_self();
    main_process = getpid();
    ranks_begin();
    for (int i = 1; i < argc; i++) {
        run(find(argv[i]));
    }
    ranks_end();
    return EXIT_SUCCESS;
}
