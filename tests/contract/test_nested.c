/* Tasks that submit tasks and wait for them: with as few workers as one, as deep as may be, and in
 * circles, of which each is refused once. Executors that are made inside tasks. */
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

TestSuite(nested, .timeout = TEST_SECONDS);

static const unsigned worker_counts[] = {1, 2, 4};

/* Their own executor is the parent's in a process pool's workers, and no use there. */
#define NEEDS_OWN_EXECUTOR() NEEDS(shares_memory)

/* ---- ways to wait for one task --------------------------------------------------------------- */

typedef enum manner {
    BY_RESULT,
    BY_EXCEPTION,
    BY_VIEW,
    BY_WAIT_FOR_ALL,
    BY_WAIT_FOR_FIRST,
    BY_AS_COMPLETED,
    MANNERS
} manner;

static cf_status next_of(cf_future *f, int64_t timeout_ns) {
    cf_as_completed *ac;
    cf_future *done;
    cf_status status = cf_as_completed_create(&f, 1, &ac);
    if (status == CF_OK) {
        status = cf_as_completed_next(ac, timeout_ns, &done, NULL);
        cf_as_completed_destroy(ac);
    }
    return status;
}

static cf_status wait_for(cf_future *f, manner how, int64_t timeout_ns) {
    cf_exception why;
    const void *lies_at;
    size_t size;
    switch (how) {
    case BY_EXCEPTION:
        return cf_future_exception(f, timeout_ns, &why);
    case BY_VIEW:
        return cf_future_view(f, timeout_ns, &lies_at, &size);
    case BY_WAIT_FOR_ALL:
        return cf_wait(&f, 1, CF_ALL_COMPLETED, timeout_ns, NULL);
    case BY_WAIT_FOR_FIRST:
        return cf_wait(&f, 1, CF_FIRST_COMPLETED, timeout_ns, NULL);
    case BY_AS_COMPLETED:
        return next_of(f, timeout_ns);
    case BY_RESULT:
    case MANNERS:
        break;
    }
    return cf_future_result(f, timeout_ns, NULL);
}

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

/* ---- who waits for whom ---------------------------------------------------------------------- */

enum {
    MEMBERS_MAX = 100
};

/* Tasks that wait for each other: for what they wait is known when the gate opens. */
typedef struct company {
    counter gate;
    counter met;
    uint32_t meet; /* each waits for so many to have begun, then for its task */
    cf_future *futures[MEMBERS_MAX];
    uint32_t awaits[MEMBERS_MAX];
    int64_t timeout_ns[MEMBERS_MAX];
    manner how[MEMBERS_MAX];
    cf_status ended[MEMBERS_MAX];
} company;

typedef struct member {
    company *company;
    uint32_t number;
} member;

static int run_member(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const member *m = arg;
    company *c = m->company;
    counter_add(&c->met, 1);
    if (!counter_wait(&c->gate, 1) || !counter_wait(&c->met, c->meet)) {
        return ETIMEDOUT;
    }
    const uint32_t k = m->number;
    c->ended[k] = wait_for(c->futures[c->awaits[k]], c->how[k], c->timeout_ns[k]);
    return 0;
}

static const cf_task member_task = {
    .name = "member", .run = run_member, .arg_size = sizeof(member)};

/* Each waits for the next, the last for the first. */
static company *ring_of(uint32_t n, manner how, int64_t timeout_ns) {
    company *c = calloc(1, sizeof *c);
    for (uint32_t i = 0; i < n; i++) {
        c->awaits[i] = (i + 1) % n;
        c->how[i] = how;
        c->timeout_ns[i] = timeout_ns;
    }
    return c;
}

static void submit_member(company *c, cf_executor *ex, uint32_t number) {
    member m = {c, number};
    c->futures[number] = submit(ex, &member_task, &m);
}

static size_t ended_with(const company *c, uint32_t n, cf_status status) {
    size_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        count += c->ended[i] == status;
    }
    return count;
}

/* Opens the gate, and sees all of them end. */
static void run_company(company *c, uint32_t n) {
    counter_add(&c->gate, 1);
    for (uint32_t i = 0; i < n; i++) {
        EXPECT(CF_OK, cf_future_result(c->futures[i], LONG_WAIT, NULL));
    }
    for (uint32_t i = 0; i < n; i++) {
        cf_future_release(c->futures[i]);
    }
}

