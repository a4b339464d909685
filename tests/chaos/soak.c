/* Nothing grows. Pools of every kind are made, used and destroyed, again and again; one of each kind lives
 * all along. The workers of processes are killed meanwhile. Memory, addresses, mappings, descriptors,
 * threads and processes must stay what they are: of the caller, the nurseries and the workers.
 *
 *     soak [SECONDS]
 *
 * A round uses every pool that lives all along, and a new pool of each kind; then a sample is taken, while
 * nobody is killed and every worker is there. The last lines show some of the samples. A hang ends the
 * program with code 1. */
#include "soak_samples.h"
#include "soak_tasks.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    SECONDS_REDUCED = 4,
    ROUNDS_LEAST = 16, /* fewer do not show what grows */
    FAULTS_MOST = 20,  /* then it ends */
    PAUSE_MOST_US = 600
};

#define STANDSTILL_NS (12 * SECOND)
#define WAIT_MOST_NS  (60 * SECOND) /* of the reduced form */

/* ---- death ----------------------------------------------------------------------------------- */

/* `lock` is held while a worker is killed, and by whoever takes a pool from its victims. */
static struct killer {
    pthread_t thread;
    pthread_mutex_t lock;
    soak_pool *victims[SOAK_POOLS_MOST];
    bool spared[SOAK_POOLS_MOST][SOAK_WORKERS];
    uint64_t seed;
    _Atomic bool over;
} killer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void killer_add(soak_pool *pool) {
    if (pool->may_be_killed) {
        pthread_mutex_lock(&killer.lock);
        killer.victims[pool->number] = pool;
        memset(killer.spared[pool->number], 0, sizeof killer.spared[0]);
        pthread_mutex_unlock(&killer.lock);
    }
}

static void killer_drop(const soak_pool *pool) {
    pthread_mutex_lock(&killer.lock);
    killer.victims[pool->number] = NULL;
    pthread_mutex_unlock(&killer.lock);
}

/* Mostly a worker that has begun a task. One that has not is not killed twice in a row. */
static void kill_one(unsigned number, unsigned worker) {
    static const int signals[] = {SIGKILL, SIGKILL, SIGSEGV, SIGTERM, SIGABRT, SIGBUS};
    cf_worker_stats stats;
    bool *spared = &killer.spared[number][worker];
    const soak_pool *pool = killer.victims[number];
    if (pool == NULL || cf_executor_worker_stats(pool->executor, worker, &stats) != CF_OK ||
        stats.id <= 1) {
        return;
    }
    if (atomic_load(&soak_ran_by[number][worker]) == (pid_t)stats.id) {
        *spared = false;
    } else if (*spared || random_next(&killer.seed) % 4 != 0) {
        return;
    } else {
        *spared = true;
    }
    if (kill((pid_t)stats.id, signals[random_next(&killer.seed) % COUNT_OF(signals)]) == 0) {
        tally_add(&chaos->kills, 1);
    }
}

static void *kill_workers(void *unused) {
    (void)unused;
    while (!atomic_load(&killer.over)) {
        usleep((useconds_t)(random_next(&killer.seed) % PAUSE_MOST_US));
        pthread_mutex_lock(&killer.lock);
        for (unsigned number = 0; number < SOAK_POOLS_MOST; number++) {
            kill_one(number, (unsigned)(random_next(&killer.seed) % SOAK_WORKERS));
        }
        pthread_mutex_unlock(&killer.lock);
    }
    return NULL;
}

/* ---- hangs ----------------------------------------------------------------------------------- */

/* A pool ends with its nursery, and a nursery with the program. */
static void *watch(void *unused) {
    uint64_t seen = 0;
    int64_t since_ns = now_ns();
    (void)unused;
    while (!atomic_load(&killer.over)) {
        const uint64_t now = atomic_load(&soak_progress);
        if (now != seen) {
            seen = now;
            since_ns = now_ns();
        } else if (now_ns() - since_ns > STANDSTILL_NS) {
            tally_fault(&chaos->hung, "nothing goes on in: %s", atomic_load(&soak_doing));
            tally_end();
            fflush(NULL);
            _exit(1);
        }
        usleep(20000);
    }
    return NULL;
}

static pthread_t start(void *(*run)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0) {
        perror("soak: pthread_create");
        exit(2);
    }
    return thread;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static soak_pool lasting[SOAK_POOLS_MOST];
