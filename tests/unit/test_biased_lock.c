/* One at a time holds it, whoever owns it: many takings by one thread and few by others, owners that come
 * and go, and a lock that is gone right after it was given the last time. */
#include "../check.h"

#include "platform/biased_lock.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

TestSuite(biased_lock, .timeout = TEST_SECONDS);

enum {
    ENOUGH = 100000 /* takings in a row that make an owner, also of a lock that has had some */
};

/* ---- what the lock protects -------------------------------------------------------------------- */

typedef struct shared {
    plat_biased_lock lock;
    uint64_t holder;   /* 0 = nobody's */
    uint64_t a, b;     /* the same outside */
    uint64_t overlaps; /* somebody else was in it */
} shared;

static shared *shared_new(void) {
    plat_barrier_register();
    shared *s = calloc(1, sizeof *s);
    plat_biased_lock_init(&s->lock);
    return s;
}

static void shared_end(shared *s) {
    plat_biased_lock_destroy(&s->lock);
    free(s);
}

/* Sees everybody who comes in between, the longer it stays the better. */
static void visit(shared *s, uint64_t me, unsigned stay) {
    plat_biased_lock_take(&s->lock);
    s->overlaps += s->holder != 0 || s->a != s->b;
    *(volatile uint64_t *)&s->holder = me;
    *(volatile uint64_t *)&s->a = s->a + 1;
    for (volatile unsigned i = 0; i < stay; i++) {}
    s->overlaps += *(volatile uint64_t *)&s->holder != me;
    *(volatile uint64_t *)&s->b = s->b + 1;
    *(volatile uint64_t *)&s->holder = 0;
    plat_biased_lock_give(&s->lock);
}

static bool is_owned(shared *s) {
    return atomic_load(&s->lock.owner) != 0;
}