/* One is refused, and the others get what they wait for. */
static void expect_one_refusal(company *c, uint32_t n) {
    run_company(c, n);
    EXPECT_EQ(ended_with(c, n, CF_EDEADLOCK), 1);
    EXPECT_EQ(ended_with(c, n, CF_OK), n - 1);
    free(c);
}

Test(nested, waiting_for_oneself_is_refused) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller); /* nobody has a future of a task that submit has not returned from */
    for (size_t i = 0; i < COUNT_OF(worker_counts); i++) {
        cf_executor *ex = create(worker_counts[i]);
        for (manner how = BY_RESULT; how < MANNERS; how++) {
            company *c = ring_of(1, how, CF_FOREVER);
            submit_member(c, ex, 0);
            expect_one_refusal(c, 1);
        }
        cf_executor_destroy(ex);
    }
}

/* All begun, on as many workers. */
Test(nested, a_ring_of_running_tasks_is_refused_once) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *ex = create(8);
    for (uint32_t n = 2; n <= 8; n++) {
        const size_t rounds = scaled(60);
        for (size_t round = 0; round < rounds; round++) {
            company *c = ring_of(n, (manner)(round % MANNERS), CF_FOREVER);
            c->meet = n;
            for (uint32_t i = 0; i < n; i++) {
                submit_member(c, ex, i);
            }
            expect_one_refusal(c, n);
        }
    }
    cf_executor_destroy(ex);
}

/* On fewer workers than tasks: those that wait run those that have not begun. */
Test(nested, a_ring_of_pending_tasks_is_refused_once) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    for (unsigned workers = 1; workers <= 3; workers++) {
        cf_executor *ex = create(workers);
        for (uint32_t n = 2; n <= 12; n++) {
            for (manner how = BY_RESULT; how < MANNERS; how++) {
                company *c = ring_of(n, how, CF_FOREVER);
                for (uint32_t i = 0; i < n; i++) {
                    submit_member(c, ex, i);
                }
                expect_one_refusal(c, n);
            }
        }
        cf_executor_destroy(ex);
    }
}

Test(nested, a_ring_across_two_executors_is_refused) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *executors[2] = {create(1), create(1)};
    for (uint32_t n = 2; n <= 6; n++) {
        for (size_t round = 0; round < scaled(30); round++) {
            company *c = ring_of(n, (manner)(round % MANNERS), CF_FOREVER);
            c->meet = 2;
            for (uint32_t i = 0; i < n; i++) {
                submit_member(c, executors[i % 2], i);
            }
            if (n == 2) {
                expect_one_refusal(c, n);
                continue;
            }
            run_company(c,
                        n); /* workers that wait may keep the others' tasks from beginning, too */
            cr_assert(ended_with(c, n, CF_EDEADLOCK) >= 1);
            EXPECT_EQ(ended_with(c, n, CF_EDEADLOCK) + ended_with(c, n, CF_OK), n);
            free(c);
        }
    }
    cf_executor_destroy(executors[0]);
    cf_executor_destroy(executors[1]);
}

/* A task of the row that has a serial executor run a task that waits for the first. */
typedef struct detour {
    company *company;
    cf_executor *serial;
} detour;

static int run_detour(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const detour *d = arg;
    const member m = {d->company, 0};
    cf_future *f;
    if (!counter_wait(&d->company->gate, 1)) {
        return ETIMEDOUT;
    }
    cf_status status = cf_executor_submit(d->serial, &member_task, &m, &f);
    if (status == CF_OK) {
        status = cf_future_result(f, CF_FOREVER, NULL);
        cf_future_release(f);
    }
    return (int)status;
}

Test(nested, a_ring_through_a_serial_executor_is_refused) {
    static const cf_task task = {.run = run_detour, .arg_size = sizeof(detour)};
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *ex = create(1), *serial = NULL;
    EXPECT(CF_OK, cf_serial_create(NULL, &serial));
    for (manner how = BY_RESULT; how < MANNERS; how++) {
        company *c = ring_of(1, how, CF_FOREVER);
        detour d = {c, serial};
        c->futures[0] = submit(ex, &task, &d);
        expect_one_refusal(c, 1);
    }
    cf_executor_destroy(serial);
    cf_executor_destroy(ex);
}

