#include "cfutures/queue/slab.h"

#include "platform/assert.h"
#include "platform/refusal.h"

#include <string.h>

#define SLOTS_PER_SLAB (CFI_SLAB_SLOTS - 1u) /* one place is the header */

/* ---- recycling ------------------------------------------------------------------------------- */

static void give_block(cfi_slabs *slabs, cfi_slot *slot) {
    if (cfi_slot_has_block(slot)) {
        cfi_assert(
            cfi_word_vacant(plat_peek(&slot->word))); /* nobody writes to the block any more */
        cfi_arena_give(slabs->arena, slot->block, cfi_slot_payload_size(slot));
        slot->arg_size = 0;
        slot->result_size = 0;
        slot->kind = 0;
    }
}

static bool all_vacant(cfi_slab *slab) {
    if (plat_load_relaxed(&slab->released_unsettled) == 0) { /* ordered by given_up */
        return true;
    }
    for (uint32_t i = 1; i < CFI_SLAB_SLOTS; i++) {
        uint64_t word = plat_load_acquire(&cfi_slab_slot(slab, i)->word);
        if (cfi_word_phase(word) != CFI_CLOSED && !cfi_word_vacant(word)) {
            return false;
        }
    }
    return true;
}

static void make_free(cfi_slabs *slabs, cfi_slab *slab) {
    cfi_assert(slab->executor == slabs->executor && slabs->open != slab);
    cfi_assert(plat_peek(&slab->given_up) == SLOTS_PER_SLAB);
    for (uint32_t i = 1; i < CFI_SLAB_SLOTS && slab->has_blocks; i++) {
        give_block(slabs, cfi_slab_slot(slab, i));
    }
    cfi_list_prepend(&slabs->free, &slab->link);
}

static void sort_retired(cfi_slabs *slabs, cfi_slab *slab) {
    if (all_vacant(slab)) {
        make_free(slabs, slab);
    } else {
        cfi_list_append(&slabs->retired, &slab->link);
    }
}

void cfi_slabs_retire(cfi_slabs *slabs, cfi_slab *slab) {
    cfi_assert(slabs->in_use > 0 && plat_peek(&slab->given_up) == SLOTS_PER_SLAB);
    cfi_assert(slabs->open != slab || slabs->next == CFI_SLAB_SLOTS);
    slabs->in_use--;
    if (slabs->open == slab) {
        slabs->open = NULL;
    }
    sort_retired(slabs, slab);
}

/* A few at a time, in turn: many slabs may wait. */
static void look_through_retired(cfi_slabs *slabs) {
    enum {
        LOOKS = 8
    };
    for (int i = 0; i < LOOKS && !cfi_list_is_empty(&slabs->retired); i++) {
        sort_retired(slabs, CFI_ENTRY(cfi_list_take(&slabs->retired), cfi_slab, link));
    }
}

/* ---- deferred slots -------------------------------------------------------------------------- */

void cfi_slabs_defer(cfi_slabs *slabs, cfi_slot *slot) {
    cfi_assert(cfi_slot_has_block(slot));
    cfi_assert((plat_peek(&slot->refs) & ~CFI_OBSERVED) == 0);
    if (!cfi_word_vacant(plat_load_acquire(&slot->word))) {
        cfi_list_append(&slabs->deferred, &slot->deferred);
        slabs->deferred_count++;
        return;
    }
    give_block(slabs, slot);
    if (cfi_slab_give_up(slot)) {
        cfi_slabs_retire(slabs, cfi_slab_of(slot));
    }
}

void cfi_slabs_reclaim(cfi_slabs *slabs, size_t looks) {
    cfi_assert(cfi_list_is_empty(&slabs->deferred) == (slabs->deferred_count == 0));
    for (; looks > 0 && !cfi_list_is_empty(&slabs->deferred); looks--) {
        cfi_assert(slabs->deferred_count > 0);
        slabs->deferred_count--;
        cfi_slabs_defer(slabs, CFI_ENTRY(cfi_list_take(&slabs->deferred), cfi_slot, deferred));
    }
}

uint64_t cfi_slabs_take_block(cfi_slabs *slabs, size_t size) {
    cfi_assert(size > CFI_SLOT_INLINE); /* else no slot would give it back */
    uint64_t block = cfi_arena_take(slabs->arena, size);
    if (block == 0 && !cfi_list_is_empty(&slabs->deferred)) {
        cfi_slabs_reclaim(slabs, slabs->deferred_count);
        block = cfi_arena_take(slabs->arena, size);
    }
    return block;
}

/* ---- handing out ----------------------------------------------------------------------------- */

static cfi_slab *make_slab(cfi_slabs *slabs) {
    uint64_t times = 0;
    if (slabs->record_times && (times = cfi_arena_take(slabs->arena, CFI_TIMES_BYTES)) == 0) {
        return NULL;
    }
    uint32_t committed = slabs->arena->committed;
    uint64_t block = cfi_arena_take_zeroed(slabs->arena, CFI_SLAB_BYTES);
    if (slabs->arena->committed != committed && slabs->grown != NULL) {
        slabs->grown(slabs->executor);
    }
    if (block == 0) {
        if (times != 0) {
            cfi_arena_give(slabs->arena, times, CFI_TIMES_BYTES);
        }
        return NULL;
    }
    cfi_slab *slab =
        (cfi_slab *)(void *)(slabs->arena->region.base + block); /* all slots CFI_CLOSED */
    cfi_assert(cfi_slab_of(cfi_slab_slot(slab, CFI_SLAB_SLOTS - 1)) == slab);
    cfi_assert(plat_peek(&slab->word) == CFI_CLOSED);
    slab->executor = slabs->executor;
    slab->times = times;
    slab->all_next = slabs->all;
    slabs->all = slab;
    return slab;
}

