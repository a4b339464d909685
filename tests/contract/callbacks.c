#include "callbacks.h"

#include <stdlib.h>

void write_down(cf_future *future, void *context) {
    entry *e = context;
    journal *j = e->journal;
    if (atomic_exchange(&j->inside, 1) != 0) {
        atomic_fetch_add(&j->overlaps, 1);
    }
    e->calls++;
    e->wrong = e->wrong || future != e->future || !cf_future_done(future);
    uint32_t place = counter_get(&j->called);
    if (place < CALLS_MAX) {
        j->numbers[place] = e->number;
    }
    atomic_store(&j->inside, 0);
    counter_add(&j->called, 1);
}

scene callback_scene_open(unsigned workers) {
    scene s = {.before = footprint_now()};
    s.c = shared_alloc(4 * sizeof(counter));
    s.journal = calloc(1, sizeof(journal));
    s.ex = create(workers);
    return s;
}

void callback_scene_close(scene *s) {
    cf_executor_destroy(s->ex);
    EXPECT_EQ(atomic_load(&s->journal->overlaps), 0);
    free(s->journal);
    shared_free(s->c, 4 * sizeof(counter));
    footprint_check(s->before);
}

cf_future *submit_held(scene *s, uint64_t value) {
    blocker b = {.begun = &s->c[0], .gate = &s->c[1], .ran = &s->c[2], .value = value};
    if (!row()->runs_beside_caller) {
        counter_add(&s->c[1], 1);
    }
    uint32_t begun = counter_get(&s->c[0]);
    cf_future *f = submit(s->ex, &blocker_task, &b);
    cr_assert(counter_wait(&s->c[0], begun + 1));
    return f;
}

void let_go(scene *s) {
    counter_add(&s->c[1], 1);
}

void add_entry(scene *s, entry *e, cf_future *future, uint32_t number) {
    *e = (entry){.journal = s->journal, .future = future, .number = number};
    EXPECT(CF_OK, cf_future_add_done_callback(future, write_down, e));
}

void expect_called(scene *s, uint32_t times) {
    cr_assert(counter_wait(&s->journal->called, times), "%u of %u were called",
              counter_get(&s->journal->called), times);
    EXPECT_EQ(counter_get(&s->journal->called), times);
}

void expect_once_each(const entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cr_assert(entries[i].calls == 1, "callback %zu was called %u times", i, entries[i].calls);
        cr_assert_not(entries[i].wrong, "callback %zu was given what it was not added to", i);
    }
}

void expect_in_order_of_adding(const journal *j, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        EXPECT_EQ(j->numbers[i], i);
    }
}
