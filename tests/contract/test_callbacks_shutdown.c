/* Shutdown and destroy wait for all callbacks, also for those that callbacks add. A future that outlives
 * its executor still calls its callbacks. */
#include "callbacks.h"

TestSuite(callbacks_shutdown, .timeout = TEST_SECONDS);

static void write_down_slowly(cf_future *future, void *context) {
    spin_for(MILLISECOND);
    write_down(future, context);
}

/* It adds another, which shutdown has to wait for too. */
static void write_down_and_add(cf_future *future, void *context) {
    entry *e = context;
    cf_future_add_done_callback(future, write_down_slowly, e + 1);
    write_down_slowly(future, e);
}

Test(callbacks_shutdown, are_waited_for_by_shutdown) {
    enum {
        FUTURES = 25,
        N = 2 * FUTURES
    };
    for (int ending = 0; ending < 2; ending++) {
        scene s = callback_scene_open(2);
        entry entries[N];
        for (uint32_t i = 0; i < N; i += 2) {
            cf_future *f = submit(s.ex, &square_task, &(uint64_t){i});
            entries[i] = (entry){.journal = s.journal, .future = f};
            entries[i + 1] = entries[i];
            EXPECT(CF_OK, cf_future_add_done_callback(f, write_down_and_add, &entries[i]));
            cf_future_release(f);
        }
        if (ending == 0) {
            EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
        } else {
            cf_executor_destroy(s.ex);
            s.ex = NULL;
        }
        EXPECT_EQ(counter_get(&s.journal->called), N);
        expect_once_each(entries, N);
        callback_scene_close(&s);
    }
}

Test(callbacks_shutdown, added_after_shutdown_and_destroy) {
    enum {
        N = 6
    };
    scene s = callback_scene_open(1);
    entry entries[N];
    cf_future *f = submit(s.ex, &square_task, &(uint64_t){5});
    EXPECT(CF_OK, cf_future_result(f, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, false, false));
    add_entry(&s, &entries[0], f, 0);
    expect_called(&s, 1);
    EXPECT(CF_OK, cf_executor_shutdown(s.ex, true, false));
    add_entry(&s, &entries[1], f, 1);
    add_entry(&s, &entries[2], f, 2);
    expect_called(&s, 3);
    cf_executor_destroy(s.ex);
    s.ex = NULL;
    for (uint32_t i = 3; i < N; i++) {
        add_entry(&s, &entries[i], f, i);
    }
    expect_called(&s, N);
    expect_in_order_of_adding(s.journal, N);
    expect_once_each(entries, N);
    EXPECT_EQ(take(f), 25);
    callback_scene_close(&s);
}
