/* A worker that is stopped (SIGSTOP) keeps its own task only, wherever it is stopped: also between the two steps
 * of a ring (platform/event_count.h), which others then wait for in vain unless the ring is made in its place.
 *
 * The worker is led there by a debugger's means, one instruction after the other. */
#include "process.h"

#include "cfutures/core/executor.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(stopped_worker, .timeout = TEST_SECONDS);

enum {
    STEPS_MAX = 1000000
};

/* A task that holds a pool's first worker without a system call, until the gate opens. */
typedef struct hold {
    counter begun;
    counter gate;
    _Atomic pid_t pid;
} hold;

static int run_hold(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    hold *h = *(hold *const *)arg;
    atomic_store(&h->pid, getpid());
    counter_add(&h->begun, 1);
    while (counter_get(&h->gate) == 0) {}
    return 0;
}

static const cf_task hold_task = {.name = "hold", .run = run_hold, .arg_size = sizeof(hold *)};

static cf_future *submit_hold(cf_executor *pool, hold *h) {
    cf_future *future = submit(pool, &hold_task, &h);
    cr_assert(counter_wait(&h->begun, 1));
    return future;
}

/* For what another thread does before it sleeps. */
static void await_armed(const plat_event_count *event) {
    const int64_t end = now_ns() + LONG_WAIT;
    while (atomic_load(&event->armed) == 0) {
        cr_assert(now_ns() < end);
        sched_yield();
    }
}

static bool is_disarmed(const void *event) {
    return atomic_load(&((const plat_event_count *)event)->armed) == 0;
}

/* Lets the worker that `h` holds go on until `there` is true. */
static void lead_to(hold *h, bool (*there)(const void *), const void *what) {
    const pid_t worker = atomic_load(&h->pid);
    if (!process_freeze(worker)) {
        cr_skip_test("the system refuses ptrace");
    }
    cr_assert_not(there(what));
    counter_add(&h->gate, 1);
    for (unsigned steps = 0; !there(what); steps++) {
        int status;
        cr_assert(steps < STEPS_MAX);
        cr_assert_eq(ptrace(PTRACE_SINGLESTEP, worker, NULL, NULL), 0);
        cr_assert_eq(waitpid(worker, &status, __WALL), worker);
        cr_assert(WIFSTOPPED(status));
    }
}

static void stop(const hold *h) {
    const pid_t worker = atomic_load(&h->pid);
    cr_assert_eq(kill(worker, SIGSTOP), 0);
    process_thaw(worker);
}

/* The worker has taken the sleepers' `armed`, and not woken them. */
static void stop_in_ring(hold *h, plat_event_count *event) {
    await_armed(event);
    const uint32_t rung = atomic_load(&event->rung);
    lead_to(h, is_disarmed, event);
    EXPECT_EQ(atomic_load(&event->rung), rung);
    stop(h);
}

static void go_on(const hold *h) {
    cr_assert_eq(kill(atomic_load(&h->pid), SIGCONT), 0);
}

static void take_result(cf_future *future) {
    EXPECT(CF_OK, cf_future_result(future, LONG_WAIT, NULL));
    cf_future_release(future);
}

static void start(pthread_t *thread, void *(*run)(void *), void *context) {
    cr_assert_eq(pthread_create(thread, NULL, run, context), 0);
}

/* ---- the bell: tasks of another pool --------------------------------------------------------- */

typedef struct waiter {
    cf_future *future;
    counter done;
} waiter;

static void *wait_for_one_of(void *context) {
    waiter *w = context;
    cf_as_completed *as_completed = NULL;
    cf_future *future = NULL;
    if (cf_as_completed_create(&w->future, 1, &as_completed) == CF_OK &&
        cf_as_completed_next(as_completed, CF_FOREVER, &future, NULL) == CF_OK) {
        counter_add(&w->done, 1);
    }
    cf_as_completed_destroy(as_completed);
    return NULL;
}