static void nap(int64_t ns) {
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

/* ---- one owner, and others who disturb it ------------------------------------------------------ */

enum {
    OTHERS_MOST = 6,
    VISITS_LEAST = 30
};

typedef struct visitor {
    pthread_t thread;
    shared *shared;
    uint64_t me, seed, visits;
    uint64_t pause_ns; /* at most so long between two visits */
    _Atomic bool *over;
} visitor;

static void *disturb(void *arg) {
    visitor *v = arg;
    while (!atomic_load(v->over)) {
        const uint64_t r = random_next(&v->seed);
        const int64_t pause = (int64_t)(r / 64 % v->pause_ns);
        switch (r % 4) {
        case 0:
            nap(pause);
            break;
        case 1:
            sched_yield();
            break;
        default:
            spin_for(pause);
        }
        for (uint64_t again = r / 4 % 16 == 0 ? 200 : 1; again > 0; again--) {
            visit(v->shared, v->me, (unsigned)(random_next(&v->seed) % 64));
            v->visits++;
        }
    }
    return NULL;
}

/* So many takings, and more if the others did not get around to disturbing them. */
static void one_owner_and(size_t others, uint64_t takings, uint64_t pause_ns, uint64_t *seed) {
    visitor visitors[OTHERS_MOST];
    _Atomic bool over = false;
    shared *s = shared_new();
    uint64_t taken = 0, visits = 0;
    for (size_t i = 0; i < others; i++) {
        visitors[i] = (visitor){.shared = s,
                                .me = i + 2,
                                .seed = random_next(seed),
                                .pause_ns = pause_ns,
                                .over = &over};
        cr_assert_eq(pthread_create(&visitors[i].thread, NULL, disturb, &visitors[i]), 0);
    }
    while (taken < takings || (others > 0 && *(volatile uint64_t *)&s->a < taken + VISITS_LEAST)) {
        visit(s, 1, taken % 8 == 0 ? 20 : 0);
        taken++;
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < others; i++) {
        pthread_join(visitors[i].thread, NULL);
        visits += visitors[i].visits;
    }
    EXPECT_EQ(s->overlaps, 0);
    EXPECT_EQ(s->a, taken + visits);
    EXPECT_EQ(s->b, taken + visits);
    shared_end(s);
}

/* Each end of an ownership makes the next one rarer, so this begins with a new lock many times. */
Test(biased_lock, is_held_by_one_at_a_time) {
    uint64_t seed = test_seed("biased_lock/is_held_by_one_at_a_time");
    for (size_t round = 0; round < scaled(72); round++) {
        one_owner_and(1 + round % OTHERS_MOST, 60000, UINT64_C(1000) << round % 10, &seed);
    }
    one_owner_and(0, scaled(5000000), 1, &seed);
    one_owner_and(3, scaled(5000000), 1000000, &seed);
}

/* Else all of these would only try the mutex. */
Test(biased_lock, gets_an_owner) {
    shared *s = shared_new();
    for (uint64_t i = 0; i < ENOUGH; i++) {
        visit(s, 1, 0);
    }
    cr_assert(is_owned(s));
    plat_biased_lock_take(&s->lock);
    cr_assert(s->lock.by_owner);
    plat_biased_lock_give(&s->lock);
    shared_end(s);
}

/* ---- ownership moves --------------------------------------------------------------------------- */

static void *take_often(void *arg) {
    visitor *v = arg;
    for (uint64_t i = 0; i < v->visits; i++) {
        visit(v->shared, v->me, 0);
    }
    return NULL;
}

/* One thread after the other; each ends the ownership of the one before, of which some still live. */
Test(biased_lock, outlives_more_owners_than_it_has_places_for) {
    enum {
        THREADS = 10 * PLAT_OWNERS
    };
    shared *s = shared_new();
    uint64_t owners = 0, visits = 0, last = 0;
    for (uint64_t i = 0; i < THREADS; i++) {
        visitor v = {.shared = s, .me = i + 2, .visits = ENOUGH};
        visit(s, 1, 0);
        cr_assert_eq(pthread_create(&v.thread, NULL, take_often, &v), 0);
        pthread_join(v.thread, NULL);
        visits += 1 + ENOUGH;
        const uint64_t owner = atomic_load(&s->lock.owner);
        owners += owner != 0 && owner != last;
        last = owner;
    }
    EXPECT_EQ(s->overlaps, 0);
    EXPECT_EQ(s->a, visits);
    cr_assert(owners >= 1 && owners <= PLAT_OWNERS, "%llu threads owned it",
              (unsigned long long)owners);
    shared_end(s);
}

/* All of them live, and each has been the owner or wants to be. */
typedef struct crowd {
    shared *shared;
    _Atomic uint64_t turn;
    uint64_t count, turns;
} crowd;

typedef struct member {
    pthread_t thread;
    crowd *crowd;
    uint64_t number;
} member;

static void *take_turns(void *arg) {
    const member *m = arg;
    crowd *c = m->crowd;
    for (uint64_t turn = m->number; turn < c->turns; turn += c->count) {
        while (atomic_load(&c->turn) < turn) {
            visit(c->shared, m->number + 1, 0); /* and disturbs whose turn it is */
            sched_yield();
        }
        for (uint64_t i = 0; i < 2000; i++) {
            visit(c->shared, m->number + 1, i % 16);
        }
        atomic_store(&c->turn, turn + 1);
    }
    return NULL;
}

Test(biased_lock, moves_between_threads_that_live) {
    member members[2 * PLAT_OWNERS];
    for (uint64_t count = 2; count <= COUNT_OF(members); count += 3) {
        crowd c = {.shared = shared_new(), .count = count, .turns = scaled(60)};
        for (uint64_t i = 0; i < count; i++) {
            members[i] = (member){.crowd = &c, .number = i};
            cr_assert_eq(pthread_create(&members[i].thread, NULL, take_turns, &members[i]), 0);
        }
        for (uint64_t i = 0; i < count; i++) {
            pthread_join(members[i].thread, NULL);
        }
        EXPECT_EQ(c.shared->overlaps, 0);
        EXPECT_EQ(c.shared->a, c.shared->b);
        shared_end(c.shared);
    }
}

/* ---- the owner stays inside -------------------------------------------------------------------- */

static void *visit_once(void *arg) {
    const visitor *v = arg;
    visit(v->shared, v->me, 0);
    return NULL;
}

/* Who wants it waits, however long that takes, and gets it. */
Test(biased_lock, is_waited_for_while_the_owner_is_inside) {
    shared *s = shared_new();
    for (uint64_t i = 0; i < ENOUGH; i++) {
        visit(s, 1, 0);
    }
    cr_assert(is_owned(s));
    visitor visitors[3];
    plat_biased_lock_take(&s->lock);
    cr_assert(s->lock.by_owner);
    *(volatile uint64_t *)&s->holder = 1;
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i] = (visitor){.shared = s, .me = i + 2};
        cr_assert_eq(pthread_create(&visitors[i].thread, NULL, visit_once, &visitors[i]), 0);
    }
    nap(20 * MILLISECOND); /* a stay, long enough for the others to fall asleep */
    EXPECT_EQ(s->a, ENOUGH);
    *(volatile uint64_t *)&s->holder = 0;
    plat_biased_lock_give(&s->lock);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        pthread_join(visitors[i].thread, NULL);
    }
    EXPECT_EQ(s->a, ENOUGH + COUNT_OF(visitors));
    EXPECT_EQ(s->overlaps, 0);
    shared_end(s);
}

