/* Tasks with futures: submitted, cancelled, looked at, collected and given up in every way. */
#include "storm.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

typedef struct job {
    spec s;
    cf_future *future; /* NULL: it was refused, or is given up */
    bool cancelled;    /* so said cancel */
    uint8_t handed_out;
} job;

typedef struct batch {
    terms t;
    cf_task task;
    size_t count;
    job jobs[JOBS_MOST];
    cf_future *futures[JOBS_MOST];
    size_t places[JOBS_MOST]; /* of the futures, among the jobs */
    size_t future_count;
    unsigned char result[PAYLOAD_MOST + 8];
} batch;

static batch batches[CLIENTS_MOST];

/* A future that one client has left for another. */
static cf_future *_Atomic gift;

/* ---- submitting ------------------------------------------------------------------------------ */

static void make_batch(client *c, batch *b) {
    static const char *const names[] = {NULL, "job", "a task with a long name, as long as a line"};
    const bool massacre = c->plan->mood == MASSACRE;
    b->t = make_terms(c, PAYLOAD_MOST);
    b->count = massacre                                     ? between(&c->seed, 64, JOBS_MOST)
               : b->t.arg_size + b->t.result_size > 8 << 10 ? between(&c->seed, 1, 8)
                                                            : between(&c->seed, 1, 48);
    b->task = (cf_task){.name = names[random_next(&c->seed) % COUNT_OF(names)],
                        .run = storm_run,
                        .arg_size = b->t.arg_size,
                        .result_size = b->t.result_size,
                        .result_type = one_in(&c->seed, 2) ? "pattern" : NULL,
                        .unzeroed = one_in(&c->seed, 3)};
    const uint32_t first =
        take_ids(c, 2 * b->count, b->t.retries); /* each has one for a task in it */
    for (size_t i = 0; i < b->count; i++) {
        b->jobs[i] = (job){.s = make_spec(c, &b->t, first + 2 * (uint32_t)i, false)};
        spec_write(b->jobs[i].s, c->args + i * b->t.arg_size, b->t.arg_size);
    }
}

static void submit_each(client *c, batch *b, const cf_submit_options *options) {
    const bool plain = options->retries == 0 && options->timeout_ns == 0;
    const bool unwanted = one_in(&c->seed, 16);
    for (size_t i = 0; i < b->count; i++) {
        const unsigned char *arg = c->args + i * b->t.arg_size;
        cf_future **future = unwanted ? NULL : &b->jobs[i].future;
        at(c, "cf_executor_submit");
        cf_executor *ex = choose_executor(c);
        const cf_status status = plain
                                     ? cf_executor_submit(ex, &b->task, arg, future)
                                     : cf_executor_submit_with(ex, &b->task, arg, options, future);
        note_accepted(c, ex, status == CF_OK);
        if (status != CF_OK &&
            (!may_refuse(c, "cf_executor_submit", status) || b->jobs[i].future != NULL)) {
            wrong(c, b->jobs[i].s.id, "cf_executor_submit", "a future of a refused task", status);
        }
    }
}

static void submit_all(client *c, batch *b, const cf_submit_options *options) {
    size_t submitted = b->count + 1;
    at(c, "cf_executor_submit_many");
    cf_executor *ex = choose_executor(c);
    const cf_status status =
        cf_executor_submit_many(ex, &b->task, c->args, b->count, options, b->futures, &submitted);
    if (submitted > b->count || (submitted == b->count) != (status == CF_OK)) {
        wrong(c, b->jobs[0].s.id, "cf_executor_submit_many", "another number of tasks", status);
        return;
    }
    if (status != CF_OK) {
        may_refuse(c, "cf_executor_submit_many", status);
    }
    note_accepted(c, ex, submitted);
    for (size_t i = 0; i < b->count; i++) {
        b->jobs[i].future = b->futures[i];
        if ((b->futures[i] != NULL) != (i < submitted)) {
            wrong(c, b->jobs[i].s.id, "cf_executor_submit_many", "a future too many", status);
        }
    }
}

