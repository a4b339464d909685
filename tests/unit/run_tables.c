#include "run_tables.h"

#include "../support.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGUN        (5000 * SECOND) /* as the clock may stand when a program begins */
#define WORKERS_MOST 400

/* One task and its one result. */
typedef struct job {
    const char *label; /* NULL: its number */
    int64_t run_ns, first_byte_ns;
    run_ending ending; /* of its first attempt */
    int32_t detail;
    bool again; /* another attempt, which is well */
} job;

static void begin(run_table *table, const char *program, const char *worker, unsigned workers,
                  bool ordered, const char *name) {
    *table = (run_table){.program = program,
                         .worker = worker,
                         .workers = workers,
                         .why = "2 processors may be used",
                         .ordered = ordered,
                         .begun_ns = BEGUN,
                         .ended_ns = BEGUN,
                         .most = RUN_TABLE_MOST};
    run_table_name(table, name);
}

/* ---- a pool ---------------------------------------------------------------------------------- */

typedef struct pool {
    run_table *table;
    int64_t free_ns[WORKERS_MOST];
    size_t life[WORKERS_MOST];
    run_entry *runs;
    size_t runs_count;
} pool;

static void start_worker(pool *p, unsigned worker, int64_t start_ns) {
    p->life[worker] =
        run_table_add_worker(p->table, &(run_worker){.number = (int32_t)worker,
                                                     .id = 4000 + (int64_t)p->table->lives_count,
                                                     .started_ns = start_ns});
    p->free_ns[worker] = start_ns + 300 * MICROSECOND;
}

static unsigned first_idle(const pool *p) {
    unsigned best = 0;
    for (unsigned w = 1; w < p->table->workers; w++) {
        if (p->free_ns[w] < p->free_ns[best]) {
            best = w;
        }
    }
    return best;
}

/* Returns when it ended. */
static int64_t run_attempt(pool *p, const job *j, run_entry *run, int64_t earliest_ns) {
    const unsigned worker = first_idle(p);
    run->worker = (int32_t)worker;
    run->begun_ns = p->free_ns[worker] > earliest_ns ? p->free_ns[worker] : earliest_ns;
    run->ended_ns = run->begun_ns + j->run_ns;
    run->first_byte_ns = j->first_byte_ns == 0 ? 0 : run->begun_ns + j->first_byte_ns;
    p->free_ns[worker] = run->ended_ns + 5 * MICROSECOND;
    if (run->ending == RUN_DIED) {
        p->table->lives[p->life[worker]].gone_ns = run->ended_ns;
        p->table->lives[p->life[worker]].wait_status = run->detail;
        start_worker(p, worker, run->ended_ns + 800 * MICROSECOND);
    }
    p->runs[p->runs_count++] = *run;
    return run->ended_ns;
}

static int by_end(const void *a, const void *b) {
    const run_entry *left = a, *right = b;
    return (left->ended_ns > right->ended_ns) - (left->ended_ns < right->ended_ns);
}

static void hand_out_run(run_table *table, const job *jobs, const run_entry *run) {
    char number[32];
    snprintf(number, sizeof number, "%" PRIu64, run->item);
    const char *label = jobs[run->item].label;
    const int64_t earliest_ns = table->ended_ns > run->ended_ns ? table->ended_ns : run->ended_ns;
    table->ended_ns = earliest_ns + 4 * MICROSECOND;
    run_table_add_result(table, run->item, label == NULL ? number : label, table->ended_ns);
}

static const run_entry *last_run(const run_table *table, uint64_t item) {
    const run_entry *last = NULL;
    for (size_t r = 0; r < table->runs_count; r++) {
        last = table->runs[r].item == item ? &table->runs[r] : last;
    }
    return last; /* NULL: it is left out */
}

static void hand_out(run_table *table, const job *jobs, size_t count) {
    for (size_t i = 0; table->ordered && i < count; i++) {
        const run_entry *run = last_run(table, i);
        if (run != NULL) {
            hand_out_run(table, jobs, run);
        }
    }
    for (size_t r = 0; !table->ordered && r < table->runs_count; r++) {
        const run_entry *run = &table->runs[r];
        if (run == last_run(table, run->item)) {
            hand_out_run(table, jobs, run);
        }
    }
}

