/* Forks of this project on its thread_pool: by push and take, which leave values in registers; by cf_both;
 * and, for comparison, by futures. And on its OpenMP team, whose workers have the system's stack: too little
 * for a spine. */
#include "bench/forkjoin.h"
#include "bench/forkjoin_sort.h"

#include <cfutures_fork.h>
#ifdef HAVE_CF_OPENMP
#include <cfutures_openmp.h>
#endif

static cf_executor *executor;

static void check(cf_status status) {
    if (status != CF_OK) {
        bench_fail(cf_status_message(status));
    }
}

static void run(cf_fork_fn *task, void *job) {
    check(cf_executor_run(executor, task, job, NULL));
}

static void do_nothing(cf_strand *strand, void *job) {
    (void)strand, (void)job;
}

/* A pool starts a worker with each task, until it has them all. */
static void open_by(cf_status (*create)(const cf_pool_options *, cf_executor **),
                    unsigned workers) {
    const cf_pool_options options = {.max_workers = workers, .stack_size = FORKJOIN_STACK};
    check(create(&options, &executor));
    for (unsigned i = 0; i < workers; i++) {
        run(do_nothing, NULL);
    }
}

static void open_pool(unsigned workers) {
    open_by(cf_thread_pool_create, workers);
}

#ifdef HAVE_CF_OPENMP
static void open_team(unsigned workers) {
    open_by(cf_openmp_create, workers);
}
#endif

static void close_pool(void) {
    cf_executor_destroy(executor);
}

/* ---- fib ------------------------------------------------------------------------------------- */

typedef struct fib_job {
    unsigned n;
    uint64_t result;
} fib_job;

static uint64_t fib_of(cf_strand *strand, unsigned n);

static void fib_run(cf_strand *strand, void *data) {
    fib_job *job = data;
    job->result = fib_of(strand, job->n);
}

static uint64_t fib_of(cf_strand *strand, unsigned n) {
    if (n < 2) {
        return n;
    }
    fib_job second = {.n = n - 2};
    cf_fork *fork = cf_fork_push(strand, fib_run, &second);
    const uint64_t first = fib_of(strand, n - 1);
    return first + (cf_fork_take(strand, fork) ? fib_of(strand, n - 2) : second.result);
}

static uint64_t fib(unsigned n) {
    fib_job job = {.n = n};
    run(fib_run, &job);
    return job.result;
}

static void fib_both_run(cf_strand *strand, void *data) {
    fib_job *job = data;
    job->result = job->n;
    if (job->n >= 2) {
        fib_job first = {.n = job->n - 1}, second = {.n = job->n - 2};
        cf_both(strand, fib_both_run, &first, fib_both_run, &second);
        job->result = first.result + second.result;
    }
}

static uint64_t fib_both(unsigned n) {
    fib_job job = {.n = n};
    run(fib_both_run, &job);
    return job.result;
}

/* ---- trees ----------------------------------------------------------------------------------- */

typedef struct tree_job {
    const tree_node *root;
    size_t times;
    uint64_t sum;
} tree_job;

static uint64_t tree_sum(cf_strand *strand, const tree_node *node);

static void tree_run(cf_strand *strand, void *data) {
    tree_job *job = data;
    job->sum = tree_sum(strand, job->root);
}

static uint64_t tree_sum(cf_strand *strand, const tree_node *node) {
    if (node->left == NULL) {
        return node->value + (node->right == NULL ? 0 : tree_sum(strand, node->right));
    }
    tree_job right = {.root = node->right};
    cf_fork *fork = cf_fork_push(strand, tree_run, &right);
    const uint64_t sum = node->value + tree_sum(strand, node->left);
    return sum + (cf_fork_take(strand, fork) ? tree_sum(strand, node->right) : right.sum);
}

static void trees_run(cf_strand *strand, void *data) {
    tree_job *job = data;
    for (size_t i = 0; i < job->times; i++) {
        job->sum += tree_sum(strand, job->root);
    }
}

static uint64_t tree(const tree_node *root, size_t times) {
    tree_job job = {.root = root, .times = times};
    run(trees_run, &job);
    return job.sum;
}

/* ---- quicksort ------------------------------------------------------------------------------- */

typedef struct sort_job {
    int *numbers;
    size_t count;
    size_t cut;
} sort_job;

static void sort_run(cf_strand *strand, void *data) {
    const sort_job *job = data;
    if (job->count <= job->cut) {
        sort_alone(job->numbers, job->count);
        return;
    }
    const size_t split = sort_split(job->numbers, job->count);
    sort_job first = {job->numbers, split, job->cut};
    sort_job second = {job->numbers + split, job->count - split, job->cut};
    cf_both(strand, sort_run, &first, sort_run, &second);
}

