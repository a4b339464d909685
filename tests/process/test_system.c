/* What the system interrupts, refuses or does without effect, and what a pool takes of it. */
#include "process.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(system, .timeout = TEST_SECONDS);

/* ---- core dumps ------------------------------------------------------------------------------ */

/* Bytes of this process's regions of a pool, and how many of them a core dump has. */
typedef struct dumped {
    uint64_t reserved;
    uint64_t in_dump;
} dumped;

static dumped look_at_map(void) {
    dumped sum = {0, 0};
    char line[512];
    uint64_t size = 0;
    bool ours = false;
    FILE *map = fopen("/proc/self/smaps", "re");
    while (map != NULL && fgets(line, sizeof line, map) != NULL) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            ours = strstr(line, "memfd:cfutures") != NULL;
            size = end - start;
        } else if (ours && strncmp(line, "VmFlags:", 8) == 0) {
            sum.reserved += size;
            sum.in_dump += strstr(line, " dd") == NULL ? size : 0;
        }
    }
    if (map != NULL) {
        fclose(map);
    }
    return sum;
}

static int run_look_at_map(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    *(dumped *)result = look_at_map();
    return 0;
}

static void expect_small_dump(dumped d) {
    cr_assert(d.reserved >= UINT64_C(1) << 30, "%llu bytes", (unsigned long long)d.reserved);
    cr_assert(d.in_dump > 0 && d.in_dump < 64 << 20, "%llu bytes in a core dump",
              (unsigned long long)d.in_dump);
}

Test(system, a_core_dump_has_only_what_is_used) {
    enum {
        PAYLOAD = 1 << 20
    };
    static const cf_task look_task = {
        .run = run_look_at_map, .arg_size = PAYLOAD, .result_size = sizeof(dumped)};
    cf_executor *pool = create_pool(1);
    char *arg = calloc(1, PAYLOAD);
    cf_future *futures[8];
    for (size_t i = 0; i < COUNT_OF(futures); i++) { /* the region grows under a running worker */
        futures[i] = submit(pool, &look_task, arg);
    }
    for (size_t i = 0; i < COUNT_OF(futures); i++) {
        dumped of_worker;
        EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &of_worker));
        expect_small_dump(of_worker);
        cf_future_release(futures[i]);
    }
    expect_small_dump(look_at_map());
    free(arg);
    cf_executor_destroy(pool);
}

/* ---- addresses ------------------------------------------------------------------------------- */

Test(system, there_may_be_thousands_of_executors) {
    enum {
        MANY = 3000
    };
    cf_executor **all = calloc(MANY, sizeof *all);
    for (size_t i = 0; i < MANY; i++) {
        EXPECT(CF_OK, cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &all[i]));
    }
    void *own =
        mmap(NULL, (size_t)1 << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cr_assert(own != MAP_FAILED, "the program itself gets no address any more");
    munmap(own, (size_t)1 << 40);
    check_works(all[0]);
    check_works(all[MANY - 1]);
    for (size_t i = 0; i < MANY; i++) {
        cf_executor_destroy(all[i]);
    }
    free(all);
}

#ifndef ADDRESS_SANITIZER /* which needs terabytes of addresses itself */
enum {
    SMALL_ARENA = 64 << 20
};

static bool limit_addresses(void) {
    const struct rlimit limit = {(rlim_t)2 << 30, (rlim_t)2 << 30};
    return setrlimit(RLIMIT_AS, &limit) == 0;
}

/* What an executor leaves to the program of the addresses that the limit allows. */
static bool program_gets_half(create_fn *create, size_t arena_limit) {
    cf_executor *executor = NULL;
    if (create(&(cf_pool_options){.arena_limit = arena_limit}, &executor) != CF_OK) {
        return false;
    }
    void *half = mmap(NULL, (size_t)1 << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (half != MAP_FAILED) {
        munmap(half, (size_t)1 << 30);
    }
    cf_executor_destroy(executor);
    return half != MAP_FAILED;
}

static int host_with_few_addresses(void *context) {
    create_fn *create = *(create_fn *const *)context;
    HOST_CHECK(limit_addresses());
    HOST_CHECK(!program_gets_half(create, 0));
    HOST_CHECK(program_gets_half(create, SMALL_ARENA));
    return 0;
}

Test(system, an_executor_takes_what_a_limit_of_addresses_allows) {
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        create_fn *create = creates[e];
        EXPECT_HOST_OK(host_run(host_with_few_addresses, &create));
    }
}

static int limit_worker(void *context, unsigned worker, void **local) {
    (void)context, (void)worker, (void)local;
    return limit_addresses() ? 0 : errno;
}

static int run_allocate(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg, (void)ctx;
    void *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(bool *)result = memory != MAP_FAILED;
    return 0;
}

