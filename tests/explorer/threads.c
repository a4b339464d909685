#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum {
    STACK_BYTES = 128 << 10,
    STEPS_MAX = 20000,   /* of one run: there are loops that never end */
    IDLE_PAUSES = 3,     /* rounds of a loop that waits, though nothing has changed */
    PAUSE_NS = 10000,    /* so that a loop which waits for so long ends after a few rounds */
    EARLY_TIME_OUTS = 2, /* while others could go on: a thread may look and sleep again, for ever */
    DIES = 0x80          /* among the options of a step */
};

sim_thread_state threads[SIM_THREADS_MAX];
unsigned thread_count;
sim_thread_state *current;

static char stacks[SIM_THREADS_MAX][STACK_BYTES] __attribute__((aligned(64)));
static ucontext_t creator;
static jmp_buf run_is_over;
static unsigned run_steps;
static int64_t now_ns;
static bool somebody_died;
static bool deaths_allowed;
static bool clock_is_lazy;

/* ---- the core's thread-local variables ------------------------------------------------------- */

enum {
    LOCALS_MAX = 256
};

extern char __start_sim_thread_local[] __attribute__((weak));
extern char __stop_sim_thread_local[] __attribute__((weak));

static char locals[SIM_THREADS_MAX][LOCALS_MAX];

static size_t locals_size(void) {
    return (size_t)(__stop_sim_thread_local - __start_sim_thread_local);
}

static void save_locals(const sim_thread_state *thread) {
    memcpy(locals[thread->number], __start_sim_thread_local, locals_size());
}

static void load_locals(const sim_thread_state *thread) {
    memcpy(__start_sim_thread_local, locals[thread->number], locals_size());
}

/* ---- coroutines ------------------------------------------------------------------------------ */

_Noreturn static void end_current(void);

/* Each run begins after the setjmp: what a longjmp leaves on the stack is of no more use. */
static void live(void) {
    sim_thread_state *me = current;
    if (_setjmp(me->start) == 0) {
        swapcontext(&me->creation, &creator);
    }
    current->run(current->context);
    end_current();
}

void threads_make(void) {
    if (locals_size() > LOCALS_MAX) {
        abort();
    }
    for (unsigned i = 0; i < SIM_THREADS_MAX; i++) {
        sim_thread_state *thread = &threads[i];
        thread->number = i;
        getcontext(&thread->creation);
        thread->creation.uc_stack.ss_sp = stacks[i];
        thread->creation.uc_stack.ss_size = STACK_BYTES;
        makecontext(&thread->creation, live, 0);
        current = thread;
        swapcontext(&creator, &thread->creation);
    }
    current = NULL;
}

_Noreturn static void go_to(sim_thread_state *thread) {
    current = thread;
    if (thread->begun) {
        _longjmp(thread->at, 1);
    }
    thread->begun = true;
    _longjmp(thread->start, 1);
}

static void resume(sim_thread_state *thread) {
    if (thread->status == SIM_ON_FUTEX) { /* nobody has woken it */
        thread->timed_out = true;
        thread->time_outs++;
        memory_note(thread, &now_ns, true);
        now_ns = thread->deadline_ns > now_ns ? thread->deadline_ns : now_ns;
    }
    thread->status = SIM_READY;
    if (thread == current) {
        return;
    }
    sim_thread_state *me = current;
    trace("---- %s", thread->name);
    save_locals(me);
    load_locals(thread);
    if (_setjmp(me->at) == 0) {
        go_to(thread);
    }
}

/* ---- who goes on ----------------------------------------------------------------------------- */

static bool may_go_on(const sim_thread_state *thread) {
    switch (thread->status) {
    case SIM_READY:
        return true;
    case SIM_ON_FUTEX:
        return thread->deadline_ns >= 0 && (clock_is_lazy ? thread->deadline_ns <= now_ns
                                                          : thread->time_outs < EARLY_TIME_OUTS);
    case SIM_PAUSED:
        return thread->paused_at != memory_version;
    case SIM_UNUSED:
    case SIM_ON_LOCK:
    case SIM_ON_JOIN:
    case SIM_ON_DEATH:
    case SIM_ENDED:
    case SIM_DEAD:
        break;
    }
    return false;
}

