/* In another process, a forked child or a worker of another pool, every call on a pool's futures is refused
 * or does nothing, whatever has become of them in the caller meanwhile. */
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(foreign_futures, .timeout = TEST_SECONDS);

/* ---- what a call does there -------------------------------------------------------------------- */

static int call_result(cf_future *f) {
    uint64_t result = 42;
    HOST_CHECK(cf_future_result(f, 0, &result) == CF_EFORKED);
    HOST_CHECK(cf_future_result(f, LONG_WAIT, &result) == CF_EFORKED);
    HOST_CHECK(cf_future_result(f, CF_FOREVER, NULL) == CF_EFORKED);
    HOST_CHECK(result == 42);
    return 0;
}

static int call_view(cf_future *f) {
    const void *result = &result;
    size_t size = 42;
    HOST_CHECK(cf_future_view(f, 0, &result, &size) == CF_EFORKED);
    HOST_CHECK(cf_future_view(f, CF_FOREVER, &result, &size) == CF_EFORKED);
    HOST_CHECK(result == &result && size == 42);
    return 0;
}

static int call_exception(cf_future *f) {
    cf_exception why = {.status = CF_EDEADLOCK};
    HOST_CHECK(cf_future_exception(f, 0, &why) == CF_EFORKED);
    HOST_CHECK(cf_future_exception(f, CF_FOREVER, &why) == CF_EFORKED);
    HOST_CHECK(why.status == CF_EDEADLOCK);
    return 0;
}

static int call_info(cf_future *f) {
    cf_info info;
    HOST_CHECK(cf_future_info(f, &info) == CF_EFORKED);
    return 0;
}

static int call_state(cf_future *f) {
    HOST_CHECK(cf_future_state(f) == CF_PENDING);
    return 0;
}

static int call_running(cf_future *f) {
    HOST_CHECK(!cf_future_running(f));
    return 0;
}

static int call_done(cf_future *f) {
    HOST_CHECK(!cf_future_done(f));
    return 0;
}

static int call_describe(cf_future *f) {
    char text[100], wanted[100], cut[12];
    snprintf(wanted, sizeof wanted, "<Future at %p of another process>", (void *)f);
    HOST_CHECK(cf_future_describe(f, text, sizeof text) == text);
    HOST_CHECK(strcmp(text, wanted) == 0);
    HOST_CHECK(cf_future_describe(f, cut, sizeof cut) == cut);
    HOST_CHECK(strncmp(cut, wanted, sizeof cut - 1) == 0 && cut[sizeof cut - 1] == '\0');
    return 0;
}

static int call_cancel(cf_future *f) {
    HOST_CHECK(!cf_future_cancel(f));
    HOST_CHECK(!cf_future_cancel(f));
    return 0;
}

static void never_called(cf_future *f, void *context) {
    (void)f;
    (void)context;
    _exit(77);
}

static int call_add_done_callback(cf_future *f) {
    HOST_CHECK(cf_future_add_done_callback(f, never_called, NULL) == CF_EFORKED);
    return 0;
}

static int call_as_completed(cf_future *f) {
    cf_as_completed *ac = NULL;
    HOST_CHECK(cf_as_completed_create(&f, 1, &ac) == CF_EFORKED);
    HOST_CHECK(ac == NULL);
    return 0;
}

static int call_wait(cf_future *f) {
    cf_future *twice[] = {f, f};
    HOST_CHECK(cf_wait(twice, 2, CF_ALL_COMPLETED, CF_FOREVER, NULL) == CF_EFORKED);
    HOST_CHECK(cf_wait(twice, 1, CF_FIRST_COMPLETED, 0, NULL) == CF_EFORKED);
    HOST_CHECK(cf_wait(twice, 2, CF_FIRST_EXCEPTION, LONG_WAIT, NULL) == CF_EFORKED);
    return 0;
}

static int call_retain(cf_future *f) {
    HOST_CHECK(cf_future_retain(f) == f);
    return 0;
}

static int call_release(cf_future *f) {
    cf_future_release(f);
    cf_future_release(f); /* nothing, and twice nothing is that too */
    return 0;
}

static const struct {
    const char *name;
    int (*make)(cf_future *f);
} calls[] = {
    {"result", call_result},
    {"view", call_view},
    {"exception", call_exception},
    {"info", call_info},
    {"state", call_state},
    {"running", call_running},
    {"done", call_done},
    {"describe", call_describe},
    {"cancel", call_cancel},
    {"add_done_callback", call_add_done_callback},
    {"as_completed_create", call_as_completed},
    {"wait", call_wait},
    {"retain", call_retain},
    {"release", call_release},
};

/* Calls that went wrong are told together: one that crashes need not hide the others. */
typedef struct verdict {
    char text[500];
} verdict;

static void note(verdict *v, const char *call, const char *of, int wait_status) {
    const size_t used = strlen(v->text);
    if (wait_status != 0) {
        snprintf(v->text + used, sizeof v->text - used, " %s of %s: 0x%x,", call, of,
                 (unsigned)wait_status);
    }
}