static cfi_slab *free_or_new(cfi_slabs *slabs) {
    if (cfi_list_is_empty(&slabs->free)) {
        look_through_retired(slabs);
    }
    cfi_link *link = cfi_list_take(&slabs->free);
    return link != NULL ? CFI_ENTRY(link, cfi_slab, link) : make_slab(slabs);
}

static void keep_reserve(cfi_slabs *slabs) {
    cfi_slab *slab = free_or_new(slabs);
    if (slab != NULL) {
        cfi_list_prepend(&slabs->free, &slab->link);
    }
}

/* The first slab of each page of the directory commits that page. */
static bool commit_directory(cfi_slabs *slabs, uint64_t number) {
    enum {
        PAGE = 4096,
        ENTRIES = PAGE / 4
    };
    uint64_t entry = number % CFI_SLABS_QUEUED_MAX;
    return number % ENTRIES != 0 || number >= CFI_SLABS_QUEUED_MAX ||
           cfi_arena_commit_fixed(slabs->arena, CFI_DIRECTORY_AT + entry * 4, PAGE);
}

bool cfi_slabs_open(cfi_slabs *slabs) {
    cfi_queue *queue = slabs->queue;
    uint64_t ticket = plat_load_relaxed(&queue->control->tail); /* a multiple of CFI_SLAB_SLOTS */
    uint64_t number = ticket / CFI_SLAB_SLOTS;
    uint64_t cursor = cfi_queue_cursor(queue);
    cfi_assert(cursor <= ticket);
    if (number - cursor / CFI_SLAB_SLOTS >= CFI_SLABS_QUEUED_MAX - 1) {
        plat_refusal_note_limit();
        return false;
    }
    if (!commit_directory(slabs, number)) {
        return false;
    }
    cfi_slab *slab = free_or_new(slabs);
    if (slab == NULL) {
        return false;
    }
    cfi_assert(ticket % CFI_SLAB_SLOTS == 0);
    cfi_assert(slabs->open == NULL || slabs->next == CFI_SLAB_SLOTS);
    slab->first_ticket = ticket;
    slab->has_blocks = false;
    plat_store_relaxed(&slab->was_pinned, 0);
    plat_store_relaxed(&slab->released_unsettled, 0);
    plat_store_relaxed(&slab->given_up, 0);
    plat_store_relaxed(&queue->directory[number % CFI_SLABS_QUEUED_MAX],
                       cfi_queue_index(queue, cfi_slab_slot(slab, 0)));
    cfi_queue_publish(queue); /* the header's ticket; with it workers see the directory's entry */
    slabs->open = slab;
    slabs->next = 1;
    slabs->in_use++;
    keep_reserve(slabs);
    return true;
}

bool cfi_slabs_give_room(cfi_slabs *slabs, cfi_slot *slot, size_t payload, uint64_t block) {
    cfi_assert(payload == cfi_slot_payload_size(slot) && cfi_slot_has_block(slot));
    if (block == 0 && (block = cfi_slabs_take_block(slabs, payload)) == 0) {
        cfi_slabs_unreserve(slot);
        return false;
    }
    slot->block = block;
    slabs->open->has_blocks = true;
    return true;
}

/* ---- giving up ------------------------------------------------------------------------------- */

bool cfi_slab_is_given_up(cfi_slab *slab, uint32_t how_many) {
    uint32_t given_up = plat_add_acq_rel(&slab->given_up, how_many) + how_many;
    cfi_assert(how_many > 0 && (int32_t)given_up <= (int32_t)SLOTS_PER_SLAB);
    return given_up == SLOTS_PER_SLAB;
}

bool cfi_slab_give_up(cfi_slot *slot) {
    cfi_slab *slab = cfi_slab_of(slot);
    cfi_assert((plat_peek(&slot->refs) & ~CFI_OBSERVED) == 0);
    cfi_slab_note_released(slab, slot);
    return cfi_slab_is_given_up(slab, 1);
}

bool cfi_slabs_close(cfi_slabs *slabs) {
    cfi_assert(slabs->open == NULL || (slabs->next >= 1 && slabs->next <= CFI_SLAB_SLOTS));
    uint32_t left = slabs->open == NULL ? 0 : CFI_SLAB_SLOTS - slabs->next;
    slabs->next = CFI_SLAB_SLOTS;
    return left > 0 &&
           cfi_slab_is_given_up(slabs->open, left); /* never used: no task to wait for */
}

void cfi_slabs_visit_pending(cfi_slabs *slabs, void (*visit)(cfi_slot *slot, void *context),
                             void *context) {
    for (cfi_slab *slab = slabs->all; slab != NULL; slab = slab->all_next) {
        cfi_assert(slab->executor == slabs->executor);
        for (uint32_t i = 1; i < CFI_SLAB_SLOTS; i++) {
            cfi_slot *slot = cfi_slab_slot(slab, i);
            if (cfi_word_phase(plat_load_acquire(&slot->word)) == CFI_PENDING) {
                visit(slot, context);
            }
        }
    }
}
