# Bugs planted in the core: explorer_mutant(NAME FILE SCENARIO ORIGINAL REPLACEMENT).

# ---- falling asleep and waking up ------------------------------------------------------------------

explorer_mutant(
  sleeper_without_heavy_barrier queue.c queue_hand_off
  [[cfi_barrier_heavy(queue->shared); /* need_wake is written before tail is read */]] "")

explorer_mutant(
  submit_without_light_barrier queue.c queue_hand_off
  [[cfi_barrier_light(); /* tail is written before need_wake is read */]] "")

explorer_mutant(
  sleeper_does_not_look_again queue.c queue_hand_off [[
    if (cfi_queue_has_work(queue)) {
        return true;
    }
    cfi_queue_account]] [[
    cfi_queue_account]])

explorer_mutant(woken_worker_does_not_pass_on worker.c queue_meeting "if (woken) {"
                "if (woken && tasks > 0) {")

explorer_mutant(
  wake_count_read_late queue.c queue_hand_off
  "cfi_futex_wait(&control->wake_count, woken, -1, queue->shared);"
  "cfi_futex_wait(&control->wake_count, cfi_load_acquire(&control->wake_count) + 0 * woken, -1,
                       queue->shared);")

# ---- claiming ----------------------------------------------------------------------------------------

explorer_mutant(
  begin_without_cas slot.h queue_two_workers [[
        if (cfi_cas(&slot->word, &seen, next)) {
            *word = next;]] [[
        {
            cfi_store_seq_cst(&slot->word, next);
            *word = next;]])