/* As a pool runs them, each task on the first worker that is idle. */
static void run_jobs(run_table *table, const job *jobs, size_t count) {
    pool p = {.table = table, .runs = calloc(2 * count, sizeof *p.runs)};
    for (unsigned w = 0; w < table->workers; w++) {
        start_worker(&p, w, BEGUN + (int64_t)w * 60 * MICROSECOND);
    }
    for (size_t i = 0; i < count; i++) {
        run_entry run = {.item = i,
                         .items = 1,
                         .attempt = 1,
                         .submitted_ns = BEGUN + (int64_t)i * MICROSECOND,
                         .ending = jobs[i].ending,
                         .detail = jobs[i].detail};
        const int64_t ended_ns = run_attempt(&p, &jobs[i], &run, 0);
        if (jobs[i].again) {
            run.attempt = 2;
            run.ending = RUN_OK;
            run.detail = 0;
            run_attempt(&p, &jobs[i], &run, ended_ns + MILLISECOND);
        }
    }
    qsort(p.runs, p.runs_count, sizeof *p.runs, by_end);
    for (size_t r = 0; r < p.runs_count; r++) {
        run_table_add_run(table, &p.runs[r]);
    }
    free(p.runs);
}

static void run_and_hand_out(run_table *table, const job *jobs, size_t count) {
    run_jobs(table, jobs, count);
    hand_out(table, jobs, count);
}

/* ---- as programs leave them ------------------------------------------------------------------ */

static const job PRIMES[] = {
    {"9999999999999999", .run_ns = 1 * MICROSECOND},
    {"9999999999999917", .run_ns = 106287 * MICROSECOND},
    {"7777777777777777", .run_ns = 600},
    {"7777777777777753", .run_ns = 97583 * MICROSECOND},
    {"7777777536340681", .run_ns = 95200 * MICROSECOND},
    {"6666667141414921", .run_ns = 84100 * MICROSECOND},
    {"6666666666666719", .run_ns = 86300 * MICROSECOND},
    {"6666666666666666", .run_ns = 500},
    {"5555555555555555", .run_ns = 700},
    {"5555555555555503", .run_ns = 77900 * MICROSECOND},
    {"5555553133149889", .run_ns = 75600 * MICROSECOND},
    {"4444444488888889", .run_ns = 68800 * MICROSECOND},
    {"4444444444444444", .run_ns = 400},
    {"4444444444444423", .run_ns = 69400 * MICROSECOND},
    {"3333335652092209", .run_ns = 60200 * MICROSECOND},
    {"3333333333333333", .run_ns = 800},
    {"3333333333333301", .run_ns = 59700 * MICROSECOND},
    {"299593572317531", .run_ns = 17900 * MICROSECOND},
    {"142702110479723", .run_ns = 12400 * MICROSECOND},
    {"2", .run_ns = 300},
};

static void make_primes(run_table *table) {
    begin(table, "proc_pool", "process", 2, true, "check");
    run_and_hand_out(table, PRIMES, COUNT_OF(PRIMES));
}

static void make_one(run_table *table) {
    begin(table, "threads", "thread", 1, false, "check");
    snprintf(table->why, sizeof table->why, "asked for");
    run_and_hand_out(table, &PRIMES[1], 1);
}

static void make_empty(run_table *table) {
    begin(table, "proc_pool", "process", 2, true, "check");
}

/* A table that nobody has filled. */
static void make_zeros(run_table *table) {
    *table = (run_table){0};
}

static void make_failures(run_table *table) {
    job jobs[COUNT_OF(PRIMES)];
    memcpy(jobs, PRIMES, sizeof jobs);
    jobs[1].ending = RUN_DIED;
    jobs[1].detail = SIGKILL;
    jobs[1].again = true;
    jobs[5].ending = RUN_DIED;
    jobs[5].detail = 3 << 8;
    jobs[5].again = true;
    jobs[9].ending = RUN_LATE;
    jobs[11].ending = RUN_ERROR;
    jobs[11].detail = ENOMEM;
    jobs[14].ending = RUN_DIED;
    jobs[14].detail = SIGSEGV;
    begin(table, "proc_pool", "process", 3, true, "check");
    snprintf(table->why, sizeof table->why, "asked for; 2 processors may be used");
    run_and_hand_out(table, jobs, COUNT_OF(jobs));
}

