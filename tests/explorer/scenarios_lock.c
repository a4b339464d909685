/* The lock that costs its owner nothing: threads take it in turn, by both ways. */
#include "scenarios.h"

#include "platform/biased_lock.h"

static plat_biased_lock lock;
static unsigned inside, takings;
static _Atomic uint32_t step;

/* The load is a step at which another thread may go on, and must not come in. */
static void take_and_give(unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        plat_biased_lock_take(&lock);
        CHECK(inside == 0);
        inside = 1;
        takings++;
        plat_store_relaxed(&step, plat_load_relaxed(&step) + 1);
        CHECK(inside == 1);
        inside = 0;
        plat_biased_lock_give(&lock);
    }
}

static void take_often(void *context) {
    (void)context;
    take_and_give(4);
}

static void take_twice(void *context) {
    (void)context;
    take_and_give(2);
}

static void take_once(void *context) {
    (void)context;
    take_and_give(1);
}

static void begin(void) {
    plat_biased_lock_init(&lock);
    inside = takings = 0;
    plat_store_relaxed(&step, 0);
}

static void set_up_two(void) {
    begin();
    sim_thread("owner", take_often, NULL);
    sim_thread("other", take_twice, NULL);
}

static void check_takings(unsigned times) {
    CHECK(takings == times && step == times);
    for (unsigned i = 0; i < PLAT_OWNERS; i++) {
        CHECK(lock.inside[i] == 0);
    }
}

static void check_two(void) {
    check_takings(6);
}

static void set_up_three(void) {
    begin();
    sim_thread("owner", take_often, NULL);
    sim_thread("second", take_once, NULL);
    sim_thread("third", take_once, NULL);
}

static void set_up_two_owners(void) {
    begin();
    sim_thread("owner", take_often, NULL);
    sim_thread("next owner", take_often, NULL);
}

static void check_two_owners(void) {
    check_takings(8);
}

const scenario lock_two = {
    .name = "lock_two", .set_up = set_up_two, .check = check_two, .bound = 4};
const scenario lock_two_owners = {
    .name = "lock_two_owners", .set_up = set_up_two_owners, .check = check_two_owners, .bound = 3};
const scenario lock_three = {
    .name = "lock_three", .set_up = set_up_three, .check = check_two, .bound = 2};
const scenario lock_fences = {
    .name = "lock_fences", .set_up = set_up_two, .check = check_two, .bound = 3, .fences = true};
