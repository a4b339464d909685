/* The descriptors that a pool has, their numbers, and what its processes keep open. */
#include "process.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(descriptors, .timeout = TEST_SECONDS);

enum {
    MOST = 64, /* descriptors that are looked at */
    FAR = 512  /* the lowest number of a pool's own, where there are so many */
};

typedef struct kinds {
    unsigned memfds, eventfds, pidfds, others;
    int lowest;
} kinds;

static size_t list_descriptors(int *list) {
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    cr_assert(dir != NULL);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        const int file = (int)strtol(e->d_name, NULL, 10);
        if (e->d_name[0] != '.' && file != dirfd(dir)) {
            cr_assert(count < MOST);
            list[count++] = file;
        }
    }
    closedir(dir);
    return count;
}

static void count_kind(kinds *k, int file) {
    char path[64], target[128] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    cr_assert(readlink(path, target, sizeof target - 1) > 0);
    if (strncmp(target, "/memfd:cfutures", 15) == 0) {
        k->memfds++;
    } else if (strstr(target, "[eventfd") != NULL) {
        k->eventfds++;
    } else if (strstr(target, "[pidfd") != NULL) {
        k->pidfds++;
    } else {
        k->others++;
    }
    k->lowest = k->lowest == 0 || file < k->lowest ? file : k->lowest;
}

/* Of the descriptors that a process pool has made, and that works. */
static kinds kinds_of_a_pool(void) {
    int before[MOST], after[MOST];
    const size_t old_count = list_descriptors(before);
    cf_executor *pool = create_pool(2);
    check_works(pool);
    const size_t count = list_descriptors(after);
    kinds k = {0};
    for (size_t i = 0; i < count; i++) {
        bool old = false;
        for (size_t n = 0; n < old_count; n++) {
            old = old || before[n] == after[i];
        }
        if (!old) {
            count_kind(&k, after[i]);
        }
    }
    cf_executor_destroy(pool);
    EXPECT_EQ(list_descriptors(after), old_count);
    return k;
}

static void expect_four(kinds k) {
    EXPECT_EQ(k.memfds, 1);
    EXPECT_EQ(k.eventfds, 2);
    EXPECT_EQ(k.pidfds, 1);
    EXPECT_EQ(k.others, 0);
}

Test(descriptors, of_a_process_pool_are_four) {
    const kinds k = kinds_of_a_pool();
    expect_four(k);
    cr_assert(k.lowest >= FAR, "%d", k.lowest);
}

Test(descriptors, are_low_where_the_limit_is_low) {
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 100;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    const kinds k = kinds_of_a_pool();
    limit.rlim_cur = before;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_four(k);
    cr_assert(k.lowest > STDERR_FILENO && k.lowest < 100, "%d", k.lowest);
}

Test(descriptors, of_other_executors_are_none) {
    int before[MOST], after[MOST];
    const size_t old_count = list_descriptors(before);
    static create_fn *const others[] = {cf_serial_create, cf_thread_pool_create};
    for (size_t e = 0; e < COUNT_OF(others); e++) {
        cf_executor *executor = NULL;
        EXPECT(CF_OK, others[e](NULL, &executor));
        check_works(executor);
        EXPECT_EQ(list_descriptors(after), old_count);
        cf_executor_destroy(executor);
    }
}

/* 0: nothing yet; else what poll tells of the pipe. */
static short events_of(int file) {
    struct pollfd p = {.fd = file, .events = POLLIN};
    poll(&p, 1, 0);
    return p.revents;
}

Test(descriptors, of_the_caller_stay_open_in_the_nursery) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cf_executor *pool = create_pool(1);
    close(ends[1]);
    check_works(pool);
    EXPECT_EQ(events_of(ends[0]), 0);
    cf_executor_destroy(pool);
    EXPECT_EQ(events_of(ends[0]), POLLHUP);
    close(ends[0]);
}
