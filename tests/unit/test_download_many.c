/* The same downloads in every style: each result is handed over once, in the order that is promised, and all
 * end when they are told to. */
#include "downloads.h"

#include "download/download_many.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

TestSuite(download_many, .timeout = TEST_SECONDS);

#define SOON (5 * SECOND) /* more than any delay of a busy machine */

enum {
    MANY = 60
};

typedef struct style {
    const char *name;
    download_many_fn *run;
    unsigned most; /* 1 = it cannot do more */
    bool in_order;
    bool at_the_end; /* hands results over when all are there */
} style;

static const style STYLES[] = {
    {"map_processes", download_many_map_processes, 4, true, true},
    {"sequential", download_many_sequential, 1, true, false},
    {"threads", download_many_threads, 4, false, false},
    {"map_threads", download_many_map_threads, 4, true, true},
    {"async", download_many_async, 4, false, false},
};

#define FOR_EACH_STYLE(s) for (const style *s = STYLES; s < STYLES + COUNT_OF(STYLES); s++)

/* ---- scripts --------------------------------------------------------------------------------- */

static reply all_well(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)code, (void)nth, (void)arrival;
    return (reply){0};
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* All of it is checked as it comes. */
typedef struct run {
    const style *style;
    downloads d;
    country_code codes[CODE_LIST_MAX];
    size_t count;
    unsigned most;
    pthread_t caller;
    size_t begun, collected;
    download_result results[CODE_LIST_MAX]; /* as they were collected */
    size_t place[26][26];                   /* of a code's result there, plus 1 */
    void (*at_begin)(struct run *);         /* NULL, or called by begun */
    void (*at_result)(struct run *, const download_result *);
    void *context;
} run;

static void on_begun(void *context) {
    run *r = context;
    cr_assert(pthread_equal(pthread_self(), r->caller));
    EXPECT_EQ(r->collected, 0);
    r->begun++;
    if (r->at_begin) {
        r->at_begin(r);
    }
}

static size_t *place_of(run *r, country_code code) {
    return &r->place[code.text[0] - 'A'][code.text[1] - 'A'];
}

static void on_collected(void *context, const download_result *result) {
    run *r = context;
    cr_assert(pthread_equal(pthread_self(), r->caller));
    EXPECT_EQ(r->begun, 1);
    cr_assert(r->collected < r->count, "%s: too many results", r->style->name);
    cr_assert(*place_of(r, result->code) == 0, "%s: %s twice", r->style->name, result->code.text);
    if (r->style->in_order) {
        cr_assert_str_eq(result->code.text, r->codes[r->collected].text);
    }
    r->results[r->collected++] = *result;
    *place_of(r, result->code) = r->collected;
    if (r->at_result) {
        r->at_result(r, result);
    }
}

/* The first `count` codes of AA, AB, ... ZZ. */
static run *run_new(const style *s, size_t count, http_script *script, void *context) {
    static run r; /* one at a time */
    r = (run){.style = s, .count = count, .most = s->most, .caller = pthread_self()};
    code_set set = {0};
    code_set_add_every(&set);
    code_set_list(&set, r.codes, count);
    downloads_begin(&r.d, script, context);
    return &r;
}

static void run_it(run *r) {
    const download_job job = {
        .settings = &r->d.settings,
        .codes = r->codes,
        .count = r->count,
        .most = r->most,
        .begun = on_begun,
        .collected = on_collected,
        .context = r,
    };
    EXPECT(CF_OK, r->style->run(&job));
    EXPECT_EQ(r->begun, 1);
    cr_assert(r->collected == r->count, "%s: %zu of %zu results", r->style->name, r->collected,
              r->count);
    cr_assert(atomic_load(&r->d.server->most) <= r->most, "%s: %u at once", r->style->name,
              atomic_load(&r->d.server->most));
}

static void run_end(run *r) {
    downloads_end(&r->d);
}

static const download_result *result_of(run *r, country_code code) {
    return &r->results[*place_of(r, code) - 1];
}

static size_t count_status(const run *r, download_status status) {
    size_t count = 0;
    for (size_t i = 0; i < r->collected; i++) {
        count += r->results[i].status == status;
    }
    return count;
}

