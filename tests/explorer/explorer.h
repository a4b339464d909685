/* Runs a scenario in every order in which its threads can take their steps.
 *
 * The core's own sources are compiled a second time, with the headers of include/ in place of those
 * of platform/, so that every atomic operation of theirs is a step of a simulated thread. Threads
 * are coroutines of one real thread; a run is a list of choices (who goes on, what has reached
 * memory, who is woken, who dies), and the explorer makes the run again for every list, depth
 * first.
 *
 * Bound. A switch away from a thread that could go on costs one of the bound's pre-emptions; one
 * from a thread that sleeps, waits for a lock or has ended is free. All runs within the bound are
 * made, but for those that are known to be the same as one before:
 *   - what only one thread has to do with, nobody can see: no switch before it. Which places those
 *     are is learnt; when one more turns out to be shared, the search begins anew
 *   - two runs in which every thread has read the same writes are in the same state, whatever the
 *     order of the rest was: the second is given up there, unless it has more pre-emptions left
 *
 * Fails: a check that is not true, all threads asleep with none to wake them, a run that does not
 * end. A failure is repeated with a trace; the list that is printed repeats it any time. */
#ifndef EXPLORER_H
#define EXPLORER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SIM_THREADS_MAX = 7
};

typedef struct scenario {
    const char *name;
    void (*set_up)(void); /* makes everything anew, and the threads; not itself explored */
    void (*check)(void);  /* after each run, when all threads have ended */
    unsigned bound;       /* pre-emptions of the ordinary test */
    bool deaths;          /* one thread that may die does so, anywhere */
    bool fences;          /* the system has no membarrier: both barriers are full fences */
    bool lazy_clock;      /* time passes only when no thread can go on; else at any step */
} scenario;

/* A new thread; returns its number. From set_up, or from another thread. */
unsigned sim_thread(const char *name, void (*run)(void *context), void *context);
/* It may die at any step of its. */
void sim_may_die(unsigned thread);
/* When the thread dies, the kernel sets these bits and wakes the threads that sleep on the word. */
void sim_death_rings(unsigned thread, _Atomic uint32_t *word, uint32_t bits);
/* The thread dies where it stands, unless it has ended. */
void sim_kill(unsigned thread);
bool sim_is_dead(unsigned thread);
/* Waits until a thread has died, and returns its number; -1 when none will any more. */
int sim_await_death(void);
/* So much time passes: in set_up, or in one step of a thread, as if all of them had been stopped. */
void sim_pass(int64_t ns);

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            sim_fail(__FILE__, __LINE__, #condition);                                              \
        }                                                                                          \
    } while (0)
_Noreturn void sim_fail(const char *file, int line, const char *condition);

/* The table of all scenarios. */
extern const scenario *const scenarios[];
extern const unsigned scenario_count;

#endif