Test(nested, in_a_ring_a_timeout_runs_out) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *ex = create(3);
    for (manner how = BY_RESULT; how < MANNERS; how++) {
        company *c = ring_of(3, how, 10 * MILLISECOND);
        c->meet = 3;
        for (uint32_t i = 0; i < 3; i++) {
            submit_member(c, ex, i);
        }
        run_company(c, 3);
        cr_assert(ended_with(c, 3, CF_ETIMEDOUT) >= 1);
        EXPECT_EQ(ended_with(c, 3, CF_ETIMEDOUT) + ended_with(c, 3, CF_OK), 3);
        free(c);
    }
    cf_executor_destroy(ex);
}

Test(nested, one_timeout_in_a_ring_saves_the_others) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    cf_executor *ex = create(4);
    for (manner how = BY_RESULT; how < MANNERS; how++) {
        company *c = ring_of(4, how, CF_FOREVER);
        c->meet = 4;
        c->timeout_ns[2] = 10 * MILLISECOND;
        for (uint32_t i = 0; i < 4; i++) {
            submit_member(c, ex, i);
        }
        run_company(c, 4);
        EXPECT(CF_ETIMEDOUT, c->ended[2]);
        EXPECT_EQ(ended_with(c, 4, CF_OK), 3);
        free(c);
    }
    cf_executor_destroy(ex);
}

/* A chain of waiting tasks, all of the pool's workers but one, ends at a task that somebody outside
 * will let go on. */
Test(nested, waiting_for_somebody_outside_is_no_deadlock) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    enum {
        CHAIN = 3
    };
    counter shared[3] = {0};
    cf_executor *ex = create(CHAIN + 1);
    for (manner how = BY_RESULT; how < MANNERS; how++) {
        company *c = ring_of(CHAIN + 1, how, CF_FOREVER);
        blocker b = {.begun = &shared[0], .gate = &shared[1], .ran = &shared[2], .value = 6};
        atomic_store(&shared[1].value, 0);
        c->futures[CHAIN] = submit(ex, &blocker_task, &b);
        for (uint32_t i = 0; i < CHAIN; i++) {
            submit_member(c, ex, i);
        }
        counter_add(&c->gate, 1);
        cr_assert(counter_wait(&c->met, CHAIN));
        EXPECT(CF_ETIMEDOUT, cf_wait(c->futures, CHAIN, CF_FIRST_COMPLETED, 5 * MILLISECOND, NULL));
        counter_add(&shared[1], 1);
        run_company(c, CHAIN + 1);
        EXPECT_EQ(ended_with(c, CHAIN, CF_OK), CHAIN);
        free(c);
    }
    cf_executor_destroy(ex);
}

/* What is waited for is pending in an executor whose only worker is busy, but will not always be. */
Test(nested, waiting_for_another_executors_queue_is_no_deadlock) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    counter *shared = shared_alloc(3 * sizeof *shared);
    cf_executor *other[2] = {NULL, NULL}, *ex = create(1);
    EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &other[0]));
    EXPECT(CF_OK, cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &other[1]));
    for (size_t i = 0; i < 2 * MANNERS; i++) {
        company *c = ring_of(2, (manner)(i / 2), CF_FOREVER);
        blocker b = {.begun = &shared[0], .gate = &shared[1], .ran = &shared[2], .value = 6};
        atomic_store(&shared[1].value, 0);
        cf_future *busy = submit(other[i % 2], &blocker_task, &b);
        c->futures[1] = submit(other[i % 2], &square_task, &(uint64_t){8});
        submit_member(c, ex, 0);
        counter_add(&c->gate, 1);
        cr_assert(counter_wait(&c->met, 1));
        EXPECT(CF_ETIMEDOUT, cf_future_result(c->futures[0], 5 * MILLISECOND, NULL));
        counter_add(&shared[1], 1);
        run_company(c, 2);
        EXPECT(CF_OK, c->ended[0]);
        EXPECT_EQ(take(busy), 6);
        free(c);
    }
    cf_executor_destroy(ex);
    cf_executor_destroy(other[0]);
    cf_executor_destroy(other[1]);
    shared_free(shared, 3 * sizeof *shared);
}

/* ---- at random ------------------------------------------------------------------------------- */

