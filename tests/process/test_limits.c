/* With too few descriptors, processes or bytes, calls work or return an error: no signal, no hang, nothing
 * left behind. (Each test has a host of its own, as limits stay with a process.) */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(limits, .timeout = TEST_SECONDS);

/* And it says which call was refused. */
static bool is_refusal(cf_status status) {
    int error = 0;
    return (status == CF_EAGAIN || status == CF_ENOMEM) && cf_refused_call(&error) != NULL &&
           error != 0;
}

/* Makes a pool and uses it; true if all went well or was refused. Says how often it worked. */
static bool works_or_refuses(unsigned *worked) {
    cf_executor *pool = NULL;
    cf_status status = cf_process_pool_create(&(cf_pool_options){.max_workers = 2}, &pool);
    if (status != CF_OK) {
        return is_refusal(status) && pool == NULL;
    }
    bool good = true;
    unsigned done = 0;
    for (uint64_t i = 0; good && i < 50; i++) {
        cf_future *f = NULL;
        uint64_t value = 0;
        status = cf_executor_submit(pool, &square_task, &i, &f);
        if (status == CF_OK) {
            good = cf_future_result(f, LONG_WAIT, &value) == CF_OK && value == i * i;
            done++;
            cf_future_release(f);
        } else {
            good = is_refusal(status);
        }
    }
    cf_executor_destroy(pool);
    *worked += done == 50;
    return good;
}

static int host_with_few_descriptors(void *context) {
    (void)context;
    const size_t open_now = fd_count(), children = child_count();
    struct rlimit limit;
    HOST_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlim_t before = limit.rlim_cur;
    unsigned worked = 0;
    for (rlim_t spare = 0; spare < 40; spare++) {
        limit.rlim_cur = 3 + spare;
        HOST_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        bool good = works_or_refuses(&worked);
        limit.rlim_cur = before;
        HOST_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        HOST_CHECK(good);
        HOST_CHECK(fd_count() == open_now);
        HOST_CHECK(child_count() == children);
    }
    HOST_CHECK(worked > 0); /* the last of these limits are generous */
    return 0;
}

Test(limits, few_descriptors) {
    EXPECT_HOST_OK(host_run(host_with_few_descriptors, NULL));
}

static int host_with_small_files(void *context) {
    (void)context;
    static const rlim_t sizes[] = {0, 1, 4096, 65536, 1 << 20, 4 << 20};
    const size_t open_now = fd_count();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct rlimit limit;
        unsigned worked = 0;
        HOST_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
        limit.rlim_cur = sizes[i];
        HOST_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        HOST_CHECK(works_or_refuses(&worked));
        HOST_CHECK(fd_count() == open_now);
    }
    return 0;
}

Test(limits, small_files) {
    EXPECT_HOST_OK(host_run(host_with_small_files, NULL)); /* and not killed by SIGXFSZ */
}

/* A pool that works, then meets the limit as it grows with arguments of so many bytes. */
static int host_whose_files_stop_growing(void *context) {
    const size_t size = *(const size_t *)context, most = ((size_t)80 << 20) / size;
    cf_executor *pool = NULL;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 2}, &pool) == CF_OK);
    cf_future *f = NULL;
    HOST_CHECK(cf_executor_submit(pool, &square_task, &(uint64_t){1}, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_OK);
    cf_future_release(f);
    struct rlimit limit;
    HOST_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 0;
    HOST_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    cf_task big = square_task;
    unsigned char *arg = calloc(1, size);
    arg[0] = 3;
    big.arg_size = size;
    cf_future **futures = malloc(most * sizeof(cf_future *));
    size_t n = 0;
    cf_status status = CF_OK;
    while (n < most && (status = cf_executor_submit(pool, &big, arg, &futures[n])) == CF_OK) {
        n++;
    }
    HOST_CHECK(status == CF_OK || is_refusal(status));
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 0;
        HOST_CHECK(cf_future_result(futures[i], LONG_WAIT, &value) == CF_OK && value == 9);
        cf_future_release(futures[i]);
    }
    free(futures);
    limit.rlim_cur = before;
    HOST_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    HOST_CHECK(cf_executor_submit(pool, &big, arg, &f) == CF_OK); /* refused before, perhaps */
    free(arg);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_OK);
    cf_future_release(f);
    cf_executor_destroy(pool);
    return 0;
}

Test(limits, files_that_stop_growing) {
    static size_t sizes[] = {PAGE, 1 << 20, CF_PAYLOAD_MAX};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        EXPECT_HOST_OK(host_run(host_whose_files_stop_growing, &sizes[i]));
    }
}

/* Limits on processes do not bind root, who therefore becomes somebody else. */
static int host_with_few_processes(void *context) {
    (void)context;
    enum {
        NOBODY = 64321
    }; /* a user without any other process */
    if (geteuid() == 0) {
        HOST_CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    }
    struct rlimit limit;
    unsigned worked = 0;
    HOST_CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
    for (limit.rlim_cur = 0; limit.rlim_cur < 8; limit.rlim_cur++) {
        HOST_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
        HOST_CHECK(works_or_refuses(&worked));
        HOST_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    }
    return 0;
}

