#include "engine.h"

#include <inttypes.h>
#include <string.h>

uint64_t memory_state;
uint32_t memory_version;
bool memory_sharing_grew;

/* ---- locations ------------------------------------------------------------------------------- */

enum {
    LOCATIONS_MAX = 1 << 13
};

static sim_location locations[LOCATIONS_MAX]; /* by hash of the address; at = 0: none */
static sim_location barriers;                 /* as if a light barrier read it, a heavy one wrote */
static uint32_t run;

void memory_begin_run(void) {
    run++;
    memory_state = 0;
    memory_version = 1;
}

void memory_forget(void) {
    memset(locations, 0, sizeof locations);
    barriers = (sim_location){0};
}

static sim_location *location_of(const volatile void *at) {
    uintptr_t address = (uintptr_t)at;
    size_t i = hash_mix(address, 0) % LOCATIONS_MAX;
    for (size_t looks = 0; locations[i].at != 0 && locations[i].at != address; looks++) {
        if (looks == LOCATIONS_MAX / 2) {
            run_fail("too many places of memory");
        }
        i = (i + 1) % LOCATIONS_MAX;
    }
    if (locations[i].run != run) {
        locations[i].at = address;
        locations[i].run = run;
        locations[i].written = 0;
    }
    return &locations[i];
}

static void note_by(const sim_thread_state *thread, sim_location *location, bool writes) {
    uint8_t me = (uint8_t)(1u << thread->number);
    location->readers |= me;
    location->writers |= writes ? me : 0;
    if (!location->shared && location->writers != 0 &&
        (location->readers & (location->readers - 1)) != 0) {
        location->shared = true;
        memory_sharing_grew = true;
    }
}

static void note(sim_location *location, bool writes) {
    note_by(current, location, writes);
}

static uint64_t contribution(const sim_location *location) {
    return location->written == 0 ? 0 : hash_mix(location->at, location->written);
}

static void set_written(sim_location *location, uint64_t identity) {
    memory_state -= contribution(location);
    location->written = identity;
    memory_state += contribution(location);
    memory_version++;
}

