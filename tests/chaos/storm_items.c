/* Maps: each item's end and result, with and without exceptions. */
#include "storm.h"

#include <string.h>

typedef struct arrays {
    terms t;
    size_t count;
    uint32_t first; /* id */
    unsigned char *args, *results;
    bool wants_exceptions;
} arrays;

static spec spec_at(const arrays *a, size_t i) {
    spec s;
    memcpy(&s, a->args + i * a->t.arg_size, sizeof s);
    return s;
}

static size_t choose_count(client *c) {
    switch (c->plan->mood) {
    case BIG:
        return between(&c->seed, 100000, ids_left(c));
    case MASSACRE:
        return between(&c->seed, 100, 400);
    default:
        return one_in(&c->seed, 8) ? between(&c->seed, 0, 2) : between(&c->seed, 3, 120);
    }
}

static void make_arrays(client *c, arrays *a) {
    const size_t shift = one_in(&c->seed, 4) ? 4 : 0; /* workers cannot use these in place */
    const size_t count = choose_count(c);
    a->t = make_terms(c, count <= 16 ? PAYLOAD_MOST : 4 << 10);
    a->count = count < ids_left(c) ? count : ids_left(c);
    a->first = take_ids(c, a->count, a->t.retries);
    a->args = c->args + shift;
    a->results = c->results + shift;
    a->wants_exceptions = c->plan->mood == BIG ? one_in(&c->seed, 4) : one_in(&c->seed, 2);
    for (size_t i = 0; i < a->count; i++) {
        spec_write(make_spec(c, &a->t, a->first + (uint32_t)i, true), a->args + i * a->t.arg_size,
                   a->t.arg_size);
    }
    memset(a->results, 0xa5, a->count * a->t.result_size);
    if (a->wants_exceptions) {
        memset(c->why, 0xa5, a->count * sizeof *c->why);
    }
}

static bool is_zeroed(const unsigned char *at, size_t size) {
    size_t i = 0;
    while (i < size && at[i] == 0) {
        i++;
    }
    return i == size;
}

/* A failed item's result is zeroed, and so is the rest of a short one. */
static bool has_result(const arrays *a, size_t i, spec s, bool succeeded) {
    const size_t room = a->t.result_size, length = succeeded ? result_length(s, room) : 0;
    const unsigned char *result = a->results + i * room;
    return result_is(s, result, length) && is_zeroed(result + length, room - length);
}

static void check_exceptions(client *c, const arrays *a, cf_status status) {
    cf_status first = CF_OK;
    for (size_t i = 0; i < a->count; i++) {
        const spec s = spec_at(a, i);
        const cf_exception *why = &c->why[i];
        check_end(c, "cf_executor_map", &a->t, s, why, false, -1);
        if (!has_result(a, i, s, why->status == CF_OK)) {
            wrong(c, s.id, "cf_executor_map", "another result", why->status);
        }
        first = first == CF_OK ? why->status : first;
    }
    if (status != first) {
        wrong(c, a->first, "cf_executor_map", "not the status of the first that failed", status);
    }
}

/* Without exceptions a result tells whether its item has succeeded, if it is long enough. */
static void check_results(client *c, const arrays *a, cf_status status) {
    size_t failed = 0;
    for (size_t i = 0; i < a->count; i++) {
        const spec s = spec_at(a, i);
        const bool tells = result_length(s, a->t.result_size) >= sizeof(uint64_t);
        const bool good = has_result(a, i, s, true);
        failed += !good;
        if (!good && !has_result(a, i, s, false)) {
            wrong(c, s.id, "cf_executor_map", "another result", status);
        } else if (good && (tells || status == CF_OK)) {
            check_end(c, "cf_executor_map", &a->t, s, &(cf_exception){.status = CF_OK}, false, -1);
        } else {
            tally_add(&chaos->tasks, 1);
        }
    }
    if (a->t.result_size >= 2 * sizeof(uint64_t) ? (failed > 0) != (status != CF_OK)
                                                 : failed > 0 && status == CF_OK) {
        wrong(c, a->first, "cf_executor_map", "a status that its results deny", status);
    }
}

