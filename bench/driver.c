#include "bench/driver.h"
#include "programs/base/output.h"

#include <error.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

void bench_fail(const char *what) {
    error(EXIT_WRONG, 0, "%s", what);
    abort(); /* error has exited */
}

void *allocated(size_t count, size_t size) {
    void *memory = calloc(count, size > 0 ? size : 1);
    if (memory == NULL) {
        bench_fail("no memory");
    }
    return memory;
}

void sleep_ns(int64_t ns) {
    const struct timespec duration = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    nanosleep(&duration, NULL);
}

void check_result_of(const char *contender, uint64_t result, uint64_t expected) {
    if (result != expected) {
        error(EXIT_WRONG, 0, "%s: the result is %" PRIu64 " and should be %" PRIu64, contender,
              result, expected);
    }
}

void print_figures(const char *name, const double *figures, size_t count) {
    output_print(",\"%s\":[", name);
    for (size_t i = 0; i < count; i++) {
        output_print("%s%.4f", i == 0 ? "" : ",", figures[i]);
    }
    output_print("]");
}

void print_end(void) {
    output_print("}\n");
}
