/* What the headers of this folder make of the core's atomics, barriers, futexes and locks.
 *
 * Each call is a step of the simulated thread that makes it; outside of them (in a scenario's
 * set_up and check) it happens at once. `what` and `where` are for the trace: the operand as it is
 * written in the source, and the function.
 *
 * The machine has total store order, as x86 has: a store waits in a buffer of its thread, a load
 * sees its own thread's buffer first, whatever locks the bus or enters the kernel waits until the
 * own buffer is empty. When the stores of others have reached memory is decided where it is seen.
 *
 * The barriers promise no more than barrier.h does. The heavy one drains what other threads stored
 * before a light one of theirs; what they stored since may stay behind it, as a compiler is free to
 * move a store past the loads that follow it without one. */
#ifndef EXPLORER_HOOKS_H
#define EXPLORER_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sim_operation {
    SIM_SWAP,
    SIM_ADD,
    SIM_SUB,
    SIM_OR,
    SIM_AND,
} sim_operation;

uint64_t sim_load(const volatile void *at, size_t size, const char *what, const char *where);
/* For assertions: what the thread itself would load now, without a step. */
uint64_t sim_peek(const volatile void *at, size_t size);
void sim_store(volatile void *at, size_t size, uint64_t value, const char *what, const char *where);
void sim_store_and_drain(volatile void *at, size_t size, uint64_t value, const char *what,
                         const char *where);
/* Returns what was there. */
uint64_t sim_change(volatile void *at, size_t size, sim_operation operation, uint64_t operand,
                    const char *what, const char *where);
bool sim_cas(volatile void *at, size_t size, uint64_t *expected, uint64_t desired, const char *what,
             const char *where);

void sim_fence(const char *where);
void sim_barrier_light(const char *where);
void sim_barrier_heavy(const char *where);

bool sim_futex_wait(const volatile void *word, uint32_t expected, int64_t deadline_ns,
                    const char *what, const char *where);
void sim_futex_wake(const volatile void *word, int how_many, const char *what, const char *where);

/* One round of a loop that waits for another thread without sleeping. */
void sim_pause(const char *where);

/* To give it back is a store as any other, which waits in the buffer: who takes it finds there what
 * its last holder has stored before. A try
 * that fails is only a load: it orders nothing, and it may miss a lock that was just given. */
typedef struct sim_lock {
    unsigned holder; /* thread number + 1, 0 = free */
    unsigned depth;
    bool recursive;
    unsigned giver;  /* its last holder: thread number + 1 */
    uint64_t stores; /* of that thread, when it gave the lock back */
} sim_lock;

void sim_lock_take(sim_lock *lock, const char *what, const char *where);
bool sim_lock_try(sim_lock *lock, const char *what, const char *where);
void sim_lock_give(sim_lock *lock, const char *what, const char *where);

int64_t sim_now_ns(void);

/* A thread of the library's own; returns its number. */
unsigned sim_attendant(void *(*run)(void *), void *context);
void sim_join(unsigned thread);

/* What the core would call in a forked child; each run begins as one. */
void sim_begins_process(void (*run)(void));

/* Zeroed; all of it goes with the run. What was freed is overwritten. */
void *sim_malloc(size_t size);
void *sim_calloc(size_t count, size_t size);
void *sim_realloc(void *memory, size_t size);
void sim_refuse_realloc(unsigned which); /* from now on, 1 = the next: it finds no memory */
void sim_free(void *memory);
char *sim_strdup(const char *text);

#endif