/* What is said to be saved is there, and nothing else. */
static void expect_saved(const run *r, size_t wanted) {
    for (size_t i = 0; i < r->collected; i++) {
        const bool is_ok = r->results[i].status == DOWNLOAD_OK;
        EXPECT_EQ(downloads_has_flag(&r->d, r->results[i].code), is_ok);
    }
    EXPECT_EQ(count_status(r, DOWNLOAD_OK), wanted);
    EXPECT_EQ(downloads_files(&r->d), wanted);
}

/* ---- every result once ----------------------------------------------------------------------- */

Test(download_many, all_are_saved) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, MANY, all_well, NULL);
        run_it(r);
        expect_saved(r, MANY);
        for (size_t i = 0; i < MANY; i++) {
            EXPECT_EQ(r->results[i].http_status, 200);
            EXPECT_EQ(r->results[i].attempts, 1);
            EXPECT_EQ(r->results[i].size, FLAG_SIZE);
        }
        EXPECT_EQ(counter_get(&r->d.server->requests), MANY);
        run_end(r);
    }
}

Test(download_many, few_or_none) {
    FOR_EACH_STYLE(s) {
        for (size_t count = 0; count <= 3; count++) {
            run *r = run_new(s, count, all_well, NULL);
            run_it(r);
            expect_saved(r, count);
            run_end(r);
        }
    }
}

Test(download_many, far_more_than_at_once) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, 200, all_well, NULL);
        r->most = s->most == 1 ? 1 : 30;
        run_it(r);
        expect_saved(r, 200);
        run_end(r);
    }
}

/* Each code has one of these outcomes, by its second letter. */
static const struct {
    reply how;
    download_status status;
    const char *message;
} MIXED[] = {
    {{0}, DOWNLOAD_OK, ""},
    {{.status = 404}, DOWNLOAD_NOT_FOUND, ""},
    {{.status = 503}, DOWNLOAD_ERROR, "HTTP error 503 - Service Unavailable"},
    {{.pause_ns = MILLISECOND}, DOWNLOAD_OK, ""},
    {{.body = ""}, DOWNLOAD_ERROR, "empty body"},
    {{.size = 1000, .cut = 1}, DOWNLOAD_ERROR, "transfer closed with 999 bytes remaining to read"},
    {{.size = 200000}, DOWNLOAD_ERROR, "larger than 100000 bytes"},
};

static size_t mixed(country_code code) {
    return (size_t)code.text[1] % COUNT_OF(MIXED);
}

static reply answer_mixed(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)nth, (void)arrival;
    return MIXED[mixed(code)].how;
}

Test(download_many, each_gets_its_own_result) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, MANY, answer_mixed, NULL);
        r->d.settings.size_limit = 100000;
        run_it(r);
        for (size_t i = 0; i < MANY; i++) {
            expect_status(&r->results[i], MIXED[mixed(r->results[i].code)].status);
            cr_assert_str_eq(r->results[i].message, MIXED[mixed(r->results[i].code)].message);
        }
        expect_saved(r, count_status(r, DOWNLOAD_OK));
        run_end(r);
    }
}

Test(download_many, existing_files_are_not_asked_for) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, 20, all_well, NULL);
        r->d.settings.skip_existing = true;
        for (size_t i = 0; i < 20; i += 2) {
            char name[16], flag[FLAG_SIZE];
            snprintf(name, sizeof name, "%s.gif", r->codes[i].text);
            http_server_flag(r->codes[i], flag);
            cr_assert(scratch_write(r->d.path, name, flag, FLAG_SIZE));
        }
        run_it(r);
        for (size_t i = 0; i < 20; i++) {
            const download_result *result = result_of(r, r->codes[i]);
            expect_status(result, i % 2 == 0 ? DOWNLOAD_EXISTING : DOWNLOAD_OK);
            EXPECT_EQ(http_server_requests_of(r->d.server, r->codes[i]), i % 2);
        }
        EXPECT_EQ(downloads_files(&r->d), 20);
        run_end(r);
    }
}

/* Some codes more often than there are retries. */
static reply busy_at_first(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)arrival;
    const reply busy = {
        .status = 503, .header = "Retry-After", .text = "Fri, 31 Dec 1999 23:59:59 GMT"};
    return nth <= (unsigned)code.text[1] % 4 ? busy : (reply){0};
}

