#include "soak_tasks.h"

#include <stdlib.h>
#include <string.h>

#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif

enum {
    RETRIES = 1000, /* more than a task is killed */
    SMALL = 24,     /* futures of one batch */
    MANY = 1100,    /* more than a slab has */
    ITEMS = 2000,   /* of a map */
    KEPT_MOST = 64,
};

const soak_kind soak_kinds[] = {
    {"serial", cf_serial_create, false, false},
    {"thread_pool", cf_thread_pool_create, false, true},
    {"process_pool", cf_process_pool_create, true, true},
#ifdef PRIMEPOOL_HAVE_OPENMP
    {"openmp", cf_openmp_create, false, true},
#endif
};
const size_t soak_kind_count = COUNT_OF(soak_kinds);
const soak_kind *const soak_processes = &soak_kinds[2];

/* ---- futures --------------------------------------------------------------------------------- */

static cf_future *kept[KEPT_MOST];
static size_t kept_count;

static void keep(cf_future *future) {
    if (kept_count < KEPT_MOST) {
        kept[kept_count++] = cf_future_retain(future);
    }
}

void soak_release_kept(void) {
    while (kept_count > 0) {
        uint64_t value;
        cf_future_result(kept[--kept_count], 0, &value);
        cf_future_release(kept[kept_count]);
    }
}

typedef struct batch {
    size_t count;
    unsigned retries;
    job jobs[SMALL];
    cf_future *futures[SMALL];
} batch;

static void submit(const soak_pool *pool, batch *b, uint64_t value, manner m, unsigned retries) {
    const cf_submit_options options = {.retries = retries,
                                       .timeout_ns = m == LATE ? 2 * MILLISECOND : 0};
    wide_job wide = {.job = make_job(pool, value, m)};
    b->retries = retries;
    b->jobs[b->count] = wide.job;
    if (went_well(pool, "submit",
                  cf_executor_submit_with(pool->executor, value % 2 ? &wide_task : &job_task, &wide,
                                          &options, &b->futures[b->count]))) {
        b->count++;
    }
}

static void collect(const soak_pool *pool, const batch *b, size_t i) {
    uint64_t value = 0;
    const cf_status status = cf_future_result(b->futures[i], LONG_WAIT, &value);
    check_end(pool, &b->jobs[i], b->retries, status, value);
    cf_future_release(b->futures[i]);
}

static void use_results(const soak_pool *pool, uint64_t *seed) {
    batch b = {0};
    const unsigned retries = random_next(seed) % 2 ? 0 : RETRIES;
    doing("results");
    for (size_t i = 0; i < SMALL; i++) {
        submit(pool, &b, random_next(seed), i % 8 == 5 ? FAILS : PLAIN, retries);
    }
    for (size_t i = 0; i < b.count; i++) {
        if (i % 4 == 0) {
            keep(b.futures[i]);
        }
        if (i % 6 == 1) { /* nobody asks for its result */
            cf_future_release(b.futures[i]);
        } else {
            collect(pool, &b, i);
        }
    }
}

static void use_deaths(const soak_pool *pool, uint64_t *seed) {
    batch b = {0};
    doing("deaths");
    for (size_t i = 0; i < 6; i++) {
        submit(pool, &b, random_next(seed), i % 3 == 1 ? DIES : PLAIN, i % 3 == 1);
    }
    for (size_t i = 0; i < b.count; i++) {
        b.retries = 0;
        collect(pool, &b, i);
    }
}

static void use_limits(const soak_pool *pool, uint64_t *seed) {
    batch b = {0};
    doing("limits");
    for (size_t i = 0; i < 4; i++) {
        submit(pool, &b, random_next(seed), i == 1 ? LATE : PLAIN, RETRIES);
    }
    for (size_t i = 0; i < b.count; i++) {
        collect(pool, &b, i);
    }
}

static void use_completions(const soak_pool *pool, uint64_t *seed) {
    batch b = {0};
    cf_as_completed *completed = NULL;
    cf_future *future;
    size_t i, count = 0;
    cf_status status;
    doing("completions");
    for (i = 0; i < SMALL; i++) {
        submit(pool, &b, random_next(seed), PLAIN, RETRIES);
    }
    if (!went_well(pool, "as_completed_create",
                   cf_as_completed_create(b.futures, b.count, &completed))) {
        return;
    }
    while ((status = cf_as_completed_next(completed, LONG_WAIT, &future, &i)) == CF_OK) {
        count++;
        collect(pool, &b, i);
    }
    cf_as_completed_destroy(completed);
    if (status != CF_EEXHAUSTED || count != b.count) {
        tally_fault(status == CF_ETIMEDOUT ? &chaos->hung : &chaos->lost,
                    "%s: as_completed: %zu of %zu, then %s", pool->kind->name, count, b.count,
                    cf_status_name(status));
    }
}

