/* SIGINT, SIGTERM, SIGHUP: what is finished is reported, then the signal takes its default way.
 *
 * The signals are blocked in every thread, and one thread of ours waits for them. On the first it
 * unblocks them for itself, so that a second ends the program at once; takes the lock, so that, if
 * the main thread prints with the lock held, it sees a consistent state and nothing more is printed;
 * calls `report`; and raises the signal again with the lock held. A signal that was ignored when the program began (nohup, a job
 * in the background of a simple shell) stays ignored.
 *
 *     stop_signals_prepare()   first of all, if the program shows its status on SIGUSR1
 *     stop_signals_block()     before there is anything to report; executors' threads block signals
 *                              by themselves
 *     stop_signals_start()     after the executor is made: a process pool is created before threads
 *     ...                      results are collected, and printed between lock and unlock (or by a
 *                              protocol with `report` that makes that needless)
 *     stop_signals_end()       everything is reported: from here on signals have their default way
 */
#ifndef PROGRAMS_STOP_SIGNALS_H
#define PROGRAMS_STOP_SIGNALS_H

/* SIGUSR1: who runs what. Until stop_signals_start, and in worker processes for ever, it does nothing: so it may be sent
 * at any moment, to the program's process group too. Then `show(data)` is called on the thread that waits for
 * signals, each time, without the lock; until stop_signals_end. */
void stop_signals_prepare(void);
void stop_signals_show(void (*show)(void *data), void *data); /* before stop_signals_start */

void stop_signals_block(void);

/* `report(data)` is called at most once, with the lock held, and the program ends when it returns:
 * the main thread may at that moment be waiting for a future, so nothing may be released. */
void stop_signals_start(void (*report)(void *data), void *data);
/* After `report`, `last(data)` is called, on the same terms. NULL: nothing is, from now on. */
void stop_signals_then(void (*last)(void *data), void *data);

void stop_signals_end(void); /* does not return if a signal came first */

void stop_signals_lock(void);
void stop_signals_unlock(void);

#endif
