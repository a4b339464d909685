#include "storm_plan.h"

#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    INIT_ERROR = 7
};

/* ---- initializers ---------------------------------------------------------------------------- */

static uint64_t failing_call; /* of the round's initializer */
static initializing failing_how;

static int initialize(void *context, unsigned worker, void **local) {
    const uint64_t call = atomic_fetch_add(&book->begun, 1);
    if (context != book || worker >= LEDGER_WORKERS || *local != NULL) {
        atomic_fetch_add(&book->spoilt, 1);
    }
    *local = (void *)(uintptr_t)book->salt;
    if (failing_how >= INITIALIZER_FAILS && call == failing_call) {
        if (failing_how == INITIALIZER_FAILS) {
            return INIT_ERROR;
        }
        atomic_fetch_add(&book->deaths, 1);
        tally_add(&sums->own[SIGKILL], 1);
        tally_add(&chaos->kills, 1);
        raise(SIGKILL);
    }
    return 0;
}

static void finalize(void *context, unsigned worker, void *local) {
    atomic_fetch_add(&book->ended, 1);
    if (context != book || worker >= LEDGER_WORKERS || local != (void *)(uintptr_t)book->salt) {
        atomic_fetch_add(&book->spoilt, 1);
    }
}

/* ---- options --------------------------------------------------------------------------------- */

static executor_kind choose_kind(uint64_t *seed) {
    const uint64_t r = random_next(seed) % 16;
#ifdef PRIMEPOOL_HAVE_OPENMP
    const executor_kind team = OPENMP;
#else
    const executor_kind team = THREADS;
#endif
    return r < 12 ? PROCESSES : r < 14 ? THREADS : r < 15 ? SERIAL : team;
}

static mood choose_mood(uint64_t *seed, executor_kind kind) {
    const uint64_t r = random_next(seed) % 64;
    const mood m = r < 8 ? CALM : r < 28 ? STORMY : r < 62 ? MASSACRE : BIG;
    return m == MASSACRE && kind != PROCESSES ? STORMY : m;
}

static void choose_options(round_plan *p, uint64_t *seed) {
    static const char *const names[] = {NULL, "storm", "a name that is much too long"};
    cf_pool_options *o = &p->options;
    const bool tiny = p->mood == MASSACRE || p->mood == BIG;
    o->max_workers = p->kind == SERIAL ? (unsigned)between(seed, 0, 1)
                                       : (unsigned)between(seed, p->mood == MASSACRE ? 2 : 1, 4);
    o->record_times = one_in(seed, 3);
    o->arena_limit = !tiny && one_in(seed, 12) ? between(seed, 1, 4) << 20 : 0;
    o->max_pending = one_in(seed, 3) ? between(seed, 1, 16) : 0;
    o->refuse_when_full = p->mood != MASSACRE && one_in(seed, 3);
    o->max_tasks_per_worker = one_in(seed, 5) ? (unsigned)between(seed, 1, tiny ? 50 : 5) : 0;
    o->name = names[random_next(seed) % COUNT_OF(names)];
    o->keep_signal_mask = one_in(seed, 4);
    o->ignore_sigterm = one_in(seed, 4);
    o->run_exit_handlers = one_in(seed, 4);
    p->initializing = !one_in(seed, 3)                          ? NO_INITIALIZER
                      : !one_in(seed, 6) || p->mood == CALM     ? INITIALIZES
                      : p->kind == PROCESSES && one_in(seed, 2) ? INITIALIZER_DIES
                                                                : INITIALIZER_FAILS;
    if (p->initializing != NO_INITIALIZER) {
        o->initializer = initialize;
        o->finalizer = one_in(seed, 2) ? finalize : NULL;
        o->context = book;
        failing_call = random_next(seed) % (tiny ? 64 : 6);
        failing_how = p->initializing;
    }
    p->term_is_deadly = !o->ignore_sigterm && !o->keep_signal_mask;
}

static void choose_deaths(round_plan *p, uint64_t *seed) {
    static const int64_t pauses[] = {2 * MILLISECOND, 500 * MICROSECOND, 60 * MICROSECOND,
                                     400 * MICROSECOND};
    p->has_killer = p->kind == PROCESSES && p->mood != CALM && !one_in(seed, 12);
    p->killer_is_process = one_in(seed, 4);
    p->stops_workers = one_in(seed, 2);
    p->pause_ns = pauses[p->mood];
    p->kills_most = (unsigned)between(seed, 10, p->mood == BIG ? 400 : 200);
    p->kills_newborn = one_in(seed, 4);
    p->kills_nursery = p->mood != BIG ? one_in(seed, 12) : one_in(seed, 4);
    p->stops_nursery = !p->kills_nursery && one_in(seed, 12);
}

