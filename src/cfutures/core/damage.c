#include "cfutures/core/damage.h"

#include "cfutures/queue/tuning.h"
#include "cfutures/queue/wakeup.h"

#include "platform/assert.h"

#include <signal.h>

void cfi_damage_note(cf_executor *executor) {
    bool known = plat_swap_seq_cst(&executor->damaged, true);
    if (!known && executor->ops->damaged != NULL) {
        executor->ops->damaged(executor);
    }
}

static bool is_current_of_its_owner(const cf_future *future, uint64_t word) {
    const cf_executor *executor = cfi_executor_of(future);
    const unsigned owner = cfi_word_owner(word);
    return owner < executor->max_workers &&
           plat_load_acquire(&executor->queue.records[owner].current) ==
               cfi_queue_index(&executor->queue, cfi_slot_of(future)) + 1;
}

/* Only the deadline thread marks a run as over its time, and then it has the worker killed. */
static bool may_be_expired(const cf_executor *executor, uint64_t word) {
    return (word & CFI_EXPIRED) == 0 || cfi_attendant_runs(&executor->deadlines);
}

/* Asks for the kill once more: a task may have made the mark, and then nobody has. The worker of a run
 * that is over its time does nothing else before it is killed. */
static void kill_if_expired(cf_executor *executor, cf_future *future) {
    plat_biased_lock_take(&executor->lock);
    uint64_t word = plat_load_acquire(&cfi_slot_of(future)->word);
    if (cfi_word_phase(word) == CFI_RUNNING && (word & CFI_EXPIRED) != 0 &&
        is_current_of_its_owner(future, word) &&
        cfi_word_owner(word) < plat_load_relaxed(&executor->started)) {
        executor->ops->kill(executor, cfi_word_owner(word), SIGKILL);
    }
    plat_biased_lock_give(&executor->lock);
}

/* Nobody will push it on the completion stack: it was asked for, which the word no longer says. What settles a
 * task keeps the word's other bits. */
static bool is_settled_unseen(const cf_future *future, uint64_t word) {
    return cfi_word_settled(word) && (word & CFI_WATCHED) == 0 && cfi_future_is_asked(future);
}

/* A worker shows a slot as its `current` before it begins the task, and until it has settled it. When
 * it has died, its `current` is cleaned after the word is judged. So if the two do not fit, and the
 * word is still the same, it lies. */
bool cfi_damage_look_at(cf_future *future) {
    cf_executor *executor = cfi_executor_of(future);
    cfi_slot *slot = cfi_slot_of(future);
    uint64_t word = plat_load_acquire(&slot->word);
    bool runs = cfi_word_phase(word) == CFI_RUNNING && cfi_word_is_sound(word);
    if (runs && is_current_of_its_owner(future, word) && may_be_expired(executor, word)) {
        if ((word & CFI_EXPIRED) != 0 && executor->queue.shared) {
            kill_if_expired(executor, future);
        }
        return true;
    }
    bool may_end = !runs && word != CFI_CLOSED && cfi_word_is_sound(word);
    may_end = may_end && !is_settled_unseen(future, word);
    uint64_t changed = plat_load_acquire(&slot->word) ^ word;
    if (!may_end && (changed & ~(CFI_WAITED | CFI_WATCHED)) == 0 && executor->queue.shared) {
        cfi_damage_note(executor);
    }
    return false;
}

/* An index + 1, or 0 for none. */
static bool names_a_slot(const cf_executor *executor, uint32_t index) {
    return index == 0 || cfi_slabs_future_at(&executor->slabs, index - 1) != NULL;
}

/* What the caller writes there is what it has written. */
static bool has_callers_words(const cf_executor *executor) {
    const cfi_control *control = executor->queue.control;
    uint64_t committed = (uint64_t)executor->arena.committed * CFI_SPAN_BYTES;
    return plat_peek(&control->tail) == executor->slabs.tail &&
           plat_peek(&control->committed) == committed &&
           plat_peek(&control->workers) == plat_peek(&executor->workers) &&
           (plat_peek(&control->stop) != 0) == plat_peek(&executor->stopping);
}

static bool has_sound_record(const cf_executor *executor, unsigned worker) {
    const cfi_record *record = &executor->queue.records[worker];
    uint64_t ticket, end;
    cfi_queue_claimed_by(&executor->queue, worker, &ticket, &end);
    return end <= executor->slabs.tail && end - ticket <= CFI_CLAIM_MAX &&
           names_a_slot(executor, plat_peek(&record->current)) &&
           names_a_slot(executor, plat_peek(&record->limited));
}

static bool has_sound_directory(const cf_executor *executor) {
    const cfi_queue *queue = &executor->queue;
    for (const cfi_slab *slab = executor->slabs.all; slab != NULL; slab = slab->all_next) {
        uint64_t number = slab->first_ticket / CFI_SLAB_SLOTS;
        uint64_t newest = executor->slabs.tail / CFI_SLAB_SLOTS;
        bool is_entered = slab->was_opened && newest - number < CFI_SLABS_QUEUED_MAX - 1;
        if (is_entered && plat_peek(&queue->directory[number % CFI_SLABS_QUEUED_MAX]) !=
                              cfi_queue_index(queue, slab->slots)) {
            return false;
        }
    }
    return true;
}

static bool has_sound_tasks(const cf_executor *executor) {
    for (uint32_t i = 0; i < executor->tasks.count; i++) {
        if (plat_peek(&executor->queue.tasks[i]) != executor->tasks.entries[i]->run) {
            return false;
        }
    }
    return true;
}

static bool is_idle(const cf_executor *executor) {
    for (unsigned i = 0; i < plat_peek(&executor->workers); i++) {
        const cfi_record *record = &executor->queue.records[i];
        if (plat_peek(&record->current) != 0 || plat_peek(&record->claimed) != 0) {
            return false;
        }
    }
    return true;
}

/* A pending task that no worker will find: it lies before the cursor, and no worker has claimed it. A
 * worker shows its claim before it moves the cursor: so this reads the cursor first, and the task's
 * word after the claims once more. */
static bool has_lost_task(const cf_executor *executor) {
    uint64_t cursor = cfi_queue_cursor(&executor->queue);
    cf_future *future = is_idle(executor) ? cfi_slabs_find_pending(&executor->slabs, cursor) : NULL;
    return future != NULL && is_idle(executor) &&
           cfi_word_phase(plat_load_acquire(&cfi_slot_of(future)->word)) == CFI_PENDING;
}

#define QUEUED_MAX ((uint64_t)CFI_SLABS_QUEUED_MAX * CFI_SLAB_SLOTS)

static bool is_sound(const cf_executor *executor) {
    const cfi_control *control = executor->queue.control;
    bool sound = has_callers_words(executor) &&
                 executor->slabs.tail - cfi_queue_cursor(&executor->queue) < QUEUED_MAX &&
                 names_a_slot(executor, plat_peek(&control->done)) &&
                 has_sound_directory(executor) && has_sound_tasks(executor);
    for (unsigned i = 0; sound && i < plat_peek(&executor->workers); i++) {
        sound = has_sound_record(executor, i);
    }
    return sound && !has_lost_task(executor);
}

void cfi_damage_look(cf_executor *executor) {
    if (executor->ops->damaged == NULL) {
        return;
    }
    plat_biased_lock_take(&executor->lock);
    bool sound = is_sound(executor);
    plat_biased_lock_give(&executor->lock);
    if (!sound) {
        cfi_damage_note(executor);
    } else if (cfi_queue_has_work(&executor->queue)) {
        cfi_queue_wake_all(&executor->queue); /* the word that tells of sleepers may be wrong */
    }
}
