/* The demonstrations' quicksort, without and with recursion, against qsort. */
#include "../check.h"

#include "programs/demo/quicksort.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static cf_executor *serial, *threads;

static void make_executors(void) {
    EXPECT(CF_OK, cf_serial_create(NULL, &serial));
    EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 3}, &threads));
}

static void destroy_executors(void) {
    cf_executor_destroy(serial);
    cf_executor_destroy(threads);
}

TestSuite(quicksort, .init = make_executors, .fini = destroy_executors, .timeout = TEST_SECONDS);

enum {
    LENGTH_MAX = 2000
};

static int compare(const void *a, const void *b) {
    const int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

typedef struct list {
    int *values;
    size_t count;
} list;

static void sort_recursively(cf_strand *strand, void *job) {
    const list *l = job;
    quicksort_recursive(strand, l->values, l->count);
}

static bool sort_on(cf_executor *executor, int *values, size_t count) {
    return executor == NULL
               ? quicksort(values, count)
               : cf_executor_run(executor, sort_recursively, &(list){values, count}, NULL) == CF_OK;
}

/* A copy of the values is sorted, and what lies on either side of it stays as it is. Executor: NULL
 * = without recursion. */
static void check_sorts_on(cf_executor *executor, const int *values, size_t count) {
    int expected[LENGTH_MAX], sorted[LENGTH_MAX + 2];
    memcpy(expected, values, count * sizeof *values);
    qsort(expected, count, sizeof *expected, compare);

    sorted[0] = INT_MAX;
    memcpy(&sorted[1], values, count * sizeof *values);
    sorted[count + 1] = INT_MIN;
    cr_assert(sort_on(executor, &sorted[1], count));
    for (size_t i = 0; i < count; i++) {
        cr_assert(sorted[i + 1] == expected[i], "%zu values: %d at %zu instead of %d", count,
                  sorted[i + 1], i, expected[i]);
    }
    EXPECT_EQ(sorted[0], INT_MAX);
    EXPECT_EQ(sorted[count + 1], INT_MIN);
}

static void check_sorts(const int *values, size_t count) {
    check_sorts_on(NULL, values, count);
    check_sorts_on(serial, values, count);
}

static int random_below(uint64_t *seed, uint64_t bound) {
    return (int)(random_next(seed) % bound);
}

/* The demonstrations' own lists: ascending numbers, each moved by up to 50. */
Test(quicksort, lists_like_those_of_the_demonstrations) {
    uint64_t seed = test_seed("quicksort/lists_like_those_of_the_demonstrations");
    const size_t rounds = scaled(100000);
    for (size_t round = 0; round < rounds; round++) {
        int values[10];
        for (int i = 0; i < 10; i++) {
            values[i] = i + random_below(&seed, 101) - 50;
        }
        check_sorts(values, COUNT_OF(values));
    }
}

/* Heap's algorithm: values[0] to values[movable - 1] in every order. Returns how many there were. */
static unsigned check_orders(int *values, size_t count, size_t movable) {
    if (movable <= 1) {
        check_sorts(values, count);
        return 1;
    }
    unsigned orders = 0;
    for (size_t i = 0; i < movable; i++) {
        orders += check_orders(values, count, movable - 1);
        const size_t other = movable % 2 == 0 ? i : 0;
        const int kept = values[other];
        values[other] = values[movable - 1];
        values[movable - 1] = kept;
    }
    return orders;
}

Test(quicksort, every_order_of_few) {
    static const unsigned factorial[] = {1, 1, 2, 6, 24, 120, 720, 5040};
    for (size_t count = 1; count <= 7; count++) {
        int values[] = {1, 2, 3, 4, 5, 6, 7};
        EXPECT_EQ(check_orders(values, count, count), factorial[count]);
    }
}

/* From all alike to all different, in each length. */
Test(quicksort, each_length_and_many_equal_values) {
    uint64_t seed = test_seed("quicksort/each_length_and_many_equal_values");
    static const uint64_t kinds[] = {1, 2, 3, 10, UINT64_C(1) << 31};
    for (size_t count = 0; count <= 200; count++) {
        for (size_t k = 0; k < COUNT_OF(kinds); k++) {
            int values[200] = {0};
            for (size_t i = 0; i < count; i++) {
                values[i] = random_below(&seed, kinds[k]);
            }
            check_sorts(values, count);
        }
    }
}

Test(quicksort, in_order_already_and_the_other_way_round) {
    static int up[LENGTH_MAX], down[LENGTH_MAX], roof[LENGTH_MAX];
    for (int i = 0; i < LENGTH_MAX; i++) {
        up[i] = i;
        down[i] = LENGTH_MAX - i;
        roof[i] = i < LENGTH_MAX / 2 ? i : LENGTH_MAX - i;
    }
    for (size_t count = 0; count <= LENGTH_MAX; count += 1 + count / 4) {
        check_sorts(up, count);
        check_sorts(down + LENGTH_MAX - count, count);
        check_sorts(roof, count);
    }
}

Test(quicksort, the_ends_of_int) {
    int values[] = {0, INT_MAX, INT_MIN, -1, INT_MIN, 1, INT_MAX, INT_MAX - 1, INT_MIN + 1, 0};
    check_sorts(values, COUNT_OF(values));
}

Test(quicksort, parts_on_several_threads) {
    uint64_t seed = test_seed("quicksort/parts_on_several_threads");
    const size_t rounds = scaled(2000);
    for (size_t round = 0; round < rounds; round++) {
        int values[LENGTH_MAX];
        for (size_t i = 0; i < LENGTH_MAX; i++) {
            values[i] = random_below(&seed, UINT64_C(1) << 31);
        }
        check_sorts_on(threads, values, LENGTH_MAX);
    }
}
