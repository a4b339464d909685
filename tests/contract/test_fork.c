/* A forked child of the caller must not use what it inherits, and cannot harm its parent. */
#include "rows.h"

#include <stdlib.h>
#include <unistd.h>

TestSuite(forked, .timeout = TEST_SECONDS);

typedef struct heirloom {
    cf_executor *ex;
    cf_future *done;
    cf_future *other; /* running, where the row can */
    cf_as_completed *ac;
} heirloom;

static int every_call_is_refused(void *context) {
    heirloom *h = context;
    uint64_t arg = 2, result = 42;
    cf_future *f = NULL;
    cf_as_completed *ac = NULL;
    cf_stats stats;
    cf_worker_stats worker;
    cf_exception why;
    cf_info info;
    HOST_CHECK(cf_executor_submit(h->ex, &square_task, &arg, &f) == CF_EFORKED);
    HOST_CHECK(cf_executor_submit(h->ex, &square_task, &arg, NULL) == CF_EFORKED);
    HOST_CHECK(cf_executor_submit_with(h->ex, &square_task, &arg, NULL, &f) == CF_EFORKED);
    HOST_CHECK(cf_executor_map(h->ex, &square_task, &arg, 1, &result, NULL) == CF_EFORKED);
    HOST_CHECK(cf_executor_stats(h->ex, &stats) == CF_EFORKED);
    HOST_CHECK(cf_executor_worker_stats(h->ex, 0, &worker) == CF_EFORKED);
    HOST_CHECK(cf_executor_shutdown(h->ex, true, true) == CF_EFORKED);
    HOST_CHECK(cf_executor_shutdown(h->ex, false, false) == CF_EFORKED);
    HOST_CHECK(cf_future_result(h->done, LONG_WAIT, &result) == CF_EFORKED);
    HOST_CHECK(cf_future_result(h->other, LONG_WAIT, &result) == CF_EFORKED);
    HOST_CHECK(cf_future_exception(h->other, LONG_WAIT, &why) == CF_EFORKED);
    HOST_CHECK(cf_future_info(h->other, &info) == CF_EFORKED);
    HOST_CHECK(!cf_future_cancel(h->other));
    HOST_CHECK(cf_as_completed_create(&h->done, 1, &ac) == CF_EFORKED);
    HOST_CHECK(cf_as_completed_next(h->ac, LONG_WAIT, &f, NULL) == CF_EFORKED);
    HOST_CHECK(f == NULL && ac == NULL && result == 42);
    return 0;
}

static int gives_all_back(void *context) {
    heirloom *h = context;
    cf_as_completed_destroy(h->ac);
    cf_future_release(h->done);
    cf_future_release(h->other);
    cf_executor_destroy(h->ex);
    return 0;
}

static int has_executors_of_its_own(void *context) {
    (void)context;
    cf_executor *ex = NULL;
    HOST_CHECK(row()->create(NULL, &ex) == CF_OK);
    for (uint64_t i = 0; i < 1000; i++) {
        cf_future *f = NULL;
        uint64_t value = 0;
        HOST_CHECK(cf_executor_submit(ex, &square_task, &i, &f) == CF_OK);
        HOST_CHECK(cf_future_result(f, LONG_WAIT, &value) == CF_OK && value == i * i);
        cf_future_release(f);
    }
    cf_executor_destroy(ex);
    return 0;
}

static int leaves_at_once(void *context) {
    (void)context;
    return 0;
}

/* Until all of them have run something. A thread that is being made while its process forks leaves
 * locks of the sanitizers' allocators held in the child. */
static void start_workers(cf_executor *ex, unsigned count, counter *c) {
    cf_future *futures[CF_WORKERS_MAX];
    count = row()->runs_beside_caller ? count : 0;
    for (unsigned i = 0; i < count; i++) {
        blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = i};
        futures[i] = submit(ex, &blocker_task, &b);
    }
    cr_assert(counter_wait(&c[0], count));
    counter_add(&c[1], 1);
    for (unsigned i = 0; i < count; i++) {
        EXPECT_EQ(take(futures[i]), i);
    }
}

static void with_a_forked(host_body *child) {
    enum {
        WORKERS = 2
    };
    counter *c = shared_alloc(6 * sizeof *c);
    heirloom h = {.ex = create(WORKERS)};
    if (!row()->runs_beside_caller) {
        counter_add(&c[1], 1);
    }
    start_workers(h.ex, WORKERS, &c[3]);
    cf_stats before;
    EXPECT(CF_OK, cf_executor_stats(h.ex, &before));
    blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 6};
    h.done = submit(h.ex, &square_task, &(uint64_t){5});
    EXPECT(CF_OK, cf_future_result(h.done, LONG_WAIT, NULL));
    h.other = submit(h.ex, &blocker_task, &b);
    cr_assert(counter_wait(&c[0], 1));
    EXPECT(CF_OK, cf_as_completed_create((cf_future *[]){h.done, h.other}, 2, &h.ac));

    EXPECT_HOST_OK(host_run(child, &h));

    counter_add(&c[1], 1); /* and the parent goes on as if nothing had been */
    cf_future *f = NULL;
    EXPECT(CF_OK, cf_as_completed_next(h.ac, LONG_WAIT, &f, NULL));
    cr_assert(f == h.done);
    EXPECT(CF_OK, cf_as_completed_next(h.ac, LONG_WAIT, &f, NULL));
    cr_assert(f == h.other);
    cf_as_completed_destroy(h.ac);
    EXPECT_EQ(take(h.done), 25);
    EXPECT_EQ(take(h.other), 6);
    for (uint64_t i = 0; i < 200; i++) {
        EXPECT_EQ(take(submit(h.ex, &square_task, &i)), i * i);
    }
    cf_stats s;
    EXPECT(CF_OK, cf_executor_stats(h.ex, &s));
    EXPECT_EQ(s.submitted - before.submitted, 202);
    EXPECT_EQ(s.restarts, 0);
    cf_executor_destroy(h.ex);
    shared_free(c, 6 * sizeof *c);
}

Test(forked, child_is_refused) {
    with_a_forked(every_call_is_refused);
}

Test(forked, child_may_give_back_what_it_inherits) {
    with_a_forked(gives_all_back);
}

Test(forked, child_may_have_its_own) {
    NOT_REMOTE(IN_A_FORK);
    with_a_forked(has_executors_of_its_own);
}

Test(forked, child_may_just_leave) {
    with_a_forked(leaves_at_once);
}
