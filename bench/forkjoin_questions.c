/* The questions that bench_forkjoin asks. Each opens the contender, and has it do the same work in each pass. */
#include "bench/forkjoin_driver.h"
#include "bench/splitmix.h"
#include "platform/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALL_TREE = 100, /* nodes */
    STEPS = 100000    /* of a computation between two looks at the clock */
};

/* ---- fib ------------------------------------------------------------------------------------- */

/* Modulo 2^64, as the contenders'. */
static uint64_t fib_expected(unsigned n) {
    uint64_t one = 0, next = 1;
    while (n-- > 0) {
        const uint64_t after = one + next;
        one = next;
        next = after;
    }
    return one;
}

static void measure_fib(const forkjoin_options *options) {
    const forkjoin_contender *contender = options->contender;
    require(options, contender->fib != NULL);
    const uint64_t expected = fib_expected(options->count);
    double *ns = allocated(options->passes, sizeof *ns);
    open_contender(options);
    for (unsigned pass = 0; pass < options->passes; pass++) {
        const int64_t start = plat_now_ns();
        const uint64_t result = contender->fib(options->count);
        ns[pass] = (double)(plat_now_ns() - start);
        check_result(options, result, expected);
    }
    contender->close();
    /* A call for n forks once, and so do those that it makes for n - 1 and n - 2. */
    print_passes(options, fib_expected(options->count + 1) - 1, "ns", ns);
    free(ns);
}

/* ---- trees ----------------------------------------------------------------------------------- */

/* In the order in which a sum reads them. The values are the numbers from 0. */
static const tree_node *tree_of(size_t count, tree_node *nodes, size_t *used) {
    if (count == 0) {
        return NULL;
    }
    tree_node *root = &nodes[*used];
    root->value = (*used)++;
    root->left = tree_of((count - 1) / 2, nodes, used);
    root->right = tree_of(count - 1 - (count - 1) / 2, nodes, used);
    return root;
}

static void measure_tree_of(const forkjoin_options *options, size_t count, size_t times) {
    const forkjoin_contender *contender = options->contender;
    require(options, contender->tree != NULL);
    size_t used = 0;
    tree_node *nodes = allocated(count, sizeof *nodes);
    const tree_node *root = tree_of(count, nodes, &used);
    double *ns = allocated(options->passes, sizeof *ns);
    open_contender(options);
    for (unsigned pass = 0; pass < options->passes; pass++) {
        const int64_t start = plat_now_ns();
        const uint64_t sum = contender->tree(root, times);
        ns[pass] = (double)(plat_now_ns() - start);
        check_result(options, sum, times * (count * (count - 1) / 2));
    }
    contender->close();
    print_passes(options, times * count, "ns", ns);
    free(ns);
    free(nodes);
}

static void measure_tree(const forkjoin_options *options) {
    measure_tree_of(options, options->count, 1);
}

static void measure_trees(const forkjoin_options *options) {
    measure_tree_of(options, SMALL_TREE, options->count);
}

/* ---- quicksort ------------------------------------------------------------------------------- */

static uint64_t sum_of(const int *numbers, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (uint64_t)numbers[i];
    }
    return sum;
}

static uint64_t descents_of(const int *numbers, size_t count) {
    uint64_t descents = 0;
    for (size_t i = 1; i < count; i++) {
        descents += numbers[i - 1] > numbers[i];
    }
    return descents;
}

static void measure_quicksort(const forkjoin_options *options) {
    const forkjoin_contender *contender = options->contender;
    require(options, contender->quicksort != NULL);
    const size_t count = options->count;
    uint64_t random = options->seed;
    int *given = allocated(count, sizeof *given), *numbers = allocated(count, sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        given[i] = (int)(splitmix(&random) >> 33);
    }
    double *ns = allocated(options->passes, sizeof *ns);
    open_contender(options);
    for (unsigned pass = 0; pass < options->passes; pass++) {
        memcpy(numbers, given, count * sizeof *numbers);
        const int64_t start = plat_now_ns();
        contender->quicksort(numbers, count, options->cut);
        ns[pass] = (double)(plat_now_ns() - start);
        check_result(options, descents_of(numbers, count), 0);
        check_result(options, sum_of(numbers, count), sum_of(given, count));
    }
    contender->close();
    print_passes(options, count, "ns", ns);
    free(ns);
    free(numbers);
    free(given);
}

/* ---- a spine --------------------------------------------------------------------------------- */

