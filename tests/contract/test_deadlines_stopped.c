/* Time in which the program is stopped (Ctrl-Z, SIGSTOP) does not count against the limit of a run. After a
 * stop the run has the rest of its time, and no more. */
#include "deadlines.h"

#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

TestSuite(deadlines_stopped, .timeout = TEST_SECONDS);

#define STOPPED_LIMIT SECOND
#define STOP          (6 * SECOND / 5)
#define COUNTED       (SECOND / 5) /* so much of a stop may count */

/* A program in a process group of its own, as a shell would start it. It runs one task. */
typedef struct program {
    const cf_task *task;
    int64_t limit; /* of its run, and of a wait for it */
    counter begun;
    counter gate;
    counter ran;
    counter told;             /* after the wait */
    _Atomic cf_status waited; /* what the wait returned */
    _Atomic cf_status status; /* how the task ended */
    _Atomic int64_t took;     /* from its submission to its result */
} program;

static int run_until_over(const void *arg, void *result, cf_task_context *ctx) {
    counter_add(((const blocker *)arg)->begun, 1);
    return run_until_cancelled(arg, result, ctx);
}

static const cf_task until_over_task = {.name = "until over",
                                        .run = run_until_over,
                                        .arg_size = sizeof(blocker),
                                        .result_size = sizeof(uint64_t)};

static int run_program(void *context) {
    program *p = context;
    cf_executor *ex;
    cf_future *f;
    uint64_t value = 0;
    const blocker b = {.begun = &p->begun, .gate = &p->gate, .ran = &p->ran};
    HOST_CHECK(setpgid(0, 0) == 0);
    HOST_CHECK(row()->create(&(cf_pool_options){.max_workers = 1}, &ex) == CF_OK);
    const cf_submit_options limit = {.timeout_ns = p->limit};
    const int64_t start = now_ns();
    HOST_CHECK(cf_executor_submit_with(ex, p->task, &b, &limit, &f) == CF_OK);
    atomic_store(&p->waited, cf_future_result(f, p->limit, NULL));
    counter_add(&p->told, 1);
    atomic_store(&p->status, cf_future_result(f, CF_FOREVER, NULL));
    atomic_store(&p->took, now_ns() - start);
    cf_future_release(f);
    HOST_CHECK(cf_executor_submit(ex, &square_task, &(uint64_t){9}, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, CF_FOREVER, &value) == CF_OK && value == 81);
    cf_future_release(f);
    cf_executor_destroy(ex);
    return 0;
}

/* Stops each program by its signal. Returns how long they were stopped for certain. */
static int64_t stop_and_continue(const pid_t *hosts, const int *signals, size_t count) {
    const int64_t end = now_ns() + LONG_WAIT;
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(kill(-hosts[i], signals[i]), 0);
        while (process_state(hosts[i]) != 'T') { /* nobody tells that he has been stopped */
            cr_assert(now_ns() < end);
            sched_yield();
        }
    }
    const int64_t stopped = now_ns();
    clock_nanosleep(CLOCK_MONOTONIC, 0,
                    &(struct timespec){.tv_sec = STOP / SECOND, .tv_nsec = STOP % SECOND}, NULL);
    const int64_t took = now_ns() - stopped;
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(kill(-hosts[i], SIGCONT), 0);
    }
    return took;
}

/* Stopped twice, together for longer than the limit. It counts on serial, and for a call that waits. */
Test(deadlines_stopped, a_stop_does_not_count) {
    NOT_REMOTE(IN_A_FORK);
    program *p = shared_alloc(sizeof *p);
    p->task = &blocker_task;
    p->limit = 2 * SECOND;
    const pid_t host = host_start(run_program, p);
    cr_assert(counter_wait(&p->begun, 1));
    stop_and_continue(&host, &(int){SIGTSTP}, 1);
    stop_and_continue(&host, &(int){SIGSTOP}, 1);
    if (row()->runs_beside_caller) { /* else submit has not returned yet */
        cr_assert(counter_wait(&p->told, 1));
    }
    counter_add(&p->gate, 1);
    EXPECT_HOST_OK(host_wait(host));
    EXPECT(row()->runs_beside_caller ? CF_OK : CF_EDEADLINE, atomic_load(&p->status));
    EXPECT(row()->runs_beside_caller ? CF_ETIMEDOUT : CF_EDEADLINE, atomic_load(&p->waited));
    shared_free(p, sizeof *p);
}

Test(deadlines_stopped, the_rest_of_the_time_is_left) {
    NEEDS(runs_beside_caller);
    NOT_REMOTE(IN_A_FORK);
    static const int signals[] = {SIGTSTP, SIGSTOP};
    program *programs[COUNT_OF(signals)];
    pid_t hosts[COUNT_OF(signals)];
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        programs[i] = shared_alloc(sizeof *programs[i]);
        programs[i]->task = &until_over_task;
        programs[i]->limit = STOPPED_LIMIT;
        hosts[i] = host_start(run_program, programs[i]);
        cr_assert(counter_wait(&programs[i]->begun, 1));
    }
    const int64_t stopped = stop_and_continue(hosts, signals, COUNT_OF(hosts));
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        program *p = programs[i];
        EXPECT_HOST_OK(host_wait(hosts[i]));
        EXPECT_EQ(atomic_load(&p->status), CF_EDEADLINE);
        const int64_t counted = atomic_load(&p->took) - stopped;
        cr_assert(counted >= STOPPED_LIMIT - COUNTED && counted < STOPPED_LIMIT + SOON, "%lld ns",
                  (long long)counted);
        shared_free(p, sizeof *p);
    }
}
