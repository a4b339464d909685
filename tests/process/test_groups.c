/* A worker leads a process group, so that what its task has started dies with it. Ctrl-Z reaches only the
 * caller's group, and stops the workers all the same. */
#include "process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(groups, .timeout = TEST_SECONDS);

Test(groups, each_worker_leads_its_own) {
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *pool = create_pool(3);
    const pid_t nursery = nursery_of(pool);
    cf_future *futures[3];
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        futures[i] = submit(pool, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], 3));
    pid_t pids[3];
    EXPECT_EQ(worker_pids(pool, pids, 3), 3);
    for (size_t i = 0; i < COUNT_OF(pids); i++) {
        EXPECT_EQ(getpgid(pids[i]), pids[i]);
        EXPECT_EQ(getsid(pids[i]), getsid(0));
    }
    EXPECT_EQ(getpgid(nursery), getpgrp());
    counter_add(&c[1], 1);
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, NULL));
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
    shared_free(c, 3 * sizeof *c);
}

/* ---- what a task has started ----------------------------------------------------------------- */

#define EXITS (-1)

/* A task with a child, and a child of that one. */
typedef struct family {
    counter known; /* 2 when the processes below are */
    counter gate;  /* then the task ends, if anything lets it */
    int death;     /* of what the task dies when the gate opens; 0 = it returns, EXITS = it exits */
    _Atomic pid_t worker;
    _Atomic pid_t child;
    _Atomic pid_t grandchild;
} family;

static _Noreturn void live_for_ever(void) {
    for (;;) {
        pause();
    }
}

static void start_descendants(family *f) {
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild > 0) {
            atomic_store(&f->grandchild, grandchild);
            counter_add(&f->known, 1);
        }
        live_for_ever();
    }
    atomic_store(&f->child, child);
    counter_add(&f->known, 1);
}

static int run_parent(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    family *f = *(family *const *)arg;
    atomic_store(&f->worker, getpid());
    start_descendants(f);
    if (!counter_wait(&f->gate, 1)) {
        return ETIMEDOUT;
    }
    if (f->death == EXITS) {
        _exit(3);
    }
    if (f->death != 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        raise(f->death);
    }
    return 0;
}

static const cf_task parent_task = {
    .name = "parent", .run = run_parent, .arg_size = sizeof(family *)};

static cf_future *start_family(cf_executor *pool, family *f) {
    cf_future *future = submit(pool, &parent_task, &f);
    cr_assert(counter_wait(&f->known, 2));
    return future;
}

static bool family_lives(const family *f) {
    return process_alive(atomic_load(&f->child)) && process_alive(atomic_load(&f->grandchild));
}

static void expect_family_gone(const family *f) {
    cr_assert(process_ends(atomic_load(&f->child), LONG_WAIT));
    cr_assert(process_ends(atomic_load(&f->grandchild), LONG_WAIT));
}

static void kill_family(const family *f) {
    kill(atomic_load(&f->child), SIGKILL);
    kill(atomic_load(&f->grandchild), SIGKILL);
}

/* Two workers with a family each: one dies, and its family only. */
static void one_of_two_dies(int signal, bool by_itself) {
    family *families = shared_alloc(2 * sizeof *families);
    families[0].death = by_itself ? signal : 0;
    cf_executor *pool = create_pool(2);
    cf_future *dies = start_family(pool, &families[0]), *stays = start_family(pool, &families[1]);
    cr_assert(family_lives(&families[0]) && family_lives(&families[1]));
    if (by_itself) {
        counter_add(&families[0].gate, 1);
    } else {
        cr_assert_eq(kill(atomic_load(&families[0].worker), signal), 0);
    }
    EXPECT(CF_EWORKER, cf_future_result(dies, LONG_WAIT, NULL));
    expect_family_gone(&families[0]);
    cr_assert(family_lives(&families[1]));
    check_works(pool);
    counter_add(&families[1].gate, 1);
    EXPECT(CF_OK, cf_future_result(stays, LONG_WAIT, NULL));
    cr_assert(family_lives(&families[1])); /* a task that returns may leave some behind */
    kill_family(&families[1]);
    cf_future_release(dies);
    cf_future_release(stays);
    cf_executor_destroy(pool);
    shared_free(families, 2 * sizeof *families);
}

Test(groups, what_a_task_has_started_dies_with_its_worker) {
    static const int signals[] = {SIGKILL, SIGTERM, SIGSEGV, SIGABRT};
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        one_of_two_dies(signals[i], true);
        one_of_two_dies(signals[i], false);
    }
}