static void list_futures(batch *b) {
    b->future_count = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (b->jobs[i].future != NULL) {
            b->places[b->future_count] = i;
            b->futures[b->future_count++] = b->jobs[i].future;
        }
    }
}

/* ---- while they are under way ---------------------------------------------------------------- */

static void on_done(cf_future *future, void *context) {
    note *n = context;
    cf_exception why;
    const bool right = future == n->future && cf_future_done(future) &&
                       cf_future_exception(future, 0, &why) == CF_OK &&
                       cf_future_result(future, 0, NULL) == why.status;
    atomic_fetch_add(&n->wrong, !right);
    atomic_fetch_add(&n->calls, 1);
}

static void add_callback(client *c, job *j) {
    if (c->note_count == NOTES_MOST) {
        return;
    }
    note *n = &c->notes[c->note_count++];
    n->future = j->future;
    n->calls = n->wrong = 0;
    at(c, "cf_future_add_done_callback");
    const cf_status status = cf_future_add_done_callback(j->future, on_done, n);
    if (status != CF_OK) {
        c->note_count--;
        wrong(c, j->s.id, "cf_future_add_done_callback", "it was refused", status);
    }
}

static void look(client *c, const job *j) {
    char text[96];
    cf_info info;
    at(c, "cf_future_describe");
    cf_future_describe(j->future, text, between(&c->seed, 1, sizeof text));
    at(c, "cf_future_info");
    if (cf_future_info(j->future, &info) != CF_OK || info.state > CF_CANCELLED) {
        wrong(c, j->s.id, "cf_future_info", "it cannot be asked", CF_EINVAL);
    }
}

static void look_at_all(client *c) {
    cf_executor *ex = choose_executor(c);
    cf_stats stats;
    cf_worker_stats worker;
    at(c, "cf_executor_stats");
    if (cf_executor_stats(ex, &stats) != CF_OK || stats.workers > stats.max_workers ||
        stats.max_workers != cf_executor_max_workers(ex) || stats.failed > stats.finished) {
        wrong(c, c->first_id, "cf_executor_stats", "numbers that cannot be", CF_EINVAL);
    }
    at(c, "cf_executor_worker_stats");
    if (stats.workers > 0 && cf_executor_worker_stats(ex, stats.workers - 1, &worker) != CF_OK) {
        wrong(c, c->first_id, "cf_executor_worker_stats", "no such worker", CF_EINVAL);
    }
}

static void exchange_gift(client *c, job *j) {
    cf_future *got = atomic_exchange(&gift, cf_future_retain(j->future));
    if (got != NULL) {
        at(c, "cf_future_result of another client's future");
        const cf_status status = cf_future_result(got, CF_FOREVER, NULL);
        if (status == CF_ETIMEDOUT || !cf_future_done(got)) {
            wrong(c, j->s.id, "cf_future_result", "a wait that ended early", status);
        }
        cf_future_release(got);
    }
}

/* Right behind the workers that begin them. */
static void cancel_all(client *c, batch *b) {
    at(c, "cf_future_cancel");
    for (size_t i = 0; i < b->count; i++) {
        job *j = &b->jobs[i];
        j->cancelled = j->future != NULL && cf_future_cancel(j->future);
    }
}

static void touch(client *c, batch *b) {
    if (one_in(&c->seed, 8)) {
        cancel_all(c, b);
        return;
    }
    const uint64_t cancels = one_in(&c->seed, 4) ? 2 : 1000;
    const uint64_t calls = one_in(&c->seed, 3) ? 2 : 1000;
    for (size_t i = 0; i < b->count; i++) {
        job *j = &b->jobs[i];
        if (j->future == NULL) {
            continue;
        }
        if (one_in(&c->seed, calls)) {
            add_callback(c, j);
        }
        if (one_in(&c->seed, cancels)) {
            at(c, "cf_future_cancel");
            j->cancelled = cf_future_cancel(j->future);
        }
        if (one_in(&c->seed, 16)) {
            look(c, j);
        }
        if (one_in(&c->seed, 64)) {
            exchange_gift(c, j);
        }
    }
    if (one_in(&c->seed, 4)) {
        look_at_all(c);
    }
}