uint64_t threads_state(void) {
    uint64_t state = memory_state;
    for (unsigned i = 0; i < thread_count; i++) {
        const sim_thread_state *t = &threads[i];
        uint64_t where =
            (uint64_t)t->status << 40 | (uint64_t)t->idle_pauses << 32 |
            (t->buffer.end - t->buffer.first) << 16 |
            (t->buffer.issued > t->buffer.first ? t->buffer.issued - t->buffer.first : 0);
        where |= (uint64_t)(t->paused_at == memory_version) << 48;
        state += hash_mix(hash_mix(t->hash, where), i + 1);
    }
    return hash_mix(state, (uint64_t)now_ns);
}

static void fail_asleep(void) {
    static const char *const waits[] = {
        [SIM_ON_LOCK] = "waits for a lock",
        [SIM_ON_FUTEX] = "sleeps",
        [SIM_ON_JOIN] = "waits for a thread",
        [SIM_ON_DEATH] = "waits for a death",
    };
    for (unsigned i = 0; i < thread_count; i++) {
        const char *how = threads[i].status <= SIM_ON_DEATH ? waits[threads[i].status] : NULL;
        if (how != NULL) {
            trace("%s %s: %s, %s", threads[i].name, how, threads[i].where, threads[i].doing);
        }
    }
    run_fail("nobody is left to wake those who sleep");
}

static unsigned collect(uint8_t *options) {
    unsigned count = 0;
    for (unsigned i = 0; i < thread_count; i++) {
        if (&threads[i] != current && may_go_on(&threads[i])) {
            options[count++] = (uint8_t)i;
        }
    }
    if (current != NULL && may_go_on(current)) {
        options[count++] = (uint8_t)current->number;
    }
    return count;
}

/* The sleepers with the earliest deadline. */
static unsigned collect_sleepers(uint8_t *options) {
    unsigned count = 0;
    int64_t earliest_ns = INT64_MAX;
    for (unsigned i = 0; i < thread_count; i++) {
        const sim_thread_state *t = &threads[i];
        if (t->status == SIM_ON_FUTEX && t->deadline_ns >= 0 && t->deadline_ns <= earliest_ns) {
            count = t->deadline_ns < earliest_ns ? 0 : count;
            earliest_ns = t->deadline_ns;
            options[count++] = (uint8_t)i;
        }
    }
    return count;
}

/* No thread can go on as it is: buffers reach memory, a loop that counts its rounds goes on, time
 * passes. */
static unsigned collect_late(uint8_t *options) {
    memory_drain_all();
    unsigned count = collect(options);
    for (unsigned i = 0; i < thread_count && count == 0; i++) {
        if (threads[i].status == SIM_PAUSED) {
            options[count++] = (uint8_t)i;
        }
    }
    return count > 0 ? count : collect_sleepers(options);
}

static bool all_ended(void) {
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].status != SIM_ENDED && threads[i].status != SIM_DEAD) {
            return false;
        }
    }
    return true;
}

/* The current thread cannot go on, or need not. */
static void dispatch(void) {
    uint8_t options[SIM_THREADS_MAX];
    unsigned count = collect(options);
    search_question();
    if (count == 0 && all_ended()) {
        _longjmp(run_is_over, 1);
    }
    if (count == 0 && (count = collect_late(options)) == 0) {
        fail_asleep();
    }
    resume(&threads[search_choose(options, count, hash_mix(threads_state(), 0x100))]);
}

static void wake_joiners(void) {
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].status == SIM_ON_JOIN && threads[threads[i].joins].status == SIM_ENDED) {
            threads[i].status = SIM_READY;
        }
    }
}

static bool somebody_may_die(void) {
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].may_die && threads[i].status != SIM_ENDED) {
            return !somebody_died && deaths_allowed;
        }
    }
    return false;
}

static int dead_thread(void) {
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].status == SIM_DEAD && !threads[i].death_seen) {
            return (int)i;
        }
    }
    return -1;
}

static void wake_mourners(void) {
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].status == SIM_ON_DEATH && (dead_thread() >= 0 || !somebody_may_die())) {
            threads[i].status = SIM_READY;
        }
    }
}

_Noreturn static void end_current(void) {
    trace("  %-12s ends", current->name);
    current->status = SIM_ENDED;
    wake_joiners();
    wake_mourners();
    dispatch();
    abort();
}