Test(groups, what_tasks_have_started_dies_with_all_workers) {
    static cf_status (*const ends[])(cf_executor *) = {cf_executor_kill_workers,
                                                       cf_executor_terminate_workers};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        family *families = shared_alloc(2 * sizeof *families);
        family *own = shared_alloc(sizeof *own); /* of this process: none of the pool's business */
        start_descendants(own);
        cr_assert(counter_wait(&own->known, 2));
        cf_executor *pool = create_pool(2);
        cf_future *futures[2];
        for (size_t k = 0; k < 2; k++) {
            futures[k] = start_family(pool, &families[k]);
        }
        EXPECT(CF_OK, ends[i](pool));
        for (size_t k = 0; k < 2; k++) {
            EXPECT(CF_EWORKER, cf_future_result(futures[k], LONG_WAIT, NULL));
            expect_family_gone(&families[k]);
            cf_future_release(futures[k]);
        }
        cf_executor_destroy(pool);
        cr_assert(family_lives(own));
        kill_family(own);
        waitpid(atomic_load(&own->child), NULL, 0);
        shared_free(families, 2 * sizeof *families);
        shared_free(own, sizeof *own);
    }
}

Test(groups, what_a_task_has_started_dies_of_its_time_limit) {
    family *f = shared_alloc(sizeof *f);
    cf_executor *pool = create_pool(1);
    cf_future *future = NULL;
    const cf_submit_options options = {.timeout_ns = SECOND};
    EXPECT(CF_OK, cf_executor_submit_with(pool, &parent_task, &f, &options, &future));
    EXPECT(CF_EDEADLINE, cf_future_result(future, LONG_WAIT, NULL));
    cr_assert(counter_wait(&f->known, 2)); /* the limit is long enough for that */
    expect_family_gone(f);
    cf_future_release(future);
    check_works(pool);
    cf_executor_destroy(pool);
    shared_free(f, sizeof *f);
}

Test(groups, what_a_task_has_started_dies_when_its_worker_exits) {
    static const int exits[] = {0, EXITS}; /* at the pool's end; in the task */
    for (size_t i = 0; i < COUNT_OF(exits); i++) {
        family *f = shared_alloc(sizeof *f);
        f->death = exits[i];
        cf_executor *pool = create_pool(1);
        cf_future *future = start_family(pool, f);
        counter_add(&f->gate, 1);
        EXPECT(exits[i] == 0 ? CF_OK : CF_EWORKER, cf_future_result(future, LONG_WAIT, NULL));
        cf_future_release(future);
        cf_executor_destroy(pool);
        expect_family_gone(f);
        shared_free(f, sizeof *f);
    }
}

Test(groups, what_a_task_has_started_dies_after_the_nursery) {
    family *f = shared_alloc(sizeof *f);
    cf_executor *pool = create_pool(1);
    const pid_t nursery = nursery_of(pool);
    cf_future *future = start_family(pool, f);
    cr_assert_eq(kill(nursery, SIGKILL), 0);
    EXPECT(CF_EBROKEN, cf_future_result(future, LONG_WAIT, NULL));
    expect_family_gone(f);
    cf_future_release(future);
    cf_executor_destroy(pool);
    shared_free(f, sizeof *f);
}

/* ---- Ctrl-Z ---------------------------------------------------------------------------------- */

enum {
    WORKERS = 2
};

/* A program with a pool, in a process group of its own, as a shell would start it. */
typedef struct job {
    counter ready; /* the processes below are known, and each worker is in a task */
    counter gate;  /* of these tasks */
    counter ran;
    counter begun;
    counter rounds;                       /* of tasks that have come back since */
    counter over;                         /* the program may end */
    _Atomic pid_t processes[WORKERS + 1]; /* the last one is the nursery */
} job;

static int tell_nursery(job *j, cf_executor *pool) {
    whereabouts w;
    cf_future *f;
    HOST_CHECK(cf_executor_submit(pool, &whereabouts_task, NULL, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &w) == CF_OK);
    cf_future_release(f);
    atomic_store(&j->processes[WORKERS], w.parent);
    return 0;
}

static int tell_workers(job *j, cf_executor *pool) {
    for (unsigned i = 0; i < WORKERS; i++) {
        cf_worker_stats worker;
        HOST_CHECK(cf_executor_worker_stats(pool, i, &worker) == CF_OK && worker.id > 1);
        atomic_store(&j->processes[i], (pid_t)worker.id);
    }
    return 0;
}

static int square_once(cf_executor *pool, uint64_t n) {
    uint64_t value = 0;
    cf_future *f;
    HOST_CHECK(cf_executor_submit(pool, &square_task, &n, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, CF_FOREVER, &value) == CF_OK && value == n * n);
    cf_future_release(f);
    return 0;
}

static int run_job(void *context) {
    job *j = context;
    cf_executor *pool;
    cf_future *held[WORKERS];
    const blocker b = {.begun = &j->begun, .gate = &j->gate, .ran = &j->ran, .value = 11};
    HOST_CHECK(setpgid(0, 0) == 0);
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = WORKERS}, &pool) == CF_OK);
    HOST_CHECK(tell_nursery(j, pool) == 0);
    for (size_t i = 0; i < WORKERS; i++) {
        HOST_CHECK(cf_executor_submit(pool, &blocker_task, &b, &held[i]) == CF_OK);
    }
    HOST_CHECK(counter_wait(&j->begun, WORKERS));
    HOST_CHECK(tell_workers(j, pool) == 0);
    counter_add(&j->ready, 1);
    for (size_t i = 0; i < WORKERS; i++) {
        uint64_t value = 0;
        HOST_CHECK(cf_future_result(held[i], CF_FOREVER, &value) == CF_OK && value == 11);
        cf_future_release(held[i]);
    }
    for (uint64_t n = 0; counter_get(&j->over) == 0; n++) {
        HOST_CHECK(square_once(pool, n) == 0);
        counter_add(&j->rounds, 1);
    }
    cf_stats s;
    HOST_CHECK(cf_executor_stats(pool, &s) == CF_OK && s.restarts == 0 && s.failed == 0);
    cf_executor_destroy(pool);
    return 0;
}

