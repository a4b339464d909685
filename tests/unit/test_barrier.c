/* The asymmetric barrier: of two sides that each write a word and then read the other's, one sees the other. Also
 * when a filter refuses membarrier to one side, from whatever moment on. */
#include "../check.h"

#include "platform/barrier.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(barrier, .timeout = TEST_SECONDS);

enum {
    ROUNDS = 20000,
    BALLAST = 32, /* cache lines */
    DELAYS = 64,
    ALLOWED = 0 /* in place of an error number: membarrier is not refused */
};

/* What both sides write in one round, and what each has read. */
typedef struct meeting {
    _Alignas(64) _Atomic uint32_t light;
    _Alignas(64) _Atomic uint32_t heavy;
    _Alignas(64) uint32_t light_saw;
    uint32_t heavy_saw;
} meeting;

/* Stores reach memory in order. So what the light side stores stays in its processor's buffer while
 * it stores into lines that the heavy side has just written: the mistake that is looked for takes some
 * 100 ns longer than a store would. */
typedef struct line {
    _Alignas(64) _Atomic uint32_t word;
} line;

typedef struct sides {
    _Alignas(64) _Atomic uint32_t light_at; /* the round that it begins */
    _Alignas(64) _Atomic uint32_t heavy_at;
    bool processes;
    int error; /* of membarrier on the heavy side */
    counter refused;
    line ballast[BALLAST];
    meeting rounds[ROUNDS];
} sides;

static void write_ballast(sides *s, uint32_t value) {
    for (size_t i = 0; i < BALLAST; i++) {
        atomic_store_explicit(&s->ballast[i].word, value, memory_order_relaxed);
    }
}

/* For the calling thread alone. */
static bool refuse_membarrier(int error) {
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = COUNT_OF(steps), .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* Both begin a round at about the same time. */
static void meet(_Atomic uint32_t *mine, _Atomic uint32_t *other, uint32_t round) {
    atomic_store(mine, round + 1);
    for (unsigned looks = 1; atomic_load(other) < round + 1; looks++) {
        if (looks % 1024 == 0) {
            sched_yield(); /* there may be one processor */
        }
    }
}

static void *be_light(void *context) {
    sides *s = context;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        meeting *m = &s->rounds[i];
        m->light_saw = atomic_load(&m->heavy); /* the line is here */
        meet(&s->light_at, &s->heavy_at, i);
        write_ballast(s, i);
        atomic_store_explicit(&m->light, 1, memory_order_relaxed);
        plat_barrier_light();
        m->light_saw = atomic_load_explicit(&m->heavy, memory_order_relaxed);
    }
    return NULL;
}

static void *be_heavy(void *context) {
    sides *s = context;
    if (s->error != ALLOWED) {
        counter_add(&s->refused, refuse_membarrier(s->error));
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        meeting *m = &s->rounds[i];
        m->heavy_saw = atomic_load(&m->light);
        write_ballast(s, i);
        meet(&s->heavy_at, &s->light_at, i);
        for (volatile uint32_t spins = 0; spins < i % DELAYS; spins++) {}
        atomic_store_explicit(&m->heavy, 1, memory_order_relaxed);
        plat_barrier_heavy(s->processes);
        m->heavy_saw = atomic_load_explicit(&m->light, memory_order_relaxed);
    }
    return NULL;
}

static int count_misses(const sides *s) {
    for (size_t i = 0; i < ROUNDS; i++) {
        if (s->rounds[i].light_saw == 0 && s->rounds[i].heavy_saw == 0) {
            fprintf(stderr, "round %zu: neither side has seen the other\n", i);
            return 1;
        }
    }
    return 0;
}

static int host_of_threads(void *context) {
    pthread_t heavy;
    plat_barrier_register();
    HOST_CHECK(pthread_create(&heavy, NULL, be_heavy, context) == 0);
    be_light(context);
    HOST_CHECK(pthread_join(heavy, NULL) == 0);
    return count_misses(context);
}

static int host_of_processes(void *context) {
    plat_barrier_register();
    const pid_t heavy = fork();
    if (heavy == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        be_heavy(context);
        _exit(0);
    }
    be_light(context);
    HOST_CHECK(host_wait(heavy) == 0);
    return count_misses(context);
}

/* Each host is a process in which membarrier was not refused before. */
static void run(int error, size_t hosts) {
    for (size_t i = 0; i < hosts; i++) {
        sides *s = shared_alloc(sizeof *s);
        s->processes = i % 2 == 1;
        s->error = error;
        EXPECT_HOST_OK(host_run(s->processes ? host_of_processes : host_of_threads, s));
        if (error != ALLOWED && counter_get(&s->refused) == 0) {
            cr_skip_test("the system refuses a filter");
        }
        shared_free(s, sizeof *s);
    }
}

Test(barrier, orders_both_sides) {
    run(ALLOWED, scaled(2));
}

Test(barrier, orders_both_sides_when_it_is_refused_as_not_permitted) {
    run(EPERM, scaled(10));
}

Test(barrier, orders_both_sides_when_it_is_refused_as_unknown) {
    run(ENOSYS, scaled(10));
}