static void quicksort(int *numbers, size_t count, size_t cut) {
    sort_job job = {numbers, count, cut};
    run(sort_run, &job);
}

static int sort_task(const void *arg, void *result, cf_task_context *ctx);

static const cf_task SORT = {.name = "sort", .run = sort_task, .arg_size = sizeof(sort_job)};

static void await(cf_future *future) {
    check(cf_future_result(future, CF_FOREVER, NULL));
    cf_future_release(future);
}

static void sort_by_futures(sort_job job) {
    if (job.count <= job.cut) {
        sort_alone(job.numbers, job.count);
        return;
    }
    const size_t split = sort_split(job.numbers, job.count);
    const sort_job second = {job.numbers + split, job.count - split, job.cut};
    cf_future *future;
    check(cf_executor_submit(executor, &SORT, &second, &future));
    sort_by_futures((sort_job){job.numbers, split, job.cut});
    await(future);
}

static int sort_task(const void *arg, void *result, cf_task_context *ctx) {
    (void)result, (void)ctx;
    sort_by_futures(*(const sort_job *)arg);
    return 0;
}

static void quicksort_by_futures(int *numbers, size_t count, size_t cut) {
    const sort_job job = {numbers, count, cut};
    cf_future *future;
    check(cf_executor_submit(executor, &SORT, &job, &future));
    await(future);
}

/* ---- a spine --------------------------------------------------------------------------------- */

typedef struct spine_job {
    size_t depth;
    uint64_t leaves;
} spine_job;

static void leaf_run(cf_strand *strand, void *leaves) {
    (void)strand;
    ++*(uint64_t *)leaves;
}

static void spine_run(cf_strand *strand, void *data) {
    spine_job *job = data;
    if (job->depth > 0) {
        spine_job rest = {.depth = job->depth - 1};
        uint64_t leaves = 0;
        cf_both(strand, spine_run, &rest, leaf_run, &leaves);
        job->leaves = rest.leaves + leaves;
    }
}

static uint64_t spine(size_t depth) {
    spine_job job = {.depth = depth};
    run(spine_run, &job);
    return job.leaves;
}

/* ---- the rest -------------------------------------------------------------------------------- */

typedef struct halves {
    void (*first)(void);
    void (*second)(void);
} halves;

static void first_run(cf_strand *strand, void *both) {
    (void)strand;
    ((const halves *)both)->first();
}

static void second_run(cf_strand *strand, void *both) {
    (void)strand;
    ((const halves *)both)->second();
}

static void both_run(cf_strand *strand, void *both) {
    cf_both(strand, first_run, both, second_run, both);
}

static void coarse(void (*first)(void), void (*second)(void)) {
    halves both = {first, second};
    run(both_run, &both);
}

static void alone(void (*compute)(void)) {
    halves one = {.first = compute};
    run(first_run, &one);
}

typedef struct for_job {
    uint64_t *numbers;
    size_t count;
    size_t grain;
} for_job;

static void increment(cf_strand *strand, size_t first, size_t last, void *context) {
    (void)strand;
    uint64_t *numbers = context;
    for (size_t i = first; i < last; i++) {
        numbers[i]++;
    }
}

static void for_run(cf_strand *strand, void *data) {
    const for_job *job = data;
    cf_fork_for(strand, 0, job->count, job->grain, increment, job->numbers);
}

static void for_all(uint64_t *numbers, size_t count, size_t grain) {
    for_job job = {numbers, count, grain};
    run(for_run, &job);
}

const forkjoin_contender forkjoin_thread_pool = {.name = "thread_pool",
                                                 .open = open_pool,
                                                 .close = close_pool,
                                                 .fib = fib,
                                                 .tree = tree,
                                                 .quicksort = quicksort,
                                                 .spine = spine,
                                                 .coarse = coarse,
                                                 .alone = alone,
                                                 .for_all = for_all};
const forkjoin_contender forkjoin_thread_pool_both = {
    .name = "thread_pool_both", .open = open_pool, .close = close_pool, .fib = fib_both};
const forkjoin_contender forkjoin_futures = {
    .name = "futures", .open = open_pool, .close = close_pool, .quicksort = quicksort_by_futures};
#ifdef HAVE_CF_OPENMP
const forkjoin_contender forkjoin_openmp = {.name = "openmp",
                                            .open = open_team,
                                            .close = close_pool,
                                            .fib = fib,
                                            .tree = tree,
                                            .quicksort = quicksort,
                                            .coarse = coarse,
                                            .alone = alone,
                                            .for_all = for_all};
#endif
