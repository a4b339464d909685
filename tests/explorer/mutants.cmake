# Bugs planted in the core: explorer_mutant(NAME FILE SCENARIO ORIGINAL REPLACEMENT).

# ---- falling asleep and waking up ------------------------------------------------------------------

explorer_mutant(
  sleeper_without_heavy_barrier cfutures/queue/wakeup.c queue_hand_off
  [[cfi_barrier_heavy(queue->shared); /* need_wake is written before tail is read */]] "")

explorer_mutant(
  submit_without_light_barrier cfutures/queue/wakeup.h queue_hand_off
  [[cfi_barrier_light(); /* tail is written before need_wake is read */]] "")

explorer_mutant(
  sleeper_does_not_look_again cfutures/queue/wakeup.c queue_hand_off [[
    seat->woken = true;
    if (cfi_queue_has_any_work(queue)) {
        return true;
    }]] [[
    seat->woken = true;]])

explorer_mutant(
  woken_worker_does_not_arm cfutures/queue/wakeup.c queue_meeting [[
    if (seat->woken) { /* its wake-up was taken from the others too */
        arm(queue);
    }]] "")

explorer_mutant(
  worker_does_not_pass_on cfutures/queue/wakeup.c queue_meeting [[
    if (cfi_queue_has_any_work(queue)) {
        wake_if_armed(queue);
    }]] "")

explorer_mutant(searcher_does_not_arm cfutures/queue/wakeup.c queue_meeting_later
                "cfi_cas(&control->need_wake, &searched, CFI_ARMED);" "(void)searched;")

explorer_mutant(
  searcher_arms_by_a_plain_store cfutures/queue/wakeup.c queue_searcher [[
        cfi_cas(&control->need_wake, &searched, CFI_ARMED);
        cfi_barrier_full(); /* need_wake is written before tail is read */]] [[
        if (cfi_load_relaxed(&control->need_wake) == searched) {
            cfi_store_relaxed(&control->need_wake, CFI_ARMED);
        }]])

explorer_mutant(
  submit_without_full_barrier cfutures/queue/wakeup.c queue_searcher
  "cfi_barrier_full(); /* against the searcher, which does no heavy one */" "")

explorer_mutant(
  wake_count_read_late cfutures/queue/wakeup.c queue_hand_off
  "cfi_futex_wait(&control->wake_count, woken, -1, queue->shared);"
  "cfi_futex_wait(&control->wake_count, cfi_load_acquire(&control->wake_count) + 0 * woken, -1,
                       queue->shared);")

# ---- claiming ----------------------------------------------------------------------------------------