static void describe(const round_plan *p) {
    static const char *const moods[] = {"calm", "stormy", "massacre", "big"};
    static const char *const kinds[] = {"process_pool", "thread_pool", "serial", "openmp"};
    static const char *const finales[] = {"destroy",          "wait",      "leave", "cancel",
                                          "cancel and leave", "terminate", "kill"};
    const cf_pool_options *o = &p->options;
    snprintf(storm->plan, sizeof storm->plan,
             "%s, %s%s, %u workers, %u clients, max_pending %zu%s, max_tasks %u, arena %zu, "
             "initializer %d%s%s%s%s%s%s%s, ends by %s%s",
             moods[p->mood], kinds[p->kind], p->has_second ? " twice" : "", o->max_workers,
             p->clients, o->max_pending, o->refuse_when_full ? " refusing" : "",
             o->max_tasks_per_worker, o->arena_limit, (int)p->initializing,
             o->record_times ? ", times" : "", o->ignore_sigterm ? ", ignores TERM" : "",
             p->has_killer ? ", killer" : "",
             p->has_killer && p->killer_is_process ? " in a process" : "",
             p->has_killer && p->kills_newborn ? ", kills newborn" : "",
             p->has_killer && p->kills_nursery ? ", kills the nursery" : "",
             p->has_killer && p->stops_nursery ? ", stops the nursery" : "", finales[p->finale],
             p->is_interrupted ? " in the middle" : "");
}

void plan_make(round_plan *p, uint64_t number, uint64_t *seed) {
    static const unsigned operations[] = {6, 6, 5, 1};
    *seed = chaos_seed ^ (number * UINT64_C(0xd1342543de82ef95));
    random_next(seed);
    ledger_open(random_next(seed) >> 8);
    *p = (round_plan){.number = number, .kind = choose_kind(seed)};
    p->mood = choose_mood(seed, p->kind);
    choose_options(p, seed);
    choose_deaths(p, seed);
    p->clients = p->mood == BIG ? 1 : (unsigned)between(seed, 1, CLIENTS_MOST);
    p->operations = (unsigned)between(seed, 1, operations[p->mood]);
    p->finale = (finale)(random_next(seed) % FINALES);
    p->has_second = p->kind == PROCESSES && one_in(seed, 8);
    p->is_interrupted = p->finale != DESTROY && one_in(seed, p->mood == MASSACRE ? 16 : 5);
    book->in_processes = p->kind == PROCESSES;
    book->has_local = p->initializing != NO_INITIALIZER;
    const bool breaks =
        p->initializing >= INITIALIZER_FAILS ||
        (p->has_killer &&
         (p->kills_nursery || (p->kills_newborn && p->initializing != NO_INITIALIZER)));
    atomic_store(&book->may, (p->has_killer ? MAY_DIE : 0u) | (breaks ? MAY_BREAK : 0u) |
                                 (p->options.arena_limit > 0 ? MAY_LACK : 0u));
    describe(p);
}

cf_executor *plan_create(const round_plan *p) {
    static cf_status (*const creates[])(const cf_pool_options *, cf_executor **) = {
        cf_process_pool_create, cf_thread_pool_create, cf_serial_create,
#ifdef PRIMEPOOL_HAVE_OPENMP
        cf_openmp_create
#endif
    };
    cf_executor *ex = NULL;
    sigset_t term, before; /* workers keep this mask, if they keep one */
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, &before);
    const cf_status status = creates[p->kind](&p->options, &ex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (status != CF_OK) {
        tally_fault(&chaos->lost, "round %" PRIu64 ": no executor: %s (%s)", p->number,
                    cf_status_name(status), storm->plan);
        return NULL;
    }
    return ex;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void allow(const round_plan *p, finale how) {
    const bool kills = p->kind == PROCESSES && how >= TERMINATE;
    atomic_fetch_or(&book->may,
                    MAY_REFUSE | (how >= CANCEL ? MAY_CANCEL : 0u) | (kills ? MAY_DIE : 0u));
    atomic_fetch_add(&book->deaths, kills ? p->options.max_workers : 0);
}

bool finale_waits(finale how) {
    return how == WAIT || how == CANCEL;
}

void plan_finale(const round_plan *p, cf_executor *ex, finale how) {
    allow(p, how);
    if (how == TERMINATE) {
        cf_executor_terminate_workers(ex);
    } else if (how == KILL) {
        const cf_status status = cf_executor_kill_workers(ex);
        if (status != (p->kind == PROCESSES ? CF_OK : CF_EUNSUPPORTED)) {
            tally_fault(&chaos->lost, "round %" PRIu64 ": cf_executor_kill_workers: %s", p->number,
                        cf_status_name(status));
        }
    } else {
        cf_executor_shutdown(ex, finale_waits(how), how >= CANCEL);
    }
}