Test(download_many, retries) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, MANY, busy_at_first, NULL);
        r->d.settings.retries = 2;
        run_it(r);
        for (size_t i = 0; i < MANY; i++) {
            const download_result *result = &r->results[i];
            const unsigned failures = (unsigned)result->code.text[1] % 4;
            expect_status(result, failures <= 2 ? DOWNLOAD_OK : DOWNLOAD_ERROR);
            EXPECT_EQ(result->attempts, failures <= 2 ? failures + 1 : 3);
            EXPECT_EQ(http_server_requests_of(r->d.server, result->code), result->attempts);
        }
        expect_saved(r, count_status(r, DOWNLOAD_OK));
        run_end(r);
    }
}

/* ---- order ----------------------------------------------------------------------------------- */

Test(download_many, one_at_a_time_asks_in_order) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, MANY, answer_mixed, NULL);
        r->most = 1;
        run_it(r);
        for (size_t i = 0; i < MANY; i++) {
            cr_assert_str_eq(r->d.server->order[i].text, r->codes[i].text);
        }
        run_end(r);
    }
}

typedef struct gates {
    counter open;
} gates;

/* The first code's answer waits. */
static reply hold_first(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)nth, (void)arrival;
    gates *g = context;
    if (strcmp(code.text, "AA") == 0 && !counter_wait(&g->open, 1)) {
        return (reply){.hangs_up = true};
    }
    return (reply){0};
}

static void open_for_the_last(run *r, const download_result *result) {
    (void)result;
    if (r->collected == r->count - 1) {
        gates *g = r->context;
        counter_add(&g->open, 1);
    }
}

/* It would never end if others did not come before the first. */
Test(download_many, as_completed_does_not_wait_for_the_first) {
    FOR_EACH_STYLE(s) {
        if (s->in_order) {
            continue;
        }
        gates *g = shared_alloc(sizeof *g);
        run *r = run_new(s, MANY, hold_first, g);
        r->context = g;
        r->at_result = open_for_the_last;
        run_it(r);
        expect_saved(r, MANY);
        cr_assert_str_eq(r->results[MANY - 1].code.text, "AA");
        run_end(r);
        shared_free(g, sizeof *g);
    }
}

static void expect_asked_once_each(run *r, const download_result *result) {
    (void)result;
    EXPECT_EQ(counter_get(&r->d.server->requests), r->collected);
}

Test(download_many, sequential_collects_each_before_the_next) {
    run *r = run_new(&STYLES[1], MANY, all_well, NULL);
    r->at_result = expect_asked_once_each;
    run_it(r);
    run_end(r);
}

static void wait_until_all_are_asked_for(run *r, const download_result *result) {
    (void)result;
    cr_assert(counter_wait(&r->d.server->requests, (uint32_t)r->count), "%s", r->style->name);
}

/* As a program does that prints into a full pipe. */
Test(download_many, who_collects_may_take_long) {
    FOR_EACH_STYLE(s) {
        if (s->most > 1) {
            run *r = run_new(s, MANY, all_well, NULL);
            r->at_result = wait_until_all_are_asked_for;
            run_it(r);
            expect_saved(r, MANY);
            run_end(r);
        }
    }
}

/* ---- so many at once ------------------------------------------------------------------------- */

/* Waits for the others, so that it is seen whether they come. */
static reply wait_for_most(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)code, (void)nth;
    gates *g = context;
    counter_add(&g->open, 1);
    return arrival <= 4 && !counter_wait(&g->open, 4) ? (reply){.hangs_up = true} : (reply){0};
}

Test(download_many, as_many_at_once_as_allowed) {
    FOR_EACH_STYLE(s) {
        if (s->most == 1) {
            continue;
        }
        gates *g = shared_alloc(sizeof *g);
        run *r = run_new(s, MANY, wait_for_most, g);
        run_it(r);
        expect_saved(r, MANY);
        EXPECT_EQ(r->d.server->most, 4);
        run_end(r);
        shared_free(g, sizeof *g);
    }
}

Test(download_many, connections_are_used_again) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, MANY, all_well, NULL);
        run_it(r);
        const uint32_t connections = counter_get(&r->d.server->connections);
        cr_assert(connections >= 1 && connections <= s->most, "%s: %u connections", s->name,
                  connections);
        run_end(r);
    }
}

/* ---- to stop --------------------------------------------------------------------------------- */

Test(download_many, stopped_before_the_begin) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, MANY, all_well, NULL);
        download_stop_request(&r->d.stop);
        run_it(r);
        EXPECT_EQ(count_status(r, DOWNLOAD_LEFT), MANY);
        EXPECT_EQ(counter_get(&r->d.server->requests), 0);
        expect_saved(r, 0);
        run_end(r);
    }
}

