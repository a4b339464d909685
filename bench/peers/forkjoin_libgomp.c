/* GCC's OpenMP: task and taskwait by a team of so many threads as there are to be workers, with the one that
 * begins. Beyond 64 tasks a thread that makes another runs it at once.
 *
 * It has no spine: any thread may get the deep half, and what stack it has the user must have said in
 * OMP_STACKSIZE before the program started. */
#include "bench/forkjoin.h"
#include "bench/forkjoin_sort.h"
#include "bench/peers/libgomp_team.h"

#include <omp.h>

static uint64_t fib_of(unsigned n) {
    if (n < 2) {
        return n;
    }
    uint64_t second;
#pragma omp task shared(second) firstprivate(n)
    second = fib_of(n - 2);
    const uint64_t first = fib_of(n - 1);
#pragma omp taskwait
    return first + second;
}

static uint64_t fib(unsigned n) {
    uint64_t result = 0;
#pragma omp parallel num_threads(team)
#pragma omp single
    result = fib_of(n);
    return result;
}

static uint64_t tree_sum(const tree_node *node) {
    if (node->left == NULL) {
        return node->value + (node->right == NULL ? 0 : tree_sum(node->right));
    }
    uint64_t right;
#pragma omp task shared(right) firstprivate(node)
    right = tree_sum(node->right);
    const uint64_t left = tree_sum(node->left);
#pragma omp taskwait
    return node->value + left + right;
}

static uint64_t tree(const tree_node *root, size_t times) {
    uint64_t sum = 0;
#pragma omp parallel num_threads(team)
#pragma omp single
    for (size_t i = 0; i < times; i++) {
        sum += tree_sum(root);
    }
    return sum;
}

static void sort(int *numbers, size_t count, size_t cut) {
    if (count <= cut) {
        sort_alone(numbers, count);
        return;
    }
    const size_t split = sort_split(numbers, count);
#pragma omp task firstprivate(numbers, count, cut, split)
    sort(numbers + split, count - split, cut);
    sort(numbers, split, cut);
#pragma omp taskwait
}

static void quicksort(int *numbers, size_t count, size_t cut) {
#pragma omp parallel num_threads(team)
#pragma omp single
    sort(numbers, count, cut);
}

static void coarse(void (*first)(void), void (*second)(void)) {
#pragma omp parallel num_threads(team)
#pragma omp single
    {
#pragma omp task firstprivate(second)
        second();
        first();
#pragma omp taskwait
    }
}

static void alone(void (*compute)(void)) {
#pragma omp parallel num_threads(team)
#pragma omp single
    compute();
}

static void for_all(uint64_t *numbers, size_t count, size_t grain) {
    const int chunk = (int)grain;
#pragma omp parallel for schedule(dynamic, chunk) num_threads(team)
    for (size_t i = 0; i < count; i++) {
        numbers[i]++;
    }
}

const forkjoin_contender forkjoin_libgomp = {.name = "libgomp",
                                             .version = version,
                                             .open = open_team,
                                             .close = close_team,
                                             .fib = fib,
                                             .tree = tree,
                                             .quicksort = quicksort,
                                             .coarse = coarse,
                                             .alone = alone,
                                             .for_all = for_all};