/* ---- many locks --------------------------------------------------------------------------------- */

/* A thread owns several at once, and holds them one inside the other. */
Test(biased_lock, several_are_owned_at_once) {
    enum {
        LOCKS = 5
    };
    shared *all[LOCKS];
    _Atomic bool over = false;
    for (size_t i = 0; i < LOCKS; i++) {
        all[i] = shared_new();
    }
    visitor v = {.shared = all[2], .me = 2, .seed = 7, .pause_ns = 100000, .over = &over};
    cr_assert_eq(pthread_create(&v.thread, NULL, disturb, &v), 0);
    for (uint64_t round = 0; round < ENOUGH; round++) {
        for (size_t i = 0; i < LOCKS; i++) {
            plat_biased_lock_take(&all[i]->lock);
            all[i]->a++;
        }
        for (size_t i = 0; i < LOCKS; i++) {
            all[i]->b++;
            plat_biased_lock_give(&all[i]->lock);
        }
    }
    atomic_store(&over, true);
    pthread_join(v.thread, NULL);
    for (size_t i = 0; i < LOCKS; i++) {
        EXPECT_EQ(all[i]->overlaps, 0);
        EXPECT_EQ(all[i]->a, ENOUGH + (i == 2 ? v.visits : 0));
        cr_assert(i == 2 || is_owned(all[i]));
        shared_end(all[i]);
    }
}

/* ---- the last one destroys it -------------------------------------------------------------------- */

/* An object that whoever gives it up last takes out of the address space: giving the lock must be the
 * last that the other one has done with it. */
typedef struct mortal {
    plat_biased_lock lock;
    uint64_t references;
} mortal;

static mortal *mortal_new(uint64_t takings) {
    mortal *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(m != MAP_FAILED);
    plat_biased_lock_init(&m->lock);
    m->references = 2;
    for (uint64_t i = 0; i < takings; i++) {
        plat_biased_lock_take(&m->lock);
        plat_biased_lock_give(&m->lock);
    }
    return m;
}

static bool mortal_release(mortal *m) {
    plat_biased_lock_take(&m->lock);
    const bool last = --m->references == 0;
    plat_biased_lock_give(&m->lock);
    if (last) {
        plat_biased_lock_destroy(&m->lock);
        munmap(m, PAGE);
    }
    return last;
}

typedef struct relay {
    _Atomic(mortal *) now;
    _Atomic bool over;
    uint64_t last; /* how often it was */
} relay;

static void *release_the_other(void *arg) {
    relay *r = arg;
    while (!atomic_load(&r->over)) {
        mortal *m = atomic_exchange(&r->now, NULL);
        if (m) {
            r->last += mortal_release(m);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

Test(biased_lock, may_be_freed_once_it_was_given) {
    uint64_t seed = test_seed("biased_lock/may_be_freed_once_it_was_given");
    relay r = {.now = NULL};
    plat_barrier_register();
    pthread_t other;
    uint64_t last = 0, owned = 0;
    const uint64_t rounds = scaled(20000);
    cr_assert_eq(pthread_create(&other, NULL, release_the_other, &r), 0);
    for (uint64_t i = 0; i < rounds; i++) {
        mortal *m = mortal_new(i % 2 ? 2000 : random_next(&seed) % 4);
        owned += atomic_load(&m->lock.owner) != 0;
        atomic_store(&r.now, m);
        const uint64_t pause = random_next(&seed);
        if (pause % 2) {
            spin_for((int64_t)(pause / 2 % 3000));
        } else if (pause / 2 % 8 == 0) {
            sched_yield();
        }
        last += mortal_release(m);
        while (atomic_load(&r.now)) {
            sched_yield();
        }
    }
    while (atomic_load(&r.now)) {
        sched_yield();
    }
    atomic_store(&r.over, true);
    pthread_join(other, NULL);
    EXPECT_EQ(last + r.last, rounds);
    cr_assert(owned > 0, "nobody ever owned one");
    cr_assert(last > 0 && r.last > 0, "only one of the two was ever the last");
}
