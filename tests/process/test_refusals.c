/* When the system refuses a call, CF_ENOMEM or CF_EAGAIN comes with the name of that call and its errno:
 * cf_refused_call. A limit of the library's own names none, whatever was refused before. */
#include "process.h"

#include "../refuse.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(refusals, .timeout = TEST_SECONDS);

typedef cf_status create_fn(const cf_pool_options *options, cf_executor **executor);

static const cf_pool_options one_worker = {.max_workers = 1};

static bool names(const char *call, int error) {
    int got_error = -1;
    const char *got = cf_refused_call(&got_error);
    bool right = got_error == error && (call == NULL ? got == NULL : got && strcmp(got, call) == 0);
    if (!right) {
        fprintf(stderr, "named: %s, %d (%s)\n", got ? got : "none", got_error, strerror(got_error));
    }
    return right && cf_refused_call(NULL) == got;
}

/* Fails because of a limit of the pool, so that a name found later is of a later failure. */
static bool meets_a_limit(void) {
    const cf_pool_options small = {.arena_limit = 1 << 20};
    const cf_task large = {.run = square_task.run, .result_size = 2 << 20};
    cf_executor *serial = NULL;
    bool right = cf_serial_create(&small, &serial) == CF_OK &&
                 cf_executor_submit(serial, &large, NULL, NULL) == CF_ENOMEM && names(NULL, 0);
    cf_executor_destroy(serial);
    return right;
}

/* ---- what a creation needs ------------------------------------------------------------------- */

typedef struct refused_creation {
    create_fn *create;
    const char *call;
    int error;
    cf_status status;
} refused_creation;

static int host_of_a_refused_creation(void *context) {
    const refused_creation *r = context;
    const size_t open_now = fd_count();
    cf_executor *pool = NULL;
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(refuse_call(r->call, r->error));
    HOST_CHECK(r->create(&one_worker, &pool) == r->status && pool == NULL);
    HOST_CHECK(names(r->call, r->error));
    HOST_CHECK(fd_count() == open_now);
    HOST_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

Test(refusals, of_a_creation) {
    static refused_creation rows[] = {
        {cf_process_pool_create, "memfd_create", EPERM, CF_ENOMEM},
        {cf_process_pool_create, "memfd_create", ENOSYS, CF_ENOMEM},
        {cf_process_pool_create, "ftruncate", EINVAL, CF_ENOMEM},
        {cf_process_pool_create, "fallocate", EPERM, CF_ENOMEM},
        {cf_process_pool_create, "fallocate", ENOSPC, CF_ENOMEM},
        {cf_process_pool_create, "mprotect", EACCES, CF_ENOMEM},
        {cf_process_pool_create, "eventfd", EMFILE, CF_EAGAIN},
        {cf_process_pool_create, "fork", EPERM, CF_EAGAIN},
        {cf_process_pool_create, "pthread_create", EPERM, CF_EAGAIN},
        {cf_thread_pool_create, "mprotect", ENOMEM, CF_ENOMEM},
        {cf_serial_create, "mprotect", ENOMEM, CF_ENOMEM},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        cr_assert_eq(host_run(host_of_a_refused_creation, &rows[i]), 0, "%s in row %zu",
                     rows[i].call, i);
    }
}

#ifndef __SANITIZE_ADDRESS__ /* it needs terabytes of addresses itself */
static int host_with_few_addresses(void *context) {
    (void)context;
    struct rlimit limit;
    cf_executor *pool = NULL;
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = 1 << 20;
    HOST_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    HOST_CHECK(cf_process_pool_create(&one_worker, &pool) == CF_ENOMEM);
    HOST_CHECK(names("mmap", ENOMEM));
    HOST_CHECK(cf_thread_pool_create(&one_worker, &pool) == CF_ENOMEM);
    HOST_CHECK(names("mmap", ENOMEM));
    return 0;
}

Test(refusals, of_addresses) {
    EXPECT_HOST_OK(host_run(host_with_few_addresses, NULL));
}
#endif

/* ---- threads --------------------------------------------------------------------------------- */

static void on_done(cf_future *future, void *context) {
    (void)future, (void)context;
}

static int host_without_new_threads(void *context) {
    (void)context;
    const cf_submit_options limited = {.timeout_ns = SECOND};
    cf_executor *idle = NULL, *works = NULL;
    cf_future *f = NULL, *refused = NULL;
    HOST_CHECK(cf_thread_pool_create(&one_worker, &idle) == CF_OK);
    HOST_CHECK(cf_process_pool_create(&one_worker, &works) == CF_OK);
    HOST_CHECK(cf_executor_submit(works, &square_task, &(uint64_t){3}, &f) == CF_OK);
    HOST_CHECK(refuse_call("pthread_create", EAGAIN));
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(cf_executor_submit(idle, &square_task, &(uint64_t){3}, &refused) == CF_EAGAIN);
    HOST_CHECK(names("pthread_create", EAGAIN));
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(cf_executor_submit_with(works, &square_task, &(uint64_t){3}, &limited, &refused) ==
               CF_EAGAIN);
    HOST_CHECK(names("pthread_create", EAGAIN));
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(cf_future_add_done_callback(f, on_done, NULL) == CF_EAGAIN);
    HOST_CHECK(names("pthread_create", EAGAIN));
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_OK);
    cf_future_release(f);
    cf_executor_destroy(idle);
    cf_executor_destroy(works);
    return 0;
}