static bool limited_worker_gets_memory(size_t arena_limit) {
    static const cf_task task = {.run = run_allocate, .result_size = sizeof(bool)};
    const cf_pool_options options = {
        .max_workers = 1, .arena_limit = arena_limit, .initializer = limit_worker};
    cf_executor *pool = NULL;
    bool works = false;
    EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
    cf_future *f = submit(pool, &task, NULL);
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, &works));
    cf_future_release(f);
    cf_executor_destroy(pool);
    return works;
}

/* What is reserved counts in each worker too. */
Test(system, a_worker_under_a_limit_of_addresses_needs_a_small_arena) {
    cr_assert(!limited_worker_gets_memory(0));
    cr_assert(limited_worker_gets_memory(SMALL_ARENA));
}
#endif

/* ---- calls that signals interrupt ------------------------------------------------------------ */

static void on_tick(int number) {
    (void)number;
}

static int run_last_byte(const void *arg, void *result, cf_task_context *ctx) {
    *(char *)result = ((const char *)arg)[cf_task_arg_size(ctx) - 1];
    return 0;
}

/* Each large piece takes longer than the timer's interval. */
static int host_with_fast_timer(void *context) {
    (void)context;
    const size_t size = CF_PAYLOAD_MAX;
    const cf_task task = {.run = run_last_byte, .arg_size = size, .result_size = 1};
    const struct sigaction action = {.sa_handler = on_tick};
    const struct itimerval tick = {{0, 200}, {0, 200}};
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    char last = 0, *arg = calloc(1, size);
    HOST_CHECK(arg != NULL);
    arg[size - 1] = 'x';
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    HOST_CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    HOST_CHECK(setitimer(ITIMER_REAL, &tick, NULL) == 0);
    HOST_CHECK(cf_executor_submit(pool, &task, arg, &f) == CF_OK);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &last) == CF_OK && last == 'x');
    HOST_CHECK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL) == 0);
    cf_future_release(f);
    cf_executor_destroy(pool);
    free(arg);
    return 0;
}

Test(system, a_fast_timer_does_not_keep_submit_from_its_memory) {
    EXPECT_HOST_OK(host_run(host_with_fast_timer, NULL));
}

/* ---- advice that is refused, or without effect ----------------------------------------------- */