/* The names of countries, and how long their servers took: a few keep others waiting. */
static void run_flags(run_table *table) {
    static const char CODES[][3] = {"BD", "BR", "CD", "CN", "DE", "EG", "ET", "FR", "ID", "IN",
                                    "IR", "JP", "MX", "NG", "PH", "PK", "RU", "TR", "US", "VN"};
    uint64_t seed = 7;
    job jobs[COUNT_OF(CODES)];
    for (size_t i = 0; i < COUNT_OF(CODES); i++) {
        const int64_t first_ns =
            90 * MILLISECOND + (int64_t)(random_next(&seed) % 160) * MILLISECOND;
        jobs[i] = (job){.label = CODES[i],
                        .first_byte_ns = first_ns,
                        .run_ns = first_ns + (int64_t)(random_next(&seed) % 70) * MILLISECOND};
    }
    jobs[3].run_ns = 780 * MILLISECOND;
    jobs[3].first_byte_ns = 640 * MILLISECOND;
    jobs[10] = (job){.label = "IR", .run_ns = 400 * MILLISECOND, .ending = RUN_LATE};
    jobs[13] = (job){.label = "NG", .run_ns = 95 * MILLISECOND, .ending = RUN_ERROR, .again = true};
    jobs[13].detail = ECONNRESET;
    run_and_hand_out(table, jobs, COUNT_OF(jobs));
}

static void make_flags_ordered(run_table *table) {
    begin(table, "flags_threadpool", "thread", 6, true, "download");
    snprintf(table->why, sizeof table->why,
             "2 processors may be used, and 4 more threads may wait");
    run_flags(table);
}

static void make_flags_completed(run_table *table) {
    begin(table, "flags2_async", "connection", 5, false, "download");
    snprintf(table->why, sizeof table->why, "the default");
    run_flags(table);
}

/* As primecheck does it: each task is about many items, each result tells of all of them. */
static void make_blocks(run_table *table) {
    uint64_t seed = 11;
    int64_t free_ns[4] = {BEGUN, BEGUN, BEGUN, BEGUN}, handed_ns = BEGUN;
    begin(table, "primecheck", "thread", 4, true, "block");
    for (uint64_t i = 0; i < 600; i++) {
        const unsigned w = (unsigned)(i % 4);
        const int64_t begun_ns = free_ns[w] + 2 * MICROSECOND;
        free_ns[w] = begun_ns + (int64_t)(200 + random_next(&seed) % 300) * MICROSECOND;
        run_table_add_run(table, &(run_entry){.item = i * 6000,
                                              .items = 6000,
                                              .attempt = 1,
                                              .submitted_ns = begun_ns - 3 * MICROSECOND,
                                              .begun_ns = begun_ns,
                                              .ended_ns = free_ns[w],
                                              .worker = (int32_t)w});
        handed_ns = (handed_ns > free_ns[w] ? handed_ns : free_ns[w]) + MICROSECOND;
        char label[32];
        snprintf(label, sizeof label, "from line %" PRIu64, i * 6000 + 1);
        run_table_add_result(table, i * 6000, label, handed_ns);
    }
    table->ended_ns = handed_ns;
}

/* 300 transfers on as many connections: more tracks than a screen has room for. */
static void make_wide(run_table *table) {
    uint64_t seed = 3;
    job jobs[900];
    begin(table, "flags2_async", "connection", 300, false, "download");
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        const int64_t first_ns = (int64_t)(100 + random_next(&seed) % 4000) * MILLISECOND;
        jobs[i] = (job){.first_byte_ns = first_ns, .run_ns = first_ns + 12 * MILLISECOND};
    }
    run_and_hand_out(table, jobs, COUNT_OF(jobs));
}

