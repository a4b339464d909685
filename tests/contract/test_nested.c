/* Tasks may submit tasks and wait for them: on as few workers as one, as wide as they like, and as deep as
 * CF_NESTING_MAX. One level deeper is refused, and waiting adds no worker. */
#include "nested.h"

#include <errno.h>

TestSuite(nested, .timeout = TEST_SECONDS);

/* ---- deep ------------------------------------------------------------------------------------ */

typedef struct descent {
    cf_executor *ex;
    manner how;
    uint32_t left;
} descent;

typedef struct bottom {
    uint32_t depth; /* tasks from here to the last that ran */
    cf_status refused;
} bottom;

static int run_descend(const void *arg, void *result, cf_task_context *ctx);

static const cf_task descend_task = {.name = "descend",
                                     .run = run_descend,
                                     .arg_size = sizeof(descent),
                                     .result_size = sizeof(bottom)};

static int run_descend(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    descent d = *(const descent *)arg;
    bottom below = {0, CF_OK};
    cf_future *f;
    if (d.left-- > 1) {
        cf_status status = cf_executor_submit(d.ex, &descend_task, &d, &f);
        below.refused = status;
        if (status == CF_OK) {
            below.refused = wait_for(f, d.how, CF_FOREVER);
            cf_future_result(f, 0, &below);
            cf_future_release(f);
        }
    }
    *(bottom *)result = (bottom){below.depth + 1, below.refused};
    return 0;
}

static bottom descend(cf_executor *ex, uint32_t depth, manner how) {
    bottom b;
    descent d = {.ex = ex, .how = how, .left = depth};
    cf_future *f = submit(ex, &descend_task, &d);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &b));
    cf_future_release(f);
    return b;
}

Test(nested, as_deep_as_the_task_likes) {
    NEEDS_OWN_EXECUTOR();
    for (size_t i = 0; i < COUNT_OF(worker_counts); i++) {
        cf_executor *ex = create(worker_counts[i]);
        for (uint32_t depth = 1; depth <= 64; depth++) {
            bottom b = descend(ex, depth, (manner)(depth % MANNERS));
            EXPECT(CF_OK, b.refused);
            EXPECT_EQ(b.depth, depth);
        }
        cf_executor_destroy(ex);
    }
}

Test(nested, no_deeper_than_there_is_room) {
    NEEDS_OWN_EXECUTOR();
    cf_executor *ex = create(1);
    for (manner how = BY_RESULT; how < MANNERS; how++) {
        bottom b = descend(ex, CF_NESTING_MAX, how);
        EXPECT(CF_OK, b.refused);
        EXPECT_EQ(b.depth, CF_NESTING_MAX);
        b = descend(ex, CF_NESTING_MAX + 50, how);
        EXPECT(CF_EDEADLOCK, b.refused);
        EXPECT_EQ(b.depth, CF_NESTING_MAX);
    }
    EXPECT_EQ(take(submit(ex, &square_task, &(uint64_t){7})), 49);
    EXPECT(CF_OK, cf_executor_shutdown(ex, true, false));
    cf_stats s;
    EXPECT(CF_OK, cf_executor_stats(ex, &s));
    EXPECT_EQ(s.submitted, s.finished); /* those that nobody waited for in the end, too */
    EXPECT_EQ(s.failed, 0);
    cf_executor_destroy(ex);
}

/* ---- wide ------------------------------------------------------------------------------------ */

enum {
    TWIGS = 3
};

typedef enum gathering {
    ONE_BY_ONE,
    AS_COMPLETED,
    ALL_AT_ONCE,
    FIRST_BY_FIRST,
    MAPPED,
    GATHERINGS
} gathering;

/* How many tasks run, not counting those that wait. */
typedef struct crowd {
    _Atomic int active;
    _Atomic int most;
} crowd;

typedef struct branch {
    cf_executor *ex;
    crowd *crowd;
    gathering how;
    uint32_t left;
} branch;

static void enter(crowd *c) {
    int active = atomic_fetch_add(&c->active, 1) + 1, most = atomic_load(&c->most);
    while (active > most && !atomic_compare_exchange_weak(&c->most, &most, active)) {}
}

static void leave(crowd *c) {
    atomic_fetch_sub(&c->active, 1);
}

static cf_status sum_one_by_one(cf_future **twigs, uint64_t *sum) {
    for (size_t i = TWIGS; i-- > 0;) {
        uint64_t value = 0;
        cf_status status = cf_future_result(twigs[i], CF_FOREVER, &value);
        if (status != CF_OK) {
            return status;
        }
        *sum += value;
    }
    return CF_OK;
}

