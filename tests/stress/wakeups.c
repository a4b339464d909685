/* A hunt for lost wake-ups: tasks handed off one at a time, just as a worker falls asleep.
 *
 *      wakeups [HANDOFFS]      (CF_TEST_SEED, CF_TEST_MULT)
 *
 * Between two hand-offs the submitter pauses for a random time, mostly one around which workers and
 * waiters change from searching to sleeping. Nothing else goes on, so whatever wakes nobody is not
 * made up for by what comes after: the wait takes for ever, and a watchdog ends the program. A wait
 * of more than 100 ms is a failure too, unless the machine stood still meanwhile: a thread that sleeps
 * for a millisecond at a time tells, or the kernel, of threads that were ready and had to wait for a
 * processor. */
#include "../support.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    BUCKETS = 24 /* of the histogram: up to 1 us, 2 us, 4 us ... */
};

static const int64_t too_long_ns = 100 * MILLISECOND;

/* ---- does the machine go on? ----------------------------------------------------------------- */

static _Atomic int64_t stood_still_at; /* the end of the last stall, */
static _Atomic uint64_t stalls;        /* of a quarter of what is too long, or more */
static _Atomic uint64_t progress;
static _Atomic bool over;

static void check_progress(uint64_t *seen, int64_t *since_ns, int64_t now) {
    uint64_t made = atomic_load(&progress);
    if (made != *seen) {
        *seen = made;
        *since_ns = now;
    } else if (now - *since_ns > LONG_WAIT) {
        fprintf(stderr, "wakeups: nothing has gone on for 30 s, after %" PRIu64 " hand-offs\n",
                made);
        abort();
    }
}

static void *watch_the_machine(void *unused) {
    (void)unused;
    uint64_t seen = 0;
    int64_t before = now_ns(), since_ns = before;
    while (!atomic_load(&over)) {
        nanosleep(&(struct timespec){.tv_nsec = MILLISECOND}, NULL);
        int64_t now = now_ns();
        if (now - before > too_long_ns / 4) {
            atomic_store(&stood_still_at, now);
            atomic_fetch_add(&stalls, 1);
        }
        check_progress(&seen, &since_ns, now);
        before = now;
    }
    return NULL;
}

/* How long one thread was ready and had no processor; 0 where the kernel does not tell. */
static int64_t waited_for_processor_ns(const char *schedstat) {
    unsigned long long ran = 0, waited = 0;
    FILE *file = fopen(schedstat, "re");
    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &ran, &waited) != 2) {
            waited = 0;
        }
        fclose(file);
    }
    return (int64_t)waited;
}

/* The submitter and the workers. */
static int64_t all_waited_for_processor_ns(cf_executor *ex) {
    int64_t waited = waited_for_processor_ns("/proc/thread-self/schedstat");
    for (unsigned i = 0; i < cf_executor_max_workers(ex); i++) {
        cf_worker_stats stats;
        char path[64];
        if (cf_executor_worker_stats(ex, i, &stats) == CF_OK) {
            snprintf(path, sizeof path, "/proc/%" PRId64 "/schedstat", (int64_t)stats.id);
            waited += waited_for_processor_ns(path);
        }
    }
    return waited;
}

/* ---- one hand-off ---------------------------------------------------------------------------- */

typedef struct kind {
    const char *name;
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    unsigned workers;
} kind;

static const kind kinds[] = {
    {"process_pool", cf_process_pool_create, 1},
    {"process_pool", cf_process_pool_create, 2},
    {"thread_pool", cf_thread_pool_create, 1},
    {"thread_pool", cf_thread_pool_create, 2},
};

static uint64_t faults;

static void expect(bool true_, const char *what) {
    if (!true_ && faults++ < 10) {
        fprintf(stderr, "wakeups: not true: %s\n", what);
    }
}

static cf_future *submit(cf_executor *ex, uint64_t n) {
    cf_future *future = NULL;
    expect(cf_executor_submit(ex, &square_task, &n, &future) == CF_OK, "it can be submitted");
    return future;
}

static void take(cf_future *future, uint64_t n) {
    uint64_t value = 0;
    expect(cf_future_result(future, CF_FOREVER, &value) == CF_OK && value == n * n,
           "the result is right");
    cf_future_release(future);
}

static void by_result(cf_executor *ex, uint64_t n) {
    take(submit(ex, n), n);
}

static void by_timed_result(cf_executor *ex, uint64_t n) {
    cf_future *future = submit(ex, n);
    expect(cf_future_result(future, LONG_WAIT, NULL) == CF_OK, "it is done in time");
    cf_future_release(future);
}

static void by_as_completed(cf_executor *ex, uint64_t n) {
    cf_future *futures[] = {submit(ex, n), submit(ex, n + 1)};
    cf_as_completed *iteration = NULL;
    expect(cf_as_completed_create(futures, 2, &iteration) == CF_OK, "it can be iterated over");
    for (int i = 0; i < 2; i++) {
        cf_future *future = NULL;
        size_t index = 0;
        expect(cf_as_completed_next(iteration, CF_FOREVER, &future, &index) == CF_OK,
               "there is a next one");
        take(future, n + index);
    }
    cf_as_completed_destroy(iteration);
}

