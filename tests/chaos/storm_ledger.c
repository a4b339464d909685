#include "storm_ledger.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_STATUS = 3 /* of EXITS */
};

ledger *book;
totals *sums;
cf_executor *storm_executor;

static const size_t ENTRIES_AT = offsetof(ledger, entries);

void ledger_init(void) {
    book = shared_alloc(sizeof *book);
    sums = shared_alloc(sizeof *sums);
}

void ledger_open(uint64_t salt) {
    memset((void *)book, 0, ENTRIES_AT);
    book->salt = salt;
}

void ledger_clear(uint32_t id, size_t count) {
    memset((void *)&book->entries[id], 0, count * sizeof(entry));
}

/* ---- arguments and results ------------------------------------------------------------------- */

static uint64_t bits_of(spec s) {
    uint64_t bits;
    memcpy(&bits, &s, sizeof bits);
    return bits;
}

/* The word at place i of a pattern. */
static inline uint64_t word_at(uint64_t key, size_t i) {
    return (key ^ (key >> 29)) + i * UINT64_C(0x9e3779b97f4a7c15);
}

static void pattern_write(uint64_t key, unsigned char *to, size_t size) {
    size_t i = 0;
    for (; (i + 1) * 8 <= size; i++) {
        const uint64_t word = word_at(key, i);
        memcpy(to + i * 8, &word, 8);
    }
    const uint64_t last = word_at(key, i);
    memcpy(to + i * 8, &last, size % 8);
}

static bool pattern_is(uint64_t key, const unsigned char *at, size_t size) {
    size_t i = 0;
    for (; (i + 1) * 8 <= size; i++) {
        const uint64_t word = word_at(key, i);
        if (memcmp(at + i * 8, &word, 8) != 0) {
            return false;
        }
    }
    const uint64_t last = word_at(key, i);
    return size % 8 == 0 || memcmp(at + i * 8, &last, size % 8) == 0;
}

static uint64_t argument_key(spec s) {
    return bits_of(s) * UINT64_C(0xbf58476d1ce4e5b9) + book->salt;
}

static uint64_t result_key(spec s) {
    return argument_key(s) * UINT64_C(0x94d049bb133111eb) + 1;
}

void spec_write(spec s, void *arg, size_t arg_size) {
    memcpy(arg, &s, sizeof s);
    pattern_write(argument_key(s), (unsigned char *)arg + sizeof s, arg_size - sizeof s);
}

bool spec_is(spec s, const void *arg, size_t arg_size) {
    return memcmp(arg, &s, sizeof s) == 0 &&
           pattern_is(argument_key(s), (const unsigned char *)arg + sizeof s, arg_size - sizeof s);
}

size_t result_length(spec s, size_t result_size) {
    return s.deed == SHORT ? result_size / 2 : result_size;
}

bool result_is(spec s, const void *result, size_t size) {
    return size == 0 || pattern_is(result_key(s), result, size);
}

static int error_of(spec s) {
    return 1 + (int)(s.id % 100);
}

/* ---- running --------------------------------------------------------------------------------- */

static void blame(_Atomic uint64_t *fault, uint32_t id) {
    atomic_store(&book->culprit, id);
    atomic_fetch_add(fault, 1);
}

/* A worker process has none yet when it begins its first task. */
static pid_t known_as;

static void note_life(const cf_task_context *ctx) {
    if (book->in_processes && known_as == 0) {
        known_as = getpid();
        atomic_store(&book->nursery, getppid());
        atomic_store(&book->worker[cf_task_worker(ctx) % LEDGER_WORKERS], known_as);
        atomic_fetch_add(&book->lives, 1);
    }
}

static void note_begin(spec s, const cf_task_context *ctx) {
    entry *e = &book->entries[s.id];
    const unsigned attempt = cf_task_attempt(ctx);
    note_life(ctx);
    atomic_fetch_add(&e->begun, 1);
    if (attempt - 1 < ATTEMPTS_NOTED) {
        const uint32_t bit = UINT32_C(1) << (attempt - 1);
        if ((atomic_fetch_or(&e->attempts, bit) & bit) != 0) {
            blame(&book->twice, s.id);
        }
    }
}