Test(refusals, of_threads) {
    EXPECT_HOST_OK(host_run(host_without_new_threads, NULL));
}

/* ---- workers that are processes -------------------------------------------------------------- */

/* The nursery forks the workers. Limits on processes do not bind root. */
static bool become_somebody(void) {
    enum {
        NOBODY = 64322 /* a user without any other process */
    };
    return geteuid() != 0 || setresuid(NOBODY, NOBODY, NOBODY) == 0;
}

/* The nursery is the only child. */
static bool allow_workers(bool allowed) {
    static struct rlimit before;
    char path[64];
    int nursery = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
    FILE *list = fopen(path, "re");
    if (list == NULL || fscanf(list, "%d", &nursery) != 1) {
        return false;
    }
    fclose(list);
    if (before.rlim_max == 0 && prlimit(nursery, RLIMIT_NPROC, NULL, &before) != 0) {
        return false;
    }
    const struct rlimit limit = {allowed ? before.rlim_max : 0, before.rlim_max};
    return prlimit(nursery, RLIMIT_NPROC, &limit, NULL) == 0;
}

static int host_without_a_first_worker(void *context) {
    (void)context;
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    HOST_CHECK(become_somebody());
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(cf_process_pool_create(&one_worker, &pool) == CF_OK);
    HOST_CHECK(allow_workers(false));
    HOST_CHECK(cf_executor_submit(pool, &square_task, &(uint64_t){3}, &f) == CF_EAGAIN);
    HOST_CHECK(names("fork", EAGAIN));
    HOST_CHECK(allow_workers(true));
    HOST_CHECK(cf_executor_submit(pool, &square_task, &(uint64_t){3}, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_OK);
    cf_future_release(f);
    cf_executor_destroy(pool);
    return 0;
}

Test(refusals, of_the_first_worker) {
    EXPECT_HOST_OK(host_run(host_without_a_first_worker, NULL));
}

static int host_without_a_successor(void *context) {
    (void)context;
    const death d = {.how = SIGKILL, .attempts = 1};
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    cf_exception why;
    char text[128];
    HOST_CHECK(become_somebody());
    HOST_CHECK(cf_process_pool_create(&one_worker, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &square_task, &(uint64_t){3}, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_OK);
    cf_future_release(f);
    HOST_CHECK(allow_workers(false));
    HOST_CHECK(cf_executor_submit_with(pool, &death_task, &d, &(cf_submit_options){.retries = 1},
                                       &f) == CF_OK);
    HOST_CHECK(cf_future_exception(f, LONG_WAIT, &why) == CF_OK);
    HOST_CHECK(why.status == CF_EBROKEN && why.worker == -1 && why.task_error == EAGAIN);
    cf_exception_describe(&why, text, sizeof text);
    HOST_CHECK(strcmp(text, "error: the pool is broken (no worker begins: fork: Resource "
                            "temporarily unavailable)") == 0);
    cf_future_release(f);
    cf_executor_destroy(pool);
    return 0;
}

/* It breaks after two seconds. */
Test(refusals, of_a_successor) {
    EXPECT_HOST_OK(host_run(host_without_a_successor, NULL));
}

/* ---- waiting for processes ------------------------------------------------------------------- */

/* One nursery may wait for its workers, the other may not. The program may not wait for either. */
static int host_that_may_not_wait(void *context) {
    (void)context;
    cf_executor *before = NULL, *after = NULL;
    cf_future *f = NULL;
    uint64_t square = 0;
    const size_t threads = thread_count();
    HOST_CHECK(cf_process_pool_create(&one_worker, &before) == CF_OK);
    HOST_CHECK(refuse_call("waitid", EPERM));
    HOST_CHECK(cf_process_pool_create(&one_worker, &after) == CF_OK);
    HOST_CHECK(cf_executor_submit(before, &square_task, &(uint64_t){3}, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &square) == CF_OK && square == 9);
    cf_future_release(f);
    HOST_CHECK(cf_executor_submit(after, &square_task, &(uint64_t){3}, &f) == CF_EBROKEN);
    cf_executor_destroy(before);
    cf_executor_destroy(after);
    HOST_CHECK(threads_fall_to(threads));
    return 0;
}

Test(refusals, of_waiting) {
    EXPECT_HOST_OK(host_run(host_that_may_not_wait, NULL));
}

/* ---- memory that a pool needs later ---------------------------------------------------------- */

static int host_whose_pool_cannot_grow(void *context) {
    (void)context;
    enum {
        COUNT = 8
    };
    const cf_task large = {.run = square_task.run, .arg_size = 4 << 20, .result_size = 8};
    cf_executor *pool = NULL;
    char *args = calloc(COUNT, large.arg_size);
    uint64_t results[COUNT];
    HOST_CHECK(args != NULL && cf_process_pool_create(&one_worker, &pool) == CF_OK);
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(refuse_call("fallocate", ENOSPC));
    HOST_CHECK(cf_executor_submit(pool, &large, args, NULL) == CF_ENOMEM);
    HOST_CHECK(names("fallocate", ENOSPC));
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(cf_executor_map(pool, &large, args, COUNT, results, NULL) == CF_ENOMEM);
    HOST_CHECK(names("fallocate", ENOSPC));
    cf_executor_destroy(pool);
    free(args);
    return 0;
}

Test(refusals, of_more_memory) {
    EXPECT_HOST_OK(host_run(host_whose_pool_cannot_grow, NULL));
}

static int host_with_a_limit_of_file_sizes(void *context) {
    (void)context;
    cf_executor *pool = NULL;
    struct rlimit limit;
    HOST_CHECK(meets_a_limit());
    HOST_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = 0;
    HOST_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    HOST_CHECK(cf_process_pool_create(&one_worker, &pool) == CF_ENOMEM);
    HOST_CHECK(names("ftruncate", EFBIG));
    return 0;
}

Test(refusals, of_a_large_file) {
    EXPECT_HOST_OK(host_run(host_with_a_limit_of_file_sizes, NULL));
}

/* ---- limits, which name no call -------------------------------------------------------------- */

static int host_with_limits_after_a_refusal(void *context) {
    (void)context;
    enum {
        TASKS = 4096
    };
    cf_executor *serial = NULL, *pool = NULL;
    cf_task task = square_task;
    char name[32];
    HOST_CHECK(cf_serial_create(NULL, &serial) == CF_OK);
    for (int i = 0; i <= TASKS; i++) {
        const cf_status wanted = i < TASKS ? CF_OK : CF_ENOMEM;
        if (i == TASKS) {
            HOST_CHECK(refuse_call("memfd_create", EPERM));
            HOST_CHECK(cf_process_pool_create(&one_worker, &pool) == CF_ENOMEM);
            HOST_CHECK(names("memfd_create", EPERM));
        }
        snprintf(name, sizeof name, "task %d", i);
        task.name = name;
        HOST_CHECK(cf_executor_submit(serial, &task, &(uint64_t){3}, NULL) == wanted);
    }
    HOST_CHECK(names(NULL, 0));
    HOST_CHECK(cf_process_pool_create(&one_worker, &pool) == CF_ENOMEM);
    HOST_CHECK(names("memfd_create", EPERM));
    HOST_CHECK(meets_a_limit());
    cf_executor_destroy(serial);
    return 0;
}

Test(refusals, limits_name_no_call) {
    EXPECT_HOST_OK(host_run(host_with_limits_after_a_refusal, NULL));
}

static void *meet_a_limit(void *met) {
    *(bool *)met = meets_a_limit();
    return NULL;
}

static int host_with_two_threads(void *context) {
    (void)context;
    cf_executor *pool = NULL;
    pthread_t other;
    bool met = false;
    HOST_CHECK(refuse_call("memfd_create", EPERM));
    HOST_CHECK(cf_process_pool_create(&one_worker, &pool) == CF_ENOMEM);
    HOST_CHECK(pthread_create(&other, NULL, meet_a_limit, &met) == 0);
    HOST_CHECK(pthread_join(other, NULL) == 0 && met);
    HOST_CHECK(names("memfd_create", EPERM));
    return 0;
}

Test(refusals, are_each_threads_own) {
    EXPECT_HOST_OK(host_run(host_with_two_threads, NULL));
}
