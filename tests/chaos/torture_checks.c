/* What scenarios expect of the library's calls while calls of the system fail. */
#include "torture.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void wrong(stage *s, _Atomic uint64_t *count, const char *format, ...) {
    char text[300];
    va_list rest;
    if (atomic_fetch_add(&s->report->faults, 1) > 0) {
        return; /* it follows from the first */
    }
    va_start(rest, format);
    vsnprintf(text, sizeof text, format, rest);
    va_end(rest);
    tally_fault(count, "%s: %s: %s", s->name, atomic_load(&s->report->step), text);
}

/* ---- what may happen ------------------------------------------------------------------------- */

/* Without these calls the library has less comfort, and no call of its own fails. */
static bool is_comfort(enum failing_kind kind) {
    return kind == FAIL_MADVISE || kind == FAIL_FCNTL || kind == FAIL_POLL ||
           kind == FAIL_MEMBARRIER || kind == FAIL_PIDFD_OPEN;
}

/* If the nursery cannot wait for workers, it ends. If a worker cannot open memory, none can. */
bool may_break(const stage *s) {
    const failing_plan *plan = s->plan;
    bool no_workers = (plan->kind == FAIL_FORK && plan->place == IN_NURSERY) ||
                      (plan->kind == FAIL_MPROTECT && plan->place == IN_WORKER) ||
                      (plan->kind == FAIL_PTHREAD_CREATE && plan->place == IN_CALLER);
    return !s->strict && plan->all &&
           (no_workers || (plan->kind == FAIL_WAITID && plan->place == IN_NURSERY));
}

bool may_kill_worker(const stage *s) {
    return !s->strict && s->plan->place == IN_WORKER && s->plan->kind == FAIL_MPROTECT;
}

bool can_try_again(const stage *s) {
    return !s->plan->all || s->strict;
}

static void check_refused_call(stage *s, const char *call) {
    int error = 0;
    const char *named = cf_refused_call(&error);
    const char *expected = failing_kind_names[s->plan->kind];
    if (atomic_load(&s->report->counts.failed) == 0) {
        wrong(s, &chaos->lost, "%s was refused before any call had failed", call);
    } else if (named == NULL || strcmp(named, expected) != 0 || error != s->plan->error) {
        wrong(s, &chaos->lost, "%s: cf_refused_call says %s, error %d, and not %s, error %d", call,
              named != NULL ? named : "nothing", error, expected, s->plan->error);
    } else if (++s->refusals > 1 && !s->plan->all) {
        wrong(s, &chaos->lost, "%s was refused too, and one call alone had failed", call);
    }
}

bool accepted(stage *s, cf_status status, unsigned expected, const char *call) {
    if (status == CF_OK) {
        return true;
    }
    expected |= may_break(s) ? AS_BIT(CF_EBROKEN) : 0;
    bool refused = status == CF_ENOMEM || status == CF_EAGAIN;
    if ((expected & AS_BIT(status)) == 0 || (refused && (s->strict || is_comfort(s->plan->kind)))) {
        wrong(s, &chaos->lost, "%s returned %s", call, cf_status_name(status));
    } else if (refused) {
        check_refused_call(s, call);
    }
    return false;
}

/* ---- items ----------------------------------------------------------------------------------- */

static torture_report *report_of_items; /* where tasks count: in workers too */

uint64_t item_result(const item *i) {
    return i->value * i->value + i->index;
}

static int run_item(const void *arg, void *result, cf_task_context *ctx) {
    const item *i = arg;
    (void)ctx;
    counter_add(&report_of_items->runs[i->index], 1);
    if (counter_get(&report_of_items->runs[i->index]) <= i->deaths) {
        tally_add(&chaos->kills, 1);
        kill(getpid(), SIGKILL);
    }
    *(uint64_t *)result = item_result(i);
    return 0;
}

const cf_task item_task = {.name = "item",
                           .run = run_item,
                           .arg_size = sizeof(item),
                           .result_size = sizeof(uint64_t),
                           .result_type = "uint64_t"};

item new_item(stage *s) {
    uint32_t index = s->next_index++;
    return (item){.index = index, .value = 1000003u * (index + 1)};
}

uint32_t runs_of(const stage *s, uint32_t index) {
    return counter_get(&s->report->runs[index]);
}

void check_ending(stage *s, const item *i, cf_status status, const uint64_t *result,
                  uint32_t runs) {
    tally_add(&chaos->tasks, 1);
    uint32_t ran = runs_of(s, i->index);
    if (status == CF_OK && *result != item_result(i)) {
        wrong(s, &chaos->lost, "item %u has a wrong result", i->index);
    } else if (status == CF_OK && ran != runs) {
        wrong(s, ran > runs ? &chaos->duplicated : &chaos->lost, "item %u ran %u times", i->index,
              ran);
    } else if (status != CF_OK && !(status == CF_EBROKEN && may_break(s)) &&
               !(status == CF_EWORKER && may_kill_worker(s))) {
        wrong(s, &chaos->lost, "item %u ended with %s", i->index, cf_status_name(status));
    }
}

bool open_pool(stage *s, cf_pool_options options) {
    STEP(s, "create");
    report_of_items = s->report;
    if (s->on->bit != ON_SERIAL && options.max_workers == 0) {
        options.max_workers = s->workers;
    }
    for (int attempt = 0; attempt < 2; attempt++) {
        s->pool = (cf_executor *)(void *)s; /* to be overwritten */
        cf_status status = s->on->create(&options, &s->pool);
        if (accepted(s, status, REFUSALS, "create")) {
            return true;
        }
        EXPECT_THAT(s, s->pool == NULL);
        s->pool = NULL;
        if (!can_try_again(s)) {
            break;
        }
    }
    return false;
}

void close_pool(stage *s) {
    STEP(s, "destroy");
    cf_executor_destroy(s->pool);
    s->pool = NULL;
}

cf_future *submit_item(stage *s, const item *i, const cf_submit_options *options) {
    cf_future *future = NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
        cf_status status = cf_executor_submit_with(s->pool, &item_task, i, options, &future);
        if (accepted(s, status, REFUSALS, "submit")) {
            return future;
        }
        EXPECT_THAT(s, future == NULL);
        EXPECT_THAT(s, runs_of(s, i->index) == 0);
        if (!can_try_again(s)) {
            break;
        }
    }
    return NULL;
}

void collect_item(stage *s, cf_future *future, const item *i) {
    uint64_t result = 0;
    if (future != NULL) {
        cf_status status = cf_future_result(future, CF_FOREVER, &result);
        check_ending(s, i, status, &result, i->deaths + 1);
        cf_future_release(future);
    }
}

void still_works(stage *s) {
    STEP(s, "one more");
    if (s->pool != NULL) {
        const item last = new_item(s);
        cf_future *future = submit_item(s, &last, NULL);
        collect_item(s, future, &last);
    }
}