static void stop_after_the_last(run *r, const download_result *result) {
    (void)result;
    if (r->collected == r->count) {
        download_stop_request(&r->d.stop);
    }
}

Test(download_many, stopped_after_the_end) {
    FOR_EACH_STYLE(s) {
        run *r = run_new(s, MANY, all_well, NULL);
        r->at_result = stop_after_the_last;
        run_it(r);
        expect_saved(r, MANY);
        run_end(r);
    }
}

/* Some are answered, no more. */
enum {
    ANSWERED = 10
};

static reply answer_some(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)code, (void)nth;
    return (reply){.silent = arrival > ANSWERED};
}

typedef struct stopper {
    pthread_t thread;
    run *r;
    int64_t stopped_ns;
} stopper;

static void *stop_when_all_wait(void *context) {
    stopper *s = context;
    cr_assert(counter_wait(&s->r->d.server->requests, ANSWERED + s->r->most));
    s->stopped_ns = now_ns();
    download_stop_request(&s->r->d.stop);
    return NULL;
}

static void start_stopper(run *r) {
    stopper *s = r->context;
    s->r = r;
    cr_assert(pthread_create(&s->thread, NULL, stop_when_all_wait, s) == 0);
}

Test(download_many, stopped_in_the_middle) {
    FOR_EACH_STYLE(s) {
        stopper stop;
        run *r = run_new(s, MANY, answer_some, NULL);
        r->at_begin = start_stopper;
        r->context = &stop;
        run_it(r);
        cr_assert(now_ns() - stop.stopped_ns < SOON, "%s: late", s->name);
        pthread_join(stop.thread, NULL);
        expect_saved(r, ANSWERED);
        EXPECT_EQ(count_status(r, DOWNLOAD_LEFT), MANY - ANSWERED);
        EXPECT_EQ(counter_get(&r->d.server->requests), ANSWERED + r->most);
        run_end(r);
    }
}

/* When all others wait, one of those that are silent turns out to be an error. */
static reply fail_when_all_wait(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)code, (void)nth;
    gates *g = context;
    counter_add(&g->open, 1);
    if (arrival != ANSWERED + 1) {
        return (reply){.silent = arrival > ANSWERED};
    }
    const uint32_t most = g[1].open.value;
    return (reply){.status = 404, .hangs_up = !counter_wait(&g->open, ANSWERED + most)};
}

Test(download_many, the_first_error_ends_it) {
    FOR_EACH_STYLE(s) {
        gates *g = shared_alloc(2 * sizeof *g);
        g[1].open.value = s->most;
        run *r = run_new(s, MANY, fail_when_all_wait, g);
        r->d.settings.ends_with_error = true;
        r->d.settings.retries = 2;
        const int64_t start = now_ns();
        run_it(r);
        cr_assert(now_ns() - start < SOON);
        expect_saved(r, ANSWERED);
        EXPECT_EQ(count_status(r, DOWNLOAD_ERROR), 1);
        EXPECT_EQ(count_status(r, DOWNLOAD_LEFT), MANY - ANSWERED - 1);
        EXPECT_EQ(counter_get(&r->d.server->requests), ANSWERED + s->most);
        run_end(r);
        shared_free(g, 2 * sizeof *g);
    }
}

/* ---- who saves ------------------------------------------------------------------------------- */

/* What workers say, wherever they are. */
typedef struct savings {
    counter calls;
    _Atomic pid_t last; /* who it was */
} savings;

static savings *saved_flags;

static int tell_saved(country_code code) {
    atomic_store(&saved_flags->last, getpid());
    counter_add(&saved_flags->calls, 1);
    return code.text[1] == 'Z' ? EIO : 0;
}

Test(download_many, workers_tell_what_they_have_saved) {
    FOR_EACH_STYLE(s) {
        saved_flags = shared_alloc(sizeof *saved_flags);
        run *r = run_new(s, MANY, all_well, NULL);
        r->d.settings.saved = tell_saved;
        run_it(r);
        EXPECT_EQ(counter_get(&saved_flags->calls), MANY);
        EXPECT_EQ(saved_flags->last != getpid(), s->run == download_many_map_processes);
        for (size_t i = 0; i < MANY; i++) {
            const bool is_told = r->results[i].code.text[1] != 'Z';
            expect_status(&r->results[i], is_told ? DOWNLOAD_OK : DOWNLOAD_ERROR);
            EXPECT_EQ(r->results[i].output_error, is_told ? 0 : EIO);
        }
        run_end(r);
        shared_free(saved_flags, sizeof *saved_flags);
    }
}

