/* At every moment cf_executor_stats tells at most max_pending pending tasks, and no submit waits while there
 * is room. So each count has to be right at every moment. */
#include "rows.h"

#include <pthread.h>

TestSuite(pending_count, .timeout = TEST_SECONDS);

enum {
    SUBMITTERS = 3,
    OBSERVERS = 2,
    EACH = 1500, /* tasks of a submitter */
    BATCH = 50,
    WORKERS = 3
};

typedef enum manner {
    ONE_BY_ONE,
    MANY_AT_ONCE,
    BY_MAP,
    MANNERS
} manner;

/* What the threads of a test share. */
typedef struct scene {
    cf_executor *ex;
    size_t max_pending;
    counter *ran;
    counter over;          /* submitters that are through */
    _Atomic uint64_t most; /* pending, as seen */
    counter watching;      /* observers that have looked once */
} scene;

typedef struct submitter {
    pthread_t thread;
    scene *scene;
    manner how;
    cf_status status;
} submitter;

static cf_status submit_batch(const submitter *s) {
    cf_executor *ex = s->scene->ex;
    counter *args[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        args[i] = s->scene->ran;
    }
    if (s->how == BY_MAP) {
        return cf_executor_map(ex, &add_task, args, BATCH, NULL, &(cf_map_options){.chunk = 1});
    }
    if (s->how == MANY_AT_ONCE) {
        return cf_executor_submit_many(ex, &add_task, args, BATCH, NULL, NULL, NULL);
    }
    cf_status status = CF_OK;
    for (size_t i = 0; i < BATCH && status == CF_OK; i++) {
        status = cf_executor_submit(ex, &add_task, &args[i], NULL);
    }
    return status;
}

static void *submit_all(void *arg) {
    submitter *s = arg;
    for (size_t done = 0; done < EACH && s->status == CF_OK; done += BATCH) {
        s->status = submit_batch(s);
    }
    counter_add(&s->scene->over, 1);
    return NULL;
}

static void *observe(void *arg) {
    scene *s = arg;
    cf_stats stats;
    bool told = false;
    while (counter_get(&s->over) < SUBMITTERS && cf_executor_stats(s->ex, &stats) == CF_OK) {
        uint64_t most = atomic_load(&s->most);
        while (stats.pending > most &&
               !atomic_compare_exchange_weak(&s->most, &most, stats.pending)) {}
        if (!told) {
            counter_add(&s->watching, 1);
            told = true;
        }
    }
    return NULL;
}

/* MANNERS: each submitter in another manner. */
static void watch(size_t max_pending, manner how) {
    scene s = {.max_pending = max_pending, .ran = shared_alloc(sizeof(counter))};
    submitter submitters[SUBMITTERS];
    pthread_t observers[OBSERVERS];
    s.ex = create_with((cf_pool_options){.max_workers = WORKERS, .max_pending = max_pending});
    for (size_t i = 0; i < OBSERVERS; i++) {
        cr_assert_eq(pthread_create(&observers[i], NULL, observe, &s), 0);
    }
    cr_assert(counter_wait(&s.watching, OBSERVERS));
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] =
            (submitter){.scene = &s, .how = how < MANNERS ? how : (manner)(i % MANNERS)};
        cr_assert_eq(pthread_create(&submitters[i].thread, NULL, submit_all, &submitters[i]), 0);
    }
    cr_assert(counter_wait(&s.over, SUBMITTERS), "someone waits for room for ever");
    for (size_t i = 0; i < SUBMITTERS; i++) {
        cr_assert_eq(pthread_join(submitters[i].thread, NULL), 0);
        EXPECT(CF_OK, submitters[i].status);
    }
    for (size_t i = 0; i < OBSERVERS; i++) {
        cr_assert_eq(pthread_join(observers[i], NULL), 0);
    }
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    EXPECT_EQ(counter_get(s.ran), SUBMITTERS * EACH);
    cr_assert(atomic_load(&s.most) <= max_pending, "%llu were pending, and no more than %zu may be",
              (unsigned long long)atomic_load(&s.most), max_pending);
    cf_executor_destroy(s.ex);
    shared_free(s.ran, sizeof(counter));
}

static void watch_each(manner how) {
    static const size_t bounds[] = {1, 4};
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        watch(bounds[i], how);
    }
}

Test(pending_count, is_never_too_high_while_tasks_are_submitted) {
    NEEDS(runs_beside_caller);
    watch_each(ONE_BY_ONE);
}

Test(pending_count, is_never_too_high_while_many_are_submitted_at_once) {
    NEEDS(runs_beside_caller);
    watch_each(MANY_AT_ONCE);
}

Test(pending_count, is_never_too_high_while_maps_are_made) {
    NEEDS(runs_beside_caller);
    watch_each(BY_MAP);
}

Test(pending_count, is_never_too_high_while_all_of_that_is_done) {
    NEEDS(runs_beside_caller);
    watch_each(MANNERS);
}
