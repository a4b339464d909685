/* Read before each file of the core that is compiled for the explorer: its heap and its
 * thread-local variables are those of the simulated threads. */
#ifndef EXPLORER_CORE_H
#define EXPLORER_CORE_H

#include "hooks.h"
#include "kernel.h"
#include "platform/atomic.h"

#include <stdlib.h>
#include <time.h>

/* Not as macros: members of structs have such names too. */
void *malloc(size_t size) __asm__("sim_malloc");
void *calloc(size_t count, size_t size) __asm__("sim_calloc");
void *realloc(void *memory, size_t size) __asm__("sim_realloc");
void free(void *memory) __asm__("sim_free");
char *strdup(const char *text) __asm__("sim_strdup");

/* A nap between two looks. */
#define nanosleep(time, left) ((void)(time), sim_pause(__func__))

/* The inline calls of cfutures_fork.h. */
#define CF_FORK_LOAD(p)         SIM_LOAD(p)
#define CF_FORK_LOAD_ACQUIRE(p) SIM_LOAD(p)
#define CF_FORK_STORE(p, v)     SIM_STORE(p, v, sim_store)
#define CF_FORK_PUBLISH(p, v)   SIM_STORE(p, v, sim_store)
#define CF_FORK_ORDER()         (PLANTED(fork_take_without_barrier) ? (void)0 : sim_barrier_light(__func__))

/* The program was started with this bug (main.c). */
extern const char *explorer_planted;
#define PLANTED(name) (__builtin_strcmp(explorer_planted, #name) == 0)

/* Saved and restored with each switch of threads. */
#define _Thread_local __attribute__((section("sim_thread_local")))

#define tls_model(model) /* which they are none of, then */

#endif
