#include "cfutures/queue/slab.h"

#include "platform/assert.h"
#include "platform/refusal.h"
#include "platform/table.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_PER_SLAB (CFI_SLAB_SLOTS - 1u) /* one place is the header */

/* ---- recycling ------------------------------------------------------------------------------- */

static void give_block(cfi_slabs *slabs, cf_future *future) {
    if (cfi_future_has_block(future)) {
        cfi_assert(cfi_word_vacant(
            plat_peek(&cfi_slot_of(future)->word))); /* nobody writes to the block any more */
        const cfi_block_place *place = cfi_future_place(future);
        cfi_arena_give(slabs->arena, place->block,
                       cfi_limit_size(place->kind) +
                           cfi_payload_size(place->arg_size, cfi_future_result_size(future)));
        plat_store_relaxed(&future->about, 0);
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
    cfi_assert(slabs->open != slab);
    cfi_assert(plat_peek(&slab->given_up) == SLOTS_PER_SLAB);
    for (uint32_t i = 1; i < CFI_SLAB_SLOTS && slab->has_blocks; i++) {
        give_block(slabs, cfi_slab_future(slab, i));
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
        slab->used = CFI_SLAB_SLOTS;
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

/* ---- deferred futures ------------------------------------------------------------------------ */

void cfi_slabs_defer(cfi_slabs *slabs, cf_future *future) {
    cfi_assert(cfi_future_has_block(future) && cfi_future_refs(future) == 0);
    if (!cfi_word_vacant(plat_load_acquire(&cfi_slot_of(future)->word))) {
        cfi_list_append(&slabs->deferred, &future->deferred);
        slabs->deferred_count++;
        return;
    }
    give_block(slabs, future);
    if (cfi_slab_give_up(future)) {
        cfi_slabs_retire(slabs, cfi_slab_of(future));
    }
}

void cfi_slabs_reclaim(cfi_slabs *slabs, size_t looks) {
    cfi_assert(cfi_list_is_empty(&slabs->deferred) == (slabs->deferred_count == 0));
    for (; looks > 0 && !cfi_list_is_empty(&slabs->deferred); looks--) {
        cfi_assert(slabs->deferred_count > 0);
        slabs->deferred_count--;
        cfi_slabs_defer(slabs, CFI_ENTRY(cfi_list_take(&slabs->deferred), cf_future, deferred));
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

/* ---- making slabs ---------------------------------------------------------------------------- */

/* For as many slabs as the arena can hold. */
static size_t places_of(const cfi_slabs *slabs) {
    return slabs->arena->region.size / CFI_SLAB_BYTES;
}

bool cfi_slabs_init(cfi_slabs *slabs) {
    const size_t places = places_of(slabs);
    size_t size = (places * CFI_FUTURES_BYTES + PLAT_REGION_ALIGNMENT - 1) / PLAT_REGION_ALIGNMENT *
                  PLAT_REGION_ALIGNMENT;
    slabs->at = plat_table_take(places * sizeof *slabs->at);
    if (slabs->at == NULL ||
        !plat_region_reserve(&slabs->futures, size, PLAT_REGION_ALIGNMENT, false)) {
        plat_table_give(slabs->at, places * sizeof *slabs->at);
        return false;
    }
    return true;
}

void cfi_slabs_fini(cfi_slabs *slabs) {
    while (slabs->all != NULL) {
        cfi_slab *slab = slabs->all;
        slabs->all = slab->all_next;
        free(slab->places);
        free(slab->parents);
        free(slab);
    }
    plat_table_give(slabs->at, places_of(slabs) * sizeof *slabs->at);
    plat_region_release(&slabs->futures);
}

/* Futures for one more slab. As much is committed as there is, up to a huge page at a time. */
static cf_future *make_futures(cfi_slabs *slabs) {
    if (slabs->futures.size - slabs->futures_made < CFI_FUTURES_BYTES) {
        plat_refusal_note_limit();
        return NULL;
    }
    if (slabs->futures_committed - slabs->futures_made < CFI_FUTURES_BYTES) {
        size_t growth = slabs->futures_committed;
        growth = growth < PLAT_REGION_ALIGNMENT ? PLAT_REGION_ALIGNMENT : growth;
        growth = growth < PLAT_HUGE_PAGE ? growth : PLAT_HUGE_PAGE;
        size_t left = slabs->futures.size - slabs->futures_committed;
        growth = growth < left ? growth : left;
        if (!plat_region_commit(&slabs->futures, slabs->futures_committed, growth)) {
            return NULL;
        }
        slabs->futures_committed += growth;
    }
    cf_future *futures = (cf_future *)(void *)(slabs->futures.base + slabs->futures_made);
    slabs->futures_made += CFI_FUTURES_BYTES;
    return futures;
}

/* Slots for one more slab, all CFI_CLOSED, with a block for their times if they are recorded. */
static cfi_slot *make_slots(cfi_slabs *slabs, uint64_t *times) {
    *times = 0;
    if (slabs->record_times && (*times = cfi_arena_take(slabs->arena, CFI_TIMES_BYTES)) == 0) {
        return NULL;
    }
    uint32_t committed = slabs->arena->committed;
    uint64_t block = cfi_arena_take_zeroed(slabs->arena, CFI_SLAB_BYTES);
    if (slabs->arena->committed != committed && slabs->grown != NULL) {
        slabs->grown(slabs->executor);
    }
    if (block == 0) {
        if (*times != 0) {
            cfi_arena_give(slabs->arena, *times, CFI_TIMES_BYTES);
        }
        return NULL;
    }
    cfi_slot *slots = (cfi_slot *)(void *)(slabs->arena->region.base + block);
    slots->block = *times; /* where workers look for it */
    return slots;
}

static cfi_slab *make_slab(cfi_slabs *slabs) {
    cfi_slab *slab = plat_noted(calloc(1, sizeof *slab));
    if (slab == NULL) {
        return NULL;
    }
    slab->futures = make_futures(slabs);
    slab->slots = slab->futures != NULL ? make_slots(slabs, &slab->times) : NULL;
    if (slab->slots == NULL) {
        if (slab->futures != NULL) {
            slabs->futures_made -= CFI_FUTURES_BYTES;
        }
        free(slab);
        return NULL;
    }
    slab->executor = slabs->executor;
    *(cfi_futures_header *)(void *)slab->futures =
        (cfi_futures_header){.slab = slab, .slots = slab->slots};
    size_t offset = (size_t)((const char *)slab->slots - slabs->arena->region.base);
    cfi_assert(offset % CFI_SLAB_BYTES == 0);
    plat_store_release(&slabs->at[offset / CFI_SLAB_BYTES], slab);
    slab->all_next = slabs->all;
    slabs->all = slab;
    return slab;
}

cf_future *cfi_slabs_future_at(const cfi_slabs *slabs, uint32_t index) {
    size_t place = index / CFI_SLAB_SLOTS, number = index % CFI_SLAB_SLOTS;
    const cfi_slab *slab = place < slabs->arena->region.size / CFI_SLAB_BYTES
                               ? plat_load_acquire(&slabs->at[place])
                               : NULL;
    return slab != NULL && number > 0 ? cfi_slab_future(slab, number) : NULL;
}

cf_future *cfi_slabs_future_of(const cfi_slabs *slabs, uint64_t ticket) {
    uint32_t first =
        plat_load_relaxed(&slabs->queue->directory[ticket / CFI_SLAB_SLOTS % CFI_SLABS_QUEUED_MAX]);
    cf_future *future = cfi_slabs_future_at(slabs, first + (uint32_t)(ticket % CFI_SLAB_SLOTS));
    return future != NULL && cfi_slab_ticket_of(future) == ticket ? future : NULL;
}

/* ---- parents --------------------------------------------------------------------------------- */

void cfi_slabs_note_parent(cfi_slabs *slabs, const cf_future *future, uint64_t ticket) {
    cfi_slab *slab = slabs->open;
    cfi_assert(slab == cfi_slab_of(future) && ticket < cfi_slab_ticket_of(future));
    if (slab->parents == NULL) {
        slab->parents = calloc(CFI_SLAB_SLOTS, sizeof *slab->parents);
    }
    if (slab->parents != NULL) {
        slab->parents[cfi_future_number(future)] = ticket + 1;
        slab->has_parents = true;
    }
}

/* The parent's ticket + 1; 0 = none. */
static uint64_t parent_of(const cf_future *future) {
    const cfi_slab *slab = cfi_slab_of(future);
    return slab->has_parents ? slab->parents[cfi_future_number(future)] : 0;
}

bool cfi_slabs_descends(const cfi_slabs *slabs, const cf_future *future, uint64_t ticket) {
    uint64_t parent = parent_of(future);
    while (parent > ticket + 1) { /* a parent is older than its children */
        future = cfi_slabs_future_of(slabs, parent - 1);
        parent = future != NULL ? parent_of(future) : 0;
    }
    return parent == ticket + 1;
}

/* ---- handing out ----------------------------------------------------------------------------- */

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
    uint64_t ticket = slabs->tail; /* a multiple of CFI_SLAB_SLOTS */
    uint64_t number = ticket / CFI_SLAB_SLOTS;
    uint64_t cursor = cfi_queue_cursor(queue);
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
    if (slabs->open != NULL) {
        slabs->open->used = CFI_SLAB_SLOTS;
    }
    slab->first_ticket = ticket;
    slab->was_opened = true;
    slab->has_blocks = false;
    if (slab->has_parents) {
        memset(slab->parents, 0, CFI_SLAB_SLOTS * sizeof *slab->parents);
        slab->has_parents = false;
    }
    plat_store_relaxed(&slab->was_pinned, 0);
    plat_store_relaxed(&slab->released_unsettled, 0);
    plat_store_relaxed(&slab->given_up, 0);
    plat_store_relaxed(&queue->directory[number % CFI_SLABS_QUEUED_MAX],
                       cfi_queue_index(queue, cfi_slab_slot(slab, 0)));
    cfi_queue_publish(queue, ++slabs->tail); /* the header: workers see the directory's entry */
    slabs->open = slab;
    slabs->next = 1;
    slabs->in_use++;
    keep_reserve(slabs);
    return true;
}

static bool have_places(cfi_slab *slab) {
    if (slab->places == NULL) {
        slab->places = plat_noted(calloc(CFI_SLAB_SLOTS, sizeof *slab->places));
    }
    return slab->places != NULL;
}

bool cfi_slabs_give_room(cfi_slabs *slabs, size_t arg_size, size_t payload, unsigned kind,
                         uint64_t block) {
    cfi_slab *slab = slabs->open;
    cfi_assert(payload > CFI_SLOT_INLINE);
    if (!have_places(slab) || (block == 0 && (block = cfi_slabs_take_block(slabs, payload)) == 0)) {
        return false;
    }
    slab->places[slabs->next] =
        (cfi_block_place){.block = block, .arg_size = (uint32_t)arg_size, .kind = (uint16_t)kind};
    cfi_slab_slot(slab, slabs->next)->block = block;
    slab->has_blocks = true;
    return true;
}

/* ---- giving up ------------------------------------------------------------------------------- */

bool cfi_slab_is_given_up(cfi_slab *slab, uint32_t how_many) {
    uint32_t given_up = plat_add_acq_rel(&slab->given_up, how_many) + how_many;
    cfi_assert(how_many > 0 && (int32_t)given_up <= (int32_t)SLOTS_PER_SLAB);
    return given_up == SLOTS_PER_SLAB;
}

bool cfi_slab_give_up(cf_future *future) {
    cfi_slab *slab = cfi_slab_of(future);
    cfi_assert(cfi_future_refs(future) == 0);
    cfi_slab_note_released(slab, future);
    return cfi_slab_is_given_up(slab, 1);
}

bool cfi_slabs_close(cfi_slabs *slabs) {
    cfi_assert(slabs->open == NULL || (slabs->next >= 1 && slabs->next <= CFI_SLAB_SLOTS));
    uint32_t left = slabs->open == NULL ? 0 : CFI_SLAB_SLOTS - slabs->next;
    slabs->next = CFI_SLAB_SLOTS;
    return left > 0 &&
           cfi_slab_is_given_up(slabs->open, left); /* never used: no task to wait for */
}

cf_future *cfi_slabs_find_pending(const cfi_slabs *slabs, uint64_t end) {
    for (const cfi_slab *slab = slabs->all; slab != NULL; slab = slab->all_next) {
        for (uint32_t i = 1; i < CFI_SLAB_SLOTS; i++) {
            uint64_t word = plat_load_acquire(&cfi_slab_slot(slab, i)->word);
            if (cfi_word_phase(word) == CFI_PENDING && cfi_word_is_sound(word) &&
                slab->first_ticket + i < end) {
                return cfi_slab_future(slab, i);
            }
        }
    }
    return NULL;
}

void cfi_slabs_visit_unsettled(cfi_slabs *slabs, void (*visit)(cf_future *future, void *context),
                               void *context) {
    for (const cfi_slab *slab = slabs->all; slab != NULL; slab = slab->all_next) {
        for (uint32_t i = 1; i < CFI_SLAB_SLOTS; i++) {
            uint64_t word = plat_load_acquire(&cfi_slab_slot(slab, i)->word);
            if (cfi_word_phase(word) != CFI_CLOSED && !cfi_word_settled(word)) {
                visit(cfi_slab_future(slab, i), context);
            }
        }
    }
}