/* As on a disk that is full: an error for each that is too large, and no worker dies of it. (A process pool
 * cannot be made then: the limit is on its shared memory too.) */
static reply every_third_large(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)context, (void)nth, (void)arrival;
    return (reply){.size = code.text[1] % 3 == 0 ? 5000 : 0};
}

Test(download_many, files_that_become_too_large) {
    FOR_EACH_STYLE(s) {
        if (s->run == download_many_map_processes) {
            continue;
        }
        run *r = run_new(s, 20, every_third_large, NULL);
        struct rlimit before, size;
        cr_assert(getrlimit(RLIMIT_FSIZE, &before) == 0);
        size = before;
        size.rlim_cur = 4096;
        cr_assert(setrlimit(RLIMIT_FSIZE, &size) == 0);
        run_it(r);
        cr_assert(setrlimit(RLIMIT_FSIZE, &before) == 0);
        for (size_t i = 0; i < 20; i++) {
            const download_result *result = &r->results[i];
            if (result->code.text[1] % 3 == 0) {
                char wanted[200];
                int length = snprintf(wanted, sizeof wanted, "%s/%s.gif: File too large", r->d.path,
                                      result->code.text);
                cr_assert(length > 0 && length < (int)sizeof wanted);
                expect_message(result, wanted);
            }
        }
        expect_saved(r, 20 - 7);
        run_end(r);
    }
}

/* ---- a worker that dies ---------------------------------------------------------------------- */

/* As many as there are workers are answered; then all wait at a gate. */
static reply hold_all(void *context, country_code code, unsigned nth, uint32_t arrival) {
    (void)code, (void)nth;
    gates *g = context;
    return arrival > ANSWERED && !counter_wait(&g->open, 1) ? (reply){.hangs_up = true}
                                                            : (reply){0};
}

static void *kill_one(void *context) {
    run *r = context;
    gates *g = r->context;
    cr_assert(counter_wait(&r->d.server->requests, ANSWERED + r->most));
    const pid_t worker = atomic_load(&saved_flags->last); /* now it waits for another one */
    cr_assert(worker > 1 && worker != getpid());
    kill(worker, SIGKILL);
    cr_assert(process_ends(worker, LONG_WAIT));
    counter_add(&g->open, 1);
    return NULL;
}

static pthread_t killer;

static void start_killer(run *r) {
    cr_assert(pthread_create(&killer, NULL, kill_one, r) == 0);
}

Test(download_many, a_worker_killed_while_it_downloads) {
    gates *g = shared_alloc(sizeof *g);
    saved_flags = shared_alloc(sizeof *saved_flags);
    run *r = run_new(&STYLES[0], MANY, hold_all, g);
    r->d.settings.saved = tell_saved;
    r->context = g;
    r->at_begin = start_killer;
    r->count = 20; /* without a Z, see tell_saved */
    run_it(r);
    pthread_join(killer, NULL);
    expect_saved(r, 20);
    EXPECT_EQ(counter_get(&r->d.server->requests), 20 + 1); /* the code that it had, again */
    EXPECT_EQ(counter_get(&saved_flags->calls), 20);
    run_end(r);
    shared_free(saved_flags, sizeof *saved_flags);
    shared_free(g, sizeof *g);
}

/* Each time that it is tried: then it is an error like any other. */
static int die(country_code code) {
    if (strcmp(code.text, "AC") == 0) {
        counter_add(&saved_flags->calls, 1);
        raise(SIGKILL);
    }
    return 0;
}

Test(download_many, a_code_that_kills_workers) {
    saved_flags = shared_alloc(sizeof *saved_flags);
    run *r = run_new(&STYLES[0], 20, all_well, NULL);
    r->d.settings.saved = die;
    run_it(r);
    EXPECT_EQ(counter_get(&saved_flags->calls), 3);
    for (size_t i = 0; i < 20; i++) {
        expect_status(&r->results[i], i == 2 ? DOWNLOAD_ERROR : DOWNLOAD_OK);
    }
    cr_assert_str_eq(r->results[2].message, "killed by signal 9 (SIGKILL)");
    run_end(r);
    shared_free(saved_flags, sizeof *saved_flags);
}