static void tell_done(cf_future *future, void *context) {
    (void)future;
    counter_add(context, 1);
}

static void use_callbacks(const soak_pool *pool, uint64_t *seed) {
    batch b = {0};
    counter called = {0};
    size_t done = 0;
    doing("callbacks");
    for (size_t i = 0; i < SMALL / 2; i++) {
        submit(pool, &b, random_next(seed), PLAIN, RETRIES);
        went_well(pool, "add_done_callback",
                  cf_future_add_done_callback(b.futures[i], tell_done, &called));
    }
    went_well(pool, "wait", cf_wait(b.futures, b.count, CF_ALL_COMPLETED, LONG_WAIT, &done));
    if (!counter_wait(&called, (uint32_t)b.count)) {
        tally_fault(&chaos->hung, "%s: callbacks: %u of %zu", pool->kind->name,
                    counter_get(&called), b.count);
        exit(tally_end()); /* `called` must not go away */
    }
    for (size_t i = 0; i < b.count; i++) {
        collect(pool, &b, i);
    }
}

static void use_cancels(const soak_pool *pool, uint64_t *seed) {
    batch b = {0};
    doing("cancels");
    for (size_t i = 0; i < SMALL; i++) {
        submit(pool, &b, random_next(seed), PLAIN, RETRIES);
    }
    for (size_t i = b.count; i-- > 0;) {
        if (i % 2 == 1 && cf_future_cancel(b.futures[i])) {
            const cf_status status = cf_future_result(b.futures[i], LONG_WAIT, NULL);
            tally_add(&chaos->tasks, 1);
            if (status != CF_ECANCELLED) {
                tally_fault(&chaos->lost, "%s: cancelled, but %s", pool->kind->name,
                            cf_status_name(status));
            }
            cf_future_release(b.futures[i]);
        } else {
            collect(pool, &b, i);
        }
    }
}

static void use_large(const soak_pool *pool, uint64_t *seed) {
    static char arg[LARGE_ARG];
    cf_future *future;
    const void *result;
    size_t size = 0;
    const cf_submit_options options = {.retries = RETRIES};
    const job j = make_job(pool, random_next(seed), PLAIN);
    doing("large");
    memcpy(arg, &j, sizeof j);
    arg[LARGE_ARG - 1] = (char)j.value;
    if (!went_well(pool, "submit",
                   cf_executor_submit_with(pool->executor, &large_task, arg, &options, &future))) {
        return;
    }
    uint64_t value = 0;
    const cf_status status = cf_future_view(future, LONG_WAIT, &result, &size);
    if (status == CF_OK) {
        memcpy(&value, result, sizeof value);
        if (size != LARGE_RESULT || ((const char *)result)[size - 1] != (char)j.value) {
            tally_fault(&chaos->lost, "%s: a wrong large result", pool->kind->name);
        }
    }
    check_end(pool, &j, RETRIES, status, value);
    cf_future_release(future);
}

/* More tasks than a slab has slots, each with a block: slabs are made and used again. */
static void use_many(const soak_pool *pool, uint64_t *seed) {
    static wide_job jobs[MANY];
    static cf_future *futures[MANY];
    const cf_submit_options options = {.retries = RETRIES};
    const size_t count = pool->has_little_room ? MANY / 10 : MANY;
    size_t submitted = 0;
    doing("many");
    for (size_t i = 0; i < count; i++) {
        jobs[i].job = make_job(pool, random_next(seed), PLAIN);
    }
    went_well(pool, "submit_many",
              cf_executor_submit_many(pool->executor, &wide_task, jobs, count, &options, futures,
                                      &submitted));
    for (size_t i = 0; i < submitted; i++) {
        uint64_t value = 0;
        const cf_status status = cf_future_result(futures[i], LONG_WAIT, &value);
        check_end(pool, &jobs[i].job, RETRIES, status, value);
        cf_future_release(futures[i]);
    }
}

/* ---- items ----------------------------------------------------------------------------------- */

