/* No map and no stream loses an item or gives one out twice, while workers are killed, run out of time
 * and take items from each other, and with hardly any room for pending tasks. Every item is checked.
 *
 *     lost_items [ROUNDS [KILLS [SECONDS]]]      (CF_TEST_SEED, CF_TEST_MULT)
 *
 * A round is one map or one stream of some ten items on an executor that several clients share. The
 * program goes on until there were ROUNDS of them (2000) and KILLS deaths of workers (0), or ends after
 * SECONDS (0 = no limit). It returns 0, or 1 and says which items were wrong. */
#include "../support.h"

#ifdef PRIMEPOOL_HAVE_OPENMP
#include <cfutures_openmp.h>
#endif

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CLIENTS_MOST = 3,
    WORKERS_MOST = 4,
    ITEMS_MOST = 60,
    ITEMS_LEAST = 20,
    LARGE = 32 << 10, /* bytes of an argument */
    BATCH = 8,        /* plain tasks beside a map */
    RETRIES = 1000,   /* more than any item is killed */
    COMPLAINTS = 20   /* of those that are printed */
};

typedef struct kind {
    const char *name;
    cf_status (*create)(const cf_pool_options *options, cf_executor **executor);
    bool has_workers;
    bool has_processes;
} kind;

static const kind process_kind = {"process_pool", cf_process_pool_create, true, true};
static const kind thread_kind = {"thread_pool", cf_thread_pool_create, true, false};
static const kind serial_kind = {"serial", cf_serial_create, false, false};
#ifdef PRIMEPOOL_HAVE_OPENMP
static const kind openmp_kind = {"openmp", cf_openmp_create, true, false};
#endif

static const kind *const turns[] = {
    &process_kind, &thread_kind, &process_kind,
#ifdef PRIMEPOOL_HAVE_OPENMP
    &openmp_kind,
#endif
    &serial_kind,
};

/* ---- items ----------------------------------------------------------------------------------- */

typedef enum ending {
    WELL,
    SHORT, /* only the first half of the result */
    FAILS, /* returns an error */
    LATE,  /* does not return within its time */
    EDGE   /* SHORT or LATE: returns just when its time is over */
} ending;

/* What an item is to do: packed into 8 bytes, the smallest argument. */
typedef struct spec {
    unsigned index : 8;
    unsigned client : 4;
    unsigned ending : 3;
    unsigned naps : 1; /* sleeps for its time, instead of computing */
    unsigned round : 16;
    unsigned tenths : 16; /* of a microsecond */
    unsigned salt : 16;
} spec;
_Static_assert(sizeof(spec) == sizeof(uint64_t), "an argument of 8 bytes");

typedef struct outcome {
    uint64_t value, check;
} outcome;

/* What items tell of themselves, in memory that worker processes share. */
typedef struct notes {
    _Atomic uint32_t runs[CLIENTS_MOST][ITEMS_MOST];   /* round << 16 | begun so often in it */
    _Atomic int64_t took_ns[CLIENTS_MOST][ITEMS_MOST]; /* 0: it has not returned */
    _Atomic int64_t limit_ns[CLIENTS_MOST];
    _Atomic pid_t ran_by[WORKERS_MOST]; /* the process, of each worker's last item */
} notes;

static notes *shared;
static bool in_processes; /* of the executor under test; set before it is made */

static uint64_t mixed(uint64_t n) {
    return random_next(&n);
}

static uint64_t bits_of(spec s) {
    uint64_t bits;
    memcpy(&bits, &s, sizeof bits);
    return bits;
}

static bool is_short(spec s) {
    return s.ending == SHORT || s.ending == EDGE;
}

static int error_of(spec s) {
    return 1 + s.index % 100;
}

/* An argument begins with its spec; where it is larger it ends with a word made of that. */
static void fill_arg(unsigned char *arg, size_t size, spec s) {
    const uint64_t last = mixed(bits_of(s));
    memcpy(arg, &s, sizeof s);
    if (size > sizeof s) {
        memcpy(arg + size - sizeof last, &last, sizeof last);
    }
}

