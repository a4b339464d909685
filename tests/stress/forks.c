/* Random trees of work, on pools of threads that fork, submit and wait within each other, from several
 * threads at once: each tree must have as many nodes as it has when one thread counts them.
 *
 *      forks [MILLISECONDS]      how long (2000)
 *
 * Exit code 1: a wrong count. */
#define CF_FORK_CHECKS
#include "../support.h"

#include <cfutures_fork.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CALLERS = 2,
    DEPTH = 9
};

typedef struct tree {
    cf_executor *pool; /* NULL: counted by plain calls */
    uint64_t seed;
    unsigned depth;
    uint64_t nodes;
} tree;

typedef enum way {
    LEAF,
    FORKED,
    PUSHED, /* two jobs at once */
    SUBMITTED,
    LOOPED,
    WAYS
} way;

static void grow(cf_strand *strand, void *job);

static int run_tree(const void *arg, void *result, cf_task_context *ctx) {
    tree t = *(const tree *)arg;
    grow(cf_task_strand(ctx), &t);
    *(uint64_t *)result = t.nodes;
    return 0;
}

static const cf_task tree_task = {
    .name = "tree", .run = run_tree, .arg_size = sizeof(tree), .result_size = sizeof(uint64_t)};

static void must(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "forks: %s\n", what);
        exit(1);
    }
}

static void push_two(cf_strand *strand, tree *parts) {
    cf_fork *first = cf_fork_push(strand, grow, &parts[0]);
    cf_fork *second = cf_fork_push(strand, grow, &parts[1]);
    grow(strand, &parts[2]);
    if (cf_fork_take(strand, second)) {
        grow(strand, &parts[1]);
    }
    if (cf_fork_take(strand, first)) {
        grow(strand, &parts[0]);
    }
}

static void submit_two(cf_strand *strand, tree *parts) {
    cf_future *futures[2];
    for (int i = 0; i < 2; i++) {
        must(cf_executor_submit(parts[i].pool, &tree_task, &parts[i], &futures[i]) == CF_OK,
             "a submit was refused");
    }
    grow(strand, &parts[2]);
    for (int i = 0; i < 2; i++) {
        must(cf_future_result(futures[i], CF_FOREVER, &parts[i].nodes) == CF_OK,
             "a wait was refused");
        cf_future_release(futures[i]);
    }
}

static void grow_each(cf_strand *strand, size_t first, size_t last, void *context) {
    tree *parts = context;
    for (size_t i = first; i < last; i++) {
        grow(strand, &parts[i]);
    }
}

static void grow(cf_strand *strand, void *job) {
    tree *t = job;
    tree parts[3];
    uint64_t seed = t->seed;
    const way how = t->depth == 0 ? LEAF : (way)(random_next(&seed) % WAYS);
    t->nodes = 1;
    if (how == LEAF) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        parts[i] = (tree){t->pool, random_next(&seed), t->depth - 1, 0};
    }
    if (t->pool == NULL) {
        grow_each(strand, 0, 3, parts);
    } else if (how == FORKED) {
        cf_both(strand, grow, &parts[0], grow, &parts[1]);
        grow(strand, &parts[2]);
    } else if (how == PUSHED) {
        push_two(strand, parts);
    } else if (how == SUBMITTED) {
        submit_two(strand, parts);
    } else {
        cf_fork_for(strand, 0, 3, 1, grow_each, parts);
    }
    t->nodes += parts[0].nodes + parts[1].nodes + parts[2].nodes;
}

typedef struct caller {
    pthread_t thread;
    cf_executor *pool;
    uint64_t seed;
    int64_t until_ns;
    uint64_t trees, nodes;
} caller;

static void *call(void *context) {
    caller *c = context;
    while (now_ns() < c->until_ns) {
        tree alone = {.seed = random_next(&c->seed), .depth = DEPTH};
        tree shared = {.pool = c->pool, .seed = alone.seed, .depth = DEPTH};
        grow(NULL, &alone);
        must(cf_executor_run(c->pool, grow, &shared, NULL) == CF_OK, "a run was refused");
        must(shared.nodes == alone.nodes, "a tree has lost nodes, or has too many");
        c->trees++;
        c->nodes += shared.nodes;
    }
    return NULL;
}

int main(int argc, char **argv) {
    static const unsigned workers[] = {1, 2, 3, 8};
    const int64_t all_ns = (argc > 1 ? atoi(argv[1]) : 2000) * MILLISECOND;
    uint64_t seed = test_seed("forks"), trees = 0, nodes = 0;
    for (size_t i = 0; i < COUNT_OF(workers); i++) {
        caller callers[CALLERS];
        cf_executor *pool;
        must(cf_thread_pool_create(&(cf_pool_options){.max_workers = workers[i]}, &pool) == CF_OK,
             "no pool");
        for (int k = 0; k < CALLERS; k++) {
            callers[k] = (caller){.pool = pool,
                                  .seed = random_next(&seed),
                                  .until_ns = now_ns() + all_ns / (int64_t)COUNT_OF(workers)};
            must(pthread_create(&callers[k].thread, NULL, call, &callers[k]) == 0, "no thread");
        }
        for (int k = 0; k < CALLERS; k++) {
            pthread_join(callers[k].thread, NULL);
            trees += callers[k].trees;
            nodes += callers[k].nodes;
        }
        cf_executor_destroy(pool);
    }
    printf("trees=%llu nodes=%llu\n", (unsigned long long)trees, (unsigned long long)nodes);
    return 0;
}