static void use_map(const soak_pool *pool, uint64_t *seed) {
    static job jobs[ITEMS];
    static uint64_t values[ITEMS];
    static cf_exception exceptions[ITEMS];
    const cf_map_options options = {.retries = RETRIES, .exceptions = exceptions};
    const size_t failing = random_next(seed) % ITEMS;
    doing("map");
    for (size_t i = 0; i < ITEMS; i++) {
        jobs[i] = make_job(pool, random_next(seed), i == failing ? FAILS : PLAIN);
    }
    cf_executor_map(pool->executor, &job_task, jobs, ITEMS, values, &options);
    for (size_t i = 0; i < ITEMS; i++) {
        check_end(pool, &jobs[i], RETRIES, exceptions[i].status, values[i]);
    }
}

typedef struct source {
    const soak_pool *pool;
    uint64_t seed;
    size_t left;
} source;

static cf_source_answer next_item(void *context, void *arg) {
    source *s = context;
    if (s->left == 0) {
        return CF_SOURCE_END;
    }
    s->left--;
    const job j = make_job(s->pool, random_next(&s->seed), s->left == 17 ? FAILS : PLAIN);
    memcpy(arg, &j, sizeof j);
    return CF_SOURCE_ITEM;
}

static void use_stream(const soak_pool *pool, uint64_t *seed, bool as_completed, bool stops) {
    source s = {.pool = pool, .seed = random_next(seed), .left = ITEMS / 4};
    const cf_stream_options options = {.as_completed = as_completed, .retries = RETRIES};
    cf_stream *stream = NULL;
    cf_stream_item item;
    size_t count = 0;
    cf_status status;
    doing("stream");
    if (!went_well(pool, "stream_open",
                   cf_stream_open(pool->executor, &job_task, next_item, &s, &options, &stream))) {
        return;
    }
    while ((status = cf_stream_next(stream, LONG_WAIT, &item)) == CF_OK) {
        job j;
        uint64_t value = 0;
        memcpy(&j, item.arg, sizeof j);
        if (item.result != NULL) {
            memcpy(&value, item.result, sizeof value);
        }
        check_end(pool, &j, RETRIES, item.exception.status, value);
        if (++count == ITEMS / 8 && stops) {
            break;
        }
    }
    cf_stream_close(stream);
    if (!stops && (status != CF_EEXHAUSTED || count != ITEMS / 4)) {
        tally_fault(status == CF_ETIMEDOUT ? &chaos->hung : &chaos->lost,
                    "%s: stream: %zu items, then %s", pool->kind->name, count,
                    cf_status_name(status));
    }
}

/* ---- pools ----------------------------------------------------------------------------------- */

bool soak_pool_open(soak_pool *pool, const soak_kind *kind, unsigned number, bool may_be_killed,
                    const cf_pool_options *options) {
    doing("create");
    pool->kind = kind;
    pool->number = number;
    pool->has_little_room = options->max_pending > 0;
    pool->may_be_killed = may_be_killed && kind->in_processes;
    for (size_t i = 0; i < SOAK_WORKERS; i++) {
        atomic_store(&soak_ran_by[number][i], 0);
    }
    if (!went_well(pool, "create", kind->create(options, &pool->executor))) {
        return false;
    }
    return true;
}

void soak_pool_close(soak_pool *pool) {
    doing("destroy");
    cf_executor_destroy(pool->executor);
}

void soak_pool_gather(soak_pool *pool) {
    const uint32_t until = soak_gathered(pool) + SOAK_WORKERS;
    batch b = {0};
    doing("gather");
    if (!pool->kind->has_workers) {
        return;
    }
    for (size_t i = 0; i < SOAK_WORKERS; i++) {
        submit(pool, &b, until, GATHERS, RETRIES);
    }
    for (size_t i = 0; i < b.count; i++) {
        collect(pool, &b, i);
    }
}

void soak_pool_use(soak_pool *pool, uint64_t *seed) {
    use_results(pool, seed);
    use_map(pool, seed);
    use_stream(pool, seed, false, false);
    use_completions(pool, seed);
    use_large(pool, seed);
    use_callbacks(pool, seed);
    use_many(pool, seed);
    use_cancels(pool, seed);
    if (!pool->lives_on) {
        use_deaths(pool, seed);
        use_limits(pool, seed);
    }
    use_stream(pool, seed, true, random_next(seed) % 2 == 0);
    doing("nothing");
}
