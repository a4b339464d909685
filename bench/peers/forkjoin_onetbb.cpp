// oneTBB: task_group for fib, trees and the spine; parallel_invoke for quicksort and one fork;
// parallel_for with its auto_partitioner.
//
// The caller is one of the arena's threads, of which there are so many as there are to be workers.
#include "bench/forkjoin.h"
#include "bench/forkjoin_sort.h"

#include <atomic>
#include <memory>

#include <oneapi/tbb.h>

namespace {

struct means {
    tbb::global_control most, stack;
    tbb::task_arena arena;

    explicit means(unsigned workers)
        : most(tbb::global_control::max_allowed_parallelism, workers),
          stack(tbb::global_control::thread_stack_size, FORKJOIN_STACK),
          arena(static_cast<int>(workers), 1) {
    }
};

std::unique_ptr<means> all;

// Of the library that runs, not of the header.
const char *version() {
    return TBB_runtime_version();
}

// So many tasks at once that each of the arena's threads must have one.
void open_arena(unsigned workers) {
    all = std::make_unique<means>(workers);
    std::atomic<unsigned> there{0};
    const auto arrive = [&] {
        there++;
        while (there < workers) {}
    };
    all->arena.execute([&] {
        tbb::task_group group;
        for (unsigned i = 1; i < workers; i++) {
            group.run(arrive);
        }
        arrive();
        group.wait();
    });
}

void close_arena() {
    all.reset();
}

uint64_t fib_of(unsigned n) {
    if (n < 2) {
        return n;
    }
    uint64_t second = 0;
    tbb::task_group group;
    group.run([&second, n] { second = fib_of(n - 2); });
    const uint64_t first = fib_of(n - 1);
    group.wait();
    return first + second;
}

uint64_t fib(unsigned n) {
    uint64_t result = 0;
    all->arena.execute([&] { result = fib_of(n); });
    return result;
}

uint64_t tree_sum(const tree_node *node) {
    if (node->left == nullptr) {
        return node->value + (node->right == nullptr ? 0 : tree_sum(node->right));
    }
    uint64_t right = 0;
    tbb::task_group group;
    group.run([&right, node] { right = tree_sum(node->right); });
    const uint64_t left = tree_sum(node->left);
    group.wait();
    return node->value + left + right;
}

uint64_t tree(const tree_node *root, size_t times) {
    uint64_t sum = 0;
    all->arena.execute([&] {
        for (size_t i = 0; i < times; i++) {
            sum += tree_sum(root);
        }
    });
    return sum;
}

void sort(int *numbers, size_t count, size_t cut) {
    if (count <= cut) {
        sort_alone(numbers, count);
        return;
    }
    const size_t split = sort_split(numbers, count);
    tbb::parallel_invoke([=] { sort(numbers, split, cut); },
                         [=] { sort(numbers + split, count - split, cut); });
}

void quicksort(int *numbers, size_t count, size_t cut) {
    all->arena.execute([=] { sort(numbers, count, cut); });
}

uint64_t spine_of(size_t depth) {
    if (depth == 0) {
        return 0;
    }
    uint64_t leaves = 0;
    tbb::task_group group;
    group.run([&leaves] { leaves++; });
    const uint64_t rest = spine_of(depth - 1);
    group.wait();
    return rest + leaves;
}

uint64_t spine(size_t depth) {
    uint64_t leaves = 0;
    all->arena.execute([&] { leaves = spine_of(depth); });
    return leaves;
}

void coarse(void (*first)(void), void (*second)(void)) {
    all->arena.execute([=] { tbb::parallel_invoke(first, second); });
}

void alone(void (*compute)(void)) {
    all->arena.execute([=] {
        tbb::task_group group;
        group.run_and_wait(compute);
    });
}

void for_all(uint64_t *numbers, size_t count, size_t grain) {
    all->arena.execute([=] {
        tbb::parallel_for(tbb::blocked_range<size_t>(0, count, grain),
                          [numbers](const tbb::blocked_range<size_t> &range) {
                              for (size_t i = range.begin(); i != range.end(); i++) {
                                  numbers[i]++;
                              }
                          });
    });
}

forkjoin_contender described() {
    forkjoin_contender one{};
    one.name = "onetbb";
    one.version = version;
    one.open = open_arena;
    one.close = close_arena;
    one.fib = fib;
    one.tree = tree;
    one.quicksort = quicksort;
    one.spine = spine;
    one.coarse = coarse;
    one.alone = alone;
    one.for_all = for_all;
    return one;
}

} // namespace

const forkjoin_contender forkjoin_onetbb = described();