Test(limits, few_processes) {
    EXPECT_HOST_OK(host_run(host_with_few_processes, NULL));
}

#ifndef ADDRESS_SANITIZER /* which needs terabytes of addresses itself */
static int host_with_few_addresses(void *context) {
    (void)context;
    struct rlimit limit;
    unsigned worked = 0;
    HOST_CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    for (rlim_t megabytes = 8; megabytes < 1 << 20; megabytes *= 2) {
        limit.rlim_cur = megabytes << 20;
        HOST_CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
        HOST_CHECK(works_or_refuses(&worked));
    }
    HOST_CHECK(worked > 0);
    return 0;
}

Test(limits, few_addresses) {
    EXPECT_HOST_OK(host_run(host_with_few_addresses, NULL));
}
#endif

/* ---- the pool's own limit -------------------------------------------------------------------- */

Test(limits, of_the_arena_with_tasks_pending) {
    enum {
        LIMIT = 8 << 20,
        MOST = LIMIT / PAGE
    };
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *pool = NULL;
    cf_pool_options options = {.max_workers = 1, .arena_limit = LIMIT};
    EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
    cf_task big = square_task;
    unsigned char arg[PAGE] = {5};
    big.arg_size = sizeof arg;
    for (int round = 0; round < 3; round++) {
        cf_future *futures[MOST + 1];
        size_t n = 0;
        cf_status status = CF_OK;
        atomic_store(&c[0].value, 0);
        atomic_store(&c[1].value, 0);
        blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2]};
        cf_future *held = submit(pool, &blocker_task, &b);
        cr_assert(counter_wait(&c[0], 1));
        while (n <= MOST && (status = cf_executor_submit(pool, &big, arg, &futures[n])) == CF_OK) {
            n++;
        }
        EXPECT(CF_ENOMEM, status);
        cr_assert(n >= MOST / 4, "only %zu tasks fitted", n);
        counter_add(&c[1], 1);
        EXPECT(CF_OK, cf_future_result(held, LONG_WAIT, NULL));
        cf_future_release(held);
        for (size_t i = 0; i < n; i++) {
            uint64_t value = 0;
            EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &value));
            EXPECT_EQ(value, 25);
            cf_future_release(futures[i]);
        }
    }
    check_works(pool);
    cf_executor_destroy(pool);
    shared_free(c, 3 * sizeof *c);
}

/* ---- descriptors that are taken away later --------------------------------------------------- */

static int replaces_dead_workers(cf_executor *pool) {
    for (uint64_t i = 0; i < 3; i++) {
        const death d = {.how = SIGKILL, .attempts = 1};
        cf_future *f = NULL;
        uint64_t square = 0;
        HOST_CHECK(cf_executor_submit(pool, &death_task, &d, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_EWORKER);
        cf_future_release(f);
        HOST_CHECK(cf_executor_submit(pool, &square_task, &i, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, &square) == CF_OK && square == i * i);
        cf_future_release(f);
    }
    return 0;
}

/* As a sandbox does it. A worker dies and is replaced all the same. */
static int host_without_descriptors(void *context) {
    const struct rlimit limit = {*(rlim_t *)context, *(rlim_t *)context};
    cf_executor *pool = NULL;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    HOST_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    HOST_CHECK(replaces_dead_workers(pool) == 0);
    cf_executor_destroy(pool);
    return 0;
}

Test(limits, a_pool_lives_on_when_descriptors_are_forbidden) {
    static rlim_t limits[] = {1, 0};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        EXPECT_HOST_OK(host_run(host_without_descriptors, &limits[i]));
    }
}

/* Files of the program's own have the numbers of the pool's descriptors: nothing is written there. */
static int files_are_untouched(const int *files, size_t count) {
    for (size_t i = 0; i < count; i++) {
        HOST_CHECK(lseek(files[i], 0, SEEK_END) == 0);
    }
    return 0;
}

/* As a daemon does it. Workers die and are replaced all the same. */
static int host_that_closes_descriptors(void *context) {
    (void)context;
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    uint64_t square = 0;
    enum {
        PLACES = 700 /* descriptors; the pool's begin at 512 */
    };
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &square_task, &(uint64_t){5}, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &square) == CF_OK && square == 25);
    cf_future_release(f);
    int own[PLACES], closed = 0;
    for (int file = 3; file < 3 + PLACES; file++) {
        closed += close(file) == 0;
    }
    HOST_CHECK(closed >= 4); /* the pool's are among them */
    for (size_t i = 0; i < PLACES; i++) {
        own[i] = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        HOST_CHECK(own[i] == 3 + (int)i);
    }
    HOST_CHECK(replaces_dead_workers(pool) == 0);
    cf_executor_destroy(pool);
    return files_are_untouched(own, PLACES);
}

Test(limits, a_pool_lives_on_when_its_descriptors_are_closed) {
    EXPECT_HOST_OK(host_run(host_that_closes_descriptors, NULL));
}