static bool is_arg_of(const unsigned char *arg, size_t size, spec s) {
    uint64_t last = mixed(bits_of(s));
    return memcmp(arg, &s, sizeof s) == 0 &&
           (size == sizeof s || memcmp(arg + size - sizeof last, &last, sizeof last) == 0);
}

static bool is_round_of(uint32_t runs, spec s) {
    return runs >> 16 == s.round;
}

/* Items that overran on a thread end in a later round of their client. */
static void note_begin(spec s, const cf_task_context *ctx) {
    _Atomic uint32_t *runs = &shared->runs[s.client][s.index];
    uint32_t seen = atomic_load(runs);
    while (is_round_of(seen, s) && !atomic_compare_exchange_weak(runs, &seen, seen + 1)) {}
    if (in_processes) {
        atomic_store(&shared->ran_by[cf_task_worker(ctx)], getpid());
    }
}

static void note_end(spec s, int64_t took_ns) {
    if (is_round_of(atomic_load(&shared->runs[s.client][s.index]), s)) {
        atomic_store(&shared->took_ns[s.client][s.index], took_ns + 1);
    }
}

static void nap(int64_t ns) {
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

/* Where it is killed for that, every other item waits for it. */
static void be_late(spec s, const cf_task_context *ctx) {
    while ((in_processes && s.salt % 2) || !cf_task_cancelled(ctx)) {
        nap(200 * MICROSECOND);
    }
}

static void take_time(spec s, const cf_task_context *ctx) {
    const int64_t ns = s.tenths * MICROSECOND / 10;
    if (s.ending == LATE) {
        be_late(s, ctx);
    } else if (s.ending == EDGE) {
        const int64_t later_ns = (s.salt % 160 - (int64_t)40) * MICROSECOND;
        spin_for(atomic_load(&shared->limit_ns[s.client]) + later_ns);
    } else if (s.naps) {
        nap(ns);
    } else if (ns > 0) {
        spin_for(ns);
    }
}

static int run_item(const void *arg, void *result, cf_task_context *ctx) {
    const int64_t start_ns = now_ns();
    spec s;
    memcpy(&s, arg, sizeof s);
    note_begin(s, ctx);
    take_time(s, ctx);
    outcome *o = result;
    o->value = is_arg_of(arg, cf_task_arg_size(ctx), s) ? mixed(bits_of(s) + 1) : 0;
    if (is_short(s)) {
        cf_task_set_result_size(ctx, sizeof o->value);
    } else {
        o->check = ~o->value;
    }
    note_end(s, now_ns() - start_ns);
    return s.ending == FAILS ? error_of(s) : 0;
}

/* ---- clients --------------------------------------------------------------------------------- */

/* One executor, and those that use it. */
typedef struct scene {
    const kind *kind;
    cf_executor *ex;
    unsigned workers;
    size_t max_pending;
    bool has_limits; /* some of its rounds have a time limit */
    size_t clients;
    counter over; /* clients that are through */
} scene;

/* What is to be done in a round. */
typedef struct plan {
    bool is_stream;
    size_t items;
    size_t arg_size;
    size_t chunk;
    int64_t timeout_ns; /* 0 = none */
    bool unzeroed;
    bool misaligned;       /* map: the arrays, so that workers cannot use them in place */
    bool has_costs;        /* map */
    bool wants_exceptions; /* map */
    bool as_completed;     /* stream */
    bool is_slow;          /* stream: its source has nothing now and then */
    size_t window;         /* stream */
} plan;

typedef struct client {
    pthread_t thread;
    scene *scene;
    unsigned number;
    uint64_t seed;
    size_t rounds;
    plan plan;
    spec specs[ITEMS_MOST];
    unsigned char *args;    /* ITEMS_MOST of the largest, and a word to misalign them by */
    unsigned char *results; /* likewise */
    cf_exception why[ITEMS_MOST];
    bool handed_out[ITEMS_MOST]; /* stream */
    size_t given;                /* stream: to the library by the source */
    size_t expected;             /* stream: the next in the source's order */
    size_t expired;              /* items of this round that ran out of time */
    cf_future *batch[BATCH];
    size_t batch_size;
} client;

static _Atomic uint64_t round_count, item_count, kill_count, late_count;
static _Atomic uint64_t limited_count;     /* rounds with a time limit */
static _Atomic uint64_t unexplained_count; /* items out of time that seem to have been in time */
static _Atomic uint64_t unentered_count;   /* of these, the ones whose task never began */
static _Atomic uint64_t lost_count;

static bool chance(client *c, uint64_t one_in) {
    return random_next(&c->seed) % one_in == 0;
}

static uint64_t between(uint64_t *seed, uint64_t least, uint64_t most) {
    return least + random_next(seed) % (most - least + 1);
}

static void describe(const client *c, char *text, size_t size) {
    const plan *p = &c->plan;
    const scene *s = c->scene;
    snprintf(
        text, size,
        "%s, %u workers, max_pending %zu, client %u of %zu, its round %u: %s of %zu, arguments "
        "of %zu bytes, chunk %zu, time limit %" PRId64 " ms%s",
        s->kind->name, s->workers, s->max_pending, c->number, s->clients, c->specs[0].round,
        p->is_stream ? "stream" : "map", p->items, p->arg_size, p->chunk,
        p->timeout_ns / MILLISECOND, p->unzeroed ? ", unzeroed" : "");
    const size_t used = strlen(text);
    if (p->is_stream) {
        snprintf(text + used, size - used, ", window %zu%s%s", p->window,
                 p->as_completed ? ", as completed" : "", p->is_slow ? ", slow" : "");
    } else {
        snprintf(text + used, size - used, "%s%s%s", p->misaligned ? ", misaligned" : "",
                 p->has_costs ? ", costs" : "", p->wants_exceptions ? ", exceptions" : "");
    }
}

/* `item` is SIZE_MAX where it is the whole round. */
static void complain(const client *c, size_t item, const char *what, cf_status status) {
    if (atomic_fetch_add(&lost_count, 1) < COMPLAINTS) {
        char text[400], number[32] = "";
        describe(c, text, sizeof text);
        if (item != SIZE_MAX) {
            snprintf(number, sizeof number, "item %zu: ", item);
        }
        fprintf(stderr, "lost_items: %s: %s%s (%s)\n", text, number, what, cf_status_name(status));
    }
}

/* ---- what becomes of items -------------------------------------------------------------------- */

static uint32_t runs_of(const client *c, size_t i) {
    return atomic_load(&shared->runs[c->number][i]) & 0xffff;
}

/* An item that ran out of time has begun and not returned soon. The library's clock starts a little
 * earlier than the item's, and a thread can lose its processor in between, so a few items may seem to
 * have been in time, or are never entered. A lost item may be among these: `report` allows only few. */
static void check_expired(const client *c, size_t i) {
    const bool entered = runs_of(c, i) > 0;
    const int64_t took_ns = atomic_load(&shared->took_ns[c->number][i]);
    atomic_fetch_add(&unentered_count, !entered);
    atomic_fetch_add(&unexplained_count,
                     !entered || (took_ns > 0 && took_ns < c->plan.timeout_ns / 2));
}

/* Each item that runs out of time takes that time of a worker, so few can in one round. */
static void check_time(const client *c, int64_t elapsed_ns) {
    if ((int64_t)c->expired * c->plan.timeout_ns > (int64_t)c->scene->workers * elapsed_ns) {
        complain(c, SIZE_MAX, "more time has run out than there was", CF_EDEADLINE);
    }
}

/* NULL, or what is wrong: so it is below. */
static const char *wrong_runs(const client *c, size_t i) {
    const uint32_t runs = runs_of(c, i);
    return runs == 0                                    ? "never run"
           : runs > 1 && !c->scene->kind->has_processes ? "run twice"
                                                        : NULL;
}

static cf_status status_of(ending how) {
    return how == FAILS ? CF_ETASK : how == LATE ? CF_EDEADLINE : CF_OK;
}

static const char *wrong_exception(client *c, size_t i, const cf_exception *why) {
    const spec s = c->specs[i];
    const bool expired = why->status == CF_EDEADLINE && c->plan.timeout_ns > 0;
    const bool was_meant_to = s.ending == LATE || s.ending == EDGE;
    /* The machine may have had other things to do: then an item is late that should not be. */
    const cf_status wanted = expired ? CF_EDEADLINE : status_of(s.ending);
    if (expired) {
        c->expired++;
        atomic_fetch_add(&late_count, !was_meant_to);
    }
    if (why->status != wanted) {
        return "another status";
    }
    if (why->task_error != (wanted == CF_ETASK ? error_of(s) : 0)) {
        return "another error";
    }
    if (wanted == CF_EDEADLINE && why->timeout_ns != c->plan.timeout_ns) {
        return "another time limit";
    }
    if (why->worker < 0 || why->worker >= (int)c->scene->workers) {
        return "no such worker";
    }
    if (expired) {
        check_expired(c, i);
    }
    return expired && runs_of(c, i) == 0 ? NULL : wrong_runs(c, i);
}

static const char *wrong_result(const client *c, size_t i, cf_status status,
                                const unsigned char *result) {
    const spec s = c->specs[i];
    outcome got, wanted = {0};
    memcpy(&got, result, sizeof got);
    if (status == CF_OK) {
        wanted.value = mixed(bits_of(s) + 1);
        wanted.check = is_short(s) ? 0 : ~wanted.value;
    }
    return memcmp(&got, &wanted, sizeof got) != 0 ? "another result" : NULL;
}

/* ---- maps ------------------------------------------------------------------------------------ */

static double cost_of(void *context, const void *arg) {
    spec s;
    (void)context;
    memcpy(&s, arg, sizeof s);
    return s.tenths;
}

static void check_map(client *c, const unsigned char *results, cf_status status) {
    cf_status first = CF_OK;
    for (size_t i = 0; i < c->plan.items; i++) {
        const cf_exception *why = c->plan.wants_exceptions ? &c->why[i] : NULL;
        const cf_status ended = why != NULL ? why->status : status_of(c->specs[i].ending);
        const char *wrong = why != NULL ? wrong_exception(c, i, why) : wrong_runs(c, i);
        if (wrong == NULL) {
            wrong = wrong_result(c, i, ended, results + i * sizeof(outcome));
        }
        if (wrong != NULL) {
            complain(c, i, wrong, ended);
        }
        first = first == CF_OK ? ended : first;
    }
    if (status != first) {
        complain(c, SIZE_MAX, "not the status of the first that failed", status);
    }
}

static void play_map(client *c, const cf_task *task) {
    const plan *p = &c->plan;
    const size_t shift = p->misaligned ? 4 : 0;
    unsigned char *args = c->args + shift, *results = c->results + shift;
    for (size_t i = 0; i < p->items; i++) {
        fill_arg(args + i * p->arg_size, p->arg_size, c->specs[i]);
    }
    memset(results, 0xa5, p->items * sizeof(outcome));
    memset(c->why, 0xa5, sizeof c->why);
    const cf_map_options options = {.chunk = p->chunk,
                                    .retries = RETRIES,
                                    .timeout_ns = p->timeout_ns,
                                    .cost = p->has_costs ? cost_of : NULL,
                                    .exceptions = p->wants_exceptions ? c->why : NULL};
    const cf_status status = cf_executor_map(c->scene->ex, task, args, p->items, results, &options);
    check_map(c, results, status);
}

/* ---- streams --------------------------------------------------------------------------------- */

static cf_source_answer next_item(void *context, void *arg) {
    client *c = context;
    if (c->given == c->plan.items) {
        return CF_SOURCE_END;
    }
    if (c->plan.is_slow && chance(c, 3)) {
        return CF_SOURCE_LATER;
    }
    fill_arg(arg, c->plan.arg_size, c->specs[c->given++]);
    return CF_SOURCE_ITEM;
}

static const char *wrong_stream_result(const client *c, size_t i, const cf_stream_item *item) {
    unsigned char result[sizeof(outcome)] = {0};
    const size_t size = item->exception.status != CF_OK ? 0
                        : is_short(c->specs[i])         ? sizeof(uint64_t)
                                                        : sizeof(outcome);
    if (item->result_size != size || (item->result == NULL) != (size == 0)) {
        return "a result of another size";
    }
    if (size > 0) {
        memcpy(result, item->result, size);
    }
    return wrong_result(c, i, item->exception.status, result);
}

static const char *wrong_stream_item(client *c, const cf_stream_item *item) {
    const size_t i = (size_t)item->index;
    if (i >= c->given || c->handed_out[i]) {
        return i >= c->given ? "never given" : "handed out twice";
    }
    c->handed_out[i] = true;
    if (!c->plan.as_completed && i != c->expected++) {
        return "out of order";
    }
    if (!is_arg_of(item->arg, c->plan.arg_size, c->specs[i])) {
        return "another argument";
    }
    const char *wrong = wrong_exception(c, i, &item->exception);
    return wrong != NULL ? wrong : wrong_stream_result(c, i, item);
}

/* Until there is nothing left. Sometimes it looks only, or waits for a moment. */
static cf_status take_items(client *c, cf_stream *stream) {
    for (;;) {
        cf_stream_item item;
        const bool patient = !chance(c, 8);
        const int64_t timeout_ns =
            patient ? LONG_WAIT : (int64_t)between(&c->seed, 0, 1) * 100 * MICROSECOND;
        const cf_status status = cf_stream_next(stream, timeout_ns, &item);
        if (status == CF_OK) {
            const char *wrong = wrong_stream_item(c, &item);
            if (wrong != NULL) {
                complain(c, (size_t)item.index, wrong, item.exception.status);
            }
        } else if (status != CF_ELATER && (status != CF_ETIMEDOUT || patient)) {
            return status;
        }
    }
}

static void play_stream(client *c, const cf_task *task) {
    const plan *p = &c->plan;
    const cf_stream_options options = {.as_completed = p->as_completed,
                                       .window = p->window,
                                       .chunk = p->chunk,
                                       .size_hint = chance(c, 2) ? p->items : 0,
                                       .retries = RETRIES,
                                       .timeout_ns = p->timeout_ns};
    cf_stream *stream = NULL;
    memset(c->handed_out, 0, sizeof c->handed_out);
    c->given = c->expected = 0;
    cf_status status = cf_stream_open(c->scene->ex, task, next_item, c, &options, &stream);
    if (status == CF_OK) {
        status = take_items(c, stream);
    }
    if (status != CF_EEXHAUSTED) {
        complain(c, SIZE_MAX, "not exhausted", status);
    }
    for (size_t i = 0; i < p->items; i++) {
        if (!c->handed_out[i]) {
            complain(c, i, "never handed out", status);
        }
    }
    cf_stream_close(stream);
}

/* ---- plain tasks beside them ------------------------------------------------------------------ */

static void submit_batch(client *c) {
    uint64_t args[BATCH];
    c->batch_size = chance(c, 4) ? between(&c->seed, 1, BATCH) : 0;
    const cf_submit_options options = {.retries = RETRIES};
    for (uint64_t i = 0; i < c->batch_size; i++) {
        args[i] = i + 1;
    }
    const cf_status status = cf_executor_submit_many(c->scene->ex, &square_task, args,
                                                     c->batch_size, &options, c->batch, NULL);
    if (status != CF_OK) {
        complain(c, SIZE_MAX, "submit_many", status);
    }
}

static void take_batch(client *c) {
    for (size_t i = 0; i < c->batch_size; i++) {
        uint64_t value = 0;
        const cf_status status = cf_future_result(c->batch[i], LONG_WAIT, &value);
        if (status != CF_OK || value != (i + 1) * (i + 1)) {
            complain(c, i, "a plain task's result", status);
        }
        cf_future_release(c->batch[i]);
    }
}

/* ---- rounds ---------------------------------------------------------------------------------- */

/* How long items take: nothing, but for a few; or a little each, and a few long. */
static unsigned make_time(client *c, uint64_t profile) {
    if (chance(c, profile == 0 ? 15 : 30)) {
        return (unsigned)between(&c->seed, 500, 2500);
    }
    return profile == 0 ? 0 : (unsigned)between(&c->seed, 0, profile == 1 ? 30 : 200);
}

static ending make_ending(client *c, bool varied) {
    const uint64_t r = random_next(&c->seed) % 16;
    return !varied ? WELL : r < 3 ? FAILS : r < 6 ? SHORT : WELL;
}

static void make_specs(client *c, unsigned round) {
    const uint64_t profile = random_next(&c->seed) % 3;
    const bool varied = c->plan.timeout_ns > 0 ? !chance(c, 4) : chance(c, 4);
    const bool naps = chance(c, 2);
    for (unsigned i = 0; i < c->plan.items; i++) {
        const unsigned tenths = make_time(c, profile);
        c->specs[i] = (spec){.index = i & 0xff,
                             .client = c->number & 0xf,
                             .ending = make_ending(c, varied),
                             .naps = naps && tenths >= 500,
                             .round = round & 0xffff,
                             .tenths = tenths & 0xffff,
                             .salt = random_next(&c->seed) & 0xffff};
    }
    for (size_t n = c->plan.timeout_ns > 0 ? between(&c->seed, 1, 2) : 0; n > 0; n--) {
        c->specs[random_next(&c->seed) % c->plan.items].ending = chance(c, 2) ? LATE : EDGE;
    }
}

static void make_plan(client *c) {
    static const size_t arg_sizes[] = {8, 16, 16, LARGE};
    const bool limited = c->scene->has_limits && chance(c, 4);
    c->plan = (plan){
        .is_stream = chance(c, 2),
        .items = between(&c->seed, ITEMS_LEAST, ITEMS_MOST),
        .arg_size = arg_sizes[random_next(&c->seed) % COUNT_OF(arg_sizes)],
        .chunk = chance(c, limited ? 2 : 4) ? between(&c->seed, 1, 12) : 0,
        .timeout_ns = limited ? (int64_t)between(&c->seed, 4, 12) * MILLISECOND : 0,
        .unzeroed = chance(c, 4),
        .misaligned = chance(c, 3),
        .has_costs = chance(c, 8),
        .wants_exceptions = limited || chance(c, 2),
        .as_completed = chance(c, 2),
        .is_slow = chance(c, 4),
        .window = chance(c, 2) ? between(&c->seed, 1, 16) : 0,
    };
    atomic_fetch_add(&limited_count, limited);
}

static void play_round(client *c, unsigned round) {
    make_plan(c);
    make_specs(c, round);
    atomic_store(&shared->limit_ns[c->number], c->plan.timeout_ns);
    for (size_t i = 0; i < c->plan.items; i++) {
        atomic_store(&shared->runs[c->number][i], (uint32_t)c->specs[i].round << 16);
        atomic_store(&shared->took_ns[c->number][i], 0);
    }
    const cf_task task = {.name = "item",
                          .run = run_item,
                          .arg_size = c->plan.arg_size,
                          .result_size = sizeof(outcome),
                          .unzeroed = c->plan.unzeroed};
    submit_batch(c);
    c->expired = 0;
    const int64_t start_ns = now_ns();
    if (c->plan.is_stream) {
        play_stream(c, &task);
    } else {
        play_map(c, &task);
    }
    check_time(c, now_ns() - start_ns);
    take_batch(c);
    atomic_fetch_add(&round_count, 1);
    atomic_fetch_add(&item_count, c->plan.items);
}

static void *play(void *arg) {
    client *c = arg;
    for (unsigned round = 1; round <= c->rounds; round++) {
        play_round(c, round);
    }
    counter_add(&c->scene->over, 1);
    return NULL;
}

/* ---- death ----------------------------------------------------------------------------------- */

typedef struct killer {
    pthread_t thread;
    cf_executor *ex;
    uint64_t seed;
    int64_t pause_most_ns;
    _Atomic bool over;
} killer;

/* Mostly one that has begun an item in this life. One that has not is not killed twice in a row: a
 * pool may take that for workers that cannot live. */
static void kill_one(killer *k, bool *spared) {
    const unsigned number = (unsigned)(random_next(&k->seed) % WORKERS_MOST);
    cf_worker_stats worker;
    if (cf_executor_worker_stats(k->ex, number, &worker) != CF_OK || worker.id <= 1) {
        return;
    }
    if (atomic_load(&shared->ran_by[number]) == (pid_t)worker.id) {
        spared[number] = false;
    } else if (spared[number] || random_next(&k->seed) % 4 != 0) {
        return;
    } else {
        spared[number] = true;
    }
    kill((pid_t)worker.id, SIGKILL);
}

static void *kill_workers(void *arg) {
    killer *k = arg;
    bool spared[WORKERS_MOST] = {false};
    while (!atomic_load(&k->over)) {
        nap((int64_t)between(&k->seed, 1, (uint64_t)k->pause_most_ns));
        kill_one(k, spared);
    }
    return NULL;
}

/* Where items are to run out of time, workers have to live for so long. */
static void killer_start(killer *k, const scene *s, uint64_t *seed) {
    static const int64_t pauses[] = {100 * MICROSECOND, 300 * MICROSECOND, MILLISECOND};
    const int64_t pause_ns = pauses[random_next(seed) % COUNT_OF(pauses)];
    *k = (killer){.ex = s->ex,
                  .seed = random_next(seed),
                  .pause_most_ns = s->has_limits ? 20 * MILLISECOND : pause_ns};
    if (pthread_create(&k->thread, NULL, kill_workers, k) != 0) {
        perror("lost_items: pthread_create");
        exit(2);
    }
}

static void killer_stop(killer *k) {
    atomic_store(&k->over, true);
    pthread_join(k->thread, NULL);
}

/* ---- scenes ---------------------------------------------------------------------------------- */

static client clients[CLIENTS_MOST];

static void clients_init(void) {
    for (unsigned i = 0; i < CLIENTS_MOST; i++) {
        clients[i].number = i;
        clients[i].args = calloc(ITEMS_MOST + 1, LARGE);
        clients[i].results = calloc(ITEMS_MOST + 1, sizeof(outcome));
    }
}

static void clients_free(void) {
    for (unsigned i = 0; i < CLIENTS_MOST; i++) {
        free(clients[i].args);
        free(clients[i].results);
    }
}

static void scene_open(scene *s, const kind *k, uint64_t *seed) {
    *s = (scene){.kind = k,
                 .workers = k->has_workers ? (unsigned)between(seed, 2, WORKERS_MOST) : 1,
                 .max_pending = random_next(seed) % 2 ? 1 : between(seed, 2, 4),
                 .has_limits = random_next(seed) % 6 == 0,
                 .clients = between(seed, 1, CLIENTS_MOST)};
    in_processes = k->has_processes;
    memset((void *)shared, 0, sizeof *shared);
    const cf_pool_options options = {.max_workers = s->workers, .max_pending = s->max_pending};
    const cf_status status = k->create(&options, &s->ex);
    if (status != CF_OK) {
        fprintf(stderr, "lost_items: %s: %s\n", k->name, cf_status_name(status));
        exit(2);
    }
}

/* False: no round has ended for as long as a wait takes. All of them may take longer on a slow machine. */
static bool goes_on_to_the_end(scene *s) {
    uint64_t rounds;
    do {
        rounds = atomic_load(&round_count);
        if (counter_wait(&s->over, (uint32_t)s->clients)) {
            return true;
        }
    } while (atomic_load(&round_count) != rounds);
    return false;
}

/* A map that has lost a whole chunk may never return. */
static void await_clients(scene *s) {
    if (!goes_on_to_the_end(s)) {
        for (size_t i = 0; i < s->clients; i++) {
            char text[400];
            describe(&clients[i], text, sizeof text);
            fprintf(stderr, "lost_items: nothing goes on: %s\n", text);
        }
        abort();
    }
    for (size_t i = 0; i < s->clients; i++) {
        pthread_join(clients[i].thread, NULL);
    }
}

static void scene_close(scene *s) {
    cf_stats stats;
    cf_executor_shutdown(s->ex, true, false);
    if (cf_executor_stats(s->ex, &stats) != CF_OK || stats.pending + stats.running != 0 ||
        stats.finished + stats.cancelled != stats.submitted) {
        complain(&clients[0], SIZE_MAX, "tasks that are neither done nor cancelled", CF_OK);
    }
    atomic_fetch_add(&kill_count, stats.restarts);
    cf_executor_destroy(s->ex);
}

static void play_scene(const kind *k, uint64_t *seed, size_t rounds) {
    scene s;
    killer reaper;
    scene_open(&s, k, seed);
    for (size_t i = 0; i < s.clients; i++) {
        clients[i].scene = &s;
        clients[i].seed = random_next(seed);
        clients[i].rounds = rounds;
        if (pthread_create(&clients[i].thread, NULL, play, &clients[i]) != 0) {
            perror("lost_items: pthread_create");
            exit(2);
        }
    }
    if (k->has_processes) {
        killer_start(&reaper, &s, seed);
    }
    await_clients(&s);
    if (k->has_processes) {
        killer_stop(&reaper);
    }
    scene_close(&s);
}

/* ---- the program ----------------------------------------------------------------------------- */

static bool read_number(int argc, char **argv, int which, uint64_t *number) {
    char *end = NULL;
    if (argc > which) {
        *number = strtoull(argv[which], &end, 10);
    }
    return argc <= which || (end != argv[which] && *end == '\0');
}

static int report(int64_t start_ns) {
    const uint64_t rounds = atomic_load(&round_count), lost = atomic_load(&lost_count);
    const double seconds = (double)(now_ns() - start_ns) / SECOND;
    const uint64_t unexplained = atomic_load(&unexplained_count);
    const uint64_t limited = atomic_load(&limited_count), excused = 4 + limited / 1000;
    printf("lost_items: rounds=%" PRIu64 " items=%" PRIu64 " kills=%" PRIu64 " late=%" PRIu64
           " limited=%" PRIu64 " unexplained=%" PRIu64 " unentered=%" PRIu64 " lost=%" PRIu64
           " in %.1f s, %.0f rounds/s\n",
           rounds, atomic_load(&item_count), atomic_load(&kill_count), atomic_load(&late_count),
           limited, unexplained, atomic_load(&unentered_count), lost, seconds,
           (double)rounds / seconds);
    if (unexplained > excused) {
        printf("lost_items: more than %" PRIu64 " items ran out of time that were in time\n",
               excused);
    }
    return lost > 0 || unexplained > excused;
}

int main(int argc, char **argv) {
    uint64_t rounds = 2000, kills = 0, seconds = 0;
    if (argc > 4 || !read_number(argc, argv, 1, &rounds) || !read_number(argc, argv, 2, &kills) ||
        !read_number(argc, argv, 3, &seconds)) {
        fprintf(stderr, "usage: lost_items [ROUNDS [KILLS [SECONDS]]]\n");
        return 2;
    }
    rounds = scaled(rounds);
    kills = scaled(kills);
    uint64_t seed = test_seed("lost_items");
    const int64_t start_ns = now_ns();
    const int64_t end_ns = seconds > 0 ? start_ns + (int64_t)seconds * SECOND : INT64_MAX;
    shared = shared_alloc(sizeof *shared);
    clients_init();
    for (size_t turn = 0; now_ns() < end_ns &&
                          (atomic_load(&round_count) < rounds || atomic_load(&kill_count) < kills);
         turn++) {
        play_scene(turns[turn % COUNT_OF(turns)], &seed, 60);
    }
    clients_free();
    shared_free(shared, sizeof *shared);
    return report(start_ns);
}