static void wake_one(uint8_t sleeper) {
    threads[sleeper].status = SIM_READY;
    threads[sleeper].hash = hash_mix(threads[sleeper].hash, current->hash);
    trace("  %-12s wakes %s", current->name, threads[sleeper].name);
}

/* See sim_death_rings. */
static void ring_death(const sim_thread_state *dead) {
    if (dead->rings == NULL) {
        return;
    }
    sim_location *location = memory_place(dead->rings);
    *(volatile uint32_t *)(void *)dead->rings |= dead->rings_bits;
    memory_mark(location);
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].status == SIM_ON_FUTEX && threads[i].on == (const void *)dead->rings) {
            wake_one((uint8_t)i);
        }
    }
}

/* The kernel has taken it off its processor: what it stored is in memory. */
static void die(void) {
    trace("  %-12s dies before %s: %s", current->name, current->where, current->doing);
    memory_drain(current);
    current->status = SIM_DEAD;
    somebody_died = true;
    ring_death(current);
    wake_mourners();
    dispatch();
    abort();
}

/* ---- steps ----------------------------------------------------------------------------------- */

static bool may_die_now(void) {
    return deaths_allowed && !somebody_died && current->may_die;
}

/* A step that reads nothing new is one nonetheless: after it the thread stands elsewhere. */
static void count_step(const char *what, const char *where) {
    current->doing = what;
    current->where = where;
    current->hash = hash_mix(current->hash, 2);
    counts.steps++;
    if (++run_steps > STEPS_MAX) {
        run_fail("it does not end");
    }
    search_question();
}

static void choose_step(const uint8_t *options, unsigned count) {
    if (count == 1) {
        return;
    }
    uint8_t chosen = search_choose(options, count, hash_mix(threads_state(), current->number + 1u));
    if (chosen == DIES) {
        die();
    } else if (chosen != current->number) {
        search_preemptions++;
        resume(&threads[chosen]);
    }
}

static unsigned collect_step(uint8_t *options) {
    unsigned count = 0;
    options[count++] = (uint8_t)current->number;
    for (unsigned i = 0; i < thread_count && search_preemptions < search_bound; i++) {
        if (&threads[i] != current && may_go_on(&threads[i])) {
            options[count++] = (uint8_t)i;
        }
    }
    return count;
}

void threads_step(const char *what, const char *where, bool visible) {
    uint8_t options[SIM_THREADS_MAX + 1];
    count_step(what, where);
    if (visible || search_repeats) {
        unsigned count = collect_step(options);
        if (may_die_now()) {
            options[count++] = DIES;
        }
        choose_step(options, count);
    }
}

/* To die before it is to die before the next one that others see something of. */
void threads_step_reading(const char *what, const char *where, bool visible) {
    uint8_t options[SIM_THREADS_MAX];
    count_step(what, where);
    if (visible || search_repeats) {
        choose_step(options, collect_step(options));
    }
}

void threads_step_storing(const char *what, const char *where, bool visible) {
    const uint8_t options[] = {(uint8_t)current->number, DIES};
    count_step(what, where);
    if ((visible || search_repeats) && may_die_now()) {
        choose_step(options, 2);
    }
}

/* ---- sleeping -------------------------------------------------------------------------------- */

static void learn(uint64_t what) {
    current->hash = hash_mix(current->hash, what);
}

static void wait_as(sim_status status) {
    current->status = status;
    dispatch();
}

bool sim_futex_wait(const volatile void *word, uint32_t expected, int64_t deadline_ns,
                    const char *what, const char *where) {
    if (current == NULL) {
        if (deadline_ns < 0 || deadline_ns > now_ns) {
            run_fail("%s would sleep outside of the run", where);
        }
        return false;
    }
    sim_location *location = memory_locked_step(word, false, what, where);
    uint32_t found = *(const volatile uint32_t *)word;
    memory_read(location);
    if (found != expected) {
        trace("  %-12s %s: does not sleep, %s is %x", current->name, where, what, found);
        return true;
    }
    trace("  %-12s %s: sleeps on %s", current->name, where, what);
    current->on = word;
    current->deadline_ns = deadline_ns;
    current->timed_out = false;
    wait_as(SIM_ON_FUTEX);
    learn(current->timed_out);
    return !current->timed_out;
}

