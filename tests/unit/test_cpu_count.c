/* How many processors this process may use. */
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(cpu_count, .timeout = TEST_SECONDS);

static unsigned least_known(const cf_cpu_explanation *e) {
    const unsigned known[] = {e->affinity, e->cpuset, e->quota, CF_WORKERS_MAX};
    unsigned least = e->online;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        least = known[i] && known[i] < least ? known[i] : least;
    }
    return least;
}

/* The number behind the name. */
static unsigned decider(const cf_cpu_explanation *e) {
    const struct {
        const char *name;
        unsigned count;
    } deciders[] = {
        {"online", e->online},      {"affinity", e->affinity}, {"cpuset", e->cpuset},
        {"cgroup quota", e->quota}, {"limit", CF_WORKERS_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(deciders); i++) {
        if (strcmp(e->decided_by, deciders[i].name) == 0) {
            return deciders[i].count;
        }
    }
    return 0;
}

Test(cpu_count, is_the_least_of_what_is_known) {
    cf_cpu_explanation e;
    memset(&e, 0xFF, sizeof e);
    unsigned count = cf_cpu_count(&e);
    EXPECT_EQ(count, cf_cpu_count(NULL));
    EXPECT_EQ(count, e.count);
    cr_assert(count >= 1 && count <= CF_WORKERS_MAX);
    EXPECT_EQ(count, least_known(&e));
    EXPECT_EQ(decider(&e), count);
    EXPECT_EQ(e.online, sysconf(_SC_NPROCESSORS_ONLN));
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    EXPECT_EQ(e.affinity, CPU_COUNT(&set));
}

static void keep_cpus(size_t keep) {
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            if (keep > 0) {
                keep--;
            } else {
                CPU_CLR(cpu, &set);
            }
        }
    }
    cr_assert_eq(sched_setaffinity(0, sizeof set, &set), 0);
}

Test(cpu_count, follows_the_affinity) {
    cf_cpu_explanation before, after;
    cf_cpu_count(&before);
    keep_cpus(1);
    EXPECT_EQ(cf_cpu_count(&after), 1); /* read anew */
    EXPECT_EQ(after.affinity, 1);
    EXPECT_EQ(after.online, before.online);
    EXPECT_EQ(decider(&after), 1);
    if (before.count > 1) {
        cr_assert_str_eq(after.decided_by, "affinity");
    }
}

static void *count_in_thread(void *arg) {
    *(unsigned *)arg = cf_cpu_count(NULL);
    return NULL;
}

Test(cpu_count, is_for_the_asking_thread) {
    unsigned there = 0;
    pthread_t thread;
    pthread_attr_t attributes;
    cpu_set_t one;
    CPU_ZERO(&one);
    cr_assert(sched_getcpu() >= 0);
    CPU_SET((size_t)sched_getcpu(), &one);
    unsigned here = cf_cpu_count(NULL);
    pthread_attr_init(&attributes);
    cr_assert_eq(pthread_attr_setaffinity_np(&attributes, sizeof one, &one), 0);
    cr_assert_eq(pthread_create(&thread, &attributes, count_in_thread, &there), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    EXPECT_EQ(there, 1);
    EXPECT_EQ(cf_cpu_count(NULL), here);
}