static void nap(int64_t ns) {
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void take_time(spec s) {
    const int64_t ns = (int64_t)s.tenths * MICROSECOND / 10;
    if (ns > 0) {
        s.naps ? nap(ns) : spin_for(ns);
    }
}

/* A process is killed for that, a thread is asked. */
static void be_late(const cf_task_context *ctx) {
    while (book->in_processes || !cf_task_cancelled(ctx)) {
        nap(200 * MICROSECOND);
    }
}

static void die(spec s) {
    atomic_fetch_add(&book->deaths, 1);
    if (s.deed == EXITS) {
        tally_add(&sums->own[0], 1);
        _exit(EXIT_STATUS);
    }
    tally_add(&sums->own[s.signal], 1);
    tally_add(&chaos->kills, 1);
    raise((int)s.signal);
    for (;;) { /* the signal is on its way to another thread of this process */
        pause();
    }
}

/* A task, or a map of one item, inside a task on its own executor. It may have any end that it can have from
 * outside, and two more: there is no room for it, or it would wait forever. */
static void nest_on_own(spec s) {
    const spec inner = {.id = s.id ^ 1, .deed = WELL};
    const cf_task task = {.name = "inner",
                          .run = storm_run,
                          .arg_size = sizeof inner,
                          .result_size = sizeof(uint64_t)};
    cf_future *future = NULL;
    uint64_t value = 0;
    cf_status status;
    if (s.tenths % 4 != 0) {
        status = cf_executor_map(storm_executor, &task, &inner, 1, &value, NULL);
    } else {
        status = cf_executor_submit(storm_executor, &task, &inner, &future);
        status = status == CF_OK ? cf_future_result(future, CF_FOREVER, &value) : status;
        cf_future_release(future);
    }
    if (status == CF_OK ? !result_is(inner, &value, sizeof value)
                        : status == CF_ETASK || status == CF_EWORKER || status == CF_ETIMEDOUT) {
        blame(&book->unasked, s.id);
    }
}

/* An executor of its own inside a task: a pool in a worker process. */
static void nest_a_pool(spec s) {
    static cf_status (*const creates[])(const cf_pool_options *, cf_executor **) = {
        cf_process_pool_create, cf_thread_pool_create, cf_serial_create, cf_thread_pool_create};
    const unsigned kind = s.tenths % (book->in_processes ? 3u : 4u);
    const bool may_fork = book->in_processes; /* a thread might hold a lock at the fork */
    const cf_pool_options options = {.max_workers = 1};
    cf_executor *pool;
    cf_future *futures[4];
    if (creates[kind == 0 && !may_fork ? 1 : kind](&options, &pool) != CF_OK) {
        return;
    }
    for (uint64_t i = 0; i < COUNT_OF(futures); i++) {
        const uint64_t arg = s.id + i;
        if (cf_executor_submit(pool, &square_task, &arg, &futures[i]) != CF_OK) {
            blame(&book->unasked, s.id);
        }
    }
    for (uint64_t i = 0; i < COUNT_OF(futures); i++) {
        uint64_t value = 0;
        if (futures[i] != NULL && (cf_future_result(futures[i], CF_FOREVER, &value) != CF_OK ||
                                   value != (s.id + i) * (s.id + i))) {
            blame(&book->unasked, s.id);
        }
        cf_future_release(futures[i]);
    }
    cf_executor_destroy(pool);
}

static void do_deed(spec s, cf_task_context *ctx) {
    switch ((deed)s.deed) {
    case LATE:
        be_late(ctx);
        break;
    case DIES:
    case EXITS:
        take_time(s);
        if (cf_task_attempt(ctx) <= s.deaths) {
            die(s);
        }
        break;
    case NESTS:
        if (book->in_processes || s.tenths % 2 != 0) {
            nest_a_pool(s);
        } else {
            nest_on_own(s);
        }
        break;
    default:
        take_time(s);
    }
}

int storm_run(const void *arg, void *result, cf_task_context *ctx) {
    spec s;
    memcpy(&s, arg, sizeof s);
    const size_t room = cf_task_room(ctx);
    if (s.id >= LEDGER_IDS || !spec_is(s, arg, cf_task_arg_size(ctx)) ||
        (book->has_local && cf_task_local(ctx) != (void *)(uintptr_t)book->salt)) {
        blame(&book->spoilt, s.id);
        return EBADMSG;
    }
    note_begin(s, ctx);
    do_deed(s, ctx);
    if (room > 0) {
        pattern_write(result_key(s), result, result_length(s, room));
    }
    if (s.deed == SHORT) {
        cf_task_set_result_size(ctx, result_length(s, room));
    }
    atomic_fetch_add(&book->entries[s.id].ended, 1);
    return s.deed == FAILS ? error_of(s) : 0;
}

int storm_nothing(const void *arg, void *result, cf_task_context *ctx) {
    note_life(ctx);
    atomic_fetch_add(&book->nothings_begun, 1);
    if (arg != NULL || (result == NULL) != (cf_task_room(ctx) == 0)) {
        atomic_fetch_add(&book->spoilt, 1);
    }
    if (result != NULL) {
        memset(result, NOTHING, cf_task_room(ctx));
    }
    atomic_fetch_add(&book->nothings_ended, 1);
    return 0;
}

/* ---- judging --------------------------------------------------------------------------------- */

/* A task that ends each of its attempts by itself. */
static bool always_dies(const terms *t, spec s) {
    return (s.deed == DIES || s.deed == EXITS) && s.deaths > t->retries;
}

static bool is_own_death(spec s, const cf_exception *why) {
    return s.deed == DIES ? why->signal == (int)s.signal
                          : why->signal == 0 && why->exit_code == EXIT_STATUS;
}

static bool is_deadly(int signal) {
    return signal == SIGKILL || signal == SIGSEGV || signal == SIGBUS || signal == SIGTERM ||
           signal == SIGABRT;
}

static const char *judge_success(const terms *t, spec s, const entry *e) {
    const bool is_asked = !book->in_processes && ledger_may(MAY_CANCEL); /* by terminate_workers */
    if (s.deed == FAILS || (s.deed == LATE && !is_asked) || always_dies(t, s)) {
        return "it succeeded, though it cannot";
    }
    return e->begun == 0 || e->ended == 0 ? "it succeeded, but never ran to its end" : NULL;
}

static const char *judge_death(const terms *t, spec s, const cf_exception *why, const entry *e) {
    const bool own = s.deed == DIES || s.deed == EXITS;
    if (!own && !ledger_may(MAY_DIE)) {
        return "its worker died, though nobody killed it";
    }
    if (!ledger_may(MAY_DIE | MAY_BREAK | MAY_CANCEL) &&
        (!always_dies(t, s) || e->begun != t->retries + 1)) {
        return "it was given up before its last attempt";
    }
    if (!(own && is_own_death(s, why)) && !(ledger_may(MAY_DIE) && is_deadly(why->signal))) {
        return "its worker died of something else";
    }
    return NULL;
}

static const char *judge_unrun(const terms *t, const entry *e, int attempts) {
    const bool again = t->retries > 0 && atomic_load(&book->deaths) > 0 && attempts != 0;
    return e->begun > 0 && !again ? "it ran, though it says that it did not" : NULL;
}

static const char *judge_status(const terms *t, spec s, const cf_exception *why, bool cancelled,
                                int attempts, const entry *e) {
    switch (why->status) {
    case CF_OK:
        return judge_success(t, s, e);
    case CF_ETASK:
        return s.deed != FAILS                  ? "it failed, though it cannot"
               : why->task_error != error_of(s) ? "it failed with another error"
               : e->ended == 0                  ? "it failed, but never ran to its end"
                                                : NULL;
    case CF_EWORKER:
        return judge_death(t, s, why, e);
    case CF_EDEADLINE:
        return t->timeout_ns == 0                 ? "it ran out of time without a limit"
               : why->timeout_ns != t->timeout_ns ? "it ran out of another time"
                                                  : NULL;
    case CF_ECANCELLED:
        return !cancelled && !ledger_may(MAY_CANCEL) ? "nobody cancelled it"
                                                     : judge_unrun(t, e, attempts);
    case CF_EBROKEN:
        return !ledger_may(MAY_BREAK) ? "nothing broke the pool" : NULL;
    case CF_ESHUTDOWN:
        return !ledger_may(MAY_REFUSE) ? "nobody shut the pool down" : NULL;
    case CF_ENOMEM:
        return !ledger_may(MAY_LACK) ? "there was memory" : NULL;
    default:
        return "no task ends so";
    }
}

const char *judge(const terms *t, spec s, const cf_exception *why, bool cancelled, int attempts) {
    const entry *e = &book->entries[s.id];
    if (e->begun > t->retries + 1) {
        return "it began more often than it may";
    }
    if (e->ended > e->begun) {
        return "it ended more often than it began";
    }
    if (attempts >= 0 && (e->begun > attempts || (unsigned)attempts > t->retries + 1)) {
        return "it had another number of attempts";
    }
    if (why->status == CF_EWORKER && attempts >= 0 && (unsigned)attempts != t->retries + 1 &&
        !ledger_may(MAY_CANCEL | MAY_BREAK)) {
        return "it was given up with retries left";
    }
    return judge_status(t, s, why, cancelled, attempts, e);
}