/* Each waits for one of those before it, in one of two executors: nobody may be refused. */
Test(nested, no_circle_is_seen_where_there_is_none) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    uint64_t seed = test_seed("nested/no_circle_is_seen_where_there_is_none");
    for (size_t round = scaled(100); round > 0; round--) {
        cf_executor *executors[2] = {create(1 + (unsigned)(random_next(&seed) % 3)),
                                     create(1 + (unsigned)(random_next(&seed) % 3))};
        company *c = ring_of(MEMBERS_MAX, BY_RESULT, CF_FOREVER);
        const size_t second = random_next(&seed) % 2;
        c->futures[0] = submit(executors[0], &square_task, &(uint64_t){3});
        for (uint32_t i = 1; i < MEMBERS_MAX; i++) {
            c->awaits[i] = (uint32_t)(random_next(&seed) % i);
            c->how[i] = (manner)(random_next(&seed) % MANNERS);
            submit_member(c, executors[second * (random_next(&seed) % 2)], i);
        }
        run_company(c, MEMBERS_MAX);
        EXPECT_EQ(ended_with(c, MEMBERS_MAX, CF_OK), MEMBERS_MAX);
        free(c);
        cf_executor_destroy(executors[0]);
        cf_executor_destroy(executors[1]);
    }
}

/* Follows everybody's wait until it comes round. */
static size_t circles_in(const company *c, uint32_t n) {
    uint32_t seen_from[MEMBERS_MAX] = {0}; /* 1 + who the walk began with */
    size_t circles = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = i;
        while (seen_from[k] == 0) {
            seen_from[k] = i + 1;
            k = c->awaits[k];
        }
        circles += seen_from[k] == i + 1;
    }
    return circles;
}

/* Each waits for any one, itself too: every circle is refused once, and nobody else is. */
Test(nested, every_circle_is_refused_once) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    uint64_t seed = test_seed("nested/every_circle_is_refused_once");
    for (size_t round = scaled(200); round > 0; round--) {
        cf_executor *ex = create(1 + (unsigned)(random_next(&seed) % 6));
        const uint32_t n = 2 + (uint32_t)(random_next(&seed) % (MEMBERS_MAX - 2));
        company *c = ring_of(n, BY_RESULT, CF_FOREVER);
        for (uint32_t i = 0; i < n; i++) {
            c->awaits[i] = (uint32_t)(random_next(&seed) % n);
            c->how[i] = (manner)(random_next(&seed) % MANNERS);
        }
        for (uint32_t i = 0; i < n; i++) {
            submit_member(c, ex, i);
        }
        run_company(c, n);
        EXPECT_EQ(ended_with(c, n, CF_EDEADLOCK), circles_in(c, n));
        EXPECT_EQ(ended_with(c, n, CF_EDEADLOCK) + ended_with(c, n, CF_OK), n);
        free(c);
        cf_executor_destroy(ex);
    }
}

/* ---- executors inside tasks ------------------------------------------------------------------ */

typedef struct inner {
    unsigned kind;  /* of those below */
    unsigned depth; /* of executors, each inside a task of the one before */
} inner;

static cf_status (*const constructors[])(const cf_pool_options *, cf_executor **) = {
    cf_serial_create, cf_thread_pool_create, cf_process_pool_create};

static int run_with_executor(const void *arg, void *result, cf_task_context *ctx);

static const cf_task inner_task = {.name = "inner",
                                   .run = run_with_executor,
                                   .arg_size = sizeof(inner),
                                   .result_size = sizeof(uint64_t)};

/* 0, or the line where something was not as it should be. */
static int use_executor(cf_executor *ex, const inner *in, uint64_t *sum) {
    enum {
        N = 20
    };
    uint64_t args[N], results[N], value = 0;
    cf_future *futures[N], *deeper = NULL;
    for (uint64_t i = 0; i < N; i++) {
        args[i] = i;
        if (cf_executor_submit(ex, &square_task, &i, &futures[i]) != CF_OK) {
            return __LINE__;
        }
    }
    if (cf_executor_map(ex, &square_task, args, N, results, NULL) != CF_OK) {
        return __LINE__;
    }
    for (uint64_t i = 0; i < N; i++) {
        if (cf_future_result(futures[i], CF_FOREVER, &value) != CF_OK || value != results[i]) {
            return __LINE__;
        }
        *sum += value;
        cf_future_release(futures[i]);
    }
    if (in->depth > 1) {
        const inner next = {in->kind, in->depth - 1};
        if (cf_executor_submit(ex, &inner_task, &next, &deeper) != CF_OK ||
            cf_future_result(deeper, CF_FOREVER, &value) != CF_OK) {
            return __LINE__;
        }
        *sum += value;
        cf_future_release(deeper);
    }
    return 0;
}

