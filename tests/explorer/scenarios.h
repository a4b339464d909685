/* What the scenarios share. Each is defined beside its threads, and listed in scenarios.c. */
#ifndef EXPLORER_SCENARIOS_H
#define EXPLORER_SCENARIOS_H

#include "explorer.h"
#include "pool.h"

static const cf_pool_options plain = {0};

/* Checks: tasks 0 to n-1 ran once each, and the executor has gone. */
void check_one_ran(void);
void check_two_ran(void);
void check_freed(void);

/* ---- scenarios_lock.c ---- */
extern const scenario lock_two, lock_two_owners, lock_three, lock_fences;
/* ---- scenarios_queue.c ---- */
extern const scenario queue_hand_off, queue_one_worker, queue_two_workers, queue_meeting,
    queue_meeting_later, queue_searcher, queue_stolen, queue_fences, queue_room, queue_room_meeting,
    queue_room_fences, queue_three;
/* ---- scenarios_future.c ---- */
extern const scenario future_two_waiters, future_cancel, future_cancel_waited, future_shutdown,
    future_deadline;
/* ---- scenarios_watch.c ---- */
extern const scenario watch_as_completed, watch_two_workers, watch_two_sets, watch_cancel,
    watch_handed_out, watch_callback, watch_stopped;
/* ---- scenarios_slab.c ---- */
extern const scenario slab_round, slab_recycled, slab_cancelled, slab_unheld, slab_two_holders;
/* ---- scenarios_death.c ---- */
extern const scenario death_retried, death_lost, death_rewound, death_cancelled, death_watched,
    death_two_workers, death_unfit;
/* ---- scenarios_room.c ---- */
extern const scenario room_two_submitters, room_two_workers, room_cancelled, room_abandoned,
    room_counted, room_seen, room_death, room_stopped;
/* ---- scenarios_shutdown.c ---- */
extern const scenario shutdown_room, shutdown_room_cancelled, shutdown_first, shutdown_batch;
/* ---- scenarios_chunk.c ---- */
extern const scenario chunk_taken_back, chunk_taken_back_together, chunk_read, chunk_died,
    chunk_died_retried, chunk_shared_out, chunk_late, chunk_died_shared_out, chunk_stopped,
    chunk_shared_out_room;
/* ---- scenarios_stream.c ---- */
extern const scenario stream_ordered, stream_two_workers, stream_as_completed, stream_later,
    stream_stopped, stream_stopped_death, stream_closed, stream_unwatched, stream_room;
/* ---- scenarios_nested.c ---- */
extern const scenario nested_begun, nested_cancelled, nested_circle, nested_circle_of_three,
    nested_circle_in_set, nested_set, nested_relay, nested_two_pools, nested_helped, nested_in_pool,
    nested_tail;
/* ---- scenarios_deadline.c ---- */
extern const scenario deadline_ends, deadline_overdue, deadline_earlier, deadline_outer,
    deadline_inner, deadline_outer_again, deadline_nested, deadline_chunk, deadline_occupied,
    deadline_stopped, deadline_stopped_overdue, deadline_stopped_worker;
/* ---- scenarios_callback.c ---- */
extern const scenario callback_two, callback_iteration, callback_goes_on, callback_at_the_end,
    callback_stopped;
/* ---- scenarios_serial.c ---- */
extern const scenario fork_stolen, fork_joined;
extern const scenario serial_two, serial_nested, serial_initializer, serial_left, serial_shutdown,
    serial_callbacks, serial_unfit;
/* ---- scenarios_group.c ---- */
extern const scenario group_two, group_task_submits, group_destroyed, group_failure;
/* ---- scenarios_observer.c ---- */
extern const scenario observer_death, observer_sleeps;
/* ---- scenarios_remote.c ---- */
extern const scenario remote_unbegun, remote_returned, remote_shut_down;
/* ---- scenarios_process.c ---- */
extern const scenario process_retried, process_lost, process_killed, process_all_killed,
    process_unfit, process_begin, process_broken, process_broken_room, process_room,
    process_retired, process_two, process_callback, process_overwritten, process_first,
    process_first_broken, process_first_refused, process_no_workers;

#endif
