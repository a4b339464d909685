/* If tasks wait for each other in a circle, one of them is refused with CF_EDEADLOCK and the others get what
 * they wait for. If there is no circle, none is refused. */
#include "nested.h"

#include <errno.h>
#include <stdlib.h>

TestSuite(deadlocks, .timeout = TEST_SECONDS);

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

Test(deadlocks, waiting_for_oneself_is_refused) {
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
Test(deadlocks, a_ring_of_running_tasks_is_refused_once) {
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
Test(deadlocks, a_ring_of_pending_tasks_is_refused_once) {
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

Test(deadlocks, a_ring_across_two_executors_is_refused) {
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

Test(deadlocks, a_ring_through_a_serial_executor_is_refused) {
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

Test(deadlocks, in_a_ring_a_timeout_runs_out) {
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

Test(deadlocks, one_timeout_in_a_ring_saves_the_others) {
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
Test(deadlocks, waiting_for_somebody_outside_is_no_deadlock) {
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
Test(deadlocks, waiting_for_another_executors_queue_is_no_deadlock) {
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
Test(deadlocks, no_circle_is_seen_where_there_is_none) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    uint64_t seed = test_seed("deadlocks/no_circle_is_seen_where_there_is_none");
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
Test(deadlocks, every_circle_is_refused_once) {
    NEEDS_OWN_EXECUTOR();
    NEEDS(runs_beside_caller);
    uint64_t seed = test_seed("deadlocks/every_circle_is_refused_once");
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
