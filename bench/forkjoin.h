/* Whom bench_forkjoin measures, and how it calls them.
 *
 * A contender is called for a whole pass, and forks as its users would. It gives what it has. */
#ifndef BENCH_FORKJOIN_H
#define BENCH_FORKJOIN_H

#include "bench/driver.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of stack that the calling thread and each of our workers have: both recurse deeply. */
#define FORKJOIN_STACK ((size_t)512 << 20)

/* Half of the nodes below a node are on its left. If there is one, that is on its right. */
typedef struct tree_node {
    const struct tree_node *left;
    const struct tree_node *right;
    uint64_t value;
} tree_node;

/* NULL for what a contender has not. */
typedef struct forkjoin_contender {
    const char *name;
    const char *(*version)(void); /* NULL: ours */

    /* All workers are up when `open` returns. */
    void (*open)(unsigned workers);
    void (*close)(void);

    uint64_t (*fib)(unsigned n); /* forks wherever n is 2 or more */

    /* The sum of the tree, `times` times inside one task, in all. Forks wherever there are two children. */
    uint64_t (*tree)(const tree_node *root, size_t times);

    /* Forks wherever there are more numbers than `cut`, which is at least 1. */
    void (*quicksort)(int *numbers, size_t count, size_t cut);

    /* Forks `depth` times, each time inside of the first half. Returns how many second halves ran. */
    uint64_t (*spine)(size_t depth);

    void (*coarse)(void (*first)(void), void (*second)(void)); /* one fork */
    void (*alone)(void (*compute)(void));                      /* a task that never forks */

    /* Adds 1 to each number, in parts of `grain`, which is at least 1. */
    void (*for_all)(uint64_t *numbers, size_t count, size_t grain);
} forkjoin_contender;

/* ---- ours, and the peers, each in a file of its own ------------------------------------------- */

extern const forkjoin_contender forkjoin_thread_pool, forkjoin_thread_pool_both, forkjoin_futures;
extern const forkjoin_contender forkjoin_openmp;
extern const forkjoin_contender forkjoin_c, forkjoin_c_calls, forkjoin_libgomp, forkjoin_onetbb;

#ifdef __cplusplus
}
#endif
#endif