void sim_futex_wake(const volatile void *word, int how_many, const char *what, const char *where) {
    if (current == NULL) {
        return;
    }
    memory_locked_step(word, true, what, where);
    for (; how_many > 0; how_many--) {
        uint8_t sleepers[SIM_THREADS_MAX];
        unsigned count = 0;
        for (unsigned i = 0; i < thread_count; i++) {
            if (threads[i].status == SIM_ON_FUTEX && threads[i].on == word) {
                sleepers[count++] = (uint8_t)i;
            }
        }
        if (count == 0) {
            trace("  %-12s %s: nobody (more) sleeps on %s", current->name, where, what);
            return;
        }
        unsigned chosen = sleepers[0];
        if ((unsigned)how_many < count) {
            search_question();
            chosen = search_choose(sleepers, count, 0);
        }
        wake_one((uint8_t)chosen);
    }
}

/* A loop that counts its rounds goes on by itself. One that does not would go on for ever, if others
 * did not get their turn: it waits for something to change. */
void sim_pause(const char *where) {
    if (current == NULL) {
        return;
    }
    count_step("pause", where);
    trace("  %-12s %s: pauses", current->name, where);
    if (current->paused_at != memory_version) {
        current->idle_pauses = 0;
    } else if (++current->idle_pauses > IDLE_PAUSES) {
        wait_as(SIM_PAUSED);
    }
    current->paused_at = memory_version;
    current->paused_ns += PAUSE_NS;
}

/* ---- locks ----------------------------------------------------------------------------------- */

static bool take_if_free(sim_lock *lock) {
    unsigned me = current->number + 1;
    if (lock->holder != 0 && !(lock->holder == me && lock->recursive)) {
        return false;
    }
    lock->holder = me;
    lock->depth++;
    return true;
}

static void begin_holding(sim_lock *lock, sim_location *location) {
    if (lock->giver != 0) {
        memory_drain_first(&threads[lock->giver - 1], lock->stores);
    }
    memory_mark(location);
}

void sim_lock_take(sim_lock *lock, const char *what, const char *where) {
    if (current == NULL) {
        if (lock->holder != 0) {
            run_fail("%s: %s is still held", where, what);
        }
        return;
    }
    sim_location *location = memory_locked_step(lock, true, what, where);
    while (!take_if_free(lock)) {
        if (lock->holder == current->number + 1) {
            run_fail("%s: %s is taken twice", where, what);
        }
        trace("  %-12s %s: waits for %s", current->name, where, what);
        current->on = lock;
        wait_as(SIM_ON_LOCK);
    }
    begin_holding(lock, location);
    trace("  %-12s %s: takes %s", current->name, where, what);
}

bool sim_lock_try(sim_lock *lock, const char *what, const char *where) {
    if (current == NULL) {
        return lock->holder == 0;
    }
    sim_location *location = memory_tried(lock);
    threads_step(what, where, true);
    bool late = memory_gives_late(location);
    memory_read(location);
    if (late || !take_if_free(lock)) {
        trace("  %-12s %s: tries %s in vain", current->name, where, what);
        return false;
    }
    memory_drain(current);
    begin_holding(lock, location);
    trace("  %-12s %s: tries %s and takes it", current->name, where, what);
    return true;
}

/* No step at which others might go on: one right after it is as good. */
void sim_lock_give(sim_lock *lock, const char *what, const char *where) {
    if (current == NULL) {
        return;
    }
    if (lock->holder != current->number + 1) {
        run_fail("%s: %s is not held", where, what);
    }
    if (--lock->depth > 0) {
        return;
    }
    lock->holder = 0;
    lock->giver = current->number + 1;
    sim_location *location = memory_place(lock);
    memory_mark(location);
    memory_give(location);
    lock->stores = current->buffer.stores;
    trace("  %-12s %s: gives %s back", current->name, where, what);
    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].status == SIM_ON_LOCK && threads[i].on == lock) {
            threads[i].status = SIM_READY;
        }
    }
}

/* ---- clock ----------------------------------------------------------------------------------- */

/* A step if the timeout of another thread moves the clock: looks before and after it differ. */
int64_t sim_now_ns(void) {
    if (current == NULL) {
        return now_ns;
    }
    threads_step_reading("the clock", __func__, memory_note(current, &now_ns, false));
    learn((uint64_t)now_ns);
    return now_ns + current->paused_ns;
}