/* ---- collecting ------------------------------------------------------------------------------ */

/* A wait that has begun at `start_ns` is over. */
static void check_promptness(const client *c, cf_future *future, int64_t start_ns) {
    cf_info info;
    if (c->plan->options.record_times && cf_future_info(future, &info) == CF_OK &&
        info.finished_ns > 0) {
        const int64_t since_ns = info.finished_ns > start_ns ? info.finished_ns : start_ns;
        tally_add(&sums->late, now_ns() - since_ns > LATE_NS);
    }
}

static void collect_in_order(client *c, batch *b) {
    const bool backwards = one_in(&c->seed, 2);
    at(c, "cf_future_result");
    for (size_t i = 0; i < b->future_count; i++) {
        cf_future *future = b->futures[backwards ? b->future_count - 1 - i : i];
        const int64_t timeout_ns = one_in(&c->seed, 8) ? 100 * MICROSECOND : CF_FOREVER;
        const int64_t start_ns = now_ns();
        const cf_status status = cf_future_result(future, timeout_ns, NULL);
        check_promptness(c, future, start_ns);
        if ((status == CF_ETIMEDOUT && timeout_ns < 0) || status == CF_EDEADLOCK) {
            wrong(c, c->first_id, "cf_future_result", "a wait that ended early", status);
        }
    }
}

static void collect_as_completed(client *c, batch *b) {
    const size_t most = one_in(&c->seed, 4) ? between(&c->seed, 0, b->future_count) : SIZE_MAX;
    cf_as_completed *iteration = NULL;
    size_t taken = 0;
    at(c, "cf_as_completed_create");
    cf_status status = cf_as_completed_create(b->futures, b->future_count, &iteration);
    while (status == CF_OK && taken < most) {
        cf_future *future;
        size_t place;
        at(c, "cf_as_completed_next");
        const int64_t start_ns = now_ns();
        status = cf_as_completed_next(iteration, CF_FOREVER, &future, &place);
        if (status == CF_OK) {
            check_promptness(c, future, start_ns);
            job *j = &b->jobs[b->places[place]];
            taken++;
            if (j->future != future || !cf_future_done(future)) {
                wrong(c, j->s.id, "cf_as_completed_next", "a future that is not done", status);
            }
            if (j->handed_out++ > 0) {
                doubled(c, j->s.id, "cf_as_completed_next", "it was handed out twice");
            }
        }
    }
    if (status != CF_EEXHAUSTED && taken < most) {
        wrong(c, c->first_id, "cf_as_completed", "it ended early", status);
    }
    if (status == CF_EEXHAUSTED && taken != b->future_count) {
        wrong(c, c->first_id, "cf_as_completed", "a future was not handed out", status);
    }
    at(c, "cf_as_completed_destroy");
    cf_as_completed_destroy(iteration);
}

static bool has_failed(cf_future *future) {
    cf_exception why;
    return cf_future_exception(future, 0, &why) == CF_OK && why.status != CF_OK &&
           why.status != CF_ECANCELLED;
}

static void collect_by_wait(client *c, batch *b) {
    const cf_wait_for what = (cf_wait_for)(random_next(&c->seed) % 3);
    size_t done = 0, found = 0;
    bool failed = false;
    at(c, what == CF_ALL_COMPLETED     ? "cf_wait for all"
          : what == CF_FIRST_COMPLETED ? "cf_wait for the first"
                                       : "cf_wait for an exception");
    const cf_status status = cf_wait(b->futures, b->future_count, what, CF_FOREVER, &done);
    for (size_t i = 0; i < b->future_count; i++) {
        found += cf_future_done(b->futures[i]);
        failed = failed || has_failed(b->futures[i]);
    }
    const bool holds =
        what == CF_FIRST_COMPLETED ? found > 0 || b->future_count == 0 : found == b->future_count;
    if (status != CF_OK || found < done || !(holds || (what == CF_FIRST_EXCEPTION && failed))) {
        wrong(c, c->first_id, "cf_wait", "it does not hold", status);
    }
}