/* The executor lets one be pending: the second submit waits until the first has begun. */
static void by_room(cf_executor *ex, uint64_t n) {
    cf_future *futures[3];
    for (uint64_t i = 0; i < COUNT_OF(futures); i++) {
        futures[i] = submit(ex, n + i);
    }
    for (uint64_t i = 0; i < COUNT_OF(futures); i++) {
        take(futures[i], n + i);
    }
}

typedef struct way {
    const char *name;
    void (*hand_off)(cf_executor *ex, uint64_t n);
    size_t max_pending;
} way;

static const way ways[] = {
    {"result", by_result, 0},
    {"result within a time", by_timed_result, 0},
    {"as_completed", by_as_completed, 0},
    {"room for one", by_room, 1},
};

/* ---- pauses ---------------------------------------------------------------------------------- */

/* Around the two moments at which somebody stops searching, at the moment of falling asleep after
 * that, and anywhere. */
static int64_t draw_pause_ns(uint64_t *seed) {
    uint64_t r = random_next(seed);
    int64_t x = (int64_t)(r >> 8 & 0xffff);
    switch (r % 16) {
    case 0:
    case 1:
        return x * 200 * MICROSECOND / 0xffff;
    case 2:
    case 3:
    case 4:
    case 5:
        return 15 * MICROSECOND + x * 15 * MICROSECOND / 0xffff;
    case 6:
    case 7:
        return 20 * MICROSECOND + x * 3 * MICROSECOND / 0xffff;
    default:
        return x * 5 * MICROSECOND / 0xffff;
    }
}

/* ---- a run ----------------------------------------------------------------------------------- */

typedef struct times {
    uint64_t buckets[BUCKETS];
    int64_t longest_ns;
    uint64_t too_long, excused;
    int64_t waited_ns; /* for processors, when it was last asked */
} times;

/* Looked at every few hand-offs, which take much less time than what is too long. */
static bool had_no_processor(times *t, cf_executor *ex, int64_t took_ns) {
    int64_t before_ns = t->waited_ns;
    t->waited_ns = all_waited_for_processor_ns(ex);
    return t->waited_ns - before_ns > took_ns / 2;
}

static void note(times *t, cf_executor *ex, int64_t from_ns, int64_t took_ns) {
    unsigned bucket = 0;
    while (bucket + 1 < BUCKETS && took_ns > MICROSECOND << bucket) {
        bucket++;
    }
    t->buckets[bucket]++;
    t->longest_ns = took_ns > t->longest_ns ? took_ns : t->longest_ns;
    if (took_ns > too_long_ns) {
        /* The watching thread may tell of it a little later than we see it. */
        nanosleep(&(struct timespec){.tv_nsec = 5 * MILLISECOND}, NULL);
        bool excuse = atomic_load(&stood_still_at) >= from_ns || had_no_processor(t, ex, took_ns);
        t->too_long += !excuse;
        t->excused += excuse;
    }
}

static void print_times(const kind *k, const way *w, size_t count, const times *t, double seconds) {
    printf("%s, %u %s, %s: %zu hand-offs in %.1f s, the longest %.2f ms, too long %" PRIu64
           " (and %" PRIu64 " while the machine stood still)\n   ",
           k->name, k->workers, k->workers == 1 ? "worker" : "workers", w->name, count, seconds,
           (double)t->longest_ns / MILLISECOND, t->too_long, t->excused);
    for (unsigned i = 0; i < BUCKETS; i++) {
        if (t->buckets[i] != 0) {
            printf(" <=%" PRIu64 "us:%" PRIu64, UINT64_C(1) << i, t->buckets[i]);
        }
    }
    printf("\n");
    fflush(stdout);
}

static void hunt(const kind *k, const way *w, size_t count, uint64_t *seed) {
    cf_executor *ex = NULL;
    times t = {0};
    const int64_t begin_ns = now_ns();
    const cf_pool_options options = {.max_workers = k->workers, .max_pending = w->max_pending};
    if (k->create(&options, &ex) != CF_OK) {
        fprintf(stderr, "wakeups: no %s\n", k->name);
        exit(2);
    }
    for (size_t i = 0; i < count; i++) {
        if (i % 256 == 0) {
            had_no_processor(&t, ex, 0);
        }
        spin_for(draw_pause_ns(seed));
        int64_t from_ns = now_ns();
        w->hand_off(ex, i);
        note(&t, ex, from_ns, now_ns() - from_ns);
        atomic_fetch_add(&progress, 1);
    }
    cf_executor_destroy(ex);
    print_times(k, w, count, &t, (double)(now_ns() - begin_ns) / SECOND);
    faults += t.too_long;
}

int main(int argc, char **argv) {
    const size_t runs = COUNT_OF(kinds) * COUNT_OF(ways);
    size_t count = scaled(argc > 1 ? strtoul(argv[1], NULL, 10) : 200000) / runs;
    uint64_t seed = test_seed("wakeups");
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        for (size_t w = 0; w < COUNT_OF(ways); w++) {
            pthread_t watcher;
            atomic_store(&over, false);
            if (pthread_create(&watcher, NULL, watch_the_machine, NULL) != 0) {
                perror("pthread_create");
                return 2;
            }
            hunt(&kinds[k], &ways[w], count, &seed);
            atomic_store(&over, true);
            pthread_join(watcher, NULL);
        }
    }
    printf("%" PRIu64 " faults; the machine stood still %" PRIu64 " times\n", faults,
           atomic_load(&stalls));
    return faults == 0 ? 0 : 1;
}