static void learn(uint64_t what) {
    current->hash = hash_mix(current->hash, what);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static uint64_t read_bytes(const volatile void *at, size_t size) {
    uint64_t value = 0;
    memcpy(&value, (const void *)(uintptr_t)at, size);
    return value;
}

static void write_bytes(const volatile void *at, size_t size, uint64_t value) {
    memcpy((void *)(uintptr_t)at, &value, size);
}

static uint64_t cut(uint64_t value, size_t size) {
    return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

static uint64_t changed(uint64_t value, sim_operation operation, uint64_t operand, size_t size) {
    switch (operation) {
    case SIM_SWAP:
        return operand;
    case SIM_ADD:
        return cut(value + operand, size);
    case SIM_SUB:
        return cut(value - operand, size);
    case SIM_OR:
        return value | operand;
    case SIM_AND:
        return value & operand;
    }
    return 0;
}

/* ---- store buffers --------------------------------------------------------------------------- */

static void settle_others(const sim_thread_state *reader, const sim_location *location);

static bool is_empty(const sim_buffer *buffer) {
    return buffer->first == buffer->end;
}

/* The oldest entry reaches memory; what other threads have stored there before is decided first. */
static void drain_one(sim_thread_state *thread) {
    sim_buffer *buffer = &thread->buffer;
    const sim_entry *entry = &buffer->entries[buffer->first];
    buffer->draining = true;
    settle_others(thread, entry->location);
    buffer->draining = false;
    write_bytes((void *)entry->location->at, entry->size, entry->value);
    set_written(entry->location, entry->identity);
    trace("          (%s's %s = %" PRIx64 " reaches memory)", thread->name, entry->what,
          entry->value);
    buffer->first++;
    if (buffer->first == buffer->end) {
        buffer->first = buffer->end = buffer->issued = 0;
    }
}

/* Its stores up to (not with) this place in the buffer. */
static void drain_to(sim_thread_state *thread, unsigned end) {
    unsigned left = end > thread->buffer.first ? end - thread->buffer.first : 0;
    for (; left > 0; left--) {
        drain_one(thread);
    }
}

static void drain(sim_thread_state *thread) {
    drain_to(thread, thread->buffer.end);
}

void memory_drain_all(void) {
    for (unsigned i = 0; i < thread_count; i++) {
        drain(&threads[i]);
    }
}

void memory_drain(sim_thread_state *thread) {
    drain(thread);
}

void memory_drain_first(sim_thread_state *thread, uint64_t stores) {
    const sim_buffer *buffer = &thread->buffer;
    uint64_t left = buffer->end - buffer->first;
    uint64_t arrived = buffer->stores - left;
    if (stores > arrived) {
        drain_to(thread, buffer->first + (unsigned)(stores - arrived));
    }
}

/* How many of its stores to this place have reached memory by now? */
static void settle_one(sim_thread_state *thread, const sim_location *location) {
    sim_buffer *buffer = &thread->buffer;
    uint8_t options[SIM_BUFFER_MAX];
    unsigned count = 0;
    options[count++] = 0;
    for (unsigned i = buffer->first; i < buffer->end; i++) {
        if (buffer->entries[i].location == location) {
            options[count++] = (uint8_t)(i + 1 - buffer->first);
        }
    }
    if (count > 1) {
        search_question();
        drain_to(thread, buffer->first + search_choose(options, count, 0));
    }
}

/* Decides what of the other threads' stores to this place the reader finds in memory. */
static void settle_others(const sim_thread_state *reader, const sim_location *location) {
    for (unsigned i = 0; i < thread_count; i++) {
        sim_thread_state *thread = &threads[i];
        if (thread != reader && !thread->buffer.draining && !is_empty(&thread->buffer)) {
            settle_one(thread, location);
        }
    }
}

static void push(sim_location *location, size_t size, uint64_t value, const char *what) {
    sim_buffer *buffer = &current->buffer;
    if (buffer->end == SIM_BUFFER_MAX) {
        run_fail("a thread stores without end");
    }
    learn(1); /* so that it is another write than the last; what it writes follows from the rest */
    buffer->stores++;
    buffer->entries[buffer->end++] = (sim_entry){.location = location,
                                                 .value = value,
                                                 .identity = current->hash,
                                                 .size = size,
                                                 .what = what};
}

static const sim_entry *own_entry(const sim_location *location) {
    const sim_buffer *buffer = &current->buffer;
    for (unsigned i = buffer->end; i > buffer->first; i--) {
        if (buffer->entries[i - 1].location == location) {
            return &buffer->entries[i - 1];
        }
    }
    return NULL;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* A step that locks the bus, or enters the kernel: nothing of the own thread stays behind. */
static sim_location *locked_step(const volatile void *at, bool writes, const char *what,
                                 const char *where) {
    sim_location *location = location_of(at);
    note(location, writes);
    threads_step(what, where, location->shared || !is_empty(&current->buffer));
    drain(current);
    settle_others(current, location);
    return location;
}

sim_location *memory_locked_step(const volatile void *at, bool writes, const char *what,
                                 const char *where) {
    return locked_step(at, writes, what, where);
}

sim_location *memory_place(const volatile void *at) {
    sim_location *location = location_of(at);
    note(location, true);
    return location;
}

sim_location *memory_tried(const volatile void *lock) {
    sim_location *location = location_of(lock);
    note(location, true);
    if (!location->tried) {
        location->tried = true;
        memory_sharing_grew = true;
    }
    return location;
}

/* Writes nothing: threads that wait for the lock learn of it in threads.c. */
void memory_give(sim_location *lock) {
    if (lock->tried) {
        push(lock, 0, 0, "lock, given back,");
    }
}

static bool holds(const sim_buffer *buffer, const sim_location *location) {
    for (unsigned i = buffer->first; i < buffer->end; i++) {
        if (buffer->entries[i].location == location) {
            return true;
        }
    }
    return false;
}

bool memory_gives_late(sim_location *lock) {
    settle_others(current, lock);
    bool late = false;
    for (unsigned i = 0; i < thread_count && !late; i++) {
        late = &threads[i] != current && holds(&threads[i].buffer, lock);
    }
    return late;
}

bool memory_note(const sim_thread_state *thread, const volatile void *at, bool writes) {
    sim_location *location = location_of(at);
    note_by(thread, location, writes);
    return location->shared;
}

/* What the thread did there makes it another place than before. */
void memory_mark(sim_location *location) {
    learn(location->written);
    set_written(location, current->hash);
}

void memory_read(const sim_location *location) {
    learn(location->written);
}

uint64_t sim_load(const volatile void *at, size_t size, const char *what, const char *where) {
    if (current == NULL) {
        return read_bytes(at, size);
    }
    sim_location *location = location_of(at);
    note(location, false);
    threads_step_reading(what, where, location->shared);
    const sim_entry *own = own_entry(location);
    if (own != NULL) {
        trace("  %-12s %s: %s is %" PRIx64 " (in its own buffer)", current->name, where, what,
              own->value);
        return cut(own->value, size);
    }
    settle_others(current, location);
    learn(location->written);
    uint64_t value = read_bytes(at, size);
    trace("  %-12s %s: %s is %" PRIx64, current->name, where, what, value);
    return value;
}

uint64_t sim_peek(const volatile void *at, size_t size) {
    bool buffered = current != NULL && !is_empty(&current->buffer);
    const sim_entry *own = buffered ? own_entry(location_of(at)) : NULL;
    return own != NULL ? cut(own->value, size) : read_bytes(at, size);
}

void sim_store(volatile void *at, size_t size, uint64_t value, const char *what,
               const char *where) {
    if (current == NULL) {
        write_bytes(at, size, value);
        return;
    }
    sim_location *location = location_of(at);
    note(location, true);
    threads_step_storing(what, where, location->shared);
    push(location, size, value, what);
    trace("  %-12s %s: %s = %" PRIx64, current->name, where, what, value);
}

void sim_store_and_drain(volatile void *at, size_t size, uint64_t value, const char *what,
                         const char *where) {
    sim_change(at, size, SIM_SWAP, value, what, where);
}

uint64_t sim_change(volatile void *at, size_t size, sim_operation operation, uint64_t operand,
                    const char *what, const char *where) {
    if (current == NULL) {
        uint64_t value = read_bytes(at, size);
        write_bytes(at, size, changed(value, operation, cut(operand, size), size));
        return value;
    }
    sim_location *location = locked_step(at, true, what, where);
    uint64_t value = read_bytes(at, size);
    uint64_t next = changed(value, operation, cut(operand, size), size);
    memory_mark(location);
    write_bytes(at, size, next);
    trace("  %-12s %s: %s changes from %" PRIx64 " to %" PRIx64, current->name, where, what, value,
          next);
    return value;
}

bool sim_cas(volatile void *at, size_t size, uint64_t *expected, uint64_t desired, const char *what,
             const char *where) {
    if (current == NULL) {
        uint64_t found = read_bytes(at, size);
        bool equal = found == *expected;
        write_bytes(at, size, equal ? desired : found);
        *expected = found;
        return equal;
    }
    sim_location *location = locked_step(at, true, what, where);
    uint64_t found = read_bytes(at, size);
    bool equal = found == *expected;
    if (equal) {
        memory_mark(location);
        write_bytes(at, size, desired);
    } else {
        memory_read(location);
    }
    trace("  %-12s %s: %s %s from %" PRIx64 " to %" PRIx64, current->name, where, what,
          equal ? "changes" : "would not change", equal ? *expected : found, desired);
    *expected = found;
    return equal;
}

/* ---- barriers -------------------------------------------------------------------------------- */

/* Of the scenario that runs. */
bool memory_fences;

void sim_fence(const char *where) {
    if (current != NULL) {
        threads_step("a fence", where, !is_empty(&current->buffer));
        drain(current);
    }
}

void sim_barrier_light(const char *where) {
    if (current == NULL) {
        return;
    }
    if (memory_fences) {
        sim_fence(where);
        return;
    }
    note(&barriers, false);
    threads_step_reading("light barrier", where, barriers.shared && !is_empty(&current->buffer));
    current->buffer.issued = current->buffer.end;
    trace("  %-12s %s: light barrier", current->name, where);
}

void sim_barrier_heavy(const char *where) {
    if (current == NULL) {
        return;
    }
    if (memory_fences) {
        sim_fence(where);
        return;
    }
    note(&barriers, true);
    threads_step("heavy barrier", where, barriers.shared);
    trace("  %-12s %s: heavy barrier", current->name, where);
    drain(current);
    for (unsigned i = 0; i < thread_count; i++) {
        drain_to(&threads[i], threads[i].buffer.issued);
    }
}
