#include "scenarios.h"

const scenario *const scenarios[] = {
    /* scenarios_lock.c */
    &lock_two,
    &lock_two_owners,
    &lock_three,
    &lock_fences,
    /* scenarios_queue.c */
    &queue_hand_off,
    &queue_one_worker,
    &queue_two_workers,
    &queue_meeting,
    &queue_meeting_later,
    &queue_searcher,
    &queue_three,
    &queue_stolen,
    &queue_fences,
    &queue_room,
    &queue_room_meeting,
    &queue_room_fences,
    /* scenarios_future.c */
    &future_two_waiters,
    &future_cancel,
    &future_cancel_waited,
    &future_shutdown,
    &future_deadline,
    /* scenarios_group.c */
    &group_two,
    &group_task_submits,
    &group_destroyed,
    &group_failure,
    /* scenarios_watch.c */
    &watch_as_completed,
    &watch_two_workers,
    &watch_two_sets,
    &watch_cancel,
    &watch_handed_out,
    &watch_callback,
    &watch_stopped,
    /* scenarios_slab.c */
    &slab_round,
    &slab_recycled,
    &slab_cancelled,
    &slab_unheld,
    &slab_two_holders,
    /* scenarios_death.c */
    &death_retried,
    &death_lost,
    &death_rewound,
    &death_cancelled,
    &death_watched,
    &death_two_workers,
    &death_unfit,
    /* scenarios_room.c */
    &room_two_submitters,
    &room_two_workers,
    &room_cancelled,
    &room_abandoned,
    &room_counted,
    &room_seen,
    &room_death,
    &room_stopped,
    /* scenarios_shutdown.c */
    &shutdown_room,
    &shutdown_room_cancelled,
    &shutdown_first,
    &shutdown_batch,
    /* scenarios_chunk.c */
    &chunk_taken_back,
    &chunk_taken_back_together,
    &chunk_read,
    &chunk_died,
    &chunk_died_retried,
    &chunk_shared_out,
    &chunk_late,
    &chunk_stopped,
    &chunk_shared_out_room,
    &chunk_died_shared_out,
    /* scenarios_stream.c */
    &stream_ordered,
    &stream_two_workers,
    &stream_as_completed,
    &stream_later,
    &stream_stopped,
    &stream_stopped_death,
    &stream_closed,
    &stream_unwatched,
    &stream_room,
    /* scenarios_nested.c */
    &nested_begun,
    &nested_cancelled,
    &nested_circle,
    &nested_circle_of_three,
    &nested_circle_in_set,
    &nested_set,
    &nested_relay,
    &nested_two_pools,
    &nested_helped,
    &nested_in_pool,
    &nested_tail,
    /* scenarios_deadline.c */
    &deadline_ends,
    &deadline_overdue,
    &deadline_earlier,
    &deadline_outer,
    &deadline_inner,
    &deadline_outer_again,
    &deadline_nested,
    &deadline_chunk,
    &deadline_occupied,
    &deadline_stopped,
    &deadline_stopped_overdue,
    &deadline_stopped_worker,
    /* scenarios_callback.c */
    &callback_two,
    &callback_iteration,
    &callback_goes_on,
    &callback_at_the_end,
    &callback_stopped,
    /* scenarios_fork.c */
    &fork_stolen,
    &fork_joined,
    /* scenarios_serial.c */
    &serial_two,
    &serial_nested,
    &serial_initializer,
    &serial_left,
    &serial_shutdown,
    &serial_callbacks,
    &serial_unfit,
    /* scenarios_observer.c */
    &observer_death,
    &observer_sleeps,
    /* scenarios_remote.c */
    &remote_unbegun,
    &remote_returned,
    &remote_shut_down,
    /* scenarios_process.c */
    &process_retried,
    &process_lost,
    &process_killed,
    &process_all_killed,
    &process_unfit,
    &process_begin,
    &process_broken,
    &process_broken_room,
    &process_room,
    &process_retired,
    &process_two,
    &process_callback,
    &process_overwritten,
    &process_first,
    &process_first_broken,
    &process_first_refused,
    &process_no_workers,
};

const unsigned scenario_count = sizeof scenarios / sizeof scenarios[0];

void check_freed(void) {
    CHECK(pool_is_freed());
}

static void check_ran(unsigned tasks) {
    for (unsigned i = 0; i < tasks; i++) {
        CHECK(pool_runs(i) == 1);
    }
    check_freed();
}

void check_one_ran(void) {
    check_ran(1);
}

void check_two_ran(void) {
    check_ran(2);
}