/* ---- how they ended -------------------------------------------------------------------------- */

static void check_result(client *c, batch *b, const job *j, const cf_exception *why) {
    const size_t length = result_length(j->s, b->t.result_size);
    const void *seen = NULL;
    size_t size = 0;
    unsigned char *guard = b->result + length;
    memset(guard, 0xa5, 8);
    at(c, "cf_future_result");
    cf_status status = cf_future_result(j->future, CF_FOREVER, b->result);
    if (status != why->status) {
        wrong(c, j->s.id, "cf_future_result", "another status than its exception's", status);
    }
    if (status != CF_OK) {
        return;
    }
    if (!result_is(j->s, b->result, length) || guard[0] != 0xa5 || guard[7] != 0xa5) {
        wrong(c, j->s.id, "cf_future_result", "another result", status);
    }
    status = cf_future_view(j->future, 0, &seen, &size);
    if (status != CF_OK || size != length || !result_is(j->s, seen, size)) {
        wrong(c, j->s.id, "cf_future_view", "another result", status);
    }
}

static void check_info(client *c, const job *j, const cf_exception *why, const cf_info *info) {
    const cf_state state = why->status == CF_ECANCELLED ? CF_CANCELLED : CF_FINISHED;
    if (info->state != state || cf_future_state(j->future) != state || !cf_future_done(j->future) ||
        cf_future_running(j->future)) {
        wrong(c, j->s.id, "cf_future_state", "another state", why->status);
    }
    const bool timed = info->submitted_ns > 0 && info->submitted_ns <= info->started_ns &&
                       info->started_ns <= info->finished_ns;
    if (c->plan->options.record_times ? why->status == CF_OK && !timed
                                      : info->submitted_ns != 0 || info->finished_ns != 0) {
        wrong(c, j->s.id, "cf_future_info", "times that cannot be", why->status);
    }
}

static void check_job(client *c, batch *b, job *j) {
    cf_exception why = {0};
    cf_info info = {0};
    at(c, "cf_future_exception");
    const cf_status status = cf_future_exception(j->future, CF_FOREVER, &why);
    if (status != CF_OK || cf_future_info(j->future, &info) != CF_OK) {
        wrong(c, j->s.id, "cf_future_exception", "it cannot be asked", status);
        return;
    }
    check_end(c, "cf_future_exception", &b->t, j->s, &why, j->cancelled, (int)info.attempts);
    if (j->cancelled && why.status != CF_ECANCELLED) {
        wrong(c, j->s.id, "cf_future_cancel", "it was cancelled, and ended otherwise", why.status);
    }
    check_info(c, j, &why, &info);
    check_result(c, b, j, &why);
}

static void give_up(client *c, batch *b, bool unseen) {
    for (size_t i = 0; i < b->count; i++) {
        if (b->jobs[i].future != NULL) {
            if (!unseen) {
                check_job(c, b, &b->jobs[i]);
            }
            at(c, "cf_future_release");
            cf_future_release(b->jobs[i].future);
        }
    }
}

void play_jobs(client *c) {
    batch *b = &batches[c->number];
    make_batch(c, b);
    const cf_submit_options options = {.retries = b->t.retries, .timeout_ns = b->t.timeout_ns};
    if (one_in(&c->seed, 2)) {
        submit_all(c, b, &options);
    } else {
        submit_each(c, b, &options);
    }
    touch(c, b);
    list_futures(b);
    const uint64_t way = random_next(&c->seed) % 8;
    if (way < 2) {
        collect_in_order(c, b);
    } else if (way < 4) {
        collect_as_completed(c, b);
    } else if (way < 6) {
        collect_by_wait(c, b);
    }
    give_up(c, b, way == 7 && one_in(&c->seed, 2));
}

void jobs_end_round(void) {
    cf_future_release(atomic_exchange(&gift, NULL));
}