static void expect_none(const verdict *v) {
    cr_assert(v->text[0] == '\0', "wait status:%s", v->text);
}

/* ---- the caller's futures ---------------------------------------------------------------------- */

enum {
    DONE,
    FAILED,
    RUNNING,
    PENDING,
    LARGE, /* done, and what it has given lies apart */
    SORTS
};

static const char *const sorts[SORTS] = {"done", "failed", "running", "pending", "large"};

typedef struct scene {
    counter *c; /* begun, gate, ran (the blocker), the caller is through */
    cf_executor *pool;
    cf_future *futures[SORTS];
} scene;

static int run_large(const void *arg, void *result, cf_task_context *ctx) {
    (void)arg;
    memset(result, 0x77, cf_task_room(ctx));
    return 0;
}

static scene *scene_open(void) {
    const cf_task large_task = {.name = "large", .run = run_large, .result_size = 100 << 10};
    scene *s = calloc(1, sizeof *s);
    s->c = shared_alloc(4 * sizeof(counter));
    const cf_pool_options options = {.max_workers = 1, .arena_limit = 16 << 20};
    EXPECT(CF_OK, cf_process_pool_create(&options, &s->pool));
    const blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2]};
    s->futures[DONE] = submit(s->pool, &square_task, &(uint64_t){7});
    s->futures[FAILED] = submit(s->pool, &error_task, &(int){5});
    s->futures[LARGE] = submit(s->pool, &large_task, NULL);
    s->futures[RUNNING] = submit(s->pool, &blocker_task, &b);
    s->futures[PENDING] = submit(s->pool, &square_task, &(uint64_t){8});
    cr_assert(counter_wait(&s->c[0], 1));
    return s;
}

/* What the caller does with them before the calls are made. */
typedef enum stage {
    KEPT,      /* nothing */
    POOL_GONE, /* destroys the pool */
    ALL_GONE   /* releases the futures too: their memory is the system's again */
} stage;

static void open_gate(scene *s) {
    if (counter_get(&s->c[1]) == 0) {
        counter_add(&s->c[1], 1);
    }
}

static void release_all(scene *s) {
    for (size_t i = 0; i < SORTS; i++) {
        cf_future_release(s->futures[i]);
    }
}

static void enter(scene *s, stage to) {
    if (to != KEPT) {
        open_gate(s);
        if (to == ALL_GONE) {
            release_all(s);
        }
        cf_executor_destroy(s->pool);
        s->pool = NULL;
    }
    counter_add(&s->c[3], 1);
}

