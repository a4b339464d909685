/* What all operations of a client share: how tasks are made, and what is wrong with them. */
#include "storm.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

stage *storm;

/* ---- what is wrong --------------------------------------------------------------------------- */

static void tell(_Atomic uint64_t *count, const client *c, uint32_t id, const char *call,
                 const char *what, cf_status status) {
    const entry *e = &book->entries[id];
    tally_fault(count,
                "round %" PRIu64 ", client %u, operation %" PRIu64 ", %s: %s: %s (task %u, began "
                "%u times, ended %u times; CF_CHAOS_ROUND=%" PRIu64 "; %s)",
                c->plan->number, c->number, atomic_load(&c->post->which), call, what,
                cf_status_name(status), id, e->begun, e->ended, c->plan->number, storm->plan);
}

void wrong(const client *c, uint32_t id, const char *call, const char *what, cf_status status) {
    tell(&chaos->lost, c, id, call, what, status);
}

void doubled(const client *c, uint32_t id, const char *call, const char *what) {
    tell(&chaos->duplicated, c, id, call, what, CF_OK);
}

bool may_refuse(const client *c, const char *call, cf_status status) {
    const bool may = status == CF_ESHUTDOWN ? ledger_may(MAY_REFUSE)
                     : status == CF_EBROKEN ? ledger_may(MAY_BREAK)
                     : status == CF_ENOMEM  ? ledger_may(MAY_LACK)
                     : status == CF_EFULL   ? c->plan->options.refuse_when_full
                                            : false;
    if (!may) {
        wrong(c, c->first_id, call, "it was refused without a reason", status);
    }
    tally_add(&sums->refused, 1);
    return may;
}

void check_end(client *c, const char *call, const terms *t, spec s, const cf_exception *why,
               bool cancelled, int attempts) {
    const char *fault = judge(t, s, why, cancelled, attempts);
    if (fault != NULL) {
        const bool twice = book->entries[s.id].begun > t->retries + 1;
        tell(twice ? &chaos->duplicated : &chaos->lost, c, s.id, call, fault, why->status);
    }
    c->lost_workers += why->status == CF_EWORKER;
    tally_add(&chaos->tasks, 1);
}

/* ---- making tasks ---------------------------------------------------------------------------- */

uint32_t take_ids(client *c, size_t count, unsigned retries) {
    const uint32_t first = c->next_id;
    c->next_id += (uint32_t)(count + count % 2); /* an even id and the next one belong together */
    for (uint32_t i = first; c->plan->mood != BIG && i < c->next_id; i++) {
        c->allowed[i - c->first_id] = (uint16_t)(retries + 1);
    }
    return first;
}

static size_t payload(client *c, size_t least, size_t most) {
    const uint64_t r = random_next(&c->seed) % 32;
    const size_t size = r < 18   ? 8
                        : r < 24 ? between(&c->seed, 0, 64)
                        : r < 30 ? between(&c->seed, 0, 4 << 10)
                                 : between(&c->seed, 0, PAYLOAD_MOST);
    return size < least ? least : size > most ? most : size;
}

static unsigned choose_retries(client *c) {
    static const unsigned often[] = {0, 0, 1, 2, 5, 1000};
    return c->plan->mood == MASSACRE && !one_in(&c->seed, 8)
               ? 1000
               : often[random_next(&c->seed) % COUNT_OF(often)];
}

terms make_terms(client *c, size_t payload_most) {
    const bool tiny = c->plan->mood == MASSACRE || c->plan->mood == BIG;
    const size_t most = tiny ? 8 : payload_most;
    const uint64_t limit = tiny ? 15 : random_next(&c->seed) % 16;
    return (terms){
        .arg_size = payload(c, sizeof(spec), most < sizeof(spec) ? sizeof(spec) : most),
        .result_size = payload(c, 0, most),
        .retries = choose_retries(c),
        .timeout_ns = limit == 0   ? (int64_t)between(&c->seed, 2, 8) * MILLISECOND
                      : limit == 1 ? 100 * SECOND
                                   : 0,
    };
}

static int choose_signal(client *c) {
    static const int numbers[] = {SIGKILL, SIGSEGV, SIGBUS, SIGABRT, SIGTERM};
    const int number = numbers[random_next(&c->seed) % COUNT_OF(numbers)];
    return number == SIGTERM && !c->plan->term_is_deadly ? SIGKILL : number;
}

/* How a process may be ended by its task. */
static deed choose_death(client *c, spec *s) {
    const bool often = c->plan->mood == MASSACRE;
    s->signal = (unsigned)choose_signal(c) & 0x3f;
    s->deaths = (unsigned)between(&c->seed, 1, often ? 8 : 3) & 0xf;
    return one_in(&c->seed, often ? 64 : 4) ? EXITS : DIES;
}

static deed choose_deed(client *c, const terms *t, spec *s, bool is_item) {
    const uint64_t r = random_next(&c->seed) % 256;
    const bool processes = c->plan->kind == PROCESSES;
    switch (c->plan->mood) {
    case BIG:
        return r == 0 ? SHORT : WELL;
    case MASSACRE:
        return r < 5 ? choose_death(c, s) : WELL;
    default:
        break;
    }
    if (r < 8 && t->timeout_ns > 0 && t->timeout_ns < SECOND) {
        return LATE;
    }
    if (r < 24 && processes) {
        return choose_death(c, s);
    }
    if (r >= 254 || (r >= 240 && !processes && !is_item)) {
        return NESTS;
    }
    return r < 48 ? SHORT : r < 72 ? FAILS : WELL;
}

static unsigned choose_tenths(client *c) {
    const uint64_t r = random_next(&c->seed) % 64;
    return (unsigned)(c->plan->mood >= MASSACRE || r < 40 ? 0
                      : r < 62                            ? between(&c->seed, 0, 400)
                                                          : between(&c->seed, 0, 8000));
}

spec make_spec(client *c, const terms *t, uint32_t id, bool is_item) {
    spec s = {.id = id, .tenths = choose_tenths(c) & 0x1ffff, .naps = one_in(&c->seed, 4)};
    s.deed = (unsigned)choose_deed(c, t, &s, is_item) & 0xf;
    if (s.deed == NESTS) { /* items have no second id for a task inside them */
        s.tenths = (unsigned)(is_item ? random_next(&c->seed) | 1 : random_next(&c->seed)) & 0xfff;
    }
    return s;
}

/* ---- after the executor ---------------------------------------------------------------------- */

void check_notes(client *c) {
    for (size_t i = 0; i < c->note_count; i++) {
        const note *n = &c->notes[i];
        if (n->calls != 1 || n->wrong != 0) {
            const char *what = n->calls == 0   ? "it was not called"
                               : n->calls == 1 ? "it was called before its task was done"
                                               : "it was called twice";
            (n->calls > 1 ? doubled(c, c->first_id, "callback", what)
                          : wrong(c, c->first_id, "callback", what, CF_OK));
        }
    }
    for (uint32_t id = c->first_id; c->plan->mood != BIG && id < c->next_id; id++) {
        const entry *e = &book->entries[id];
        if (e->begun > c->allowed[id - c->first_id] || e->ended > e->begun) {
            doubled(c, id, "at the end", "it ran more often than it may");
        }
    }
}
