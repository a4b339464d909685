#include "terminate.h"

#include <signal.h>

const way ways[2] = {{cf_executor_terminate_workers, SIGTERM}, {cf_executor_kill_workers, SIGKILL}};

void expect_shut_down(cf_executor *ex) {
    cf_future *f = NULL;
    EXPECT(CF_ESHUTDOWN, cf_executor_submit(ex, &square_task, &(uint64_t){1}, &f));
    cr_assert(f == NULL);
}

static void hold_workers(scene *s, const cf_task *task, unsigned retries) {
    blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2]};
    cf_submit_options options = {.retries = retries};
    for (size_t i = 0; i < WORKERS; i++) {
        EXPECT(CF_OK, cf_executor_submit_with(s->ex, task, &b, &options, &s->held[i]));
    }
    cr_assert(counter_wait(&s->c[0], WORKERS));
}

scene terminate_scene_open(const cf_task *task, unsigned retries) {
    scene s = {.before = footprint_now(), .c = shared_alloc(4 * sizeof(counter))};
    s.ex = create(WORKERS);
    hold_workers(&s, task, retries);
    counter *ran = &s.c[3];
    for (size_t i = 0; i < QUEUED; i++) {
        s.queued[i] = submit(s.ex, &add_task, &ran);
    }
    return s;
}

void terminate_scene_close(scene *s) {
    cf_executor_destroy(s->ex);
    EXPECT_EQ(counter_get(&s->c[3]), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        cf_future_release(s->held[i]);
    }
    for (size_t i = 0; i < QUEUED; i++) {
        cf_future_release(s->queued[i]);
    }
    shared_free(s->c, 4 * sizeof(counter));
    footprint_check(s->before);
}

void expect_queue_cancelled(scene *s) {
    for (size_t i = 0; i < QUEUED; i++) {
        EXPECT(CF_ECANCELLED, cf_future_result(s->queued[i], 0, NULL));
        EXPECT_EQ(cf_future_state(s->queued[i]), CF_CANCELLED);
    }
}

void expect_ended_by(cf_future *future, int signal) {
    cf_exception why;
    EXPECT(CF_EWORKER, cf_future_result(future, LONG_WAIT, NULL));
    EXPECT(CF_OK, cf_future_exception(future, 0, &why));
    EXPECT_EQ(why.signal, signal);
}