/* The caller's own are as they were. */
static void expect_unharmed(scene *s) {
    uint64_t value = 0;
    if (s->pool != NULL) {
        EXPECT_EQ(cf_future_state(s->futures[RUNNING]), CF_RUNNING);
        EXPECT_EQ(cf_future_state(s->futures[PENDING]), CF_PENDING);
        open_gate(s);
    }
    EXPECT(CF_OK, cf_future_result(s->futures[DONE], 0, &value));
    EXPECT_EQ(value, 49);
    EXPECT(CF_ETASK, cf_future_result(s->futures[FAILED], 0, NULL));
    EXPECT(CF_OK, cf_future_result(s->futures[LARGE], 0, NULL));
    EXPECT(CF_OK, cf_future_result(s->futures[RUNNING], LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_result(s->futures[PENDING], LONG_WAIT, &value));
    EXPECT_EQ(value, 64);
}

/* After the calls. */
static void leave(scene *s, stage from) {
    if (from != ALL_GONE) {
        expect_unharmed(s);
        release_all(s);
    }
    cf_executor_destroy(s->pool);
}

static void scene_close(scene *s) {
    shared_free(s->c, 4 * sizeof(counter));
    free(s);
}

/* ---- in a forked child ------------------------------------------------------------------------- */

typedef struct child {
    scene *scene;
    size_t call;
    size_t sort;
    bool has_own; /* a pool, which it has made since */
} child;

/* A pool of its own, with futures that work. */
static int use_own_pool(cf_executor *own) {
    for (uint64_t i = 0; i < 20; i++) {
        cf_future *f = NULL;
        uint64_t value = 0;
        char text[100];
        HOST_CHECK(cf_executor_submit(own, &square_task, &i, &f) == CF_OK);
        HOST_CHECK(cf_future_result(cf_future_retain(f), LONG_WAIT, &value) == CF_OK);
        HOST_CHECK(value == i * i && cf_future_done(f) && cf_future_state(f) == CF_FINISHED);
        HOST_CHECK(strstr(cf_future_describe(f, text, sizeof text), "returned uint64_t") != NULL);
        cf_future_release(f);
        cf_future_release(f);
    }
    return 0;
}

static int call_beside_own_pool(const child *c) {
    cf_executor *own = NULL;
    const cf_pool_options options = {.max_workers = 1, .arena_limit = 16 << 20};
    HOST_CHECK(cf_process_pool_create(&options, &own) == CF_OK);
    HOST_CHECK(use_own_pool(own) == 0);
    HOST_CHECK(calls[c->call].make(c->scene->futures[c->sort]) == 0);
    HOST_CHECK(use_own_pool(own) == 0);
    cf_executor_destroy(own);
    return 0;
}

static int make_call(void *context) {
    const child *c = context;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    HOST_CHECK(counter_wait(&c->scene->c[3], 1));
    return c->has_own ? call_beside_own_pool(c) : calls[c->call].make(c->scene->futures[c->sort]);
}

typedef struct children {
    child list[COUNT_OF(calls) * SORTS];
    pid_t pids[COUNT_OF(calls) * SORTS];
    size_t count;
} children;

/* One for each call on each of the futures; on one of them each if it takes time. They wait. */
static void fork_children(children *all, scene *s, bool has_own) {
    fflush(NULL);
    for (size_t call = 0; call < COUNT_OF(calls); call++) {
        for (size_t sort = 0; sort < SORTS; sort++) {
            if (!has_own || sort == call % SORTS) {
                child *c = &all->list[all->count];
                *c = (child){.scene = s, .call = call, .sort = sort, .has_own = has_own};
                all->pids[all->count++] = host_start(make_call, c);
            }
        }
    }
}

static void expect_refused(children *all) {
    verdict v = {""};
    for (size_t i = 0; i < all->count; i++) {
        const child *c = &all->list[i];
        note(&v, calls[c->call].name, sorts[c->sort], host_wait(all->pids[i]));
    }
    expect_none(&v);
}

static void refuse_children(stage to, bool has_own) {
    scene *s = scene_open();
    children *all = calloc(1, sizeof *all);
    fork_children(all, s, has_own);
    enter(s, to);
    expect_refused(all);
    leave(s, to);
    scene_close(s);
    free(all);
}

Test(foreign_futures, in_a_child) {
    refuse_children(KEPT, false);
}

Test(foreign_futures, in_a_child_when_their_pool_is_gone) {
    refuse_children(POOL_GONE, false);
}

Test(foreign_futures, in_a_child_when_they_are_gone) {
    refuse_children(ALL_GONE, false);
}

/* The pool then lies where an earlier one lay. */
Test(foreign_futures, in_a_child_after_earlier_pools) {
    const cf_pool_options options = {.max_workers = 1, .arena_limit = 16 << 20};
    cf_executor *earlier[3] = {NULL};
    for (size_t i = 0; i < COUNT_OF(earlier); i++) {
        EXPECT(CF_OK, cf_process_pool_create(&options, &earlier[i]));
    }
    for (size_t i = 0; i < COUNT_OF(earlier); i++) {
        cf_executor_destroy(earlier[i]);
    }
    refuse_children(KEPT, false);
    refuse_children(ALL_GONE, false);
}

Test(foreign_futures, in_a_child_with_a_pool_of_its_own) {
    refuse_children(KEPT, true);
    refuse_children(POOL_GONE, true);
}

Test(foreign_futures, in_a_child_with_a_pool_of_its_own_when_they_are_gone) {
    refuse_children(ALL_GONE, true);
}

/* ---- in another pool's worker ------------------------------------------------------------------ */

typedef struct request {
    size_t call;
    size_t sort;
} request;

static scene *of_the_caller; /* as it was when the other pool was made */

static int run_call(const void *arg, void *result, cf_task_context *ctx) {
    (void)result;
    (void)ctx;
    const request *r = arg;
    return calls[r->call].make(of_the_caller->futures[r->sort]);
}

static const cf_task call_task = {.name = "call", .run = run_call, .arg_size = sizeof(request)};

static void expect_refused_in_tasks(cf_executor *other) {
    verdict v = {""};
    for (size_t call = 0; call < COUNT_OF(calls); call++) {
        for (size_t sort = 0; sort < SORTS; sort++) {
            cf_exception why;
            cf_future *f = submit(other, &call_task, &(request){call, sort});
            EXPECT(CF_OK, cf_future_exception(f, LONG_WAIT, &why));
            const int code = why.status == CF_ETASK ? 1 : why.exit_code;
            note(&v, calls[call].name, sorts[sort],
                 why.status == CF_OK ? 0 : code << 8 | why.signal);
            cf_future_release(f);
        }
    }
    expect_none(&v);
    EXPECT_EQ(stats_of(other).restarts, 0);
}

static void refuse_workers(stage to) {
    of_the_caller = scene_open();
    cf_executor *other = create_pool(1);
    enter(of_the_caller, to);
    expect_refused_in_tasks(other);
    check_works(other);
    leave(of_the_caller, to);
    cf_executor_destroy(other);
    scene_close(of_the_caller);
}

Test(foreign_futures, in_another_pools_worker) {
    refuse_workers(KEPT);
}

Test(foreign_futures, in_another_pools_worker_when_their_pool_is_gone) {
    refuse_workers(POOL_GONE);
}

Test(foreign_futures, in_another_pools_worker_when_they_are_gone) {
    refuse_workers(ALL_GONE);
}