static bool is_refusal(cf_status status) {
    return status == CF_ESHUTDOWN || status == CF_EBROKEN || status == CF_ENOMEM;
}

/* The map could not be done at all: no item has run, and nothing was written. */
static bool was_not_done(const client *c, const arrays *a, cf_status status) {
    unsigned char untouched[sizeof(cf_exception)];
    memset(untouched, 0xa5, sizeof untouched);
    if (!is_refusal(status) || a->count == 0) {
        return is_refusal(status);
    }
    return a->wants_exceptions    ? memcmp(c->why, untouched, sizeof untouched) == 0
           : a->t.result_size > 0 ? a->results[0] == 0xa5 && !has_result(a, 0, spec_at(a, 0), true)
                                  : book->entries[a->first].begun == 0;
}

static double cost_of(void *context, const void *arg) {
    spec s;
    (void)context;
    memcpy(&s, arg, sizeof s);
    return s.tenths;
}

static size_t choose_chunk(client *c, size_t count) {
    switch (random_next(&c->seed) % 4) {
    case 0:
        return c->plan->mood == BIG ? between(&c->seed, 100, 5000) : between(&c->seed, 1, 12);
    case 1:
        return c->plan->mood == BIG ? 0 : between(&c->seed, 1, count + 1);
    default:
        return 0;
    }
}

void play_map(client *c) {
    arrays a;
    make_arrays(c, &a);
    const cf_task task = {.name = "map",
                          .run = storm_run,
                          .arg_size = a.t.arg_size,
                          .result_size = a.t.result_size,
                          .unzeroed = one_in(&c->seed, 3)};
    const cf_map_options options = {.chunk = choose_chunk(c, a.count),
                                    .retries = a.t.retries,
                                    .timeout_ns = a.t.timeout_ns,
                                    .exceptions = a.wants_exceptions ? c->why : NULL,
                                    .cost = one_in(&c->seed, 8) ? cost_of : NULL};
    c->has_chunks = true;
    at(c, "cf_executor_map");
    const cf_status status =
        cf_executor_map(choose_executor(c), &task, a.args, a.count, a.results, &options);
    if (was_not_done(c, &a, status)) {
        may_refuse(c, "cf_executor_map", status);
    } else if (a.wants_exceptions) {
        check_exceptions(c, &a, status);
    } else {
        check_results(c, &a, status);
    }
    tally_add(&sums->items, a.count);
}

void play_nothing(client *c) {
    const size_t count = between(&c->seed, 0, 64), room = one_in(&c->seed, 2) ? 0 : 24;
    const unsigned retries = (unsigned)between(&c->seed, 0, 3);
    const cf_task task = {.run = storm_nothing, .result_size = room};
    const cf_map_options options = {
        .chunk = between(&c->seed, 0, 8), .retries = retries, .exceptions = c->why};
    memset(c->why, 0xa5, (count + 1) * sizeof *c->why);
    c->has_chunks = true;
    c->nothings_most += count * (retries + 1);
    at(c, "cf_executor_map without arguments");
    const cf_status status =
        cf_executor_map(choose_executor(c), &task, NULL, count, c->results, &options);
    if (status == CF_OK) {
        c->nothings += count;
    } else if (is_refusal(status)) {
        may_refuse(c, "cf_executor_map", status);
    } else if (!(status == CF_EWORKER && ledger_may(MAY_DIE)) &&
               !(status == CF_ECANCELLED && ledger_may(MAY_CANCEL))) {
        wrong(c, c->first_id, "cf_executor_map without arguments", "no task ends so", status);
    }
    for (size_t i = 0; i < count * room && status == CF_OK; i++) {
        if (c->results[i] != NOTHING) {
            wrong(c, c->first_id, "cf_executor_map without arguments", "another result", status);
            break;
        }
    }
    for (size_t i = 0; i < count && !is_refusal(status); i++) {
        c->lost_workers += c->why[i].status == CF_EWORKER;
    }
    tally_add(&chaos->tasks, count);
}