/* A hundred thousand short runs, of which a few fail. */
static void make_many(run_table *table) {
    uint64_t seed = 5;
    int64_t free_ns[2] = {BEGUN, BEGUN}, handed_ns = BEGUN;
    begin(table, "proc_pool", "process", 2, true, "check");
    for (uint64_t i = 0; i < 100000; i++) {
        const unsigned w = free_ns[1] < free_ns[0];
        run_entry run = {.item = i,
                         .items = 1,
                         .attempt = 1,
                         .submitted_ns = BEGUN + (int64_t)i * 50,
                         .begun_ns = free_ns[w] + 100,
                         .worker = (int32_t)w};
        run.ended_ns = run.begun_ns + (int64_t)(1 + random_next(&seed) % 40) * MICROSECOND;
        run.ending = i % 9973 == 9972 ? RUN_ERROR : RUN_OK;
        run.detail = run.ending == RUN_ERROR ? EDOM : 0;
        free_ns[w] = run.ended_ns;
        handed_ns = (handed_ns > run.ended_ns ? handed_ns : run.ended_ns) + 50;
        char label[32];
        snprintf(label, sizeof label, "%" PRIu64, 1000003 + 2 * i);
        run_table_add_run(table, &run);
        run_table_add_result(table, i, label, handed_ns);
    }
    table->ended_ns = handed_ns;
}

/* ---- as none should -------------------------------------------------------------------------- */

static void make_hostile(run_table *table) {
    static const job JOBS[] = {
        {"</script><script>hostile()", .run_ns = MILLISECOND},
        {"<!--<script>", .run_ns = 2 * MILLISECOND},
        {"\"};hostile();//\\", .run_ns = MILLISECOND},
        {"<img src=x onerror=hostile()>", .run_ns = MILLISECOND},
        {"line\xe2\x80\xa8"
         "paragraph\xe2\x80\xa9",
         .run_ns = MILLISECOND},
        {"invalid \xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80 end", .run_ns = MILLISECOND},
        {"cut off \xe2\x82", .run_ns = MILLISECOND},
        {"\x01\x1b[31m\t\n\x7f", .run_ns = MILLISECOND},
        {"right\xe2\x80\xae"
         "tfel",
         .run_ns = MILLISECOND},
        {"", .run_ns = MILLISECOND},
        {"&lt;b&gt; &amp; ${hostile()} `", .run_ns = MILLISECOND},
        {"\xf0\x9f\x87\xa7\xf0\x9f\x87\xb7 Brasil", .run_ns = MILLISECOND},
    };
    begin(table, "</title><script>hostile()</script>", "</script>", 2, true, "--><b>\xff");
    memset(table->why, '<', sizeof table->why); /* and no NUL */
    run_and_hand_out(table, JOBS, COUNT_OF(JOBS));
}

static void make_left_out(run_table *table) {
    begin(table, "proc_pool", "process", 2, true, "check");
    table->most = 7;
    run_and_hand_out(table, PRIMES, COUNT_OF(PRIMES));
    table->no_memory = true;
}

/* Ctrl-C after a fifth of a second. */
static void make_open(run_table *table) {
    begin(table, "proc_pool", "process", 2, true, "check");
    run_jobs(table, PRIMES, COUNT_OF(PRIMES));
    const int64_t stopped_ns = BEGUN + 200 * MILLISECOND;
    size_t kept = 0;
    for (size_t r = 0; r < table->runs_count; r++) {
        run_entry run = table->runs[r];
        if (run.begun_ns < stopped_ns) {
            if (run.ended_ns > stopped_ns) {
                run.ending = RUN_OPEN;
                run.ended_ns = 0;
            }
            table->runs[kept++] = run;
        }
    }
    table->runs_count = kept;
    table->ended_ns = stopped_ns;
    run_table_add_result(table, 0, PRIMES[0].label, BEGUN + MILLISECOND);
}

const run_table_kind RUN_TABLE_KINDS[] = {
    {"primes", make_primes},
    {"one", make_one},
    {"empty", make_empty},
    {"zeros", make_zeros},
    {"failures", make_failures},
    {"flags_ordered", make_flags_ordered},
    {"flags_completed", make_flags_completed},
    {"blocks", make_blocks},
    {"wide", make_wide},
    {"many", make_many},
    {"hostile", make_hostile},
    {"left_out", make_left_out},
    {"open", make_open},
};
const size_t RUN_TABLE_KINDS_COUNT = COUNT_OF(RUN_TABLE_KINDS);

void run_table_of_kind(run_table *table, const char *name) {
    for (size_t i = 0; i < RUN_TABLE_KINDS_COUNT; i++) {
        if (strcmp(RUN_TABLE_KINDS[i].name, name) == 0) {
            *table = (run_table){0};
            RUN_TABLE_KINDS[i].make(table);
            return;
        }
    }
    fprintf(stderr, "run_table_of_kind: there is no '%s'\n", name);
    abort();
}
