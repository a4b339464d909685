/* On serial, a task that its submitter cannot run, since the task that has the turn waits for the submitter,
 * is left to that one. It is run before both are through, however their steps fall. */
#include "rows.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(left_tasks, .timeout = TEST_SECONDS);

/* One round:
 *
 *      the holder (a thread)    its task on serial waits for `awaited`, which is pending behind the leaver
 *      the leaver (a worker)    submits to serial: the holder waits for its worker, so it cannot wait for
 *                               the holder, and leaves its task
 *      the test                 cancels `awaited`, so that the holder's task ends
 *
 * The leaver may lose its processor after it has found that out, and before it has noted it; then the
 * holder may be through in between. A signal at a random moment stands for that: its handler waits for the
 * holder. */
typedef struct scene {
    cf_executor *serial;
    cf_executor *pool;
    cf_future *awaited;
    cf_future *left;
    _Atomic uint32_t round;
    counter begun;            /* rounds, for the holder */
    counter holding;          /* the holder's task is about to wait */
    counter submitted;        /* and has done so */
    counter through;          /* the holder's submit has returned */
    _Atomic uint32_t leaving; /* the round in which the leaver is about to submit */
    _Atomic int64_t pause_ns; /* of the leaver, then */
    _Atomic bool over;
    _Atomic pid_t leaver;
    cf_status hold_status;
    cf_status leave_status;
} scene;

static scene *shown; /* to the signal handler */

static void lose_the_processor(int number) {
    (void)number;
    const uint32_t round = atomic_load(&shown->round);
    const int64_t end = now_ns() + 200 * MICROSECOND; /* if it has what the holder needs */
    while (counter_get(&shown->through) < round && now_ns() < end) {}
}

static int run_hold(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    scene *s = *(scene *const *)arg;
    counter_add(&s->holding, 1);
    return cf_future_result(s->awaited, CF_FOREVER, NULL) != CF_ECANCELLED;
}

static const cf_task hold_task = {.name = "hold", .run = run_hold, .arg_size = sizeof(scene *)};

static void *hold_again_and_again(void *arg) {
    scene *s = arg;
    for (uint32_t round = 1; counter_wait(&s->begun, round) && !atomic_load(&s->over); round++) {
        s->hold_status = cf_executor_submit(s->serial, &hold_task, &s, NULL);
        counter_add(&s->through, 1);
    }
    return NULL;
}

/* Worker threads block all signals. */
static void open_to_signals(scene *s) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    atomic_store(&s->leaver, (pid_t)syscall(SYS_gettid));
}

static int run_leave(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    scene *s = *(scene *const *)arg;
    const uint32_t round = atomic_load(&s->round);
    open_to_signals(s);
    counter_wait(&s->holding, round);
    spin_for(10 * MICROSECOND); /* now it waits, mostly */
    const int64_t pause_ns = atomic_load(&s->pause_ns);
    atomic_store(&s->leaving, round);
    spin_for(pause_ns);
    s->leave_status = cf_executor_submit(s->serial, &square_task, &(uint64_t){round}, &s->left);
    counter_add(&s->submitted, 1);
    return 0;
}

static const cf_task leave_task = {.name = "leave", .run = run_leave, .arg_size = sizeof(scene *)};

static void play(scene *s, uint32_t round, uint64_t *seed) {
    atomic_store(&s->round, round);
    cf_future *leaver = submit(s->pool, &leave_task, &s);
    s->awaited = submit(s->pool, &square_task, &(uint64_t){3});
    atomic_store(&s->pause_ns, (int64_t)(random_next(seed) % (uint64_t)(20 * MICROSECOND)));
    counter_add(&s->begun, 1);
    while (atomic_load(&s->leaving) < round) {}
    syscall(SYS_tgkill, getpid(), atomic_load(&s->leaver), SIGUSR1);
    spin_for((int64_t)(random_next(seed) % 1000));
    cf_future_cancel(s->awaited);
    cr_assert(counter_wait(&s->submitted, round), "the leaver does not come back");
    cr_assert(counter_wait(&s->through, round), "the holder does not come back");
    EXPECT(CF_OK, s->hold_status);
    EXPECT(CF_OK, s->leave_status);
    cr_assert(cf_future_done(s->left), "round %u: a task is left, and nobody has run it", round);
    EXPECT_EQ(take(s->left), (uint64_t)round * round);
    cf_future_release(s->awaited);
    cf_future_release(leaver);
}

Test(left_tasks, are_run_by_whoever_has_the_turn) {
    if (row()->runs_beside_caller) {
        cr_skip_test("%s: its tasks have no turns", row()->name);
    }
    uint64_t seed = test_seed("left_tasks/are_run_by_whoever_has_the_turn");
    scene *s = calloc(1, sizeof *s);
    pthread_t holder;
    shown = s;
    cr_assert_eq(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = lose_the_processor}, NULL),
                 0);
    s->serial = create(1);
    EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &s->pool));
    cr_assert_eq(pthread_create(&holder, NULL, hold_again_and_again, s), 0);
    const int64_t end = now_ns() + (int64_t)scaled(1500) * MILLISECOND;
    for (uint32_t round = 1; now_ns() < end; round++) {
        play(s, round, &seed);
    }
    atomic_store(&s->over, true);
    counter_add(&s->begun, 1);
    cr_assert_eq(pthread_join(holder, NULL), 0);
    cf_executor_destroy(s->pool);
    cf_executor_destroy(s->serial);
    free(s);
}