static bool install_filter(struct sock_filter *program, size_t length) {
    const struct sock_fprog filter = {.len = (unsigned short)length, .filter = program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* From now on madvise(MADV_WIPEONFORK) does nothing and returns -1 with this errno; 0 = returns 0. */
static bool filter_wipe_on_fork(int error) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_WIPEONFORK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install_filter(program, COUNT_OF(program));
}

static int host_without_wipe_on_fork(void *context) {
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    cf_stats stats;
    int wait_status;
    HOST_CHECK(filter_wipe_on_fork(*(int *)context));
    HOST_CHECK(cf_thread_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    HOST_CHECK(cf_executor_submit(pool, &square_task, &(uint64_t){3}, &f) == CF_OK);
    pid_t child = fork();
    if (child == 0) {
        bool right = cf_executor_stats(pool, &stats) == CF_EFORKED &&
                     cf_future_result(f, LONG_WAIT, NULL) == CF_EFORKED;
        _exit(right ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    HOST_CHECK(waitpid(child, &wait_status, 0) == child && wait_status == 0);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_OK);
    cf_future_release(f);
    cf_executor_destroy(pool);
    return 0;
}

Test(system, a_forked_child_is_known_without_advice_to_the_kernel) {
    static int errors[] = {EINVAL, 0};
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        EXPECT_HOST_OK(host_run(host_without_wipe_on_fork, &errors[i]));
    }
}

/* ---- a barrier that is refused --------------------------------------------------------------- */

/* From now on membarrier fails with this errno. */
static bool filter_membarrier(int error) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    return install_filter(program, COUNT_OF(program));
}

static int host_without_membarrier(void *context) {
    create_fn *create = *(create_fn *const *)context;
    cf_executor *executor = NULL;
    HOST_CHECK(filter_membarrier(EPERM));
    HOST_CHECK(create(NULL, &executor) == CF_OK);
    for (uint64_t i = 0; i < 10000; i++) { /* each time somebody falls asleep and is woken */
        uint64_t square = 0;
        cf_future *f = NULL;
        HOST_CHECK(cf_executor_submit(executor, &square_task, &i, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, &square) == CF_OK && square == i * i);
        cf_future_release(f);
    }
    cf_executor_destroy(executor);
    return 0;
}

Test(system, a_program_may_forbid_membarrier) {
    for (size_t e = 0; e < COUNT_OF(creates); e++) {
        create_fn *create = creates[e];
        EXPECT_HOST_OK(host_run(host_without_membarrier, &create));
    }
}

/* As an initializer; context: the error number. */
static int refuse_membarrier(void *context, unsigned worker, void **local) {
    (void)worker, (void)local;
    return filter_membarrier(*(int *)context) ? 0 : errno;
}

/* One may be pending, so submit waits for the workers as they wait for it. Between two rounds they may fall
 * asleep. */
static void hand_off(cf_executor *pool, uint64_t *seed) {
    for (size_t round = scaled(2000); round > 0; round--) {
        cf_future *futures[3];
        for (size_t i = 0; i < COUNT_OF(futures); i++) {
            const int64_t start = now_ns();
            futures[i] = submit(pool, &square_task, &(uint64_t){i});
            cr_assert(now_ns() - start < LONG_WAIT, "submit was not woken");
        }
        for (size_t i = 0; i < COUNT_OF(futures); i++) {
            uint64_t value = 0;
            EXPECT(CF_OK, cf_future_result(futures[i], LONG_WAIT, &value));
            EXPECT_EQ(value, i * i);
            cf_future_release(futures[i]);
        }
        spin_for((int64_t)(random_next(seed) % (uint64_t)(60 * MICROSECOND)));
    }
}

Test(system, workers_to_which_a_barrier_is_refused_lose_no_task) {
    static int errors[] = {EPERM, ENOSYS};
    static create_fn *const create[] = {cf_thread_pool_create, cf_process_pool_create};
    uint64_t seed = test_seed("system/workers_to_which_a_barrier_is_refused_lose_no_task");
    for (size_t i = 0; i < COUNT_OF(errors) * COUNT_OF(create); i++) {
        const cf_pool_options options = {.max_workers = 2,
                                         .max_pending = 1,
                                         .initializer = refuse_membarrier,
                                         .context = &errors[i / COUNT_OF(create)]};
        cf_executor *pool = NULL;
        EXPECT(CF_OK, create[i % COUNT_OF(create)](&options, &pool));
        hand_off(pool, &seed);
        cf_executor_destroy(pool);
    }
}

/* ---- another user ---------------------------------------------------------------------------- */

/* The program becomes another user, and has another root directory, while its pool lives. */
static int host_that_changes(void *context) {
    const char *folder = context;
    const cf_submit_options limited = {.timeout_ns = MILLISECOND};
    counter *begun = shared_alloc(sizeof *begun);
    cf_executor *pool = NULL;
    cf_future *f = NULL;
    uint64_t square = 0;
    HOST_CHECK(cf_process_pool_create(&(cf_pool_options){.max_workers = 1}, &pool) == CF_OK);
    HOST_CHECK(chroot(folder) == 0 && chdir("/") == 0);
    HOST_CHECK(setgid(65534) == 0 && setuid(65534) == 0);
    for (int round = 0; round < 3; round++) { /* each time a worker is killed and replaced */
        const stuck task = {.begun = begun};
        HOST_CHECK(cf_executor_submit_with(pool, &stuck_task, &task, &limited, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, NULL) == CF_EDEADLINE);
        cf_future_release(f);
        HOST_CHECK(cf_executor_submit(pool, &square_task, &(uint64_t){4}, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, &square) == CF_OK && square == 16);
        cf_future_release(f);
    }
    cf_executor_destroy(pool);
    return 0;
}

/* Needs a user that may become another. */
Test(system, a_program_may_change_its_user_and_its_root) {
    char folder[] = "/tmp/cfutures-root-XXXXXX";
    if (geteuid() == 0) {
        cr_assert(mkdtemp(folder) != NULL);
        EXPECT_HOST_OK(host_run(host_that_changes, folder));
        cr_assert_eq(rmdir(folder), 0);
    }
}

static int become_nobody(void *context, unsigned worker, void **local) {
    (void)context, (void)worker, (void)local;
    return setgid(65534) == 0 && setuid(65534) == 0 ? 0 : errno;
}

/* Needs a user that may become another. */
Test(system, a_worker_that_has_changed_its_user_dies_with_the_nursery) {
    const cf_pool_options options = {.max_workers = 1, .initializer = become_nobody};
    if (geteuid() != 0) {
        return;
    }
    _Atomic pid_t *pid = shared_alloc(sizeof *pid);
    counter *begun = shared_alloc(sizeof *begun);
    cf_executor *pool = NULL;
    EXPECT(CF_OK, cf_process_pool_create(&options, &pool));
    const pid_t nursery = nursery_of(pool);
    cf_future *f = submit(pool, &stuck_task, &(stuck){.begun = begun, .pid = pid});
    cr_assert(counter_wait(begun, 1));
    cr_assert_eq(kill(nursery, SIGKILL), 0);
    cr_assert(process_ends(atomic_load(pid), LONG_WAIT));
    EXPECT(CF_EBROKEN, cf_future_result(f, LONG_WAIT, NULL));
    cf_future_release(f);
    cf_executor_destroy(pool);
    shared_free(begun, sizeof *begun);
    shared_free(pid, sizeof *pid);
}
