/* C without forks, by one thread: as the compiler makes it, and with every call really made, which is what a
 * fork's cost comes on top of. */
#include "bench/forkjoin.h"
#include "bench/forkjoin_sort.h"

static const char *version(void) {
    return "one thread";
}

static void open_nothing(unsigned workers) {
    (void)workers;
}

static void close_nothing(void) {
}

static uint64_t fib(unsigned n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t tree_sum(const tree_node *node) {
    return node == NULL ? 0 : node->value + tree_sum(node->left) + tree_sum(node->right);
}

/* The empty statement: the compiler may not take the trees for the same. */
static uint64_t tree(const tree_node *root, size_t times) {
    uint64_t sum = 0;
    for (size_t i = 0; i < times; i++) {
        __asm__ volatile("" : "+r"(root) : : "memory");
        sum += tree_sum(root);
    }
    return sum;
}

__attribute__((noinline)) static uint64_t fib_called(unsigned n) {
    return n < 2 ? n : fib_called(n - 1) + fib_called(n - 2);
}

__attribute__((noinline)) static uint64_t tree_sum_called(const tree_node *node) {
    return node == NULL ? 0
                        : node->value + tree_sum_called(node->left) + tree_sum_called(node->right);
}

static uint64_t tree_called(const tree_node *root, size_t times) {
    uint64_t sum = 0;
    for (size_t i = 0; i < times; i++) {
        __asm__ volatile("" : "+r"(root) : : "memory");
        sum += tree_sum_called(root);
    }
    return sum;
}

static void quicksort(int *numbers, size_t count, size_t cut) {
    (void)cut;
    sort_alone(numbers, count);
}

static void coarse(void (*first)(void), void (*second)(void)) {
    first();
    second();
}

static void alone(void (*compute)(void)) {
    compute();
}

static void for_all(uint64_t *numbers, size_t count, size_t grain) {
    (void)grain;
    for (size_t i = 0; i < count; i++) {
        numbers[i]++;
    }
}

const forkjoin_contender forkjoin_c = {.name = "c",
                                       .version = version,
                                       .open = open_nothing,
                                       .close = close_nothing,
                                       .fib = fib,
                                       .tree = tree,
                                       .quicksort = quicksort,
                                       .coarse = coarse,
                                       .alone = alone,
                                       .for_all = for_all};
const forkjoin_contender forkjoin_c_calls = {.name = "c_calls",
                                             .version = version,
                                             .open = open_nothing,
                                             .close = close_nothing,
                                             .fib = fib_called,
                                             .tree = tree_called};
