# Bugs planted in the core: explorer_mutant(NAME FILE SCENARIO ORIGINAL REPLACEMENT).

# ---- falling asleep and waking up ------------------------------------------------------------------

explorer_mutant(
  sleeper_without_heavy_barrier cfutures/queue/wakeup.c queue_hand_off
  [[plat_barrier_heavy(queue->shared); /* need_wake is written before tail is read */]] "")

explorer_planted(
  submit_without_light_barrier cfutures/queue/wakeup.h queue_hand_off
  [[plat_barrier_light(); /* tail is written before need_wake is read */]] [[
    if (!PLANTED(submit_without_light_barrier)) {
        plat_barrier_light();
    }]])

explorer_mutant(
  sleeper_does_not_look_again cfutures/queue/wakeup.c queue_hand_off [[
    claim->woken = true;
    if (cfi_queue_has_any_work(queue)) {
        return true;
    }]] [[
    claim->woken = true;]])

explorer_mutant(
  woken_worker_does_not_arm cfutures/queue/wakeup.c queue_meeting [[
    if (claim->woken) { /* its wake-up was taken from the others too */
        arm(queue);
    }]] "")

explorer_mutant(
  worker_does_not_pass_on cfutures/queue/wakeup.c queue_meeting
  "if (!wake_if_armed(queue) && !queue->shared) {" "if (false) {")

explorer_mutant(searcher_does_not_arm cfutures/queue/wakeup.c queue_meeting_later
                "plat_cas(&control->need_wake, &searched, CFI_ARMED);" "(void)searched;")

explorer_mutant(
  searcher_arms_by_a_plain_store cfutures/queue/wakeup.c queue_searcher [[
        plat_cas(&control->need_wake, &searched, CFI_ARMED);
        plat_barrier_full(); /* need_wake is written before tail is read */]] [[
        if (plat_load_relaxed(&control->need_wake) == searched) {
            plat_store_relaxed(&control->need_wake, CFI_ARMED);
        }]])

explorer_mutant(stop_does_not_ring_the_bell cfutures/queue/wakeup.c watch_stopped
                "    plat_event_ring_always(&queue->bell->event, true);" "")

explorer_mutant(stop_does_not_ring_callbacks cfutures/queue/wakeup.c callback_stopped
                "    plat_event_ring_always(&control->callbacks, queue->shared);" "")

explorer_mutant(stop_makes_no_room cfutures/queue/wakeup.c room_stopped
                "    plat_event_ring_always(&control->room, queue->shared);" "")

explorer_mutant(stop_hides_a_deadline cfutures/queue/wakeup.c deadline_stopped_worker
                "    plat_event_ring_always(&control->deadline, queue->shared);" "")

explorer_mutant(
  submit_without_full_barrier cfutures/queue/wakeup.c queue_searcher
  "plat_barrier_full(); /* against the searcher, which does no heavy one */" "")

explorer_mutant(
  submit_takes_armed_without_barrier cfutures/queue/wakeup.c "--bound;3;queue_three"
  "plat_barrier_full(); /* against the searcher, which does no heavy one */"
  "if (plat_load_relaxed(&queue->control->need_wake) == CFI_SEARCHED) {
        plat_barrier_full();
    }")

explorer_mutant(
  wake_count_read_late cfutures/queue/wakeup.c queue_hand_off
  "plat_futex_wait(&control->wake_count, woken, until_ns, queue->shared);"
  "plat_futex_wait(&control->wake_count, plat_load_acquire(&control->wake_count) + 0 * woken, -1,
                       queue->shared);")

# ---- claiming ----------------------------------------------------------------------------------------

