/* A forked child learns nothing of its parent's futures, from calls that return a status and from those that
 * do not. (For futures that have been released see process/test_foreign_futures.c.) */
#include "rows.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(foreign_futures, .timeout = TEST_SECONDS);

static void never_called(cf_future *future, void *context) {
    (void)future;
    (void)context;
    _exit(77);
}

static int is_told_nothing(void *context) {
    cf_future *f = context;
    const void *result = &result;
    size_t size = 42;
    char text[100], wanted[100];
    HOST_CHECK(cf_future_state(f) == CF_PENDING);
    HOST_CHECK(!cf_future_running(f));
    HOST_CHECK(!cf_future_done(f));
    snprintf(wanted, sizeof wanted, "<Future at %p of another process>", (void *)f);
    HOST_CHECK(strcmp(cf_future_describe(f, text, sizeof text), wanted) == 0);
    HOST_CHECK(cf_future_view(f, LONG_WAIT, &result, &size) == CF_EFORKED);
    HOST_CHECK(result == &result && size == 42);
    HOST_CHECK(cf_future_add_done_callback(f, never_called, NULL) == CF_EFORKED);
    HOST_CHECK(cf_wait(&f, 1, CF_ALL_COMPLETED, LONG_WAIT, NULL) == CF_EFORKED);
    HOST_CHECK(cf_future_retain(f) == f);
    cf_future_release(f);
    cf_future_release(f);
    HOST_CHECK(cf_future_state(f) == CF_PENDING);
    return 0;
}

Test(foreign_futures, tell_a_child_nothing) {
    cf_executor *ex = create(1);
    cf_future *f = submit(ex, &square_task, &(uint64_t){6});
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT_HOST_OK(host_run(is_told_nothing, f));
    cf_executor_destroy(ex);
    EXPECT_HOST_OK(host_run(is_told_nothing, f));
    EXPECT_EQ(cf_future_state(f), CF_FINISHED);
    EXPECT_EQ(take(f), 36);
}

/* Also of one that has not begun. */
Test(foreign_futures, that_are_pending_tell_a_child_nothing) {
    NEEDS(cancels_pending);
    counter *c = shared_alloc(3 * sizeof *c);
    cf_executor *ex = create(1);
    const blocker b = {.begun = &c[0], .gate = &c[1], .ran = &c[2], .value = 4};
    cf_future *held = submit(ex, &blocker_task, &b);
    cf_future *pending = submit(ex, &square_task, &(uint64_t){6});
    cr_assert(counter_wait(&c[0], 1));
    EXPECT_HOST_OK(host_run(is_told_nothing, held));
    EXPECT_HOST_OK(host_run(is_told_nothing, pending));
    EXPECT_EQ(cf_future_state(held), CF_RUNNING);
    EXPECT_EQ(cf_future_state(pending), CF_PENDING);
    counter_add(&c[1], 1);
    EXPECT_EQ(take(held), 4);
    EXPECT_EQ(take(pending), 36);
    cf_executor_destroy(ex);
    shared_free(c, 3 * sizeof *c);
}