static bool all_stopped(const job *j, pid_t host, bool wanted) {
    bool all = (process_state(host) == 'T') == wanted;
    for (size_t i = 0; i < WORKERS; i++) {
        all = all && (process_state(atomic_load(&j->processes[i])) == 'T') == wanted;
    }
    return all;
}

/* Nobody tells that he has been stopped, so this looks until it is so. */
static bool come_to_be_stopped(const job *j, pid_t host, bool wanted) {
    const int64_t end = now_ns() + LONG_WAIT;
    while (!all_stopped(j, host, wanted)) {
        if (now_ns() > end) {
            return false;
        }
        sched_yield();
    }
    return true;
}

static void expect_job_ends(job *j, pid_t host) {
    counter_add(&j->over, 1);
    EXPECT_HOST_OK(host_wait(host));
    for (size_t i = 0; i < COUNT_OF(j->processes); i++) {
        cr_assert(process_ends(atomic_load(&j->processes[i]), LONG_WAIT));
    }
}

Test(groups, ctrl_z_stops_workers_in_their_tasks) {
    job *j = shared_alloc(sizeof *j);
    const pid_t host = host_start(run_job, j);
    cr_assert(counter_wait(&j->ready, 1));
    for (int round = 0; round < 3; round++) {
        cr_assert_eq(kill(-host, SIGTSTP), 0);
        cr_assert(come_to_be_stopped(j, host, true));
        if (round == 2) {
            counter_add(&j->gate, 1); /* which nobody can pass now */
            EXPECT_EQ(counter_get(&j->ran), 0);
        }
        cr_assert_eq(kill(-host, SIGCONT), 0);
        cr_assert(come_to_be_stopped(j, host, false));
    }
    cr_assert(counter_wait(&j->ran, WORKERS));
    cr_assert(counter_wait(&j->rounds, 10)); /* results arrive */
    expect_job_ends(j, host);
    shared_free(j, sizeof *j);
}

Test(groups, ctrl_z_stops_workers_that_are_at_work) {
    job *j = shared_alloc(sizeof *j);
    const pid_t host = host_start(run_job, j);
    cr_assert(counter_wait(&j->ready, 1));
    counter_add(&j->gate, 1);
    for (int round = 0; round < 20; round++) {
        cr_assert_eq(kill(-host, SIGTSTP), 0);
        cr_assert(come_to_be_stopped(j, host, true));
        const uint32_t rounds = counter_get(&j->rounds);
        cr_assert_eq(kill(-host, SIGCONT), 0);
        cr_assert(counter_wait(&j->rounds, rounds + 10));
    }
    expect_job_ends(j, host);
    shared_free(j, sizeof *j);
}

Test(groups, ctrl_z_and_kill_leaves_nobody) {
    job *j = shared_alloc(sizeof *j);
    const pid_t host = host_start(run_job, j);
    cr_assert(counter_wait(&j->ready, 1));
    cr_assert_eq(kill(-host, SIGTSTP), 0);
    cr_assert(come_to_be_stopped(j, host, true));
    cr_assert_eq(kill(host, SIGKILL), 0);
    cr_assert(WIFSIGNALED(host_wait(host)));
    for (size_t i = 0; i < COUNT_OF(j->processes); i++) {
        cr_assert(process_ends(atomic_load(&j->processes[i]), LONG_WAIT));
    }
    shared_free(j, sizeof *j);
}

/* Continued before the stop has come to everybody. */
Test(groups, a_hasty_ctrl_z_leaves_nobody_stopped) {
    uint64_t seed = test_seed("groups/a_hasty_ctrl_z_leaves_nobody_stopped");
    job *j = shared_alloc(sizeof *j);
    const pid_t host = host_start(run_job, j);
    cr_assert(counter_wait(&j->ready, 1));
    counter_add(&j->gate, 1);
    for (size_t round = scaled(300); round > 0; round--) {
        cr_assert_eq(kill(-host, SIGTSTP), 0);
        spin_for((int64_t)(random_next(&seed) % (300 * MICROSECOND)));
        cr_assert_eq(kill(-host, SIGCONT), 0);
        const uint32_t rounds = counter_get(&j->rounds);
        cr_assert(counter_wait(&j->rounds, rounds + 5),
                  "the job hangs: program %c, a worker %c, nursery %c", process_state(host),
                  process_state(atomic_load(&j->processes[0])),
                  process_state(atomic_load(&j->processes[WORKERS])));
    }
    expect_job_ends(j, host);
    shared_free(j, sizeof *j);
}