static int run_with_executor(const void *arg, void *result, cf_task_context *ctx) {
    (void)ctx;
    const inner *in = arg;
    const bool serial = constructors[in->kind] == cf_serial_create;
    const cf_pool_options options = {.max_workers = serial ? 1 : 2};
    cf_executor *ex;
    if (constructors[in->kind](&options, &ex) != CF_OK) {
        return __LINE__;
    }
    int wrong = use_executor(ex, in, result);
    cf_executor_destroy(ex);
    return wrong;
}

static void expect_inner(cf_executor *ex, unsigned kind, unsigned depth) {
    const uint64_t each = 19 * 20 * 39 / 6;
    cf_future *futures[2];
    for (size_t i = 0; i < 2; i++) {
        futures[i] = submit(ex, &inner_task, &(inner){kind, depth});
    }
    for (size_t i = 0; i < 2; i++) {
        cf_exception why;
        EXPECT(CF_OK, cf_future_exception(futures[i], LONG_WAIT, &why));
        cr_assert(why.status == CF_OK, "executor %u inside a task: %s, line %d", kind,
                  cf_status_name(why.status), why.task_error);
        EXPECT_EQ(take(futures[i]), depth * each);
    }
}

Test(nested, tasks_make_executors_of_every_kind) {
    footprint before = footprint_now();
    cf_executor *ex = create(2);
    for (int round = 0; round < 5; round++) {
        for (unsigned kind = 0; kind < COUNT_OF(constructors); kind++) {
            expect_inner(ex, kind, 1);
        }
    }
    cf_executor_destroy(ex);
    footprint_check(before);
}

Test(nested, executors_inside_executors_inside_executors) {
    footprint before = footprint_now();
    cf_executor *ex = create(2);
    for (unsigned kind = 0; kind < COUNT_OF(constructors); kind++) {
        expect_inner(ex, kind, 3);
    }
    cf_executor_destroy(ex);
    footprint_check(before);
}

/* ---- where a task has no part in its own executor -------------------------------------------- */

typedef struct ownership {
    cf_executor *ex;
    cf_future *future; /* of another task of ex */
} ownership;

/* The line of the first call that was not refused; 0 = all were. */
static int run_use_parents(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const ownership *o = arg;
    cf_future *f = NULL;
    uint64_t n = 3, square;
    if (cf_executor_submit(o->ex, &square_task, &n, &f) != CF_EFORKED || f ||
        cf_executor_submit(o->ex, &square_task, &n, NULL) != CF_EFORKED ||
        cf_executor_submit_many(o->ex, &square_task, &n, 1, NULL, &f, NULL) != CF_EFORKED) {
        return __LINE__;
    }
    if (cf_executor_map(o->ex, &square_task, &n, 1, &square, NULL) != CF_EFORKED) {
        return __LINE__;
    }
    for (manner how = BY_RESULT; how < MANNERS; how++) {
        if (wait_for(o->future, how, CF_FOREVER) != CF_EFORKED) {
            return __LINE__;
        }
    }
    if (cf_future_cancel(o->future) || cf_executor_shutdown(o->ex, true, true) != CF_EFORKED) {
        return __LINE__;
    }
    cf_future_release(o->future);
    cf_executor_destroy(o->ex);
    return 0;
}

Test(nested, a_process_cannot_use_the_executor_it_works_for) {
    NEEDS(survives_worker_death);
    static const cf_task task = {.run = run_use_parents, .arg_size = sizeof(ownership)};
    cf_executor *ex = create(2);
    cf_future *other = submit(ex, &square_task, &(uint64_t){9});
    EXPECT(CF_OK, cf_future_result(other, LONG_WAIT, NULL));
    for (int i = 0; i < 20; i++) {
        cf_exception why;
        cf_future *f = submit(ex, &task, &(ownership){ex, other});
        EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
        cr_assert(why.status == CF_OK, "%s, line %d", cf_status_name(why.status), why.task_error);
        cf_future_release(f);
    }
    EXPECT_EQ(take(other), 81); /* released there, and not here */
    cf_executor_destroy(ex);
}