static cf_status sum_as_completed(cf_future **twigs, uint64_t *sum) {
    cf_as_completed *ac;
    cf_future *done;
    cf_status status = cf_as_completed_create(twigs, TWIGS, &ac);
    if (status != CF_OK) {
        return status;
    }
    while ((status = cf_as_completed_next(ac, CF_FOREVER, &done, NULL)) == CF_OK) {
        uint64_t value = 0;
        status = cf_future_result(done, 0, &value);
        *sum += value;
    }
    cf_as_completed_destroy(ac);
    return status == CF_EEXHAUSTED ? CF_OK : status;
}

static cf_status gather(gathering how, cf_future **twigs, uint64_t *sum) {
    cf_status status = CF_OK;
    if (how == AS_COMPLETED) {
        return sum_as_completed(twigs, sum);
    }
    if (how == ALL_AT_ONCE) {
        status = cf_wait(twigs, TWIGS, CF_ALL_COMPLETED, CF_FOREVER, NULL);
    } else if (how == FIRST_BY_FIRST) {
        for (size_t i = 0; i < TWIGS && status == CF_OK; i++) {
            status = cf_wait(twigs + i, TWIGS - i, CF_FIRST_COMPLETED, CF_FOREVER, NULL);
        }
    }
    return status == CF_OK ? sum_one_by_one(twigs, sum) : status;
}

static const cf_task branch_task;

static cf_status grow(const branch *b, uint64_t *sum) {
    branch twigs[TWIGS];
    cf_future *futures[TWIGS];
    uint64_t values[TWIGS];
    cf_status status = CF_OK;
    for (size_t i = 0; i < TWIGS; i++) {
        twigs[i] = *b;
        twigs[i].left--;
    }
    if (b->how == MAPPED) {
        status = cf_executor_map(b->ex, &branch_task, twigs, TWIGS, values, NULL);
        for (size_t i = 0; i < TWIGS; i++) {
            *sum += values[i];
        }
        return status;
    }
    size_t made = 0;
    while (made < TWIGS && status == CF_OK) {
        status = cf_executor_submit(b->ex, &branch_task, &twigs[made], &futures[made]);
        made += status == CF_OK;
    }
    if (status == CF_OK) {
        leave(b->crowd);
        status = gather(b->how, futures, sum);
        enter(b->crowd);
    }
    while (made > 0) {
        cf_future_release(futures[--made]);
    }
    return status;
}

/* The number of tasks in its part of the tree. */
static int run_branch(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const branch *b = arg;
    uint64_t sum = 1;
    cf_status status = CF_OK;
    enter(b->crowd);
    if (b->left > 0) {
        status = grow(b, &sum);
    }
    leave(b->crowd);
    *(uint64_t *)result = sum;
    return (int)status;
}

static const cf_task branch_task = {.name = "branch",
                                    .run = run_branch,
                                    .arg_size = sizeof(branch),
                                    .result_size = sizeof(uint64_t)};

Test(nested, fans_out_on_few_workers) {
    NEEDS_OWN_EXECUTOR();
    const uint64_t whole = 1 + 3 + 9 + 27 + 81 + 243;
    for (size_t i = 0; i < COUNT_OF(worker_counts); i++) {
        const unsigned workers = workers_of(worker_counts[i]);
        for (gathering how = ONE_BY_ONE; how < GATHERINGS; how++) {
            crowd c = {0};
            size_t threads = thread_count();
            cf_executor *ex = create(workers);
            branch b = {.ex = ex, .crowd = &c, .how = how, .left = 5};
            EXPECT_EQ(take(submit(ex, &branch_task, &b)), whole);
            cr_assert(thread_count() <= threads + workers, "%zu threads", thread_count());
            if (how != MAPPED && row()->runs_beside_caller) { /* helping adds no worker */
                cr_assert(atomic_load(&c.most) <= (int)workers, "%d tasks at once on %u workers",
                          atomic_load(&c.most), workers);
            }
            cf_executor_destroy(ex);
        }
    }
}

Test(nested, several_trees_side_by_side) {
    NEEDS_OWN_EXECUTOR();
    enum {
        TREES = 8
    };
    crowd c = {0};
    cf_executor *ex = create(2);
    cf_future *trees[TREES];
    for (size_t i = 0; i < TREES; i++) {
        branch b = {.ex = ex, .crowd = &c, .how = (gathering)(i % GATHERINGS), .left = 4};
        trees[i] = submit(ex, &branch_task, &b);
    }
    for (size_t i = 0; i < TREES; i++) {
        EXPECT_EQ(take(trees[i]), 1 + 3 + 9 + 27 + 81);
    }
    cf_executor_destroy(ex);
}

/* ---- who waits runs what the awaited task has submitted --------------------------------------- */

typedef struct family {
    cf_executor *ex;
    counter child_runs, parent_waits, grandchild_ran;
    _Atomic unsigned parent, grandchild; /* the workers that ran them */
} family;

static int run_grandchild(const void *arg, void *result, cf_task_context *ctx) {
    family *f = *(family *const *)arg;
    (void)result;
    atomic_store(&f->grandchild, cf_task_worker(ctx));
    counter_add(&f->grandchild_ran, 1);
    return 0;
}

