/* What the parts of the explorer know of each other. One real thread: nothing here is concurrent.
 *
 *      search.c    the choices: which were made, which come next, what need not be gone into
 *      threads.c   simulated threads: who runs, who sleeps on what
 *      memory.c    what the threads read and write, and when others see it
 *      heap.c      memory of a run, and what the core asks the system for
 *      main.c      the runs of a scenario; what is printed */
#ifndef EXPLORER_ENGINE_H
#define EXPLORER_ENGINE_H

#include "explorer.h"
#include "include/hooks.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* ---- memory.c -------------------------------------------------------------------------------- */

/* A word of memory that threads have to do with. */
typedef struct sim_location {
    uintptr_t at;
    uint8_t readers, writers; /* threads, by bit, of all runs so far */
    bool shared;
    bool tried;       /* a lock that some thread tries without waiting */
    uint32_t run;     /* what follows is of this run */
    uint64_t written; /* identity of the write that it holds: 0 = of before the run */
} sim_location;

typedef struct sim_entry {
    sim_location *location;
    uint64_t value;
    uint64_t identity;
    size_t size;
    const char *what;
} sim_entry;

enum {
    SIM_BUFFER_MAX = 256
};

typedef struct sim_buffer {
    sim_entry entries[SIM_BUFFER_MAX]; /* those from first on have not reached memory */
    unsigned first, end;
    unsigned issued; /* those before were followed by a light barrier */
    uint64_t stores; /* in this run, so far */
    bool draining;
} sim_buffer;

extern uint64_t memory_state; /* hash of what every location holds */
extern uint32_t memory_version;
extern bool memory_sharing_grew; /* a location was found to be shared since it was set to false */

extern bool memory_fences; /* of the scenario: there is no membarrier */

struct sim_thread_state;

void memory_begin_run(void);
void memory_forget(void); /* which locations are shared */

/* Notes that threads try this lock. From then on, giving it is a store that waits in the buffer. */
sim_location *memory_tried(const volatile void *lock);
/* The current thread gives the lock. */
void memory_give(sim_location *lock);
/* Decides whether the current thread sees that others have given the lock. True: it does not. */
bool memory_gives_late(sim_location *lock);

/* Begins a step of the current thread that leaves nothing in its buffer. */
sim_location *memory_locked_step(const volatile void *at, bool writes, const char *what,
                                 const char *where);
/* Notes that the thread reads or changes something that is not memory (the clock). True: others do
 * so too, and the order matters. */
bool memory_note(const struct sim_thread_state *thread, const volatile void *at, bool writes);
/* The place of something that is no plain memory: noted as written. */
sim_location *memory_place(const volatile void *at);
/* The thread has read there what is written, and (mark) written something. */
void memory_read(const sim_location *location);
void memory_mark(sim_location *location);

void memory_drain(struct sim_thread_state *thread);
/* The first of the thread's stores in this run, up to so many. */
void memory_drain_first(struct sim_thread_state *thread, uint64_t stores);
void memory_drain_all(void);

/* ---- threads.c ------------------------------------------------------------------------------- */

typedef enum sim_status {
    SIM_UNUSED,
    SIM_READY,
    SIM_ON_LOCK,
    SIM_ON_FUTEX,
    SIM_ON_JOIN,
    SIM_ON_DEATH,
    SIM_PAUSED,
    SIM_ENDED,
    SIM_DEAD,
} sim_status;

typedef struct sim_thread_state {
    unsigned number;
    const char *name;
    void (*run)(void *context);
    void *context;
    sim_status status;
    const char *doing, *where; /* its last step */
    const volatile void *on;   /* what it waits for */
    int64_t deadline_ns;       /* asleep: until then, negative = for ever */
    bool timed_out;
    unsigned time_outs; /* sleeps that have ended at their deadline */
    bool may_die;
    bool death_seen;
    _Atomic uint32_t *rings; /* sim_death_rings */
    uint32_t rings_bits;
    unsigned joins; /* thread that it waits for */
    uint32_t paused_at;
    unsigned idle_pauses;
    int64_t paused_ns; /* its clock is so far ahead */
    uint64_t hash;     /* of all that it has read */
    sim_buffer buffer;

    bool begun; /* this run: goes on at `at`, else begins at `start` */
    jmp_buf at, start;
    ucontext_t creation;
} sim_thread_state;

extern sim_thread_state threads[SIM_THREADS_MAX];
extern unsigned thread_count;
extern sim_thread_state *current; /* NULL: outside of the run */

void threads_make(void); /* once */
void threads_begin_run(bool deaths, bool lazy_clock);
void threads_run(void);       /* returns when all have ended, or not at all */
uint64_t threads_state(void); /* hash of where everything stands */

/* A step begins. visible: to others, so that it matters who is first. One that only reads changes
 * nothing that others see; one that only stores does so when the store reaches memory. */
void threads_step(const char *what, const char *where, bool visible);
void threads_step_reading(const char *what, const char *where, bool visible);
void threads_step_storing(const char *what, const char *where, bool visible);

/* ---- search.c -------------------------------------------------------------------------------- */

typedef struct sim_counts {
    uint64_t runs, pruned, steps;
    unsigned restarts;
} sim_counts;

extern sim_counts counts;

extern unsigned search_bound;
extern unsigned search_preemptions; /* of this run */
extern bool search_repeats;         /* a given list of choices, with a trace */
extern bool search_gives_up;        /* runs that come to a known state */

void search_begin(unsigned bound);
void search_begin_run(void);
bool search_next(void); /* is there another run? */
/* A run after a list of choices, as search_list has printed it. */
void search_repeat(const char *list);
const char *search_list(void);

extern uint32_t search_questions; /* of this run, so far */

/* Each place where there might be a choice is counted, whether there is one or not. */
void search_question(void);
/* One of the options. before: a hash of the state, if it is one in which the run can be given up;
 * else 0. */
uint8_t search_choose(const uint8_t *options, unsigned count, uint64_t state);

static inline uint64_t hash_mix(uint64_t a, uint64_t b) {
    uint64_t x = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xd6e8feb86659fd93);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 29);
}

/* ---- heap.c ---------------------------------------------------------------------------------- */

void heap_begin_run(void);

/* ---- main.c ---------------------------------------------------------------------------------- */

_Noreturn void run_abandon(void); /* the same as a run before */
_Noreturn void run_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern bool tracing;

#endif