explorer_planted(
  begin_without_cas cfutures/queue/slot.h queue_two_workers [[
        if (plat_cas(&slot->word, &seen, next)) {
            *word = next;]] [[
        if (PLANTED(begin_without_cas) ? (plat_store_seq_cst(&slot->word, next), true)
                                       : plat_cas(&slot->word, &seen, next)) {
            *word = next;]])

explorer_mutant(
  claimed_written_late cfutures/queue/queue.c death_cancelled [[
        set_claimed(record, ticket, count);
        if (slot != NULL) {
            plat_store_relaxed(&record->current, cfi_queue_index(queue, slot) + 1);
        }
        cfi_fault_point(queue, claim->worker, CLAIM_NOTED);
        if (plat_cas(&control->cursor, &seen, moved(seen, ticket + count))) {]] [[
        if (slot != NULL) {
            plat_store_relaxed(&record->current, cfi_queue_index(queue, slot) + 1);
        }
        if (plat_cas(&control->cursor, &seen, moved(seen, ticket + count))) {
            set_claimed(record, ticket, count);]])

explorer_mutant(
  current_written_late cfutures/queue/queue.c death_retried [[
        if (slot != NULL) {
            plat_store_relaxed(&record->current, cfi_queue_index(queue, slot) + 1);
        }
        cfi_fault_point(queue, claim->worker, CLAIM_NOTED);
        if (plat_cas(&control->cursor, &seen, moved(seen, ticket + count))) {]] [[
        if (plat_cas(&control->cursor, &seen, moved(seen, ticket + count))) {]])

explorer_mutant(
  current_not_written_for_each cfutures/queue/queue.c death_lost [[
    plat_store_relaxed(&queue->records[claim->worker].current,
                       cfi_queue_index(queue, slot) + 1); /* ordered by the CAS */]] "")

explorer_mutant(
  idle_worker_does_not_steal cfutures/queue/queue.c queue_stolen
  "while ((slot = find_claimed(queue, &ticket, &end)) != NULL) {"
  "while (queue == NULL && (slot = find_claimed(queue, &ticket, &end)) != NULL) {")

explorer_planted(
  cancel_without_cas cfutures/queue/slot.h future_cancel_waited [[
                               : cfi_word_with_phase(*word, CFI_CANCELLED);
        cfi_assert(cfi_word_is_sound(next));
        if (plat_cas(&slot->word, word, next)) {]] [[
                               : cfi_word_with_phase(*word, CFI_CANCELLED);
        if (PLANTED(cancel_without_cas) ? (plat_store_seq_cst(&slot->word, next), true)
                                        : plat_cas(&slot->word, word, next)) {]])

# ---- who waits is told ---------------------------------------------------------------------------------

explorer_mutant(settle_ignores_waited cfutures/queue/completion.c queue_hand_off
                "if ((replaced & CFI_WAITED) != 0) {" "if ((replaced & CFI_EXPIRED) != 0) {")

explorer_planted(
  event_seen_late platform/event_count.h watch_as_completed
  "return plat_futex_wait(&event->rung, seen, deadline_ns, shared);" [[
    return plat_futex_wait(&event->rung, PLANTED(event_seen_late) ? plat_event_seen(event) : seen, deadline_ns,
                           shared);]])

explorer_planted(
  event_armed_by_a_plain_store platform/event_count.h watch_as_completed
  "plat_store_seq_cst(&event->armed, 1);" [[
    if (PLANTED(event_armed_by_a_plain_store)) {
        plat_store_release(&event->armed, 1);
    } else {
        plat_store_seq_cst(&event->armed, 1);
    }]])
explorer_planted_test(callbacks_armed_by_a_plain_store event_armed_by_a_plain_store watch_callback)

explorer_mutant(
  reaper_does_not_ring cfutures/waiting/watch.c watch_two_sets [[
    plat_biased_lock_give(&executor->drain_lock);
    plat_event_ring(&executor->queue.bell->event, true);]] [[
    plat_biased_lock_give(&executor->drain_lock);]])

explorer_mutant(delivered_twice cfutures/waiting/watch.c watch_as_completed
                "if (!watch->delivered) {" "if (watch->future != NULL) {")

# ---- room ----------------------------------------------------------------------------------------------

explorer_planted(
  event_without_heavy_barrier platform/event_count.h queue_room
  [[plat_barrier_heavy(shared); /* armed is written before the sleeper looks again */]] [[
    if (!PLANTED(event_without_heavy_barrier)) {
        plat_barrier_heavy(shared);
    }]])

explorer_planted(
  event_without_light_barrier platform/event_count.h "--bound;2;queue_room_meeting"
  [[plat_barrier_light(); /* the thing is written before armed is read */]] [[
    if (!PLANTED(event_without_light_barrier)) {
        plat_barrier_light();
    }]])

explorer_planted(
  room_wakes_one platform/event_count.h room_abandoned "plat_futex_wake_all(&event->rung, shared);" [[
        if (PLANTED(room_wakes_one)) {
            plat_futex_wake(&event->rung, 1, shared);
        } else {
            plat_futex_wake_all(&event->rung, shared);
        }]])

explorer_mutant(cancel_makes_no_room cfutures/core/submission.c room_cancelled
                "cfi_queue_room_made(&executor->queue);" "")

explorer_mutant(
  cancel_makes_room_before_it_counts cfutures/core/submission.c room_cancelled [[
        plat_add_relaxed(&executor->counts.cancelled, 1);
        cfi_completion_announce(&executor->queue, slot, word);
        cfi_queue_room_made(&executor->queue);]] [[
        cfi_queue_room_made(&executor->queue);
        cfi_completion_announce(&executor->queue, slot, word);
        plat_add_relaxed(&executor->counts.cancelled, 1);]])

explorer_mutant(
  cancel_counts_before_it_has_cancelled cfutures/core/submission.c room_counted
  "if (cfi_slot_withdraw(slot, false, &word)) {
        plat_add_relaxed(&executor->counts.cancelled, 1);" [[
    plat_add_relaxed(&executor->counts.cancelled, 1);
    bool withdrawn = cfi_slot_withdraw(slot, false, &word);
    plat_sub_relaxed(&executor->counts.cancelled, !withdrawn);
    if (withdrawn) {]])

explorer_mutant(
  begun_counted_before_it_has_begun cfutures/queue/queue.c room_counted
  "bool begun = cfi_slot_begin(slot, claim->worker, word);" [[
    _Atomic uint64_t *counted = &queue->records[claim->worker].begun;
    plat_bump_owned(counted, 1);
    bool begun = cfi_slot_begin(slot, claim->worker, word);
    plat_bump_owned(counted, (uint64_t)-1); /* the worker counts it */]])

explorer_mutant(begun_counted_when_it_has_ended cfutures/core/counts.c room_seen
                "ended += plat_load_relaxed(&executor->queue.records[i].begun);"
                "ended += plat_load_relaxed(&executor->queue.records[i].tasks_settled);")

explorer_mutant(
  death_does_not_ring_for_room cfutures/worker_death.c room_death
  "plat_event_ring_always(&queue->control->room, queue->shared);" "")

explorer_mutant(
  death_leaves_begun_as_it_is cfutures/worker_death.c room_death [[
    plat_store_relaxed(&record->begun,
                       plat_load_relaxed(&record->tasks) + plat_load_relaxed(&record->cut));]] "")

explorer_mutant(run_again_is_not_counted cfutures/worker_death.c room_death [[
        executor->counts.again++;
        plat_add_relaxed(&executor->counts.retries, 1);]] [[
        plat_add_relaxed(&executor->counts.retries, 1);]])

# ---- items that travel together --------------------------------------------------------------------------

explorer_mutant(taken_back_without_heavy_barrier cfutures/worker/chunk.c chunk_taken_back
                "plat_barrier_heavy(shared); /* end is written before begun is read */" "(void)shared;")

explorer_mutant(item_begun_without_light_barrier cfutures/worker/chunk.c chunk_taken_back
                "plat_barrier_light(); /* begun is written before end is read */" "")

explorer_mutant(items_taken_together_begin_as_one cfutures/worker/chunk.c chunk_taken_back_together
                "plat_store_release(&progress->begun, i + most);"
                "plat_store_release(&progress->begun, i + 1);")

explorer_mutant(
  taken_back_by_the_first_look cfutures/worker/chunk.c chunk_taken_back
  "if (plat_load_acquire(&progress->begun) <= half) {" "if (begun <= half) {")

explorer_mutant(taken_back_from_one_too_early cfutures/worker/chunk.c chunk_taken_back
                "if (plat_load_acquire(&progress->begun) <= half) {"
                "if (plat_load_acquire(&progress->begun) <= half + 1) {")

explorer_mutant(
  done_before_its_ending_is_noted cfutures/worker/chunk.c chunk_read
  "int error = run((const void *)arg, (void *)result, &at->ctx);" [[
        int error = run((const void *)arg, (void *)result, &at->ctx);
        plat_store_release(&progress->done, i + 1);]])

explorer_mutant(
  done_before_it_has_run cfutures/worker/chunk.c chunk_died
  "int error = run((const void *)arg, (void *)result, &at->ctx);" [[
        plat_store_release(&progress->done, i + 1);
        int error = run((const void *)arg, (void *)result, &at->ctx);]])

explorer_mutant(rest_begins_with_the_lost_item cfutures/batch/window.c chunk_died
                ".rest_first = rest_first," ".rest_first = done,")

explorer_mutant(rest_has_the_first_arguments cfutures/batch/window.c chunk_died
                "cfi_piece_keep_args_in(plan->rest, piece->watch.future, plan->rest_first);"
                "cfi_piece_keep_args_in(plan->rest, piece->watch.future, 0);")

# The worker may have seen an end that was put back.
explorer_mutant(
  rest_of_a_run_that_ended_well_is_dropped cfutures/batch/window.c chunk_stopped
  "} else if (done == piece->count) {" "} else if (done == piece->count || exception.status == CF_OK) {")

explorer_mutant(rest_has_what_was_taken_back cfutures/batch/window.c chunk_died_shared_out
                ".rest_count = piece->count - rest_first," ".rest_count = piece->layout - rest_first,")

explorer_mutant(items_are_kept_and_sent_again cfutures/batch/share_out.c chunk_shared_out
                "piece->count = kept;" "")

# As it once was: the place was looked at, the items were taken back, and then the submission was refused,
# as another one had the place by then.
explorer_mutant(
  place_is_not_reserved cfutures/batch/share_out.c chunk_shared_out_room
  "cfi_submission_publish(executor, &submission, future);" [[
    cfi_submission_abandon(executor, future);
    if (cfi_submission_submit(executor, &submission, &future) != CF_OK) {
        cfi_piece_drop(stream, rest);
        return false;
    }]])

# As it once was: a thread that was late before it had begun its item ran what was sent again by then.
explorer_mutant(
  item_begun_after_its_limit_is_shown cfutures/worker/chunk.c chunk_late [[
    while (cfi_limit_renew(&at->ctx) && take_items(at->progress, at->i, 1) > at->i) {
        cfi_limit_show(&at->ctx, at->header->timeout_ns);]] [[
    while (cfi_limit_renew(&at->ctx)) {
        cfi_limit_show(&at->ctx, at->header->timeout_ns);
        if (take_items(at->progress, at->i, 1) == at->i) {
            cfi_limit_end(&at->ctx);
            return;
        }]])

explorer_mutant(late_item_is_sent_again cfutures/batch/window.c chunk_late
                "collect_part(stream, piece, done, begun > done, &exception);"
                "collect_part(stream, piece, done, begun == 0 && done > 0, &exception);")

# ---- streams -------------------------------------------------------------------------------------------

explorer_mutant(
  settled_before_it_is_watched cfutures/waiting/watch.c stream_ordered
  "if (!cfi_watch_ask(future) ||
            cfi_word_is_over(plat_load_acquire(&cfi_slot_of(future)->word))) {"
  "if (!cfi_watch_ask(future) && set == NULL) {")

explorer_mutant(
  listens_after_the_look cfutures/waiting/await.c stream_as_completed [[
        uint32_t seen = plat_event_listen(&set->bell->event);
        *watch = drain_and_pop(set);]] [[
        *watch = drain_and_pop(set);
        uint32_t seen = plat_event_listen(&set->bell->event);]])

explorer_mutant(window_forgets_what_is_done cfutures/batch/pace.c stream_two_workers
                "uint64_t out = stream->taken - stream->handed_out;"
                "uint64_t out = stream->under_way;")

explorer_mutant(later_is_taken_for_the_end cfutures/batch/send.c stream_later
                "answer != CF_SOURCE_ITEM && !stream->source_empty;" "answer != CF_SOURCE_ITEM;")

# As it once was, but for a look at the completion stack: what is done may not be there yet, or no more.
explorer_mutant(stop_loses_what_is_done cfutures/batch/window.c stream_stopped
                "collect_settled(stream);" "(void)collect_settled;")

explorer_mutant(
  close_leaves_tasks_pending cfutures/batch/window.c stream_closed [[
        recall(stream, piece);
        cfi_piece_drop(stream, piece);]] [[
        cfi_piece_drop(stream, piece);]])

# As it once was: then the items ran, and were lost.
explorer_mutant(memory_to_watch_is_taken_late cfutures/batch/window.c stream_unwatched
                "!cfi_watch_set_know(&made->set, executor)) {" "false) {")

explorer_mutant(full_is_an_error cfutures/batch/send.c stream_room
                "} else if (status == CF_ENOMEM || status == CF_EFULL) {"
                "} else if (status == CF_ENOMEM) {")

# ---- shutdown ------------------------------------------------------------------------------------------

explorer_mutant(worker_started_after_shutdown cfutures/core/submission.c shutdown_batch
                "while (executor->refuses == CF_OK &&" "while (")

explorer_mutant(
  shutdown_does_not_ring_for_room cfutures/executor.c shutdown_room
  "plat_event_ring_always(&executor->queue.control->room, executor->queue.shared);" "")

explorer_mutant(
  room_but_shut_down_meanwhile cfutures/core/submission.c shutdown_room_cancelled
  "return executor->refuses;" "return has_room(executor) ? CF_OK : executor->refuses;")

explorer_mutant(
  stop_seen_before_wake_count cfutures/queue/wakeup.c shutdown_first [[
    uint32_t woken = plat_load_acquire(&control->wake_count);
    const bool stop = plat_load_acquire(&control->stop) != 0;]] [[
    const bool stop = plat_load_acquire(&control->stop) != 0;
    uint32_t woken = plat_load_acquire(&control->wake_count);]])

explorer_mutant(
  stop_seen_after_the_look_for_work cfutures/queue/wakeup.c shutdown_first [[
    const bool stop = plat_load_acquire(&control->stop) != 0;
    if (stop) { /* tasks published before `stop` are seen, and all workers are woken */
        bool work = cfi_queue_has_any_work(queue);]] [[
    bool work = cfi_queue_has_any_work(queue);
    const bool stop = plat_load_acquire(&control->stop) != 0;
    if (stop) {]])

# ---- slots and slabs -----------------------------------------------------------------------------------

explorer_mutant(no_reference_for_the_stack cfutures/waiting/watch.c watch_as_completed
                "cfi_future_retain(future); /* before the settler can push it */" "")

explorer_mutant(slab_recycled_with_tasks_pending cfutures/queue/slab.c slab_unheld "if (all_vacant(slab)) {"
                "if (slab->given_up > 0) {")

explorer_mutant(
  release_without_atomic_change cfutures/core/reference.c future_two_waiters
  "} else if ((plat_sub_acq_rel(&future->refs, 1) & ~CFI_OBSERVED) > 1) {" [[
    } else if ((refs & ~CFI_OBSERVED) > 1) {
        plat_store_release(&future->refs, refs - 1);]])

# ---- death ---------------------------------------------------------------------------------------------

explorer_mutant(rewind_keeps_the_epoch cfutures/queue/queue.c death_rewound
                "next = moved(seen + EPOCH, at < ticket ? at : ticket);"
                "next = moved(seen, at < ticket ? at : ticket);")

explorer_mutant(
  judge_does_not_rewind cfutures/worker_death.c death_retried
  "cfi_queue_rewind(&executor->queue, cfi_slab_ticket_of(future));"
  "cfi_queue_advance(&executor->queue);")

explorer_mutant(judge_does_not_wake_the_caller cfutures/worker_death.c death_lost
                "plat_futex_wake_all(&cfi_slot_of(future)->futex,
                        queue->shared);" "")

explorer_mutant(judge_does_not_deliver cfutures/worker_death.c death_watched
                "cfi_watch_drain_orphan(executor, future, worker);" "cfi_watch_drain(executor);")

explorer_mutant(judge_forgets_what_was_claimed cfutures/worker_death.c death_lost
                "for (; ticket < end; ticket++) {" "for (; ticket < 0; ticket++) {")

# ---- the biased lock -----------------------------------------------------------------------------------

explorer_mutant(revoked_without_heavy_barrier platform/biased_lock.c lock_two
                "plat_barrier_heavy(false); /* owner is written before inside is read */" "")

explorer_planted(
  owner_enters_without_light_barrier platform/biased_lock.h lock_two
  "plat_barrier_light(); /* inside is written before owner is read */" [[
        if (!PLANTED(owner_enters_without_light_barrier)) {
            plat_barrier_light();
        }]])

explorer_planted(
  owner_looks_once platform/biased_lock.h lock_two
  "if (plat_load_acquire(&lock->owner) == owner) {"
  "if (PLANTED(owner_looks_once) ? owner != 0 : plat_load_acquire(&lock->owner) == owner) {")

# As it once was: each owner wrote the same word.
explorer_mutant(owners_share_a_word platform/biased_lock.c lock_two_owners
                "for (unsigned place = 0; place < PLAT_OWNERS; place++) {"
                "for (unsigned place = 0; place < 1; place++) {
        lock->owners[place] = plat_thread_number;")

# ---- waiting inside a task -----------------------------------------------------------------------------

explorer_mutant(
  circle_sought_before_entering cfutures/waiting/nested.c nested_circle [[
    cfi_chain_insert(&list, NULL, &blocked->node);
    unsigned found = find_hopeless();]] [[
    unsigned found = find_hopeless();
    cfi_chain_insert(&list, NULL, &blocked->node);]])

explorer_mutant(refused_but_still_listed cfutures/waiting/nested.c nested_tail "    if (hopeless) {" [[
    if (hopeless) {
        plat_lock_give(&list_lock);
        plat_lock_take(&list_lock);]])

explorer_mutant(
  off_the_list_before_sleeping cfutures/waiting/await.c nested_circle [[
    const int64_t poll_ns = cfi_nested_poll_ns(future);]] [[
    cfi_nested_unblock(&blocked);
    blocked.scope = NULL;
    const int64_t poll_ns = cfi_nested_poll_ns(future);]])

explorer_mutant(
  refused_though_it_is_settled cfutures/waiting/nested.c nested_relay
  "if (cfi_word_is_over(word) || executor->queue.shared) {" "if (executor->queue.shared) {")

explorer_mutant(
  handed_out_goes_on cfutures/waiting/watch.c nested_circle_in_set "any = !watch->delivered &&"
  "any = (cfi_word_is_over(plat_load_acquire(&cfi_slot_of(watch->future)->word)) || !watch->delivered) &&")

explorer_mutant(waiting_workers_run_pending_tasks cfutures/waiting/nested.c nested_two_pools
                "return hopeless < plat_load_relaxed(&executor->started) ||"
                "return hopeless <= plat_load_relaxed(&executor->started) ||")

explorer_mutant(helper_is_not_rung cfutures/core/submission.c nested_helped
                "plat_event_ring_light(&executor->queue.control->help, false);" "(void)executor;")

explorer_mutant(
  helper_does_not_look_again cfutures/waiting/await.c nested_helped
  "if (is_settled(future) || helps(future)) {" "if (is_settled(future)) {")

explorer_mutant(
  helper_is_not_told_of_the_end cfutures/queue/completion.c nested_helped
  "if (!queue->shared) { /* no task" "if (queue->shared) { /* no task")

explorer_mutant(helper_runs_any_task cfutures/queue/slab.c nested_helped
                "return parent == ticket + 1;" "return parent <= ticket + 1;")

explorer_mutant(
  nested_runs_what_another_began cfutures/waiting/nested.c nested_begun
  "*ran = cfi_slot_begin(slot, scope->worker->number, &word);"
  "*ran = cfi_slot_begin(slot, scope->worker->number, &word) || true;")

explorer_mutant(
  set_helps_no_more_after_one_that_ran cfutures/waiting/nested.c nested_set
  "set->unhelped = set->unhelped->next;" "set->unhelped = *ran ? NULL : set->unhelped->next;")

# ---- runs over their time ------------------------------------------------------------------------------

explorer_mutant(
  limit_shown_by_a_plain_store cfutures/worker/limit.c deadline_overdue
  "plat_store_seq_cst(&record->run_until_ns, until_ns);" "plat_store_release(&record->run_until_ns, until_ns);")

explorer_mutant(deadline_thread_looks_once cfutures/core/deadline.c deadline_overdue
                "if (look_through(executor, time_ns) >= next_ns) {" "if (next_ns != 0) {")

explorer_mutant(
  deadline_rung_read_late cfutures/core/deadline.c deadline_overdue
  "plat_event_sleep(&control->deadline, seen,"
  "plat_event_sleep(&control->deadline, plat_event_seen(&control->deadline) + 0 * seen,")

explorer_mutant(
  stop_counts cfutures/queue/program_time.c deadline_stopped
  "int64_t time_ns = lesser(now_ns - stopped_ns, stands_at_ns);" "int64_t time_ns = now_ns - stopped_ns;")

explorer_mutant(stop_counts_at_the_worker cfutures/queue/program_time.c deadline_stopped
                "return lesser(plat_now_ns() - stopped_ns, stands_at_ns);"
                "return stands_at_ns > 0 ? plat_now_ns() - stopped_ns : 0;")

explorer_mutant(
  time_goes_on_before_the_stop_is_known cfutures/queue/program_time.c deadline_stopped [[
    plat_store_release(&control->stopped_ns, now_ns - time_ns); /* before stands_at */
    plat_store_release(&control->stands_at_ns, time_ns + 2 * CFI_LOOK_NS);]] [[
    plat_store_release(&control->stands_at_ns, time_ns + 2 * CFI_LOOK_NS);
    plat_store_release(&control->stopped_ns, now_ns - time_ns);]])

explorer_mutant(
  stop_read_first cfutures/queue/program_time.c deadline_stopped_overdue [[
    int64_t stands_at_ns = plat_load_acquire(&control->stands_at_ns);
    int64_t stopped_ns = plat_load_acquire(&control->stopped_ns);]] [[
    int64_t stopped_ns = plat_load_acquire(&control->stopped_ns);
    int64_t stands_at_ns = plat_load_acquire(&control->stands_at_ns);]])

explorer_mutant(no_look_before_the_limit cfutures/core/deadline.c deadline_stopped_overdue
                "return lesser(earliest_ns, time_ns + CFI_LOOK_NS);" "return earliest_ns;")

explorer_mutant(
  limit_does_not_ring cfutures/worker/limit.c deadline_earlier
  "until_ns < plat_load_seq_cst(&queue->control->deadline_at_ns)"
  "plat_load_seq_cst(&queue->control->deadline_at_ns) == INT64_MAX")

explorer_mutant(counted_though_it_had_ended cfutures/core/deadline.c deadline_ends
                "if (cfi_slot_expire(slot, true, &word)) {"
                "if (cfi_slot_expire(slot, true, &word) || cfi_word_settled(word)) {")

explorer_mutant(counted_though_it_was_over cfutures/worker/worker.c deadline_ends
                "cfi_uncount_run(record, failed, late);
        worker" "worker")

explorer_mutant(outer_limit_is_not_put_aside cfutures/worker/limit.c deadline_outer
                "    own->outer = &ctx->outer;" "    own->outer = ctx->outer.next;")

explorer_mutant(outer_limit_does_not_come_back cfutures/worker/limit.c deadline_outer_again
                "ctx->outer.limited, ctx->outer.until_ns);" "0, 0);")

explorer_mutant(
  outer_limit_is_not_slept_for cfutures/core/deadline.c deadline_outer
  "earliest_ns = lesser(earliest_ns, outer->until_ns);" "")

explorer_mutant(limited_changes_under_a_limit cfutures/worker/limit.c deadline_nested
                "    plat_store_release(&record->run_until_ns, 0);" "")

explorer_planted(
  item_begins_without_a_tick cfutures/queue/slot.h deadline_chunk "uint64_t next = word + CFI_TICK;"
  "uint64_t next = word + (PLANTED(item_begins_without_a_tick) ? 0 : CFI_TICK);")

explorer_planted(
  occupied_slot_counts_as_left cfutures/queue/slot.h deadline_occupied
  "return cfi_word_settled(word) && (word & CFI_OCCUPIED) == 0;"
  "return cfi_word_settled(word) && (PLANTED(occupied_slot_counts_as_left) || (word & CFI_OCCUPIED) == 0);")

# ---- runs elsewhere ------------------------------------------------------------------------------------

explorer_mutant(
  returned_run_is_not_found_again cfutures/worker_death.c remote_returned
  "        settle_as_broken(future, executor);
    } else {
        give_back(executor, future);
    }" "        settle_as_broken(future, executor);
    }")

explorer_mutant(returned_run_outlives_a_shutdown cfutures/worker_death.c remote_shut_down
                "if (executor->cancels) {" "if (false) {")

explorer_planted(
  unbegun_run_counts cfutures/queue/slot.h remote_unbegun
  "next = begun ? next + CFI_ALLOWED : next - CFI_ATTEMPT;"
  "next = begun || PLANTED(unbegun_run_counts) ? next + CFI_ALLOWED : next - CFI_ATTEMPT;")

# ---- callbacks -----------------------------------------------------------------------------------------

explorer_mutant(
  callbacks_armed_after_the_look cfutures/waiting/callback.c watch_callback [[
        uint32_t seen = plat_event_listen(event);
        bool stopped = plat_load_acquire(&executor->callback_thread.stopped);
        cfi_watch_drain(executor);]] [[
        uint32_t seen = plat_event_seen(event);
        bool stopped = plat_load_acquire(&executor->callback_thread.stopped);
        cfi_watch_drain(executor);
        plat_event_listen(event);]])

explorer_mutant(
  callbacks_rung_read_late cfutures/waiting/callback.c callback_two [[
                return NULL;
            }
        }]] [[
                return NULL;
            }
        }
        seen = plat_event_seen(event);]])

explorer_mutant(newest_callback_first cfutures/waiting/watch.c callback_two
                "future->watch = oldest_first(future->watch);" "")

explorer_mutant(
  callback_of_a_settled_task_is_lost cfutures/waiting/callback.c callback_two
  "if (!cfi_watch_ask(future)) {"
  "if (!cfi_watch_ask(future) && (plat_load_relaxed(&future->about) & CFI_COLLECTED) != 0) {")

explorer_mutant(
  adder_does_not_ring cfutures/waiting/callback.c callback_iteration [[
        ring(executor);
    } else {]] [[
    } else {]])

explorer_mutant(
  callback_for_a_thread_that_ended cfutures/waiting/callback.c callback_at_the_end [[
    if (has_thread(executor)) {
        ring(executor);]] [[
    if (!cfi_executor_is_serial(executor)) {
        ring(executor);]])

# ---- forked jobs ---------------------------------------------------------------------------------------

# The owner's half of the pair; it stands in the explorer's own macro (include/core.h).
explorer_planted_test(fork_take_without_barrier fork_take_without_barrier fork_stolen)

explorer_mutant(thief_without_heavy_barrier cfutures/waiting/steal.c fork_stolen
                "plat_barrier_heavy(false); /* head is written before tail is read */" "")

explorer_mutant(
  thief_does_not_look_at_the_tail cfutures/waiting/steal.c fork_stolen
  "plat_barrier_is_expedited() && oldest < CF_FORK_LOAD_ACQUIRE(&strand->tail);"
  "plat_barrier_is_expedited();")

explorer_mutant(thief_keeps_what_it_has_not_got cfutures/waiting/steal.c fork_stolen [[
    if (!taken) {
        CF_FORK_STORE(&strand->head, oldest);
    }]] "")

explorer_mutant(
  joined_job_is_run_again cfutures/fork.c fork_stolen
  "const bool ours = CF_FORK_LOAD(&strand->head) <= fork;" "const bool ours = strand != NULL;")

explorer_mutant(place_is_not_given_back cfutures/fork.c fork_stolen [[
    CF_FORK_STORE(&strand->tail, fork);
    CF_FORK_STORE(&strand->head, fork);]] [[
    CF_FORK_STORE(&strand->tail, fork);]])

explorer_mutant(
  who_joins_does_not_poll cfutures/waiting/nested.c fork_joined
  "if (forks == NULL || plat_load_relaxed(&forks->regions) == 0) {" "if (forks != NULL) {")

# ---- serial --------------------------------------------------------------------------------------------

explorer_mutant(
  two_threads_have_the_turn executors/serial.c serial_two
  "self->runner == 0 || self->runner == plat_thread_number;" "self->runner == 0 || self->taken > 0;")

explorer_mutant(
  turn_is_given_by_the_inner_submit executors/serial.c serial_nested
  "} else if (--self->taken == 0) {" "} else if (--self->taken < 2) {")

explorer_mutant(
  turn_is_awaited_without_a_second_look executors/serial.c serial_two [[
        if (took_turn(self, false)) {
            return;
        }
        plat_event_sleep(&self->given, seen, -1, false);]] [[
        plat_event_sleep(&self->given, seen, -1, false);
        if (took_turn(self, false)) {
            return;
        }]])

explorer_mutant(
  turn_is_given_without_a_ring executors/serial.c serial_two
  "plat_event_ring_light(&self->given, false);" "")

explorer_mutant(
  left_is_not_looked_at executors/serial.c serial_left "const bool keeps = runs_left && self->left;"
  "const bool keeps = runs_left && false;")

explorer_mutant(
  task_is_left_after_the_look executors/serial.c serial_left
  "        self->left |= leaves;
    }
    plat_biased_lock_give(&self->turn_lock);"
  "    }
    plat_biased_lock_give(&self->turn_lock);
    if (leaves && !taken) {
        plat_biased_lock_take(&self->turn_lock);
        self->left = true;
        plat_biased_lock_give(&self->turn_lock);
    }")

# As it once was: the submitter began a life when the last one had been ended.
explorer_mutant(life_begins_for_a_task_that_has_run executors/serial.c serial_shutdown
                "is_pending(slot) && is_fit(turn)" "is_fit(turn)")

explorer_mutant(two_threads_call_at_once cfutures/waiting/callback.c serial_callbacks
                "bool taken = !executor->callbacks.busy;" "bool taken = true;")

explorer_mutant(
  end_waits_for_a_call_in_vain cfutures/waiting/callback.c serial_callbacks
  "ring(executor); /* for cfi_callbacks_finish */" "")

# ---- the process pool's supervisor ---------------------------------------------------------------------

explorer_mutant(stopped_pool_has_no_successors executors/process_pool.c process_retried
                "needs = pending != NULL;" "needs = false;")

explorer_mutant(
  successor_before_the_judgement executors/process_pool.c "--bound;1;process_lost"
  "    cfi_executor_worker_died(&self->base, worker, wait_status);"
  "    plat_store_release(&record->process_state, CFI_VACANT);
    notify_nursery(self);
    cfi_executor_worker_died(&self->base, worker, wait_status);")

explorer_mutant(late_kill_hits_the_successor executors/process_pool.c process_killed
                "    drop_kill_request(self, record);" "    (void)drop_kill_request;")

explorer_mutant(judged_before_the_workers_end executors/process_pool.c process_broken
                "        await_orphans(self);" "        (void)await_orphans;")

explorer_mutant(successors_run_is_not_counted cfutures/worker_death.c process_retried
                "        executor->counts.again++;" "")

explorer_mutant(run_cut_short_is_not_counted cfutures/worker_death.c process_lost
                "        plat_bump_owned(&record->cut, 1);" "")

explorer_mutant(
  begun_is_not_set_right cfutures/worker_death.c process_lost
  "    plat_store_relaxed(&record->begun,
                       plat_load_relaxed(&record->tasks) + plat_load_relaxed(&record->cut));" "")

explorer_mutant(
  counted_and_not_settled cfutures/worker_death.c process_lost
  "        plat_store_relaxed(&record->tasks, plat_load_relaxed(&record->tasks_settled));" "")

explorer_mutant(
  counts_are_not_confirmed cfutures/worker/worker.c process_lost "    cfi_confirm_run(record, failed, late);"
  "    (void)cfi_confirm_run;")

explorer_mutant(broken_pool_loses_a_run cfutures/worker_death.c process_broken
                "    executor->dead = true;" "")

explorer_mutant(
  broken_pool_keeps_pending_tasks cfutures/worker_death.c process_broken [[
    break_pending(executor);
    plat_biased_lock_give(&executor->lock);
    condemn_rest(executor);]] [[
    plat_biased_lock_give(&executor->lock);]])

explorer_mutant(
  unfit_pool_keeps_pending_tasks cfutures/worker_death.c process_unfit [[
    break_pending(executor);
    plat_biased_lock_give(&executor->lock);
    cf_executor_shutdown(executor, false, false);]] [[
    plat_biased_lock_give(&executor->lock);
    cf_executor_shutdown(executor, false, false);]])

explorer_mutant(death_makes_no_room cfutures/worker_death.c process_room
                "    plat_event_ring_always(&queue->control->room, queue->shared);" "")

explorer_mutant(
  judge_does_not_ring_callbacks cfutures/waiting/watch.c process_callback [[
    plat_event_ring_always(&executor->queue.bell->event, true);
    plat_event_ring_always(&executor->queue.control->callbacks, executor->queue.shared);]] [[
    plat_event_ring_always(&executor->queue.bell->event, true);]])

explorer_mutant(first_submit_does_not_look_at_the_nursery executors/process_pool.c process_first_broken
                "seen, plat_now_ns() + NURSERY_LOOK_NS, true);" "seen, -1, true);")

explorer_mutant(first_submit_hears_of_an_earlier_one executors/process_pool.c process_first_refused
                "if (answered && error != 0) {" "(void)answered;
        if (error != 0) {")

explorer_mutant(
  pool_without_workers_is_not_broken executors/process_pool.c process_no_workers
  "if (self->gives_up != 0 || !self->quits || plat_load_acquire(&self->base.damaged)) {"
  "if (!self->quits) {")

explorer_mutant(overwritten_stack_is_believed cfutures/waiting/watch.c process_overwritten [[
        if (future == NULL) {
            cfi_damage_note(executor);
            break;]] [[
        if (future == NULL) {
            break;]])

explorer_mutant(broken_pool_trusts_the_stack cfutures/worker_death.c process_overwritten
                "cfi_watch_drain_broken(executor);" "cfi_watch_drain(executor);")

# ---- groups ----------------------------------------------------------------------------------------

explorer_mutant(group_waits_once cfutures/group.c group_task_submits
                "while (status == CF_OK && self->count > 0 &&" "if (status == CF_OK && self->count > 0 &&")

explorer_mutant(group_is_destroyed_before_its_task cfutures/group.c group_destroyed
                "cf_future_result(future, CF_FOREVER, NULL);" "")

explorer_mutant(group_drops_the_next_entry_too cfutures/group.c group_two
                "self->entries[place] = self->entries[--self->count];" "self->entries[place] = self->entries[0];
    self->count--;")

explorer_mutant(failure_of_a_group_cancels_nothing cfutures/group.c group_failure
                "if (is_failure && self->options.cancel_on_failure && !self->cancelled) {" "if (false) {")

# ---- what an observer is told ----------------------------------------------------------------------

explorer_mutant(
  end_of_a_dead_worker_is_not_told cfutures/worker_death.c observer_death
  "cfi_events_adopt(executor->queue.events, worker, !was_running);" "")

explorer_mutant(
  end_of_a_cut_run_is_told_twice cfutures/worker_death.c observer_death
  "cfi_events_adopt(executor->queue.events, worker, !was_running);"
  "cfi_events_adopt(executor->queue.events, worker, true);")

explorer_mutant(
  end_is_told_before_it_is_settled cfutures/worker/observe.c observer_death [[
        cfi_events_written(queue->events, worker);
    }
}

void cfi_observe_ended]] [[
        cfi_events_written(queue->events, worker);
        cfi_events_publish(queue->events, worker);
        cfi_events_written(queue->events, worker);
    }
}

void cfi_observe_ended]])

explorer_mutant(
  observer_sleeps_without_a_look cfutures/core/observer.c observer_sleeps
  "if (!tell_all(self) && !plat_load_acquire" "if (!plat_load_acquire")