void sim_pass(int64_t ns) {
    if (current != NULL) {
        threads_step("time passes", __func__, memory_note(current, &now_ns, true));
    }
    now_ns += ns;
}

/* ---- lives ----------------------------------------------------------------------------------- */

unsigned sim_thread(const char *name, void (*run)(void *context), void *context) {
    if (thread_count == SIM_THREADS_MAX) {
        run_fail("too many threads");
    }
    sim_thread_state *thread = &threads[thread_count];
    thread->name = name;
    thread->run = run;
    thread->context = context;
    thread->status = SIM_READY;
    thread->doing = thread->where = "begins";
    thread->begun = thread->may_die = thread->death_seen = false;
    thread->rings = NULL;
    thread->paused_at = thread->idle_pauses = 0;
    thread->paused_ns = 0;
    thread->time_outs = 0;
    thread->buffer.first = thread->buffer.end = thread->buffer.issued = 0;
    thread->buffer.stores = 0;
    thread->buffer.draining = false;
    thread->hash = current != NULL ? hash_mix(current->hash, thread_count + 1) : thread_count + 1;
    memset(locals[thread->number], 0, LOCALS_MAX);
    if (current != NULL) {
        memory_drain(current);
        trace("  %-12s starts %s", current->name, name);
    }
    return thread_count++;
}

void sim_may_die(unsigned thread) {
    threads[thread].may_die = true;
}

void sim_death_rings(unsigned thread, _Atomic uint32_t *word, uint32_t bits) {
    threads[thread].rings = word;
    threads[thread].rings_bits = bits;
}

void sim_kill(unsigned thread) {
    sim_thread_state *victim = &threads[thread];
    threads_step("a signal", __func__, true);
    if (victim->status != SIM_ENDED && victim->status != SIM_DEAD) {
        trace("  %-12s kills %s, before %s: %s", current->name, victim->name, victim->where,
              victim->doing);
        memory_drain(victim);
        victim->status = SIM_DEAD;
        learn(victim->hash);
        ring_death(victim);
        wake_mourners();
    }
}

bool sim_is_dead(unsigned thread) {
    threads_step_reading("whether it lives", __func__, true);
    bool dead = threads[thread].status == SIM_DEAD;
    learn(dead);
    return dead;
}

int sim_await_death(void) {
    count_step("a death", __func__);
    if (dead_thread() < 0 && somebody_may_die()) {
        wait_as(SIM_ON_DEATH);
    }
    int dead = dead_thread();
    if (dead >= 0) {
        threads[dead].death_seen = true;
        learn(threads[dead].hash);
    }
    return dead;
}

typedef struct attendant {
    void *(*run)(void *context);
    void *context;
} attendant;

static void run_attendant(void *context) {
    const attendant *a = context;
    a->run(a->context);
}

unsigned sim_attendant(void *(*run)(void *), void *context) {
    attendant *a = sim_malloc(sizeof *a);
    *a = (attendant){run, context};
    return sim_thread("attendant", run_attendant, a);
}

void sim_join(unsigned thread) {
    if (current == NULL) {
        return;
    }
    count_step("a thread's end", __func__);
    if (threads[thread].status == SIM_DEAD) {
        run_fail("%s has died, and is waited for", threads[thread].name);
    }
    if (threads[thread].status != SIM_ENDED) {
        current->joins = thread;
        wait_as(SIM_ON_JOIN);
    }
    memory_drain(&threads[thread]);
    learn(threads[thread].hash);
}

void threads_begin_run(bool deaths, bool lazy_clock) {
    thread_count = 0;
    current = NULL;
    run_steps = 0;
    now_ns = 1000000000;
    somebody_died = false;
    deaths_allowed = deaths;
    clock_is_lazy = lazy_clock;
    if (locals_size() > 0) {
        memset(__start_sim_thread_local, 0, locals_size());
    }
}

void threads_run(void) {
    if (_setjmp(run_is_over) == 0) {
        uint8_t options[SIM_THREADS_MAX];
        unsigned count = collect(options);
        search_question();
        sim_thread_state *first = &threads[search_choose(options, count, 0)];
        trace("---- %s", first->name);
        load_locals(first);
        go_to(first);
    }
    current = NULL;
    memory_drain_all();
}
