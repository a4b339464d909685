/* Holds processes as a debugger does, makes them take steps, and kills them.
 *
 * The main process traces; a host that it has forked has the pools, and gives the orders. A tracer's own wait
 * calls see what it traces, and so would those of the pool's supervisor if it were the same process. */
#ifndef TESTS_CHAOS_TRACER_H
#define TESTS_CHAOS_TRACER_H

#include "tally.h"

typedef enum order {
    HOLD,         /* answer: it is held */
    STEP,         /* up to k machine instructions; a system call is one. Answer: how many it was */
    STEP_TO_NEXT, /* the same, but no further than to the worker's next task */
    KILL,         /* also if it is not held */
    END           /* of the tracer */
} order;

/* Before the fork. next_task: grows when a worker begins its next task. False: the system refuses ptrace. */
bool tracer_begin(counter *next_task);

/* In the main process: carries out orders until END, or until the host is gone. */
void tracer_serve(pid_t host);

/* In the host, one thread at a time. */
uint64_t tracer_ask(order order, pid_t process, uint64_t k);

#endif