static unsigned lasting_count;

static void open_lasting(void) {
    const cf_pool_options options = {.max_workers = SOAK_WORKERS};
    for (size_t i = 0; i <= soak_kind_count; i++) {
        const soak_kind *kind = i < soak_kind_count ? &soak_kinds[i] : soak_processes;
        const cf_pool_options one = {.max_workers = 1};
        soak_pool *pool = &lasting[lasting_count];
        pool->lives_on = i == soak_kind_count;
        if (!soak_pool_open(pool, kind, lasting_count, !pool->lives_on,
                            kind->has_workers ? &options : &one)) {
            exit(tally_end());
        }
        killer_add(pool);
        lasting_count++;
    }
}

static void close_lasting(void) {
    while (lasting_count > 0) {
        soak_pool *pool = &lasting[--lasting_count];
        killer_drop(pool);
        soak_pool_close(pool);
    }
}

static void use_new_pool(const soak_kind *kind, uint64_t *seed) {
    static soak_pool pool;
    const cf_pool_options options = {
        .max_workers = kind->has_workers ? SOAK_WORKERS : 1,
        .record_times = random_next(seed) % 2,
        .arena_limit = random_next(seed) % 2 ? (size_t)64 << 20 : 0,
        .max_pending = random_next(seed) % 3 == 0 ? 4 : 0,
        .max_tasks_per_worker = random_next(seed) % 3 == 0 ? 5 : 0,
        .run_exit_handlers = false,
        .name = "soak",
    };
    if (!soak_pool_open(&pool, kind, SOAK_POOLS_MOST - 1, true, &options)) {
        return;
    }
    killer_add(&pool);
    soak_pool_use(&pool, seed);
    killer_drop(&pool);
    soak_pool_close(&pool);
}

static void play_round(uint64_t *seed) {
    for (unsigned i = 0; i < lasting_count; i++) {
        soak_pool_use(&lasting[i], seed);
    }
    for (size_t i = 0; i < soak_kind_count; i++) {
        use_new_pool(&soak_kinds[i], seed);
    }
}

/* Every worker is there, and nobody is killed. */
static sample take_sample(uint64_t round, const sample *expected) {
    soak_release_kept();
    pthread_mutex_lock(&killer.lock);
    for (unsigned i = 0; i < lasting_count; i++) {
        soak_pool_gather(&lasting[i]);
    }
    const sample s = sample_take(round, expected);
    pthread_mutex_unlock(&killer.lock);
    return s;
}

static void play(int64_t seconds, uint64_t *seed) {
    const int64_t start_ns = now_ns();
    const int64_t until_ns = start_ns + (seconds > 0 ? seconds : SECONDS_REDUCED) * SECOND;
    sample expected = {0};
    uint64_t round = 0;
    while (now_ns() < until_ns ||
           (seconds == 0 && round < ROUNDS_LEAST && now_ns() < start_ns + WAIT_MOST_NS)) {
        play_round(seed);
        const sample now = take_sample(round, round < 2 ? NULL : &expected);
        if (round < 2 || sample_has_more(&expected, &now)) {
            expected = now;
        }
        samples_add(&now);
        round++;
        if (chaos->lost + chaos->hung + chaos->duplicated + chaos->leaked > FAULTS_MOST) {
            return;
        }
    }
    const double took = (double)(now_ns() - start_ns) / SECOND;
    printf("soak: %" PRIu64 " rounds, %" PRIu64 " pools, in %.1f s: %.0f kills/s, %.0f tasks/s\n",
           round, round * soak_kind_count, took, (double)chaos->kills / took,
           (double)chaos->tasks / took);
}

int main(int argc, char **argv) {
    samples_begin(argv);
    const int64_t seconds = tally_begin("soak", argc, argv);
    uint64_t seed = chaos_seed;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    soak_tasks_init();
    open_lasting();
    close_lasting(); /* what the first pool of a kind leaves is there once */
    const belongings before = belongings_now();
    killer.seed = random_next(&seed);
    open_lasting();
    killer.thread = start(kill_workers);
    pthread_t watchdog = start(watch);
    play(seconds, &seed);
    close_lasting();
    soak_release_kept();
    atomic_store(&killer.over, true);
    pthread_join(killer.thread, NULL);
    pthread_join(watchdog, NULL);
    samples_judge();
    belongings_check(&before, "the last pool");
    return tally_end();
}
