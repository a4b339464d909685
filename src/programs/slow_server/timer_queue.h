/* Something to be done for each of many things, each at its time: one thread, however many there are.
 *
 * Any thread adds; the queue's own thread sleeps until the earliest time and calls `due` for what is
 * due. The queue's lock is held for looking at the heap alone, never while `due` runs: that may take
 * any lock and add again. No wake-up is lost, since the thread decides to sleep, and an adder whether
 * to wake it, under the lock. */
#ifndef PROGRAMS_TIMER_QUEUE_H
#define PROGRAMS_TIMER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct timer_queue timer_queue;

/* For so many things at a time; `due` is called once for each, on the queue's thread. Not NULL: what
 * cannot be had ends the program. */
timer_queue *timer_queue_start(size_t capacity, void (*due)(void *thing));

/* `when_ns` is of plat_now_ns(). False, and then `due` is not called for it, when the queue stops or
 * is full. */
bool timer_queue_add(timer_queue *queue, int64_t when_ns, void *thing);

/* Everything is due at once; when it returns, `due` has been called for all and is called no more.
 * Adding is still allowed, and refused. */
void timer_queue_stop(timer_queue *queue);

void timer_queue_free(timer_queue *queue); /* after the stop */

#endif