static const cf_task grandchild_task = {
    .name = "grandchild", .run = run_grandchild, .arg_size = sizeof(family *)};

/* It needs its own child to run, and does not wait for it by a call of the library's. */
static int run_child(const void *arg, void *result, cf_task_context *ctx) {
    family *f = *(family *const *)arg;
    (void)result, (void)ctx;
    cf_future *grandchild;
    counter_add(&f->child_runs, 1);
    if (!counter_wait(&f->parent_waits, 1) ||
        cf_executor_submit(f->ex, &grandchild_task, arg, &grandchild) != CF_OK) {
        return EIO;
    }
    cf_future_release(grandchild);
    return counter_wait(&f->grandchild_ran, 1) ? 0 : ETIMEDOUT;
}

static const cf_task child_task = {.name = "child", .run = run_child, .arg_size = sizeof(family *)};

/* The other worker runs the child before it is waited for. */
static int run_parent(const void *arg, void *result, cf_task_context *ctx) {
    family *f = *(family *const *)arg;
    (void)result;
    cf_future *child;
    atomic_store(&f->parent, cf_task_worker(ctx));
    if (cf_executor_submit(f->ex, &child_task, arg, &child) != CF_OK ||
        !counter_wait(&f->child_runs, 1)) {
        return EIO;
    }
    counter_add(&f->parent_waits, 1);
    cf_status status = cf_future_result(child, CF_FOREVER, NULL);
    cf_future_release(child);
    return (int)status;
}

static const cf_task parent_task = {
    .name = "parent", .run = run_parent, .arg_size = sizeof(family *)};

Test(nested, who_waits_runs_what_the_awaited_task_has_submitted) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    for (int round = 0; round < 200; round++) {
        cf_executor *ex = create(2);
        family f = {.ex = ex}, *argument = &f;
        cf_future *parent = submit(ex, &parent_task, &argument);
        EXPECT(CF_OK, cf_future_result(parent, LONG_WAIT, NULL));
        cf_future_release(parent);
        EXPECT_EQ(atomic_load(&f.parent), atomic_load(&f.grandchild));
        cf_executor_destroy(ex);
    }
}

/* ---- quicksort ------------------------------------------------------------------------------- */

typedef struct part {
    cf_executor *ex;
    _Atomic uint32_t *tasks;
    uint64_t *first;
    size_t count;
} part;

static void swap(uint64_t *a, uint64_t *b) {
    uint64_t t = *a;
    *a = *b;
    *b = t;
}

/* Returns where the pivot came to lie. */
static size_t split(uint64_t *first, size_t count) {
    size_t less = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        if (first[i] < first[count - 1]) {
            swap(&first[i], &first[less++]);
        }
    }
    swap(&first[less], &first[count - 1]);
    return less;
}

static const cf_task sort_task;

static int run_sort(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const part *p = arg;
    cf_future *halves[2] = {NULL, NULL};
    cf_status status = CF_OK;
    atomic_fetch_add(p->tasks, 1);
    if (p->count < 2) {
        return 0;
    }
    const size_t pivot = split(p->first, p->count);
    const part parts[2] = {
        {p->ex, p->tasks, p->first, pivot},
        {p->ex, p->tasks, p->first + pivot + 1, p->count - pivot - 1},
    };
    for (size_t i = 0; i < 2 && status == CF_OK; i++) {
        status = cf_executor_submit(p->ex, &sort_task, &parts[i], &halves[i]);
    }
    for (size_t i = 0; i < 2 && status == CF_OK; i++) {
        status = cf_future_result(halves[i], CF_FOREVER, NULL);
    }
    cf_future_release(halves[0]);
    cf_future_release(halves[1]);
    return (int)status;
}

static const cf_task sort_task = {.name = "sort", .run = run_sort, .arg_size = sizeof(part)};

Test(nested, quicksort) {
    NEEDS_OWN_EXECUTOR();
    enum {
        N = 1000
    };
    uint64_t seed = test_seed("nested/quicksort");
    for (size_t i = 0; i < COUNT_OF(worker_counts); i++) {
        uint64_t numbers[N];
        _Atomic uint32_t tasks = 0;
        cf_executor *ex = create(worker_counts[i]);
        for (size_t round = 0; round < 5; round++) {
            for (size_t k = 0; k < N; k++) {
                numbers[k] = random_next(&seed);
            }
            part whole = {ex, &tasks, numbers, N};
            cf_future *f = submit(ex, &sort_task, &whole);
            EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
            cf_future_release(f);
            for (size_t k = 1; k < N; k++) {
                cr_assert(numbers[k - 1] <= numbers[k]);
            }
        }
        cr_assert(atomic_load(&tasks) >= 5 * N, "%u tasks", atomic_load(&tasks));
        cf_executor_destroy(ex);
    }
}