static void measure_spine(const forkjoin_options *options) {
    const forkjoin_contender *contender = options->contender;
    require(options, contender->spine != NULL);
    double *ns = allocated(options->passes, sizeof *ns);
    open_contender(options);
    for (unsigned pass = 0; pass < options->passes; pass++) {
        const int64_t start = plat_now_ns();
        const uint64_t leaves = contender->spine(options->count);
        ns[pass] = (double)(plat_now_ns() - start);
        check_result(options, leaves, options->count);
    }
    contender->close();
    print_passes(options, options->count, "ns", ns);
    free(ns);
}

/* ---- one coarse fork, and none --------------------------------------------------------------- */

static int64_t half_ns;        /* what each half is to take */
static _Atomic unsigned calls; /* of the functions below */

static void sleep_half(void) {
    sleep_ns(half_ns);
    calls++;
}

static void compute_half(void) {
    const int64_t end = plat_now_ns() + half_ns;
    while (plat_now_ns() < end) {}
    calls++;
}

static void measure_coarse(const forkjoin_options *options) {
    const forkjoin_contender *contender = options->contender;
    require(options, contender->coarse != NULL);
    half_ns = (int64_t)options->ms * 1000000;
    double *ns = allocated(options->passes, sizeof *ns);
    open_contender(options);
    for (unsigned pass = 0; pass < options->passes; pass++) {
        const int64_t start = plat_now_ns();
        contender->coarse(sleep_half, compute_half);
        ns[pass] = (double)(plat_now_ns() - start);
        check_result(options, calls, 2 * (pass + 1));
    }
    contender->close();
    print_passes(options, 1, "ns", ns);
    free(ns);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t computed_ns; /* processor time of the task itself */

static void compute_alone(void) {
    const int64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t random = 0;
    do {
        for (unsigned i = 0; i < STEPS; i++) {
            splitmix(&random);
            __asm__ volatile("" : "+r"(random));
        }
        computed_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    } while (computed_ns < half_ns);
    calls++;
}

/* Processor time of all others while the task computes, in percent of the task's. */
static void measure_idle(const forkjoin_options *options) {
    const forkjoin_contender *contender = options->contender;
    require(options, contender->alone != NULL);
    half_ns = (int64_t)options->ms * 1000000;
    double *percent = allocated(options->passes, sizeof *percent);
    open_contender(options);
    for (unsigned pass = 0; pass < options->passes; pass++) {
        const int64_t start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        contender->alone(compute_alone);
        const int64_t used = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
        percent[pass] = 100 * (double)(used - computed_ns) / (double)computed_ns;
        check_result(options, calls, pass + 1);
    }
    contender->close();
    print_passes(options, 1, "percent", percent);
    free(percent);
}

/* ---- for ------------------------------------------------------------------------------------- */

static void measure_for(const forkjoin_options *options) {
    const forkjoin_contender *contender = options->contender;
    require(options, contender->for_all != NULL);
    const size_t count = options->count;
    uint64_t *numbers = allocated(count, sizeof *numbers);
    for (size_t i = 0; i < count; i++) {
        numbers[i] = i;
    }
    double *ns = allocated(options->passes, sizeof *ns);
    open_contender(options);
    for (unsigned pass = 0; pass < options->passes; pass++) {
        const int64_t start = plat_now_ns();
        contender->for_all(numbers, count, options->grain);
        ns[pass] = (double)(plat_now_ns() - start);
        for (size_t i = 0; i < count; i++) {
            check_result(options, numbers[i], i + pass + 1);
        }
    }
    contender->close();
    print_passes(options, count, "ns", ns);
    free(ns);
    free(numbers);
}

/* ---- all of them ----------------------------------------------------------------------------- */

const forkjoin_question forkjoin_questions[] = {
    {.name = "fib", .measure = measure_fib, .count = 32},
    {.name = "tree", .measure = measure_tree, .count = 10000000},
    {.name = "trees", .measure = measure_trees, .count = 10000},
    {.name = "quicksort", .measure = measure_quicksort, .count = 10000000},
    {.name = "spine", .measure = measure_spine, .count = 1000000},
    {.name = "coarse", .measure = measure_coarse, .ms = 20},
    {.name = "idle", .measure = measure_idle, .ms = 1000},
    {.name = "for", .measure = measure_for, .count = 10000000},
};
const size_t forkjoin_questions_count = sizeof forkjoin_questions / sizeof forkjoin_questions[0];