Test(stopped_worker, does_not_keep_the_bell) {
    hold *held = shared_alloc(sizeof *held), *other = shared_alloc(sizeof *other);
    cf_executor *pool = create_pool(1), *threads = NULL;
    EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &threads));
    waiter of_pool = {.future = submit_hold(pool, held)};
    waiter of_threads = {.future = submit_hold(threads, other)};
    pthread_t ids[2];
    start(&ids[0], wait_for_one_of, &of_pool);
    start(&ids[1], wait_for_one_of, &of_threads);
    stop_in_ring(held, &pool->queue.bell->event);
    counter_add(&other->gate, 1);
    cr_assert(counter_wait(&of_threads.done, 1), "it waits for a stopped worker of another pool");
    go_on(held);
    cr_assert(counter_wait(&of_pool.done, 1));
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        pthread_join(ids[i], NULL);
    }
    take_result(of_pool.future);
    take_result(of_threads.future);
    cf_executor_destroy(pool);
    cf_executor_destroy(threads);
    shared_free(held, sizeof *held);
    shared_free(other, sizeof *other);
}

/* ---- callbacks of other tasks ---------------------------------------------------------------- */

static void count_call(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

Test(stopped_worker, does_not_keep_callbacks) {
    counter called = {0}, called_other = {0};
    hold *held = shared_alloc(sizeof *held), *other = shared_alloc(sizeof *other);
    cf_executor *pool = create_pool(2);
    cf_future *first = submit_hold(pool, held), *second = submit_hold(pool, other);
    EXPECT(CF_OK, cf_future_add_done_callback(first, count_call, &called));
    EXPECT(CF_OK, cf_future_add_done_callback(second, count_call, &called_other));
    stop_in_ring(held, &pool->queue.control->callbacks);
    counter_add(&other->gate, 1);
    cr_assert(counter_wait(&called_other, 1), "the callback waits for a stopped worker");
    go_on(held);
    cr_assert(counter_wait(&called, 1));
    take_result(first);
    take_result(second);
    cf_executor_destroy(pool);
    shared_free(held, sizeof *held);
    shared_free(other, sizeof *other);
}

/* ---- room for a task ------------------------------------------------------------------------- */

typedef struct submitter {
    cf_executor *pool;
    cf_future *future;
    counter done;
} submitter;

static void *submit_one(void *context) {
    submitter *s = context;
    const uint64_t n = 3;
    if (cf_executor_submit(s->pool, &square_task, &n, &s->future) == CF_OK) {
        counter_add(&s->done, 1);
    }
    return NULL;
}

Test(stopped_worker, does_not_keep_room) {
    hold *held = shared_alloc(sizeof *held);
    submitter s = {0};
    EXPECT(CF_OK,
           cf_process_pool_create(&(cf_pool_options){.max_workers = 1, .max_pending = 1}, &s.pool));
    cf_future *first = submit_hold(s.pool, held);
    cf_future *second =
        submit(s.pool, &square_task, &(uint64_t){2}); /* the one that may be pending */
    pthread_t id;
    start(&id, submit_one, &s);
    stop_in_ring(held, &s.pool->queue.control->room); /* as it begins the second */
    cr_assert(counter_wait(&s.done, 1), "submit waits for a stopped worker");
    pthread_join(id, NULL);
    go_on(held);
    take_result(first);
    take_result(second);
    take_result(s.future);
    cf_executor_destroy(s.pool);
    shared_free(held, sizeof *held);
}

/* ---- its own time limit ---------------------------------------------------------------------- */

static bool is_limited(const void *record) {
    return atomic_load(&((const cfi_record *)record)->run_until_ns) != 0;
}

/* It has shown when its run must end, and not told the deadline thread, which sleeps as if there were no such
 * run. */
Test(stopped_worker, does_not_keep_its_own_deadline) {
    const cf_submit_options limited = {.timeout_ns = SECOND / 5};
    hold *held = shared_alloc(sizeof *held);
    cf_executor *pool = create_pool(1);
    cf_future *first = submit_hold(pool, held), *second = NULL;
    EXPECT(CF_OK, cf_executor_submit_with(pool, &square_task, &(uint64_t){2}, &limited, &second));
    while (atomic_load(&pool->queue.control->deadline_at_ns) != INT64_MAX) {
        sched_yield();
    }
    lead_to(held, is_limited, &pool->queue.records[0]);
    stop(held);
    EXPECT(CF_EDEADLINE, cf_future_result(second, LONG_WAIT, NULL));
    cf_future_release(second);
    take_result(first);
    check_works(pool);
    cf_executor_destroy(pool);
    shared_free(held, sizeof *held);
}