explorer_mutant(
  begin_without_cas cfutures/queue/slot.h queue_two_workers [[
        if (cfi_cas(&slot->word, &seen, next)) {
            *word = next;]] [[
        {
            cfi_store_seq_cst(&slot->word, next);
            *word = next;]])

explorer_mutant(
  claimed_written_late cfutures/queue/queue.c death_cancelled [[
        set_claimed(record, ticket, count);
        if (slot != NULL) {
            cfi_store_relaxed(&record->current, cfi_queue_index(queue, slot) + 1);
        }
        if (cfi_cas(&control->cursor, &seen, (seen & ~TICKET_MASK) | (ticket + count))) {]] [[
        if (slot != NULL) {
            cfi_store_relaxed(&record->current, cfi_queue_index(queue, slot) + 1);
        }
        if (cfi_cas(&control->cursor, &seen, (seen & ~TICKET_MASK) | (ticket + count))) {
            set_claimed(record, ticket, count);]])

explorer_mutant(
  current_written_late cfutures/queue/queue.c death_retried [[
        if (slot != NULL) {
            cfi_store_relaxed(&record->current, cfi_queue_index(queue, slot) + 1);
        }
        if (cfi_cas(&control->cursor, &seen, (seen & ~TICKET_MASK) | (ticket + count))) {]] [[
        if (cfi_cas(&control->cursor, &seen, (seen & ~TICKET_MASK) | (ticket + count))) {]])

explorer_mutant(
  current_not_written_for_each cfutures/queue/queue.c death_lost [[
    cfi_store_relaxed(&queue->records[seat->worker].current,
                      cfi_queue_index(queue, slot) + 1); /* ordered by the CAS */]] "")

explorer_mutant(
  idle_worker_does_not_steal cfutures/queue/queue.c queue_stolen
  "while ((slot = find_claimed(queue, &ticket, &end)) != NULL) {"
  "while (queue == NULL && (slot = find_claimed(queue, &ticket, &end)) != NULL) {")

explorer_mutant(
  cancel_without_cas cfutures/queue/slot.h future_cancel_waited [[
                               : cfi_word_with_phase(*word, CFI_CANCELLED);
        if (cfi_cas(&slot->word, word, next)) {]] [[
                               : cfi_word_with_phase(*word, CFI_CANCELLED);
        cfi_store_seq_cst(&slot->word, next);
        {]])

# ---- who waits is told ---------------------------------------------------------------------------------

explorer_mutant(settle_ignores_waited cfutures/queue/completion.c queue_hand_off
                "if ((replaced & CFI_WAITED) != 0) {" "if ((replaced & CFI_EXPIRED) != 0) {")

explorer_mutant(
  event_seen_late platform/event_count.h watch_as_completed
  "return cfi_futex_wait(&event->rung, seen, deadline_ns, shared);"
  "return cfi_futex_wait(&event->rung, cfi_event_seen(event) + 0 * seen, deadline_ns, shared);")

explorer_mutant(event_armed_by_a_plain_store platform/event_count.h watch_as_completed
                "cfi_store_seq_cst(&event->armed, 1);" "cfi_store_release(&event->armed, 1);")

explorer_mutant(callbacks_armed_by_a_plain_store platform/event_count.h watch_callback
                "cfi_store_seq_cst(&event->armed, 1);" "cfi_store_release(&event->armed, 1);")

explorer_mutant(
  reaper_does_not_ring cfutures/waiting/watch.c watch_two_sets [[
    cfi_biased_lock_give(&executor->reap_lock);
    cfi_event_ring(&executor->queue.bell->event, true);]] [[
    cfi_biased_lock_give(&executor->reap_lock);]])

explorer_mutant(delivered_twice cfutures/waiting/watch.c watch_as_completed
                "if (!watch->delivered) {" "if (watch->slot != NULL) {")

# ---- room ----------------------------------------------------------------------------------------------

explorer_mutant(
  event_without_heavy_barrier platform/event_count.h queue_room
  [[cfi_barrier_heavy(shared); /* armed is written before the sleeper looks again */]] "(void)shared;")

explorer_mutant(
  event_without_light_barrier platform/event_count.h "--bound;2;queue_room_meeting"
  [[cfi_barrier_light(); /* the thing is written before armed is read */]] "")

explorer_mutant(
  room_wakes_one cfutures/queue/queue.c room_abandoned
  "cfi_futex_wake_all(&queue->control->room, queue->shared);"
  "cfi_futex_wake(&queue->control->room, 1, queue->shared);")

explorer_mutant(cancel_makes_no_room cfutures/core/submission.c room_cancelled
                "cfi_queue_room_made(&executor->queue);" "")

explorer_mutant(
  cancel_makes_room_before_it_counts cfutures/core/submission.c room_cancelled [[
        cfi_add_relaxed(&executor->counts.cancelled, 1);
        cfi_completion_announce(&executor->queue, slot, word);
        cfi_queue_room_made(&executor->queue);]] [[
        cfi_queue_room_made(&executor->queue);
        cfi_completion_announce(&executor->queue, slot, word);
        cfi_add_relaxed(&executor->counts.cancelled, 1);]])

explorer_mutant(
  cancel_counts_before_it_has_cancelled cfutures/core/submission.c room_counted
  "if (cfi_slot_withdraw(slot, false, &word)) {
        cfi_add_relaxed(&executor->counts.cancelled, 1);" [[
    cfi_add_relaxed(&executor->counts.cancelled, 1);
    bool withdrawn = cfi_slot_withdraw(slot, false, &word);
    cfi_sub_relaxed(&executor->counts.cancelled, !withdrawn);
    if (withdrawn) {]])

explorer_mutant(
  begun_counted_before_it_has_begun cfutures/queue/queue.c room_counted
  "return cfi_slot_begin(slot, seat->worker, word);" [[
    _Atomic uint64_t *begun = &queue->records[seat->worker].begun;
    cfi_bump_owned(begun, 1);
    bool has_begun = cfi_slot_begin(slot, seat->worker, word);
    cfi_bump_owned(begun, (uint64_t)-1); /* the worker counts it */
    return has_begun;]])

explorer_mutant(begun_counted_when_it_has_ended cfutures/core/counts.c room_seen
                "ended += cfi_load_relaxed(&executor->queue.records[i].begun);"
                "ended += cfi_load_relaxed(&executor->queue.records[i].tasks_settled);")

explorer_mutant(
  death_does_not_ring_for_room cfutures/worker_death.c room_death
  "cfi_queue_room_ring(queue);        /*" "/*")

explorer_mutant(
  death_leaves_begun_as_it_is cfutures/worker_death.c room_death [[
    cfi_store_relaxed(&record->begun,
                      cfi_load_relaxed(&record->tasks) + cfi_load_relaxed(&record->cut));]] "")

explorer_mutant(run_again_is_not_counted cfutures/worker_death.c room_death
                "executor->counts.again++;" "")

# ---- items that travel together --------------------------------------------------------------------------

explorer_mutant(taken_back_without_heavy_barrier cfutures/worker/chunk.c chunk_taken_back
                "cfi_barrier_heavy(shared); /* end is written before begun is read */" "(void)shared;")

explorer_mutant(item_begun_without_light_barrier cfutures/worker/chunk.c chunk_taken_back
                "cfi_barrier_light(); /* begun is written before end is read */" "")

explorer_mutant(
  taken_back_by_the_first_look cfutures/worker/chunk.c chunk_taken_back
  "if (cfi_load_acquire(&progress->begun) <= half) {" "if (begun <= half) {")

explorer_mutant(taken_back_from_one_too_early cfutures/worker/chunk.c chunk_taken_back
                "if (cfi_load_acquire(&progress->begun) <= half) {"
                "if (cfi_load_acquire(&progress->begun) <= half + 1) {")

explorer_mutant(
  done_before_its_ending_is_noted cfutures/worker/chunk.c chunk_read
  "int error = run(has_args ? arg : NULL, room > 0 ? result : NULL, &at->ctx);" [[
        int error = run(has_args ? arg : NULL, room > 0 ? result : NULL, &at->ctx);
        cfi_store_release(&progress->done, i + 1);]])

explorer_mutant(
  done_before_it_has_run cfutures/worker/chunk.c chunk_died
  "int error = run(has_args ? arg : NULL, room > 0 ? result : NULL, &at->ctx);" [[
        cfi_store_release(&progress->done, i + 1);
        int error = run(has_args ? arg : NULL, room > 0 ? result : NULL, &at->ctx);]])

explorer_mutant(rest_begins_with_the_lost_item cfutures/batch/window.c chunk_died
                "uint32_t rest_first = done + fails;" "uint32_t rest_first = done;")

explorer_mutant(rest_has_the_first_arguments cfutures/batch/window.c chunk_died
                "cfi_piece_keep_args_in(rest, slot, rest_first);"
                "cfi_piece_keep_args_in(rest, slot, 0);")

# The worker may have seen an end that was put back.
explorer_mutant(
  rest_of_a_run_that_ended_well_is_dropped cfutures/batch/window.c chunk_stopped
  "if (done >= piece->count) {" "if (done >= piece->count || exception.status == CF_OK) {")

explorer_mutant(rest_has_what_was_taken_back cfutures/batch/window.c chunk_died_shared_out
                "uint32_t count = piece->count;" "uint32_t count = piece->layout;")

explorer_mutant(items_are_kept_and_sent_again cfutures/batch/share_out.c chunk_shared_out
                "piece->count = kept;" "")

# As it once was: the place was looked at, the items were taken back, and then the submission was refused,
# as another one had the place by then.
explorer_mutant(
  place_is_not_reserved cfutures/batch/share_out.c chunk_shared_out_room
  "cfi_submission_publish(executor, &submission, slot);" [[
    cfi_submission_abandon(executor);
    if (cfi_submission_submit(executor, &submission, &slot) != CF_OK) {
        cfi_piece_drop(stream, rest);
        return false;
    }]])

# As it once was: a thread that was late before it had begun its item ran what was sent again by then.
explorer_mutant(
  item_begun_after_its_limit_is_shown cfutures/worker/chunk.c chunk_late [[
    while (cfi_limit_renew(&at->ctx) && take_item(at->progress, at->i)) {
        cfi_limit_show(&at->ctx, at->header->timeout_ns);]] [[
    while (cfi_limit_renew(&at->ctx)) {
        cfi_limit_show(&at->ctx, at->header->timeout_ns);
        if (!take_item(at->progress, at->i)) {
            cfi_limit_end(&at->ctx);
            return;
        }]])

explorer_mutant(late_item_is_sent_again cfutures/batch/window.c chunk_late
                "break_up(stream, piece, done, begun > done, &exception);"
                "break_up(stream, piece, done, begun == 0 && done > 0, &exception);")

# ---- streams -------------------------------------------------------------------------------------------

explorer_mutant(
  settled_before_it_is_watched cfutures/waiting/watch.c stream_ordered
  "if (!cfi_watch_ask(slot) || cfi_word_settled(cfi_load_acquire(&slot->word))) {"
  "if (!cfi_watch_ask(slot) && set == NULL) {")

explorer_mutant(
  listens_after_the_look cfutures/waiting/await.c stream_as_completed [[
        uint32_t rung = cfi_bell_listen(set->bell);
        *watch = reap_and_pop(set);]] [[
        *watch = reap_and_pop(set);
        uint32_t rung = cfi_bell_listen(set->bell);]])

explorer_mutant(window_forgets_what_is_done cfutures/batch/pace.c stream_two_workers
                "uint64_t out = stream->taken - stream->handed_out;"
                "uint64_t out = stream->under_way;")

explorer_mutant(later_is_taken_for_the_end cfutures/batch/send.c stream_later
                "answer != CF_SOURCE_ITEM && !stream->later;" "answer != CF_SOURCE_ITEM;")

# As it once was, but for a look at the completion stack: what is done may not be there yet, or no more.
explorer_mutant(stop_loses_what_is_done cfutures/batch/window.c stream_stopped
                "collect_settled(stream);" "(void)collect_settled;")

explorer_mutant(close_leaves_tasks_pending cfutures/batch/window.c stream_closed
                "cfi_executor_cancel(stream->executor, stream->first->watch.slot);" "")

explorer_mutant(full_is_an_error cfutures/batch/send.c stream_room
                "} else if (status == CF_ENOMEM || status == CF_EFULL) {"
                "} else if (status == CF_ENOMEM) {")

# ---- shutdown ------------------------------------------------------------------------------------------

explorer_mutant(worker_started_after_shutdown cfutures/core/submission.c shutdown_batch
                "while (executor->refuses == CF_OK &&" "while (")

explorer_mutant(shutdown_does_not_ring_for_room cfutures/executor.c shutdown_room
                "cfi_queue_room_ring(&executor->queue);" "")

explorer_mutant(
  room_but_shut_down_meanwhile cfutures/core/submission.c shutdown_room_cancelled
  "return executor->refuses;" "return has_room(executor) ? CF_OK : executor->refuses;")

explorer_mutant(
  stop_seen_before_wake_count cfutures/queue/queue.c shutdown_first [[
    uint32_t woken = cfi_load_acquire(&control->wake_count);
    const bool stop = cfi_load_acquire(&control->stop) != 0;]] [[
    const bool stop = cfi_load_acquire(&control->stop) != 0;
    uint32_t woken = cfi_load_acquire(&control->wake_count);]])

explorer_mutant(
  stop_seen_after_the_look_for_work cfutures/queue/queue.c shutdown_first [[
    const bool stop = cfi_load_acquire(&control->stop) != 0;
    if (stop) { /* what came before it is seen, and all are woken */
        bool work = cfi_queue_has_any_work(queue);]] [[
    bool work = cfi_queue_has_any_work(queue);
    const bool stop = cfi_load_acquire(&control->stop) != 0;
    if (stop) {]])

# ---- slots and slabs -----------------------------------------------------------------------------------

explorer_mutant(no_reference_for_the_stack cfutures/waiting/watch.c watch_as_completed
                "cfi_slot_retain(slot); /* before the settler can push it */" "")

explorer_mutant(slab_recycled_with_tasks_pending cfutures/queue/slab.c slab_unheld "if (all_left(slab)) {"
                "if (slab->given_up > 0) {")

explorer_mutant(
  release_without_atomic_change cfutures/core/reference.c future_two_waiters
  "} else if ((cfi_sub_acq_rel(&slot->refs, 1) & ~CFI_SEEN) > 1) {" [[
    } else if ((refs & ~CFI_SEEN) > 1) {
        cfi_store_release(&slot->refs, refs - 1);]])

# ---- death ---------------------------------------------------------------------------------------------

explorer_mutant(rewind_keeps_the_epoch cfutures/queue/queue.c death_rewound
                "next = ((seen & ~TICKET_MASK) + EPOCH) | (at < ticket ? at : ticket);"
                "next = (seen & ~TICKET_MASK) | (at < ticket ? at : ticket);")

explorer_mutant(
  judge_does_not_rewind cfutures/worker_death.c death_retried
  "cfi_queue_rewind(&executor->queue, cfi_slab_ticket_of(slot));"
  "cfi_queue_advance(&executor->queue);")

explorer_mutant(judge_does_not_wake_the_caller cfutures/worker_death.c death_lost
                "cfi_futex_wake_all(&slot->futex, queue->shared);" "")

explorer_mutant(judge_does_not_deliver cfutures/worker_death.c death_watched
                "cfi_watch_reap_orphan(executor, slot, worker);" "cfi_watch_reap(executor);")

explorer_mutant(judge_forgets_what_was_claimed cfutures/worker_death.c death_lost
                "cfi_queue_visit_claimed(&executor->queue, worker, give_back, executor);" "(void)give_back;")

# ---- the biased lock -----------------------------------------------------------------------------------

explorer_mutant(revoked_without_heavy_barrier platform/biased_lock.c lock_two
                "cfi_barrier_heavy(false); /* owner is written before inside is read */" "")

explorer_mutant(
  owner_enters_without_light_barrier platform/biased_lock.h lock_two
  "cfi_barrier_light(); /* inside is written before owner is read */" "")

explorer_mutant(
  owner_looks_once platform/biased_lock.h lock_two
  "if (cfi_load_acquire(&lock->owner) == owner) {" "if (owner != 0) {")

# As it once was: each owner wrote the same word.
explorer_mutant(owners_share_a_word platform/biased_lock.c lock_two_owners
                "for (unsigned place = 0; place < CFI_OWNERS; place++) {"
                "for (unsigned place = 0; place < 1; place++) {
        lock->owners[place] = cfi_thread_number;")
